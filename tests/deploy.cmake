# A cluster with keys, and one under a real Slurm (skipped, loudly, where Slurm is not installed or we are not root).
acsweep_e2e_test(30-keys 300)
acsweep_e2e_test(40-slurm 300)
set_tests_properties(e2e.40-slurm PROPERTIES SKIP_RETURN_CODE 77)
