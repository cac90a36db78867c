# worker/benchmark: questions, prompts, answers.
acsweep_unit_test(benchmark LIBS acsweep_benchmark m)
