# Models. What computes says "skipped" (77) in a build without libtorch; configurations and headers need none.
add_library(checkpoint_copy STATIC EXCLUDE_FROM_ALL lib/checkpoint_copy.c)
target_link_libraries(checkpoint_copy PUBLIC acsweep_tensorfile PkgConfig::CMOCKA)

acsweep_unit_test(vit LIBS acsweep_model checkpoint_copy)
set_tests_properties(unit.vit PROPERTIES SKIP_RETURN_CODE 77)

acsweep_unit_test(feature_file LIBS acsweep_extract)
set_tests_properties(unit.feature_file PROPERTIES SKIP_RETURN_CODE 77)

acsweep_unit_test(vit_config LIBS acsweep_checkpoint)
acsweep_unit_test(published LIBS acsweep_checkpoint acsweep_data m)
acsweep_unit_test(inspect LIBS acsweep_checkpoint checkpoint_copy)
acsweep_fuzz_target(vit_config LIBS acsweep_checkpoint)
