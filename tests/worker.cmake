# The worker's rooms: acsweep-exec and acsweep-worker as real programs, their parts one by one.
add_library(worker_rig STATIC ${CMAKE_CURRENT_SOURCE_DIR}/lib/made_task.c ${CMAKE_CURRENT_SOURCE_DIR}/lib/agent_rig.c)
target_link_libraries(worker_rig PUBLIC acsweep_common acsweep_proctree PkgConfig::CMOCKA)
target_compile_definitions(worker_rig PRIVATE BINARY_DIR="${CMAKE_BINARY_DIR}")

# Libraries of a GPU's driver that obey the test.
foreach(name cudart nvml)
  add_library(fake_${name} MODULE ${CMAKE_CURRENT_SOURCE_DIR}/lib/fake_${name}.c)
  set_target_properties(fake_${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endforeach()

foreach(name exec agent agent_gpus slot devices gpu spool leftovers errands paths layout)
  acsweep_unit_test(${name} LIBS worker_rig acsweep_agent)
  target_compile_definitions(test_${name} PRIVATE FAKE_CUDART="$<TARGET_FILE:fake_cudart>"
                             FAKE_NVML="$<TARGET_FILE:fake_nvml>")
  add_dependencies(test_${name} acsweep-worker acsweep-exec fake_cudart fake_nvml)
endforeach()
set_tests_properties(unit.agent PROPERTIES COST 22)

acsweep_unit_test(energy LIBS acsweep_executors)
target_compile_definitions(test_energy PRIVATE FAKE_NVML="$<TARGET_FILE:fake_nvml>")
add_dependencies(test_energy fake_nvml)

acsweep_fuzz_target(gpu LIBS acsweep_agent)

# The executor's part of correspondence pictures is inside the module for libtorch; here without it.
acsweep_unit_test(native_pictures LIBS acsweep_executors acsweep_score)
target_sources(test_native_pictures PRIVATE ${CMAKE_SOURCE_DIR}/worker/exec/native_pictures.c)
# The passes of native scores, without what computes.
acsweep_unit_test(passes LIBS acsweep_executors acsweep_score m)
target_sources(test_passes PRIVATE ${CMAKE_SOURCE_DIR}/worker/exec/native_passes.c)
