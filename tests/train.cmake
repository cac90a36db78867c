# Training. Recipes and checkpoints need no libtorch; what computes says "skipped" (77) without it.
add_library(train_case STATIC EXCLUDE_FROM_ALL lib/train_case.c)
target_link_libraries(train_case PUBLIC acsweep_train PkgConfig::CMOCKA)
target_compile_definitions(train_case PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")

acsweep_unit_test(trainer LIBS train_case)
set_tests_properties(unit.trainer PROPERTIES SKIP_RETURN_CODE 77 COST 140 TIMEOUT 900)

acsweep_unit_test(recipe LIBS acsweep_recipe)
acsweep_unit_test(checkpoint LIBS acsweep_recipe)
acsweep_fuzz_target(train_recipe LIBS acsweep_recipe)
