# Training small models from nothing. Data, words, views and ridge regression need no libtorch; losses and training do.
acsweep_unit_test(pretrain_parts LIBS acsweep_pretrain)
acsweep_unit_test(pretrain LIBS acsweep_pretrain)
set_tests_properties(unit.pretrain PROPERTIES SKIP_RETURN_CODE 77)
foreach(name pairs texts)
  acsweep_fuzz_target(${name} LIBS acsweep_pretrain)
endforeach()

# The program itself, on a small world; and its files read by transformers.
acsweep_e2e_test(95-pretrain COST 80)
