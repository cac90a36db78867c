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
acsweep_fuzz_target(llama_config LIBS acsweep_checkpoint)

foreach(name llama connector vlm)
  acsweep_unit_test(${name} LIBS acsweep_model checkpoint_copy)
  set_tests_properties(unit.${name} PROPERTIES SKIP_RETURN_CODE 77)
endforeach()

acsweep_unit_test(representation LIBS acsweep_extract checkpoint_copy)
set_tests_properties(unit.representation PROPERTIES SKIP_RETURN_CODE 77)

# What is saved here, read by PyTorch and transformers; skipped where Python lacks them. ACSWEEP_PYTHON names another one.
add_executable(vlm_peer lib/vlm_peer.c)
target_link_libraries(vlm_peer PRIVATE acsweep_model)
target_compile_definitions(vlm_peer PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
set_target_properties(vlm_peer PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME e2e.torch_peer COMMAND sh -c
         "exec \${ACSWEEP_PYTHON:-python3} ${CMAKE_CURRENT_SOURCE_DIR}/e2e/torch_peer.py $<TARGET_FILE:vlm_peer>")
set_tests_properties(e2e.torch_peer PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
