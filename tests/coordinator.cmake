acsweep_unit_test(sched LIBS acsweep_coordinator_lib)
acsweep_unit_test(graph LIBS acsweep_coordinator_lib)
acsweep_unit_test(task_state LIBS acsweep_common)
# The coordinator's program, with scripted workers and clients around it.
acsweep_unit_test(coord LIBS acsweep_common acsweep_pgtest)
add_dependencies(test_coord acsweep-coordinator)
set_tests_properties(unit.coord PROPERTIES COST 35) # a database for each test
