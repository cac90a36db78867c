# A cluster with keys, and one under a real Slurm (skipped, loudly, where Slurm is not installed or we are not root).
acsweep_e2e_test(30-keys COST 14)
acsweep_e2e_test(40-slurm COST 72)
