-- The core of acsweep: models and data by name, the task graph, attempts, workers, artifacts, events.
--
-- Readiness is derived, never stored: a task is ready when its state is 'pending' and every input is 'done'. So the
-- commit of a result unlocks its successors by itself, and a task row changes only when it is leased and when it ends.
-- There is no index on state: the leader keeps the queues in memory, and all updates of a task row stay HOT.

CREATE SCHEMA IF NOT EXISTS acsweep;
SET LOCAL search_path = acsweep, public;

CREATE TYPE task_state AS ENUM ('pending', 'leased', 'done', 'failed', 'cancelled');
CREATE TYPE attempt_outcome AS ENUM ('succeeded', 'failed', 'checkpointed', 'cancelled', 'lost');
CREATE TYPE failure_class AS ENUM ('none', 'infrastructure', 'preempted', 'gpu_oom', 'host_oom', 'data', 'code', 'timeout');
CREATE TYPE sweep_state AS ENUM ('running', 'done', 'failed', 'cancelled');

-- One row: the leader of this database. Raised under the advisory lock.
CREATE TABLE leader (
    one          boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch        bigint NOT NULL,
    coordinator  text NOT NULL,
    endpoint     text NOT NULL,
    since        timestamptz NOT NULL DEFAULT now()
);

-- ---- what is compared -----------------------------------------------------------------------------------------
CREATE TABLE checkpoint (
    checkpoint_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    role          text NOT NULL CHECK (role IN ('encoder', 'llm', 'connector')),
    source        text NOT NULL DEFAULT '',
    digest        text
);
CREATE TABLE encoder (
    encoder_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL,
    checkpoint_id bigint NOT NULL REFERENCES checkpoint,
    resolution    int NOT NULL CHECK (resolution > 0),
    grid          int CHECK (grid > 0),
    channels      int CHECK (channels > 0),
    options       jsonb NOT NULL DEFAULT '{}',
    identity      text NOT NULL UNIQUE
);
CREATE TABLE representation (
    representation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL,
    target_grid   int,
    options       jsonb NOT NULL DEFAULT '{}',
    identity      text NOT NULL UNIQUE
);
CREATE TABLE representation_member (
    representation_id bigint NOT NULL REFERENCES representation,
    position      int NOT NULL,
    encoder_id    bigint NOT NULL REFERENCES encoder,
    PRIMARY KEY (representation_id, position)
);
CREATE TABLE image_set (
    image_set_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    role          text NOT NULL CHECK (role IN ('stage1', 'stage2', 'benchmark', 'correspondence', 'other')),
    images        bigint,
    digest        text
);
CREATE TABLE correspondence_set (
    correspondence_set_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    image_set_id  bigint REFERENCES image_set,
    pairs         bigint,
    split         text NOT NULL DEFAULT 'test'
);
CREATE TABLE benchmark (
    benchmark_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    metric        text NOT NULL,
    questions     bigint,
    maximum       double precision,
    image_set_id  bigint REFERENCES image_set
);
-- How a score is computed: references, sample, alpha, geometry, arithmetic, layer. Part of a score's key.
CREATE TABLE score_setting (
    score_setting_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    score         text NOT NULL CHECK (score IN ('a', 'c')),
    settings      jsonb NOT NULL,
    identity      text NOT NULL UNIQUE
);

-- ---- sweeps ---------------------------------------------------------------------------------------------------
CREATE TABLE sweep (
    sweep_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    state         sweep_state NOT NULL DEFAULT 'running',
    config        text NOT NULL,
    config_digest text NOT NULL,
    plan          jsonb NOT NULL,
    policy        jsonb NOT NULL,
    seed          bigint NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    note          text NOT NULL DEFAULT ''
);
CREATE TABLE sweep_representation (
    sweep_id      bigint NOT NULL REFERENCES sweep,
    representation_id bigint NOT NULL REFERENCES representation,
    position      int NOT NULL,
    label         text NOT NULL,
    PRIMARY KEY (sweep_id, representation_id)
);
CREATE TABLE sweep_benchmark (
    sweep_id      bigint NOT NULL REFERENCES sweep,
    benchmark_id  bigint NOT NULL REFERENCES benchmark,
    position      int NOT NULL,
    weight        double precision NOT NULL DEFAULT 0,
    correspondence_set_id bigint REFERENCES correspondence_set,
    PRIMARY KEY (sweep_id, benchmark_id)
);

