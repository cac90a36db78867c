-- What a new leader must know of the old one's promises: which running tasks were asked to stop, which key a worker's id
-- belongs to; and where coordinators wait, so that workers know the way before they need it.
SET LOCAL search_path = acsweep, public;

ALTER TABLE task ADD COLUMN cancel_wanted boolean NOT NULL DEFAULT false;
ALTER TABLE worker ADD COLUMN public_key text NOT NULL DEFAULT '';
CREATE TABLE coordinator (
    endpoint   text PRIMARY KEY,
    name       text NOT NULL,
    server_key text NOT NULL DEFAULT '',
    seen_at    timestamptz NOT NULL DEFAULT now()
);

COMMENT ON COLUMN task.cancel_wanted IS 'its running attempt was asked to stop; no other follows';
COMMENT ON COLUMN worker.public_key IS 'CURVE key that this id belongs to, empty without keys';
COMMENT ON TABLE coordinator IS 'Coordinators of this database that lead or stand by, as they last said.';
COMMENT ON COLUMN coordinator.endpoint IS 'address that workers connect to';
COMMENT ON COLUMN coordinator.name IS 'readable name';
COMMENT ON COLUMN coordinator.server_key IS 'CURVE public key of it, empty without keys';
COMMENT ON COLUMN coordinator.seen_at IS 'when it last said that it is there';
