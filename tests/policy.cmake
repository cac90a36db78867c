# The policy library against goldens, exact laws and bad input.
foreach(module policy_table policy_fit policy_ridge policy_choose policy_recall)
  acsweep_unit_test(${module} LIBS acsweep_policy acsweep_common)
endforeach()

# net.cmake declares how a fuzz target is built, and is read before this file.
acsweep_fuzz_target(table LIBS acsweep_policy acsweep_common)
