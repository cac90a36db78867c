acsweep_unit_test(opts LIBS acsweep_common)
acsweep_unit_test(changes LIBS acsweep_cli)
acsweep_unit_test(link LIBS acsweep_cli)
acsweep_unit_test(pace LIBS acsweep_cli)
acsweep_unit_test(show LIBS acsweep_cli acsweep_pgtest)

# End-to-end tests: tests/e2e/NN-name.sh, run with the programs of this build. COST: about how many seconds under sanitizers, so
# that the longest begin first (README.md). The time limit is for what hangs: several tests share a machine. 77 is "skipped",
# loudly: libtorch, fonts, Slurm or root are missing.
function(acsweep_e2e_test name)
  cmake_parse_arguments(T "" "COST" "LABELS" ${ARGN})
  add_test(NAME e2e.${name} COMMAND bash ${CMAKE_SOURCE_DIR}/tests/e2e/${name}.sh)
  set_tests_properties(e2e.${name} PROPERTIES TIMEOUT 600 LABELS "e2e;${T_LABELS}" COST ${T_COST} SKIP_RETURN_CODE 77
                       ENVIRONMENT "ACSWEEP_BIN=${CMAKE_BINARY_DIR}/bin")
endfunction()

# All programs and what else these tests need, without the unit tests: what ./test builds for its last step.
add_custom_target(programs DEPENDS acsweep acsweep-coordinator acsweep-worker acsweep-exec acsweep-pretrain fake_cudart fake_nvml)

acsweep_e2e_test(10-cli COST 8)
acsweep_e2e_test(15-plan COST 2)
acsweep_e2e_test(20-replay COST 60 LABELS release-only)
acsweep_e2e_test(25-control COST 32)
acsweep_e2e_test(28-screen COST 25)
acsweep_e2e_test(50-environment COST 13)
acsweep_e2e_test(60-command COST 14)
# Extraction, answers, training, evaluation: by hand and by tasks.
acsweep_e2e_test(70-extract COST 130)
acsweep_e2e_test(70-gpus COST 15)
acsweep_e2e_test(72-generate COST 44)
acsweep_e2e_test(75-benchmarks COST 11)
acsweep_e2e_test(76-evaluate COST 65)
acsweep_e2e_test(80-native COST 46)
acsweep_e2e_test(82-train COST 105)
acsweep_e2e_test(85-content COST 30)
acsweep_e2e_test(86-alignment COST 18)
# A whole sweep by native tasks alone.
acsweep_e2e_test(90-sweep COST 90)
if(TARGET acsweep-world)
  add_dependencies(programs acsweep-world)
  acsweep_e2e_test(77-world COST 20)
  acsweep_e2e_test(92-sprites COST 60 LABELS release-only)
endif()
