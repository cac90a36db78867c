# The network layer of common/: loop, channels, keys, ZAP, join string.
foreach(module loop chan chan_curve keys join)
  acsweep_unit_test(${module} LIBS acsweep_common)
endforeach()

# Fuzz targets of the outside bytes that common/ reads.
acsweep_fuzz_target(join LIBS acsweep_common)
acsweep_fuzz_target(wire LIBS acsweep_common)

# Key commands of the command line. pgtest comes from sql.cmake, read later: a target's name may be used before it exists.
acsweep_unit_test(cli_keys LIBS acsweep_common acsweep_pgtest)
add_dependencies(test_cli_keys acsweep)
