acsweep_unit_test(opts LIBS acsweep_common)
acsweep_unit_test(changes LIBS acsweep_cli)
acsweep_unit_test(link LIBS acsweep_cli)
acsweep_unit_test(show LIBS acsweep_cli acsweep_pgtest)

# End-to-end tests: tests/e2e/NN-name.sh, run with the programs of this build. Further arguments are more labels.
function(acsweep_e2e_test name timeout)
  add_test(NAME e2e.${name} COMMAND bash ${CMAKE_SOURCE_DIR}/tests/e2e/${name}.sh)
  set_tests_properties(e2e.${name} PROPERTIES TIMEOUT ${timeout} LABELS "e2e;${ARGN}" RUN_SERIAL ON
                       ENVIRONMENT "ACSWEEP_BIN=${CMAKE_BINARY_DIR}/bin")
endfunction()
acsweep_e2e_test(10-cli 120)
acsweep_e2e_test(15-plan 60)
acsweep_e2e_test(20-replay 600 release-only)
acsweep_e2e_test(50-environment 300)
acsweep_e2e_test(25-control 120)
acsweep_e2e_test(28-screen 120)
acsweep_e2e_test(60-command 180)
acsweep_e2e_test(70-extract 300)
acsweep_e2e_test(70-gpus 300)
# Answers of a whole model (skipped, loudly, without libtorch).
acsweep_e2e_test(72-generate 300)
set_tests_properties(e2e.72-generate PROPERTIES SKIP_RETURN_CODE 77)
acsweep_e2e_test(75-benchmarks 120)
# Real extraction and C scores by tasks (skipped, loudly, without libtorch).
acsweep_e2e_test(80-native 300)
acsweep_e2e_test(85-content 300)
set_tests_properties(e2e.80-native e2e.85-content PROPERTIES SKIP_RETURN_CODE 77)
# Training by hand and by tasks (skipped, loudly, without libtorch).
acsweep_e2e_test(82-train 400)
set_tests_properties(e2e.82-train PROPERTIES SKIP_RETURN_CODE 77)
# Answers to benchmarks by hand; a whole sweep by native tasks alone (skipped, loudly, without libtorch).
acsweep_e2e_test(76-evaluate 300)
acsweep_e2e_test(86-alignment 300)
acsweep_e2e_test(90-sweep 400)
set_tests_properties(e2e.76-evaluate e2e.86-alignment e2e.90-sweep PROPERTIES SKIP_RETURN_CODE 77)
# The sprite world by hand (skipped, loudly, without its fonts).
if(TARGET acsweep-world)
  acsweep_e2e_test(77-world 200)
  set_tests_properties(e2e.77-world PROPERTIES SKIP_RETURN_CODE 77)
endif()
