# The network layer of common/: loop, channels, keys, ZAP, join string.
foreach(module loop chan chan_curve keys join)
  acsweep_unit_test(${module} LIBS acsweep_common)
endforeach()

# Fuzz targets: with -DACSWEEP_FUZZ=ON coverage-guided programs (run them as `fuzz_wire CORPUS`); in every other build each
# target replays its corpus as a test.
function(acsweep_fuzz_target name)
  cmake_parse_arguments(F "" "" "LIBS" ${ARGN})
  add_executable(fuzz_${name} fuzz/fuzz_${name}.c)
  target_link_libraries(fuzz_${name} PRIVATE ${F_LIBS})
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  set(corpus ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  if(ACSWEEP_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME fuzz.${name} COMMAND fuzz_${name} -runs=0 ${corpus})
  else()
    target_sources(fuzz_${name} PRIVATE fuzz/replay.c)
    add_test(NAME fuzz.${name} COMMAND fuzz_${name} ${corpus})
  endif()
  set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 120)
endfunction()
acsweep_fuzz_target(join LIBS acsweep_common)
acsweep_fuzz_target(wire LIBS acsweep_common)

# Key commands of the command line. pgtest comes from sql.cmake, read later: a target's name may be used before it exists.
acsweep_unit_test(cli_keys LIBS acsweep_common acsweep_pgtest)
add_dependencies(test_cli_keys acsweep)
