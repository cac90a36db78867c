acsweep_unit_test(opts LIBS acsweep_common)
