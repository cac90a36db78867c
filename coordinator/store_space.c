/* Names to ids: models, data, settings and representations are rows that all sweeps share. */
#include "coordinator/store.h"

void store_ids_free(struct store_ids *ids)
{
    free(ids->checkpoint);
    free(ids->encoder);
    free(ids->image_set);
    free(ids->correspondence_set);
    free(ids->score_setting);
}

int store_one_id(struct db *d, enum sql_id id, const struct sql_arg *args, size_t n, int64_t *out, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    TRY(db_exec(d, id, args, n, 1, &rows, e));
    *out = db_i64(rows, 0, 0);
    return 0;
}

int store_ids_alloc(struct store_ids *ids, const struct plan *p, struct err *e)
{
    ids->checkpoint = calloc(p->n_checkpoints + 1, sizeof(int64_t));
    ids->encoder = calloc(p->n_encoders + 1, sizeof(int64_t));
    ids->image_set = calloc(p->n_image_sets + 1, sizeof(int64_t));
    ids->correspondence_set = calloc(p->n_correspondence_sets + 1, sizeof(int64_t));
    ids->score_setting = calloc(p->n_score_settings + 1, sizeof(int64_t));
    if (!ids->checkpoint || !ids->encoder || !ids->image_set || !ids->correspondence_set || !ids->score_setting)
        return FAIL_NOMEM(e);
    return 0;
}

int store_write_models(struct db *d, const struct plan *p, struct store_ids *ids, struct err *e)
{
    for (size_t i = 0; i < p->n_checkpoints; i++) {
        const struct plan_checkpoint *c = &p->checkpoints[i];
        TRY(ONE_ID(d, SQL_CHECKPOINT_UPSERT, &ids->checkpoint[i], e, SQL_TEXT(c->name), SQL_TEXT(c->role),
                   SQL_TEXT(c->source), SQL_TEXT(c->digest)));
    }
    for (size_t i = 0; i < p->n_encoders; i++) {
        const struct plan_encoder *c = &p->encoders[i];
        TRY(ONE_ID(d, SQL_ENCODER_UPSERT, &ids->encoder[i], e, SQL_TEXT(c->name),
                   SQL_I64(ids->checkpoint[c->checkpoint]), SQL_I64(c->resolution), SQL_I64(c->grid),
                   SQL_I64(c->channels), SQL_TEXT(c->options), SQL_TEXT(c->identity)));
    }
    return 0;
}

static int write_representation(struct db *d, const struct plan_representation *r, const struct store_ids *ids,
                                int64_t *id, struct err *e)
{
    TRY(ONE_ID(d, SQL_REPRESENTATION_UPSERT, id, e, SQL_TEXT(r->name), SQL_I64(r->target_grid), SQL_TEXT(r->options),
               SQL_TEXT(r->identity)));
    AUTO(free) int64_t *members = calloc(r->n_members + 1, sizeof *members);
    if (!members)
        return FAIL_NOMEM(e);
    for (size_t m = 0; m < r->n_members; m++)
        members[m] = ids->encoder[r->members[m]];
    const struct sql_arg args[] = { SQL_I64(*id), SQL_I64S(members, r->n_members) };
    return db_exec(d, SQL_REPRESENTATION_MEMBER_INSERT, args, ARRAY_LEN(args), ROWS_ANY, NULL, e);
}

int store_write_data(struct db *d, const struct plan *p, struct store_ids *ids, struct stored_sweep *s, struct err *e)
{
    for (size_t i = 0; i < p->n_image_sets; i++) {
        const struct plan_image_set *x = &p->image_sets[i];
        TRY(ONE_ID(d, SQL_IMAGE_SET_UPSERT, &ids->image_set[i], e, SQL_TEXT(x->name), SQL_TEXT(x->role),
                   SQL_I64(x->images), SQL_TEXT(x->digest)));
    }
    for (size_t i = 0; i < p->n_correspondence_sets; i++) {
        const struct plan_correspondence_set *x = &p->correspondence_sets[i];
        TRY(ONE_ID(d, SQL_CORRESPONDENCE_SET_UPSERT, &ids->correspondence_set[i], e, SQL_TEXT(x->name),
                   x->image_set == PLAN_NONE ? SQL_NULL : SQL_I64(ids->image_set[x->image_set]), SQL_I64(x->pairs),
                   SQL_TEXT(x->split)));
    }
    for (size_t i = 0; i < p->n_benchmarks; i++) {
        const struct plan_benchmark *x = &p->benchmarks[i];
        TRY(ONE_ID(d, SQL_BENCHMARK_UPSERT, &s->benchmark_ids[i], e, SQL_TEXT(x->name), SQL_TEXT(x->metric),
                   SQL_I64(x->questions), SQL_F64(x->maximum)));
    }
    for (size_t i = 0; i < p->n_score_settings; i++) {
        const struct plan_score_setting *x = &p->score_settings[i];
        TRY(ONE_ID(d, SQL_SCORE_SETTING_UPSERT, &ids->score_setting[i], e, SQL_TEXT(x->score), SQL_TEXT(x->settings),
                   SQL_TEXT(x->identity)));
    }
    for (size_t i = 0; i < plan_scored(p); i++)
        if (!s->representation_ids[i]) /* else a round asks for the ids of what was written with the submission */
            TRY(write_representation(d, &p->representations[i], ids, &s->representation_ids[i], e));
    return 0;
}

int store_write_space(struct db *d, const struct plan *p, const struct store_ids *ids, struct stored_sweep *s,
                      struct err *e)
{
    size_t n = plan_scored(p);
    AUTO(free) int64_t *position = calloc(n + 1, sizeof *position);
    AUTO(free) const char **label = calloc(n + 1, sizeof *label);
    AUTO(free) bool *floor = calloc(n + 1, sizeof *floor);
    if (!position || !label || !floor)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        position[i] = (int64_t)i;
        label[i] = p->representations[i].name;
        floor[i] = plan_is_floor(p, i);
    }
    const struct sql_arg reps[] = { SQL_I64(s->id), SQL_I64S(s->representation_ids, n), SQL_I64S(position, n),
                                    SQL_TEXTS(label, n), SQL_BOOLS(floor, n) };
    TRY(db_exec(d, SQL_SWEEP_REPRESENTATION_INSERT, reps, ARRAY_LEN(reps), ROWS_ANY, NULL, e));
    for (size_t i = 0; i < p->n_benchmarks; i++) {
        const struct plan_benchmark *b = &p->benchmarks[i];
        const struct sql_arg args[] = {
            SQL_I64(s->id), SQL_I64(s->benchmark_ids[i]), SQL_I64((int64_t)i), SQL_F64(b->weight),
            b->correspondence_set == PLAN_NONE ? SQL_NULL : SQL_I64(ids->correspondence_set[b->correspondence_set])
        };
        TRY(db_exec(d, SQL_SWEEP_BENCHMARK_INSERT, args, ARRAY_LEN(args), 1, NULL, e));
    }
    return 0;
}

int store_load_ids(struct db *d, struct stored_sweep *s, struct store_ids *ids, struct err *e)
{
    TRY(store_ids_alloc(ids, s->plan, e));
    TRY(store_write_models(d, s->plan, ids, e));
    return store_write_data(d, s->plan, ids, s, e);
}
