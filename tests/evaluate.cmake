# A multimodal model at work on a benchmark.
acsweep_unit_test(answer_log LIBS acsweep_evaluate)
