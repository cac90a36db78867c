/* What the planner's files share while a plan is made. Private to coordinator/plan_*.c.
 *
 * Order: plan_load (names -> indices) -> plan_space (representations) -> plan_check -> plan_tasks (graph, identities), or
 * plan_identify's tasks where content is not known yet. */
#ifndef ACSWEEP_COORDINATOR_PLAN_BUILD_H
#define ACSWEEP_COORDINATOR_PLAN_BUILD_H

#include <jansson.h>

#include "common/arena.h"
#include "common/digest.h"
#include "coordinator/plan.h"
#include "coordinator/sweep_conf.h"
#include "policy/table.h"

enum plan_kind { KIND_EXTRACT, KIND_STAGE1, KIND_SCORE_A, KIND_SCORE_C, KIND_STAGE2, KIND_EVALUATE, KIND_FAKE,
                 KIND_IDENTIFY, PLAN_KINDS };

/* Facts about each kind of task. `version` is the result version: raised by hand when the native executor's numbers
 * change, which makes every older result of the kind a different one. */
struct plan_kind_facts {
    const char *name;
    int version, priority;
    uint32_t gpus;
    uint64_t gpu_memory_gib;
    bool deferred, makes_number;
};
extern const struct plan_kind_facts plan_kinds[PLAN_KINDS];

struct plan_build {
    struct plan *p;
    struct arena *arena; /* all of the plan's memory */
    const struct conf *conf;
    const struct sweep_conf *s;
    struct policy_table *replay; /* NULL when no executor replays */
    json_t **encoders;           /* identity objects, in the order of the plan's arrays */
    json_t **representations;
    size_t *references; /* representations of scores.a.references */
    size_t n_references;
    size_t llm; /* checkpoint, or PLAN_NONE */
    size_t setting_a, setting_c;
    char *use[USE_NOOP + 1]; /* names of the executors, one shared string each */
    size_t cap_tasks, cap_features;
    bool *at_once; /* representation is scored before the policy is asked */
};

const struct executor_conf *plan_executor(const struct sweep_conf *s, enum plan_kind kind);
const char *plan_executor_name(const struct executor_conf *x);

/* Column of the replay table whose C stands for this correspondence set: that of the first benchmark that uses it. */
size_t plan_replay_column(const struct plan_build *b, size_t correspondence_set);

/* Strings of the plan: NULL with ERR_ENV. */
char *plan_text(struct plan_build *b, const char *s, struct err *e);
/* Canonical JSON of `o` (taken) as a string of the plan. */
char *plan_canonical(struct plan_build *b, json_t *o, struct err *e);
char *plan_digest(struct plan_build *b, json_t *o, struct err *e); /* takes `o` */

/* Index of a name in one of the plan's arrays; ERR_INPUT at the text's line with the nearest name. */
MUST_USE int plan_find_checkpoint(struct plan_build *b, struct conf_text name, const char *role, size_t *i, struct err *e);
MUST_USE int plan_find_encoder(struct plan_build *b, struct conf_text name, size_t *i, struct err *e);
MUST_USE int plan_find_representation(struct plan_build *b, struct conf_text name, size_t *i, struct err *e);
MUST_USE int plan_find_image_set(struct plan_build *b, struct conf_text name, size_t *i, struct err *e);
/* The same of a name that was checked, or of none: PLAN_NONE. */
size_t plan_image_set_named(const struct plan_build *b, struct conf_text name);
MUST_USE int plan_find_correspondence_set(struct plan_build *b, struct conf_text name, size_t *i, struct err *e);
MUST_USE int plan_find_benchmark(struct plan_build *b, struct conf_text name, size_t *i, struct err *e);

/* Identity objects (new references): what a thing is, without the name that the user gave it where content is known. */
json_t *plan_checkpoint_json(const struct plan_checkpoint *c);
json_t *plan_image_set_json(const struct plan_image_set *s);

/* How A and C scores are made, as identities have it. */
json_t *plan_setting_a(const struct plan_build *b);
json_t *plan_setting_c(const struct plan_build *b);
MUST_USE int plan_space(struct plan_build *b, struct err *e);
/* The encoder is a member of some floor. */
bool plan_floor_names(const struct space_conf *space, const char *encoder);
/* A name in the config at `line`, "a benchmark" or such: 1..max bytes, none of them a control character. */
MUST_USE int plan_check_name(const struct conf *c, const char *what, const char *name, size_t max, int line, struct err *e);
MUST_USE int plan_check_names(const struct sweep_conf *s, const struct conf *c, struct err *e);
MUST_USE int plan_check_space(struct plan_build *b, struct err *e); /* before anything refers into the space */
MUST_USE int plan_check(struct plan_build *b, struct err *e);
/* Settings that native tasks would refuse. */
MUST_USE int plan_check_native(struct plan_build *b, struct err *e);
MUST_USE int plan_tasks(struct plan_build *b, struct err *e);
MUST_USE int plan_check_bundle(const struct plan_build *b, enum plan_kind kind, struct err *e);
/* Say of each task with which others it may run as one. */
void plan_bundles(struct plan_build *b);

/* What is read, how often, and whether it is kept; after b->at_once. */
MUST_USE int plan_features(struct plan_build *b, const bool *encoder_used, struct err *e);
/* NULL when nobody reads it in that way; `layer` is that of encoders that name none. */
struct plan_feature *plan_feature_find(const struct plan_build *b, size_t encoder, size_t image_set, bool for_training,
                                       bool padded, int layer);
double plan_feature_rate(const struct plan_build *b, size_t encoder); /* pictures in a GPU-second */

/* Give the checkpoints and image sets that native tasks read the digests that are known. Before identities are made. */
MUST_USE int plan_identify(struct plan_build *b, const struct plan_known *known, struct err *e);
/* The tasks that find out the rest, instead of all others. */
MUST_USE int plan_identify_tasks(struct plan_build *b, const struct plan_known *known, struct err *e);
/* Digest of the config with what was found out, or is about to be. */
MUST_USE int plan_identify_config(struct plan_build *b, const char *text, const struct plan_known *known, struct err *e);

#endif
