# worker/score: the scores, from pieces to whole sets.
foreach(name score_c)
  acsweep_unit_test(${name} LIBS acsweep_score m)
  target_compile_options(test_${name} PRIVATE -ffp-contract=off)
endforeach()