-- ---- tasks ----------------------------------------------------------------------------------------------------
CREATE TABLE task (
    task_id       bigint PRIMARY KEY,
    state         task_state NOT NULL DEFAULT 'pending',
    attempt       int NOT NULL DEFAULT 0,
    lease_epoch   bigint NOT NULL DEFAULT 0,
    charged       int NOT NULL DEFAULT 0,
    worker_id     text,
    leased_at     timestamptz,
    ended_at      timestamptz,
    kind          text NOT NULL,
    executor      text NOT NULL,
    identity      text NOT NULL UNIQUE,
    label         text NOT NULL,
    params        jsonb NOT NULL,
    resources     jsonb NOT NULL DEFAULT '{}',
    priority      int NOT NULL DEFAULT 0,
    encoder_id    bigint REFERENCES encoder,
    representation_id bigint REFERENCES representation,
    benchmark_id  bigint REFERENCES benchmark,
    correspondence_set_id bigint REFERENCES correspondence_set,
    image_set_id  bigint REFERENCES image_set,
    score_setting_id bigint REFERENCES score_setting,
    shard         int,
    created_at    timestamptz NOT NULL DEFAULT now(),
    reason        text NOT NULL DEFAULT ''
) WITH (fillfactor = 70);
CREATE INDEX task_representation ON task (representation_id, kind) WHERE representation_id IS NOT NULL;
CREATE TABLE task_input (
    task_id       bigint NOT NULL,
    input_task_id bigint NOT NULL,
    name          text NOT NULL,
    PRIMARY KEY (task_id, input_task_id, name)
);
CREATE TABLE sweep_task (
    sweep_id      bigint NOT NULL,
    task_id       bigint NOT NULL,
    round         int NOT NULL DEFAULT 0,
    cached        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (sweep_id, task_id)
);
-- History: inserted once, when an attempt ends or is given up as lost; never updated.
CREATE TABLE attempt (
    task_id       bigint NOT NULL,
    attempt       int NOT NULL,
    epoch         bigint NOT NULL,
    worker_id     text NOT NULL,
    slot          int,
    devices       text[] NOT NULL DEFAULT '{}',
    outcome       attempt_outcome NOT NULL,
    failure       failure_class NOT NULL DEFAULT 'none',
    charged       boolean NOT NULL DEFAULT false,
    message       text NOT NULL DEFAULT '',
    started_at    timestamptz,
    finished_at   timestamptz,
    wall_seconds  double precision,
    gpu_seconds   double precision,
    cpu_seconds   double precision,
    energy_joules double precision,
    max_rss_bytes bigint,
    max_gpu_bytes bigint,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (task_id, attempt)
);
CREATE TABLE metric (
    task_id       bigint NOT NULL,
    name          text NOT NULL,
    value         double precision NOT NULL,
    PRIMARY KEY (task_id, name)
);
CREATE TABLE artifact (
    artifact_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id       bigint NOT NULL,
    attempt       int NOT NULL,
    name          text NOT NULL,
    digest        text NOT NULL,
    bytes         bigint NOT NULL,
    content       bytea,
    UNIQUE (task_id, name)
);
CREATE TABLE artifact_location (
    artifact_id   bigint NOT NULL REFERENCES artifact,
    store         text NOT NULL CHECK (store IN ('shared', 'scratch', 'inline')),
    worker_id     text NOT NULL DEFAULT '',
    path          text NOT NULL,
    PRIMARY KEY (artifact_id, store, worker_id)
);

