/* Shared by the files that keep sweeps in the database, all of them on the database thread: store_sweep.c (what may be
 * asked for), store_submission.c (what is planned again), store_space.c (names to ids), store_tasks.c (the graph's
 * rows), store_load.c (how it stands), store_round.c (the policy's rounds). */
#ifndef ACSWEEP_COORDINATOR_STORE_H
#define ACSWEEP_COORDINATOR_STORE_H

#include "common/map.h"
#include "coordinator/sweep.h"

/* ---- store_space.c ---- */

struct store_ids { /* of everything a plan names, by plan index */
    int64_t *checkpoint, *encoder, *image_set, *correspondence_set, *score_setting;
};
void store_ids_free(struct store_ids *ids);
static inline UNUSED void store_ids_free_cleanup(struct store_ids *ids)
{
    store_ids_free(ids);
}
MUST_USE int store_ids_alloc(struct store_ids *ids, const struct plan *p, struct err *e);
/* The one id that a statement returns. */
MUST_USE int store_one_id(struct db *d, enum sql_id id, const struct sql_arg *args, size_t n, int64_t *out,
                          struct err *e);
#define ONE_ID(d, id, out, e, ...)                                   \
    store_one_id((d), (id), (const struct sql_arg[]){ __VA_ARGS__ }, \
                 ARRAY_LEN(((const struct sql_arg[]){ __VA_ARGS__ })), (out), (e))

/* Make or find the rows of checkpoints and encoders; of image sets, benchmarks, settings and representations; of the
 * sweep's space. The ids go to `ids` and `s`. */
MUST_USE int store_write_models(struct db *d, const struct plan *p, struct store_ids *ids, struct err *e);
MUST_USE int store_write_data(struct db *d, const struct plan *p, struct store_ids *ids, struct stored_sweep *s,
                              struct err *e);
MUST_USE int store_write_space(struct db *d, const struct plan *p, const struct store_ids *ids, struct stored_sweep *s,
                               struct err *e);
/* All of them again, of a sweep that was submitted before. Free `ids` in any case. */
MUST_USE int store_load_ids(struct db *d, struct stored_sweep *s, struct store_ids *ids, struct err *e);

/* ---- store_tasks.c ---- */

/* Write the tasks `index` (n of the plan) that the database does not have, join those that it has, into `round`. */
MUST_USE int store_write_tasks(struct db *d, struct stored_sweep *s, const struct store_ids *ids, const size_t *index,
                               size_t n, int round, struct err *e);
/* Columns 1 to 6 of task_find.sql and sweep_task_list.sql. */
MUST_USE int store_take_state(struct stored_task *t, const struct db_rows *rows, int64_t r, struct err *e);
MUST_USE int store_map_identities(const struct plan *p, struct map *m, struct err *e);
const struct plan_task *store_by_identity(const struct map *m, const char *identity); /* NULL: none */

/* ---- store_submission.c ---- */

/* The column sweep.plan, malloc'ed, and back. */
char *submission_json(const struct submission *s, struct err *e);
MUST_USE int submission_of_json(const char *config, const char *json, struct submission *s, struct err *e);
/* Of a column sweep.plan, only what was found out. */
MUST_USE int submission_adopt(struct submission *s, const char *json, struct err *e);
/* Begin another look at the content. */
MUST_USE int submission_look(struct submission *s, const char *before, struct err *e);
MUST_USE int submission_add_content(struct submission *s, const char *name, const char *digest, struct err *e);

/* ---- store_load.c ---- */

/* Everything the rows know; s->id and s->plan are set. */
MUST_USE int store_load_rest(struct db *d, struct stored_sweep *s, struct err *e);

#endif
