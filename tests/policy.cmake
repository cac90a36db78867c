# The policy library against goldens, exact laws and bad input.
foreach(module policy_table policy_fit policy_ridge policy_choose policy_recall)
  acsweep_unit_test(${module} LIBS acsweep_policy acsweep_common)
endforeach()
