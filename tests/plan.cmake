# Config files and the planner.
acsweep_unit_test(conf LIBS acsweep_common)
acsweep_unit_test(plan LIBS acsweep_plan)
acsweep_fuzz_target(plan LIBS acsweep_plan)
acsweep_unit_test(opts_file LIBS acsweep_common)
add_test(NAME e2e.config_files COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/e2e/config_files.sh ${CMAKE_BINARY_DIR}/bin ${CMAKE_SOURCE_DIR})
