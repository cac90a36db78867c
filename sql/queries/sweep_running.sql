-- Sweeps that a leader must serve.
SELECT sweep_id FROM sweep WHERE state = 'running' ORDER BY sweep_id;
