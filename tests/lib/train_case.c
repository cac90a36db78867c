#include "tests/lib/train_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define GOLDEN SOURCE_DIR "/tests/golden/train/"

static void read_recipe(json_t *from, struct train_job *job)
{
    struct err e = { 0 };
    int64_t stage = json_integer_value(json_object_get(from, "stage"));
    *job = train_job_default(stage == 1 ? TRAIN_STAGE1 : TRAIN_STAGE2);
    AUTO(json_decref) json_t *recipe = json_deep_copy(from);
    json_object_del(recipe, "stage");
    json_object_set_new(recipe, "precision", json_string("fp32"));
    json_t *key;
    const char *name;
    json_object_foreach(recipe, name, key) /* Python writes 1.0 and 1 alike */
        if (json_is_real(key) && json_real_value(key) == (double)(json_int_t)json_real_value(key))
            json_object_set_new(recipe, name, json_integer((json_int_t)json_real_value(key)));
    if (train_recipe_read(&job->recipe, recipe, &e) < 0)
        fail_msg("%s", e.text);
}

json_t *train_case(const char *name, struct train_job *job)
{
    AUTO(json_decref) json_t *all = json_load_file(GOLDEN "expected.json", 0, NULL);
    json_t *one = json_object_get(all, name);
    assert_non_null(one);
    read_recipe(json_object_get(one, "case"), job);
    job->llm = GOLDEN "llm";
    job->data = job->recipe.stage == TRAIN_STAGE1 ? GOLDEN "stage1.json" : GOLDEN "stage2.json";
    job->images = GOLDEN "pictures";
    job->features = TH_F32;
    job->threads = 1;
    job->save_every_ns = 0;
    static const char *const encoders[] = { "clip", "dino" }, *const paths[] = { GOLDEN "clip", GOLDEN "dino" };
    for (job->n_members = 0; job->n_members < 2; job->n_members++) {
        struct representation_member *m = &job->members[job->n_members];
        *m = (struct representation_member){ .name = encoders[job->n_members], .encoder = EXTRACT_DEFAULTS };
        m->encoder.checkpoint = paths[job->n_members];
    }
    return json_incref(one);
}

static int keep_step(void *arg, const struct train_step *s, struct err *e)
{
    struct train_log *log = arg;
    if (s->step < 1 || s->step > TRAIN_CASE_STEPS)
        return FAIL(e, ERR_BUG, "a step %lld of %d", (long long)s->step, TRAIN_CASE_STEPS);
    log->steps[s->step] = *s;
    log->last = s->step;
    usleep(log->nap_us);
    return 0;
}

static bool wants_stop(void *arg)
{
    const struct train_log *log = arg;
    return log->stop_at && log->last + 1 == log->stop_at;
}

struct trainer_hooks train_log_hooks(struct train_log *log)
{
    return (struct trainer_hooks){ .step = keep_step, .stop = wants_stop, .arg = log };
}
