# Training small models from nothing. Data, words, views and ridge regression need no libtorch; losses and training do.
acsweep_unit_test(pretrain_parts LIBS acsweep_pretrain)
acsweep_unit_test(pretrain LIBS acsweep_pretrain)
set_tests_properties(unit.pretrain PROPERTIES SKIP_RETURN_CODE 77)
foreach(name pairs texts)
  acsweep_fuzz_target(${name} LIBS acsweep_pretrain)
endforeach()

# The program itself, on a small world (skipped, loudly, without libtorch); and its files read by transformers.
add_test(NAME e2e.95-pretrain COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/e2e/95-pretrain.sh)
set_tests_properties(e2e.95-pretrain PROPERTIES TIMEOUT 400 LABELS e2e RUN_SERIAL ON SKIP_RETURN_CODE 77
                     ENVIRONMENT "ACSWEEP_BIN=${CMAKE_BINARY_DIR}/bin")
