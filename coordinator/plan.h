/* The plan of a sweep: what sweep.cfg means, as read-only data. No run state, no I/O after plan_load.
 *
 * The task list holds every task that the sweep could ever run. Those with `deferred` (stage2 and evaluate) enter the
 * database only when the policy chooses their representation, those with `on_demand` when it asks for its scores. Inputs refer to earlier entries of the same list, so the
 * list is in topological order. Floors (representations.floors) have tasks like the representations of the search space; they are
 * counted apart, because policy, rounds and rankings know of the space alone. Identities are content addresses (common/digest.h): equal work has equal identity in
 * every sweep. */
#ifndef ACSWEEP_COORDINATOR_PLAN_H
#define ACSWEEP_COORDINATOR_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

struct plan_checkpoint {
    char *name, *role, *source; /* role: encoder, llm, connector */
    char *digest;               /* content digest, or NULL when only the name is known */
    bool is_read, identified;   /* by native tasks; its digest was found out, not stated */
};
struct plan_encoder {
    char *name;
    size_t checkpoint;
    int resolution, grid, channels; /* grid, channels: 0 = not stated */
    char *options;                  /* canonical JSON */
    char *identity;
};
struct plan_representation {
    char *name;
    size_t *members, n_members; /* encoder indices in order */
    int target_grid;            /* 0 = finest member's, when known */
    char *options, *identity;
};
struct plan_image_set {
    char *name, *role;
    int64_t images; /* 0 = not stated */
    char *digest;
    bool is_read, identified; /* as of a checkpoint */
};
struct plan_correspondence_set {
    char *name, *split;
    size_t image_set;
    int64_t pairs;
};
struct plan_benchmark {
    char *name, *metric, *group; /* group: "" or a name for reports, e.g. vision, ocr */
    int64_t questions;
    double maximum;           /* 0 = not stated */
    double weight;            /* in policy.target; 0 = not a target */
    size_t correspondence_set; /* the set whose C goes with this benchmark */
};
struct plan_score_setting {
    char *score;    /* "a" or "c" */
    char *settings; /* canonical JSON */
    char *identity;
};

#define PLAN_NONE SIZE_MAX /* "no such index" in the fields below */

struct plan_input {
    size_t task; /* index into plan.tasks */
    char *name;
};
/* The names of inputs that only tell where to read what would else be computed again, and so are no part of the
 * identity, begin like this: cache:MEMBER:SHARD. */
#define PLAN_CACHE_INPUT "cache:"

struct plan_resources {
    uint32_t gpus, compute_capability, cpus;
    uint64_t gpu_memory_bytes, host_memory_bytes;
};
struct plan_task {
    const char *kind;  /* extract, stage1, score_a, score_c, stage2, evaluate, identify, fake (static string) */
    char *executor;    /* native, command, replay, fake, noop */
    char *identity;    /* 64 hex digits */
    char *label;       /* "score_a CLIP@336 MMBench" */
    char *params;      /* canonical JSON: {"identity":{...},"execution":{...}} */
    struct plan_resources resources;
    uint64_t time_limit_ms;
    int priority;      /* larger first */
    uint32_t bundle, bundle_max; /* up to bundle_max tasks with the same number other than 0 may run as one */
    bool deferred, on_demand;
    bool floor; /* only a floor needs it: no round of the policy waits for it */
    size_t encoder, representation, benchmark, correspondence_set, image_set, score_setting; /* PLAN_NONE */
    int shard;         /* -1 = not sharded */
    struct plan_input *inputs;
    size_t n_inputs;
    double gpu_seconds; /* estimated cost, 0 = unknown */
};

enum plan_feature_reason {
    FEATURE_NEEDED,         /* score_c reads files */
    FEATURE_SAVES,          /* kept: it saves most for its size */
    FEATURE_READ_ONCE,      /* not read often enough to be worth a file */
    FEATURE_TOO_LARGE,      /* for what the budget has left */
    FEATURE_TOO_MANY_FILES, /* more than PLAN_FEATURE_SHARDS_MAX */
    FEATURE_PADDED,         /* extract does not pad pictures as training does */
    FEATURE_UNKNOWN,        /* grid, channels or images are not stated */
};
/* Features of one encoder on one image set, prepared in one way: kept in files, or computed by whoever reads them
 * (coordinator/plan_features.h). */
