# The history of a sweep under faults, judged from the database and the workers' logs (tests/history/).
pkg_check_modules(PQ_HISTORY REQUIRED IMPORTED_TARGET libpq)
add_executable(history_check history/history_check.c)
target_link_libraries(history_check PRIVATE acsweep_common PkgConfig::PQ_HISTORY PkgConfig::JANSSON)
add_executable(noisy_proxy history/noisy_proxy.c)
target_link_libraries(noisy_proxy PRIVATE acsweep_common PkgConfig::ZMQ)
set_target_properties(history_check noisy_proxy PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# A sweep of more than 20,000 tasks; ACSWEEP_FAULT_SCALE and ACSWEEP_FAULT_SEED in the environment change it.
# One at a time: each keeps a processor busy by itself.
function(acsweep_fault_test name cost)
  add_test(NAME fault.${name} COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/history/${ARGN})
  set_tests_properties(fault.${name} PROPERTIES TIMEOUT 600 LABELS fault COST ${cost} RESOURCE_LOCK faults
                       ENVIRONMENT "ACSWEEP_BIN=${CMAKE_BINARY_DIR}/bin;ACSWEEP_TESTS=${CMAKE_BINARY_DIR}/tests")
endfunction()
# The coordinator without its fence, as -DACSWEEP_MUTATE=fence builds it: the checker must notice.
get_target_property(coordinator_sources acsweep_coordinator_lib SOURCES)
list(TRANSFORM coordinator_sources PREPEND ${CMAKE_SOURCE_DIR}/coordinator/)
add_executable(coordinator_mutant ${CMAKE_SOURCE_DIR}/coordinator/main.c ${coordinator_sources})
target_link_libraries(coordinator_mutant PRIVATE acsweep_plan acsweep_policy acsweep_sql acsweep_common)
target_compile_definitions(coordinator_mutant PRIVATE ACSWEEP_MUTATE_FENCE ACSWEEP_VERSION="${PROJECT_VERSION}")
set_target_properties(coordinator_mutant PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
acsweep_fault_test(mutant 61 faults.py --scenario stale --faults-for 40 --expect-violation
                   --coordinator ${CMAKE_BINARY_DIR}/tests/coordinator_mutant)
if(NOT ACSWEEP_MUTATE)
  acsweep_fault_test(standby 20 standby.py)
  acsweep_fault_test(history 90 faults.py --faults-for 75 --patience 120)
endif()
