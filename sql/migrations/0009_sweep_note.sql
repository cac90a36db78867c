-- What sweep.cfg says to whoever reads the numbers is the note of a sweep; what was called so is the reason of its state, as
-- it is of a task's. A view shows both, and whatever else concerns a sweep as a whole.
SET LOCAL search_path = acsweep, public;

ALTER TABLE sweep RENAME COLUMN note TO reason;
ALTER TABLE sweep ADD COLUMN note text NOT NULL DEFAULT '';

CREATE VIEW sweeps AS
SELECT s.name AS sweep, s.state::text AS state, s.reason, s.note, s.policy ->> 'mode' AS mode, s.seed,
       (SELECT count(*) FROM sweep_representation r WHERE r.sweep_id = s.sweep_id) AS representations,
       (SELECT count(*) FROM sweep_benchmark b WHERE b.sweep_id = s.sweep_id) AS benchmarks,
       s.created_at, s.finished_at, s.config_digest
FROM sweep s;

COMMENT ON COLUMN sweep.reason IS 'why it is in this state';
COMMENT ON COLUMN sweep.note IS 'what whoever reads its numbers must know, from sweep.cfg';
COMMENT ON VIEW sweeps IS 'The sweeps, with what their authors note about them.';
COMMENT ON COLUMN sweeps.sweep IS 'name of the sweep';
COMMENT ON COLUMN sweeps.state IS 'running, done, failed or cancelled';
COMMENT ON COLUMN sweeps.reason IS 'why it is in this state';
COMMENT ON COLUMN sweeps.note IS 'what whoever reads its numbers must know, from sweep.cfg';
COMMENT ON COLUMN sweeps.mode IS 'mode of the policy';
COMMENT ON COLUMN sweeps.seed IS 'seed of the policy';
COMMENT ON COLUMN sweeps.representations IS 'size of the search space';
COMMENT ON COLUMN sweeps.benchmarks IS 'number of benchmarks';
COMMENT ON COLUMN sweeps.created_at IS 'when it was first submitted';
COMMENT ON COLUMN sweeps.finished_at IS 'when it ended';
COMMENT ON COLUMN sweeps.config_digest IS 'SHA-256 of what the configuration means';