struct plan_feature {
    size_t encoder, image_set;
    bool for_training;  /* prepared as training and evaluation do; else as the C score does */
    bool padded;        /* training: pictures are padded to a square first */
    int layer;
    int64_t pictures;   /* of whole shards; 0 = not stated */
    int64_t shards;
    uint64_t bytes;     /* 0 = not known */
    double readers;     /* tasks that are expected to read them */
    double once_seconds, fly_seconds; /* GPU-seconds to make them once; for every reader, in all its epochs */
    bool needed, cached;
    bool at_once, on_demand; /* some reader is; else they are wanted when a representation is chosen */
    bool in_space;           /* some reader is about the search space, not a floor */
    enum plan_feature_reason reason;
    size_t first_task;  /* its first extract, shards follow; PLAN_NONE = on the fly */
};

/* Retries per failure class, in the order of the proto enum FailureClass; index 0 unused. -1 = without limit. */
struct plan_retry {
    int budget[8];
    int64_t backoff_ns, backoff_max_ns;
};

enum plan_policy_mode { PLAN_POLICY_PAPER, PLAN_POLICY_DEFAULT, PLAN_POLICY_EXHAUSTIVE };
struct plan_policy {
    enum plan_policy_mode mode;
    uint64_t seed;
    int batch;             /* representations per round */
    int budget_fine_tunes; /* stop after so many are measured or failed */
    double budget_gpu_hours; /* 0 = no limit */
    double direction_prior;  /* default mode: 1 = trust the law, 0.8 = hedged, 0 = none */
    double stop_confidence;  /* stop when P(best is in the list of three) reaches this; 0 = never */
    bool rank_measured_first;
    bool small_first;   /* only representations of up to screen_members are scored at once (the paper's way: all) */
    int screen_members; /* and the references */
    int screen_batch;   /* further ones that a round asks for */
};

struct plan {
    char *name, *note; /* note: for whoever reads the numbers; part of no identity */
    char *config_digest; /* of the text, and of content digests that were found out */
    bool identifies;     /* the tasks only find out content digests: plan again with these */
    size_t n_unknown;    /* files and directories that native tasks read and whose digest is neither stated nor known */
    char *store; /* artifacts.store as written, may be "" */
    struct plan_checkpoint *checkpoints;
    struct plan_encoder *encoders;
    struct plan_representation *representations; /* the search space, and behind it the floors */
    struct plan_image_set *image_sets;
    struct plan_correspondence_set *correspondence_sets;
    struct plan_benchmark *benchmarks;
    struct plan_score_setting *score_settings;
    struct plan_feature *features;
    uint64_t cache_bytes; /* the budget */
    struct plan_task *tasks;
    size_t n_checkpoints, n_encoders, n_representations, n_image_sets, n_correspondence_sets, n_benchmarks,
        n_score_settings, n_features, n_tasks;
    size_t n_floors; /* behind the n_representations of the space */
    struct plan_policy policy;
    struct plan_retry retry;
    int64_t stage1_samples, screening_samples; /* of a connector for stage 2, and for the scores only; equal = one for both */
};

/* The floor that every score_c reports beside its own: the name that the view `floors` gives it. */
#define PLAN_POSITION "position"

/* Representations and floors together: the length of plan.representations. */
static inline size_t plan_scored(const struct plan *p)
{
    return p->n_representations + p->n_floors;
}

/* `representation` may be PLAN_NONE. */
static inline bool plan_is_floor(const struct plan *p, size_t representation)
{
    return representation != PLAN_NONE && representation >= p->n_representations;
}

/* Small files that a config names (replay tables), by the name used there: from disk, or sent along by the client. Returns
 * malloc'ed NUL-terminated text, or NULL with ERR_INPUT. */
typedef char *plan_read_fn(const char *name, void *arg, struct err *e);

/* What was found out since a sweep was submitted: digests by name of checkpoint or image set. Where one is missing that
 * is needed, the plan has only the tasks that find it out (plan.identifies). */
struct plan_known {
    const char *submission; /* another text for each submission that has to look: its tasks are in no cache */
    const char *const *names, *const *digests;
    size_t n;
};

/* Parse and check the text of a sweep.cfg. `place` is its path, for messages. All errors are ERR_INPUT with file and line.
 * Without `known`, what has no stated digest counts by its name: a plan to look at, not to run. */
struct plan *plan_load(const char *text, const char *place, plan_read_fn *read, void *arg,
                       const struct plan_known *known, struct err *e);
/* Read the file at `path`; files it names are relative to its directory. */
struct plan *plan_load_file(const char *path, struct err *e);
/* The name that the n-th task of a plan that identifies is about. */
const char *plan_identified(const struct plan *p, size_t task);
void plan_destroy(struct plan *p);
DEFINE_CLEANUP(plan_destroy, struct plan *)

/* The small files which that config text names (replay table, ...), for sending along; n names malloc'ed. */
MUST_USE int plan_files(const char *text, const char *place, char ***names, size_t *n, struct err *e);

#endif
