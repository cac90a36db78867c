# The worker's rooms: acsweep-exec and acsweep-worker as real programs, their parts one by one.
add_library(worker_rig STATIC ${CMAKE_CURRENT_SOURCE_DIR}/lib/made_task.c)
target_link_libraries(worker_rig PUBLIC acsweep_common acsweep_proctree)
foreach(name paths layout)
  acsweep_unit_test(${name} LIBS worker_rig)
endforeach()
foreach(name exec agent)
  acsweep_unit_test(${name} LIBS worker_rig)
  add_dependencies(test_${name} acsweep-worker acsweep-exec)
endforeach()

acsweep_unit_test(spool LIBS acsweep_agent)

add_library(fake_cudart MODULE ${CMAKE_CURRENT_SOURCE_DIR}/lib/fake_cudart.c)
set_target_properties(fake_cudart PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
acsweep_unit_test(gpu LIBS acsweep_agent)
target_compile_definitions(test_gpu PRIVATE FAKE_CUDART="$<TARGET_FILE:fake_cudart>")
add_dependencies(test_gpu acsweep-exec fake_cudart)

acsweep_unit_test(slot LIBS acsweep_agent)
add_dependencies(test_slot acsweep-exec)

target_compile_definitions(test_agent PRIVATE FAKE_CUDART="$<TARGET_FILE:fake_cudart>")
add_dependencies(test_agent fake_cudart)

add_library(fake_nvml MODULE ${CMAKE_CURRENT_SOURCE_DIR}/lib/fake_nvml.c)
set_target_properties(fake_nvml PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
acsweep_unit_test(energy LIBS acsweep_executors)
target_compile_definitions(test_energy PRIVATE FAKE_NVML="$<TARGET_FILE:fake_nvml>")
add_dependencies(test_energy fake_nvml)
