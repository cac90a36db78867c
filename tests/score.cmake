# worker/score: the scores, from pieces to whole sets.
foreach(name score_a score_c score_c_set)
  acsweep_unit_test(${name} LIBS acsweep_score m)
  target_compile_options(test_${name} PRIVATE -ffp-contract=off)
endforeach()

add_executable(score_c lib/score_c.c)
target_link_libraries(score_c PRIVATE acsweep_score)
set_target_properties(score_c PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

acsweep_fuzz_target(features LIBS acsweep_score m)
