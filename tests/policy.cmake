# The policy library against goldens, exact laws and bad input.
foreach(module policy_table policy_screen policy_fit policy_ridge policy_choose policy_recall policy_regret)
  acsweep_unit_test(${module} LIBS acsweep_policy acsweep_common)
endforeach()
set_tests_properties(unit.policy_recall PROPERTIES COST 22)

# What the command line prints, without its main().
acsweep_unit_test(policy_json LIBS acsweep_policy acsweep_common)
target_sources(test_policy_json PRIVATE ${CMAKE_SOURCE_DIR}/cli/policy_json.c ${CMAKE_SOURCE_DIR}/cli/paper_tables.c)

acsweep_fuzz_target(table LIBS acsweep_policy acsweep_common)
acsweep_fuzz_target(values LIBS acsweep_policy acsweep_common)