-- ---- workers --------------------------------------------------------------------------------------------------
CREATE TABLE worker (
    worker_id     text PRIMARY KEY,
    node          text NOT NULL,
    boot_id       text NOT NULL,
    version       text NOT NULL,
    cpus          int NOT NULL,
    memory_bytes  bigint NOT NULL,
    slots         int NOT NULL,
    labels        jsonb NOT NULL DEFAULT '{}',
    executors     text[] NOT NULL DEFAULT '{}',
    shared_store  boolean NOT NULL DEFAULT false,
    state         text NOT NULL CHECK (state IN ('joined', 'draining', 'silent', 'left', 'lost')),
    joined_at     timestamptz NOT NULL DEFAULT now(),
    changed_at    timestamptz NOT NULL DEFAULT now(),
    reason        text NOT NULL DEFAULT ''
);
CREATE TABLE device (
    worker_id     text NOT NULL REFERENCES worker,
    uuid          text NOT NULL,
    name          text NOT NULL,
    memory_bytes  bigint NOT NULL,
    compute_capability int NOT NULL,
    state         text NOT NULL DEFAULT 'ok',
    strikes       int NOT NULL DEFAULT 0,
    PRIMARY KEY (worker_id, uuid)
);
-- The CURVE allow-list. Only public keys are stored here.
CREATE TABLE worker_key (
    public_key    text PRIMARY KEY,
    name          text NOT NULL,
    role          text NOT NULL DEFAULT 'worker' CHECK (role IN ('worker', 'control')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    revoked_at    timestamptz
);
-- Why ready tasks of a resource shape are not placed; replaced when the scheduler's reason changes.
CREATE TABLE placement (
    shape         text PRIMARY KEY,
    reason        text NOT NULL,
    tasks         bigint NOT NULL,
    since         timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE event (
    event_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind          text NOT NULL,
    sweep_id      bigint,
    task_id       bigint,
    attempt       int,
    epoch         bigint,
    worker_id     text,
    detail        jsonb NOT NULL DEFAULT '{}'
);

-- ---- the policy's rounds --------------------------------------------------------------------------------------
CREATE TABLE policy_round (
    sweep_id      bigint NOT NULL REFERENCES sweep,
    round         int NOT NULL,
    mode          text NOT NULL,
    observations  text NOT NULL,
    state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'measured', 'final')),
    note          text NOT NULL DEFAULT '',
    started_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    PRIMARY KEY (sweep_id, round)
);
CREATE TABLE policy_choice (
    sweep_id      bigint NOT NULL,
    round         int NOT NULL,
    position      int NOT NULL,
    representation_id bigint NOT NULL REFERENCES representation,
    value         double precision,
    reason        text NOT NULL,
    PRIMARY KEY (sweep_id, round, position),
    FOREIGN KEY (sweep_id, round) REFERENCES policy_round
);
CREATE TABLE policy_fit (
    sweep_id      bigint NOT NULL,
    round         int NOT NULL,
    benchmark_id  bigint NOT NULL REFERENCES benchmark,
    n_train       int NOT NULL,
    r2            double precision,
    r2_adjusted   double precision,
    r2_loo        double precision,
    spearman      double precision,
    intercept     double precision,
    coef_a        double precision,
    coef_c        double precision,
    coef_a2       double precision,
    coef_ac       double precision,
    coef_c2       double precision,
    PRIMARY KEY (sweep_id, round, benchmark_id),
    FOREIGN KEY (sweep_id, round) REFERENCES policy_round
);
-- benchmark_id 0 is the target of the sweep (the weighted mean of its benchmarks), on the normalised scale.
CREATE TABLE policy_prediction (
    sweep_id      bigint NOT NULL,
    round         int NOT NULL,
    benchmark_id  bigint NOT NULL,
    representation_id bigint NOT NULL REFERENCES representation,
    mean          double precision NOT NULL,
    sd            double precision,
    rank          int NOT NULL,
    PRIMARY KEY (sweep_id, round, benchmark_id, representation_id),
    FOREIGN KEY (sweep_id, round) REFERENCES policy_round
);
