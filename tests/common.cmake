acsweep_unit_test(common LIBS acsweep_common)
