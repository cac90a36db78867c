acsweep_unit_test(agent LIBS acsweep_common)
add_dependencies(test_agent acsweep-worker acsweep-exec)
