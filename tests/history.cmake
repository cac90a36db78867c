# The history of a sweep under faults, judged from the database and the workers' logs (tests/history/).
pkg_check_modules(PQ_HISTORY REQUIRED IMPORTED_TARGET libpq)
add_executable(history_check history/history_check.c)
target_link_libraries(history_check PRIVATE acsweep_common PkgConfig::PQ_HISTORY PkgConfig::JANSSON)
add_executable(noisy_proxy history/noisy_proxy.c)
target_link_libraries(noisy_proxy PRIVATE acsweep_common PkgConfig::ZMQ)
set_target_properties(history_check noisy_proxy PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
