# worker/benchmark: questions, prompts, answers, published files.
foreach(name benchmark convert interval)
  acsweep_unit_test(${name} LIBS acsweep_benchmark m)
endforeach()
foreach(name questions answers convert)
  acsweep_fuzz_target(${name} LIBS acsweep_benchmark m)
endforeach()
