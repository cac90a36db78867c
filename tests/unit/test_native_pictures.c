/* Correspondence pictures beside a score: what the result carries, and that a score never fails for want of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/exec/native_pictures.h"
#include "worker/score/c_score.h"

/* Its pictures are no pictures, so thumbnails cannot be made of it. */
#define GOLDEN SOURCE_DIR "/tests/golden/score_c/"

struct rig {
    struct spair *set;
    struct c_features *features;
    struct c_source sources[2];
    struct c_job job;
};

static const uint32_t subsets[] = { 1, 3 };

static int open_set(void **state)
{
    struct err e = { 0 };
    struct rig *r = calloc(1, sizeof *r);
    r->set = spair_load(GOLDEN "set", "test", &e);
    r->features = r->set ? c_features_create(r->set, 1 << 20, &e) : NULL;
    if (!r->features || c_features_add(r->features, "a", GOLDEN "features/flat16", &r->sources[0], &e) < 0 ||
        c_features_add(r->features, "b", GOLDEN "features/fine24", &r->sources[1], &e) < 0)
        fail_msg("%s", e.text);
    r->job = (struct c_job){ .set = r->set, .sources = r->sources, .n_sources = 2, .subsets = subsets, .n_subsets = 2,
                             .setting = c_setting_default() };
    *state = r;
    return 0;
}

static int close_set(void **state)
{
    struct rig *r = *state;
    c_features_destroy(r->features);
    spair_destroy(r->set);
    free(r);
    return 0;
}

/* A task with these execution parameters. */
static struct exec_task task(const char *execution)
{
    static Acsweep__TaskSpec spec;
    static char label[] = "score_c a pairs";
    spec = (Acsweep__TaskSpec)ACSWEEP__TASK_SPEC__INIT;
    spec.label = label;
    return (struct exec_task){ .spec = &spec, .execution = json_loads(execution, 0, NULL) };
}

static void points_come_without_thumbnails(void **state)
{
    struct rig *rig = *state;
    struct exec_task t = task("{\"pictures\":{\"pairs\":3,\"thumbnails\":true}}");
    AUTO(native_pictures_destroy) struct native_pictures *p = native_pictures_make(&t, &rig->job, GOLDEN "set");
    assert_non_null(p);
    for (size_t k = 0; k < 2; k++) {
        struct exec_result r = { 0 };
        char digest[DIGEST_HEX_SIZE];
        native_pictures_add(p, &t, k, &r);
        assert_int_equal(r.n_artifacts, 1);
        const struct exec_artifact *a = &r.artifacts[0];
        assert_string_equal(a->name, "pictures");
        assert_string_equal(a->store, "inline");
        assert_string_equal(a->path, "");
        digest_bytes(a->content, a->bytes, digest);
        assert_string_equal(a->digest, digest);
        AUTO(json_decref) json_t *o = json_loadb(a->content, a->bytes, 0, NULL);
        assert_int_equal(json_array_size(json_object_get(o, "members")), k + 1);
        assert_int_equal(json_array_size(json_object_get(o, "pairs")), 3);
        exec_result_free(&r);
    }
    json_decref(t.execution);
}

static void only_where_they_are_asked_for(void **state)
{
    struct rig *rig = *state;
    static const char *const without[] = { "{}", "{\"pictures\":{\"pairs\":0}}", "{\"pictures\":{\"pairs\":-1}}",
                                           "{\"pictures\":{\"pairs\":\"3\"}}", "{\"pictures\":3}" };
    struct exec_task with = task("{\"pictures\":{\"pairs\":1,\"thumbnails\":false}}");
    AUTO(native_pictures_destroy) struct native_pictures *p = native_pictures_make(&with, &rig->job, GOLDEN "set");
    struct exec_result r = { 0 };
    assert_non_null(p);
    for (size_t i = 0; i < ARRAY_LEN(without); i++) {
        struct exec_task t = task(without[i]);
        assert_null(native_pictures_make(&t, &rig->job, GOLDEN "set"));
        native_pictures_add(NULL, &t, 0, &r);
        json_decref(t.execution);
    }
    struct exec_task other = task("{}"); /* of the same job */
    native_pictures_add(p, &other, 0, &r);
    assert_int_equal(r.n_artifacts, 0);
    json_decref(other.execution);
    json_decref(with.execution);
}

static int no_device(void *arg, const float *rows, size_t n_rows, const float *tokens, size_t n_tokens, size_t width,
                     float *out, size_t out_stride, struct err *e)
{
    (void)arg, (void)rows, (void)n_rows, (void)tokens, (void)n_tokens, (void)width, (void)out, (void)out_stride;
    return FAIL(e, ERR_GPU, "the device is gone");
}

static void a_failure_is_no_failure(void **state)
{
    struct rig *rig = *state;
    struct exec_task t = task("{\"pictures\":{\"pairs\":3,\"thumbnails\":true}}");
    struct c_job job = rig->job;
    job.dot = no_device;
    assert_null(native_pictures_make(&t, &job, GOLDEN "set"));
    json_decref(t.execution);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(points_come_without_thumbnails, open_set, close_set),
        cmocka_unit_test_setup_teardown(only_where_they_are_asked_for, open_set, close_set),
        cmocka_unit_test_setup_teardown(a_failure_is_no_failure, open_set, close_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
