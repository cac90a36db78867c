# Config files and the planner.
acsweep_unit_test(conf LIBS acsweep_common)
acsweep_unit_test(plan LIBS acsweep_plan)
acsweep_fuzz_target(plan LIBS acsweep_plan)
acsweep_unit_test(opts_file LIBS acsweep_common)
add_test(NAME e2e.config_files COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/e2e/config_files.sh ${CMAKE_BINARY_DIR}/bin ${CMAKE_SOURCE_DIR})

# The programs of examples/llava15-command, with stand-ins for what they call.
add_executable(print_task lib/print_task.c)
target_link_libraries(print_task PRIVATE acsweep_plan)
set_target_properties(print_task PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME e2e.llava15-command COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/e2e/llava15-command.sh $<TARGET_FILE:print_task> ${CMAKE_SOURCE_DIR})
set_tests_properties(e2e.llava15-command PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 60)
