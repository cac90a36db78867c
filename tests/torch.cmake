# The border to libtorch; the programs say "skipped" (77) in a build without it. Tensor files need none.
foreach(name torch torch_ops torch_nn torch_fused torch_train torch_dist weights)
  acsweep_unit_test(${name} LIBS acsweep_torch)
  set_tests_properties(unit.${name} PROPERTIES SKIP_RETURN_CODE 77)
endforeach()
if(ACSWEEP_WITH_TORCH)
  set_target_properties(acsweep_torch_none PROPERTIES EXCLUDE_FROM_ALL OFF)
  add_test(NAME unit.torch_border COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/unit/torch_border.sh
           $<TARGET_FILE:acsweep_torch> $<TARGET_FILE:acsweep_torch_none>)
endif()

acsweep_unit_test(torch_tune LIBS acsweep_torch)
set_target_properties(test_torch_tune PROPERTIES ENABLE_EXPORTS ON)
set_tests_properties(unit.torch_tune PROPERTIES COST 20)
acsweep_unit_test(safetensors LIBS acsweep_tensorfile)
acsweep_fuzz_target(safetensors LIBS acsweep_tensorfile)
acsweep_fuzz_target(weights_index LIBS acsweep_tensorfile)
acsweep_unit_test(torch_file LIBS acsweep_tensorfile checkpoint_copy)
acsweep_fuzz_target(torch_file LIBS acsweep_tensorfile)
