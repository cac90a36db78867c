# The worker's rooms: acsweep-exec and acsweep-worker as real programs, their parts one by one.
foreach(name exec agent)
  acsweep_unit_test(${name} LIBS acsweep_common)
  add_dependencies(test_${name} acsweep-worker acsweep-exec)
endforeach()
