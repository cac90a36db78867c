/* The planner: what a sweep.cfg becomes, what changes an identity and what does not, and what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/digest.h"
#include "common/mono.h"
#include "coordinator/plan_cost.h"
#include "coordinator/plan_features.h"
#include "coordinator/sweep_conf.h"

/* ---- the paper's sweep --------------------------------------------------------------------------------------------- */

static struct plan *load_file(const char *path)
{
    struct err e = { 0 };
    struct plan *p = plan_load_file(path, &e);
    if (!p)
        fail_msg("%s", e.text);
    return p;
}

static size_t count(const struct plan *p, const char *kind)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_tasks; i++)
        n += strcmp(p->tasks[i].kind, kind) == 0;
    return n;
}

static const struct plan_task *find_task(const struct plan *p, const char *label)
{
    for (size_t i = 0; i < p->n_tasks; i++)
        if (strcmp(p->tasks[i].label, label) == 0)
            return &p->tasks[i];
    fail_msg("no task is called %s", label);
    return NULL;
}

static double replay_value(const struct plan_task *t)
{
    AUTO(json_decref) json_t *params = json_loads(t->params, 0, NULL);
    json_t *v = json_object_get(json_object_get(json_object_get(params, "identity"), "replay"), "value");
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static void test_paper_counts(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *p = load_file(SOURCE_DIR "/examples/paper/sweep.cfg");
    static const struct {
        const char *kind;
        size_t n;
    } golden[] = { { "extract", 12 }, { "stage1", 13 }, { "score_c", 13 }, { "score_a", 104 }, { "stage2", 13 }, { "evaluate", 104 } };
    for (size_t i = 0; i < ARRAY_LEN(golden); i++)
        assert_int_equal(count(p, golden[i].kind), golden[i].n);
    assert_int_equal(p->n_tasks, 259);
    assert_int_equal(p->n_representations, 13);
    assert_int_equal(p->policy.budget_fine_tunes, 6);
    assert_int_equal(p->policy.seed, 1);
    for (size_t i = 0; i < p->n_benchmarks; i++)
        assert_true(p->benchmarks[i].weight == 1);
}

static void test_paper_values(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *p = load_file(SOURCE_DIR "/examples/paper/sweep.cfg");
    assert_true(replay_value(find_task(p, "score_a SigLIP MMBench")) == 0.505);
    assert_true(replay_value(find_task(p, "score_c C+D@336 SPair-71k")) == 26.08);
    assert_true(replay_value(find_task(p, "evaluate CLIP@336 MME")) == 1502.70);
}

static const struct plan_task *input(const struct plan *p, const struct plan_task *t, const char *name)
{
    for (size_t i = 0; i < t->n_inputs; i++)
        if (strcmp(t->inputs[i].name, name) == 0)
            return &p->tasks[t->inputs[i].task];
    fail_msg("%s has no input %s", t->label, name);
    return NULL;
}

static void test_paper_graph(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *p = load_file(SOURCE_DIR "/examples/paper/sweep.cfg");
    for (size_t i = 0; i < p->n_tasks; i++)
        for (size_t k = 0; k < p->tasks[i].n_inputs; k++)
            assert_true(p->tasks[i].inputs[k].task < i);
    const struct plan_task *c = find_task(p, "score_c C+D@336 SPair-71k");
    assert_int_equal(c->n_inputs, 2);
    assert_string_equal(input(p, c, "features:0:0")->label, "extract CLIP@336 SPair-71k 0");
    assert_string_equal(input(p, c, "features:1:0")->label, "extract DINOv2@336 SPair-71k 0");
    const struct plan_task *a = find_task(p, "score_a DiT VizWiz");
    assert_int_equal(a->n_inputs, 3);
    assert_string_equal(input(p, a, "connector")->label, "stage1 DiT");
    const struct plan_task *last = find_task(p, "evaluate DiT VizWiz"), *model = input(p, last, "model");
    assert_string_equal(model->label, "stage2 DiT");
    assert_string_equal(input(p, model, "connector")->label, "stage1 DiT");
    assert_true(last->deferred && model->deferred && !a->deferred);
    assert_int_equal(model->resources.gpus, 0); /* a replay needs none */
}

/* Golden identities: if one of these changes, every stored result of every user is lost to the cache. */
static void test_paper_identities(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *p = load_file(SOURCE_DIR "/examples/paper/sweep.cfg");
    static const char *const golden[][2] = {
        { "extract DINOv2@336 SPair-71k 0", "7f24b485c179f22859dadf2d0f689b5c9cac6453b590d95817d850f1a51bb673" },
        { "stage1 CLIP@336", "9afa8f55dc3be227669fda441326fbcfdf7998b6e134d82f6ffe7b69b8fa573e" },
        { "score_c C+D@224 SPair-71k", "65c25498c280d0aec7e70ad67f0c383709a856cf2b974bc1fe8acfdff8f502bb" },
        { "score_a SigLIP MMBench", "c4b0d224defb7b346f34973c873840bb0606a27189ad50caf0c85a4066c3367b" },
        { "stage2 SD3", "2311a327e9d16023237eff096e11d9ec9b031b9593874040c573b19e88af352c" },
        { "evaluate C+D@336 TextVQA", "fce9badb17eb1ca6595afdc69d79acdacd1841a84c56c95215f6c99f8041f911" },
    };
    for (size_t i = 0; i < ARRAY_LEN(golden); i++)
        if (strcmp(find_task(p, golden[i][0])->identity, golden[i][1]) != 0)
            fail_msg("{ \"%s\", \"%s\" },", golden[i][0], find_task(p, golden[i][0])->identity);
    assert_int_equal(p->n_score_settings, 2);
}

/* ---- a small sweep, edited ------------------------------------------------------------------------------------------ */

static const char *const small =
    "name = \"small\";\n"
    "checkpoints = ( { name = \"m1\"; }, { name = \"m2\"; }, { name = \"m3\"; }, { name = \"lm\"; role = \"llm\"; } );\n"
    "llm = { checkpoint = \"lm\"; };\n"
    "encoders = ( { name = \"A\"; checkpoint = \"m1\"; resolution = 224; grid = 16; channels = 1024; },\n"
    "  { name = \"B\"; checkpoint = \"m2\"; resolution = 224; grid = 16; channels = 1024; } );\n"
    "representations = { generate = { max_size = 2; }; };\n"
    "image_sets = ( { name = \"i\"; images = 10000; } );\n"
    "correspondence_sets = ( { name = \"s\"; image_set = \"i\"; } );\n"
    "benchmarks = ( { name = \"X\"; }, { name = \"Y\"; } );\n"
    "scores = { a = { references = [\"A\"]; }; };\n"
    "stage1 = { device_batch = 32; samples = 1000; };\n"
    "executors = { stage1 = { gpus = 1; }; };\n";

/* `small` with one piece replaced; NULL = as it is. */
static struct plan *edited_with(const char *from, const char *to, plan_read_fn *read, void *arg, struct err *e)
{
    char text[4096];
    const char *at = from ? strstr(small, from) : small;
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - small), small, from ? to : "", from ? at + strlen(from) : at);
    return plan_load(text, "s.cfg", read, arg, NULL, e);
}

static struct plan *edited(const char *from, const char *to, struct err *e)
{
    return edited_with(from, to, NULL, NULL, e);
}

static struct plan *edited_ok(const char *from, const char *to)
{
    struct err e = { 0 };
    struct plan *p = edited(from, to, &e);
    if (!p)
        fail_msg("%s", e.text);
    return p;
}

static size_t shared(const struct plan *a, const struct plan *b)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n_tasks; i++)
        for (size_t k = 0; k < b->n_tasks; k++)
            n += strcmp(a->tasks[i].identity, b->tasks[k].identity) == 0;
    return n;
}

static void test_small(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *p = edited_ok(NULL, NULL);
    assert_int_equal(p->n_representations, 3); /* A, B, A+B */
    assert_string_equal(p->representations[2].name, "A+B");
    assert_int_equal(count(p, "extract"), 2 * 3); /* 10,000 images in shards of 4,096 */
    assert_int_equal(find_task(p, "score_c A+B s")->n_inputs, 6);
    assert_int_equal(find_task(p, "stage1 A")->resources.gpus, 1);
    assert_int_equal(shared(p, p), p->n_tasks); /* no identity occurs twice */
}

/* What only tells how to get there, or what things are called, leaves every identity alone. */
static void test_execution_parameters(void **state)
{
    (void)state;
    static const char *const edits[][2] = {
        { "device_batch = 32", "device_batch = 8; gradient_checkpointing = false" },
        { "executors = {", "executors = { score_c = { bundle = 3; };" },
        { "gpus = 1", "gpus = 8; gpu_memory = \"70GiB\"; cpus = 16; time_limit = \"9h\"; priority = 7" },
        { "name = \"small\"", "name = \"another\"; seed = 5; features = { cache_bytes = \"0\"; }; retries = { code = 3; }" },
        { "grid = 16; channels = 1024; } );", "} );" },
        { "scores = { a", "scores = { c = { pictures = 0; }; a" },
        { "name = \"A\"; checkpoint", "name = \"A\" /* same */; checkpoint" },
        { "{ name = \"X\"; }, { name = \"Y\"; }", "{ name = \"Y\"; questions = 5; group = \"g\"; }, { name = \"X\"; maximum = 3; }" },
    };
    AUTO(plan_destroy) struct plan *before = edited_ok(NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
        AUTO(plan_destroy) struct plan *after = edited_ok(edits[i][0], edits[i][1]);
        if (before->n_tasks != after->n_tasks || shared(before, after) != before->n_tasks)
            fail_msg("'%s' changed identities", edits[i][1]);
    }
}

static json_t *pictures_of(const struct plan *p, const char *label)
{
    AUTO(json_decref) json_t *params = json_loads(find_task(p, label)->params, 0, NULL);
    return json_incref(json_object_get(json_object_get(params, "execution"), "pictures"));
}

/* Every representation leaves pictures; single encoders also bring the thumbnails. */
static void test_pictures(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *p = edited_ok(NULL, NULL), *none = edited_ok("scores = { a", "scores = { c = { pictures = 0; }; a");
    AUTO(json_decref) json_t *single = pictures_of(p, "score_c A s"), *off = pictures_of(none, "score_c A s");
    assert_int_equal(json_integer_value(json_object_get(single, "pairs")), 4);
    assert_true(json_is_true(json_object_get(single, "thumbnails")));
    assert_null(off);
    AUTO(plan_destroy) struct plan *large = load_file(SOURCE_DIR "/examples/llava15/sweep.cfg");
    AUTO(json_decref) json_t *pair = pictures_of(large, "score_c C+D@336 SPair-71k");
    assert_int_equal(json_integer_value(json_object_get(pair, "pairs")), 4);
    assert_true(json_is_false(json_object_get(pair, "thumbnails")));
}

/* What decides a number changes it, and all that depends on it, and nothing else. */
static void test_identity_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        size_t kept;
    } edits[] = {
        /* 6 extract, 3 stage1, 3 score_c, 6 score_a, 3 stage2, 6 evaluate = 27 tasks */
        { "samples = 1000", "samples = 1001", 9 },
        { "name = \"small\";", "name = \"small\"; note = \"a toy\";", 27 },
        { "references = [\"A\"]", "references = [\"B\"]", 21 },
        { "references = [\"A\"]", "references = [\"A\"]; sample_size = 99", 21 },
        { "scores = { a", "scores = { c = { alpha = 0.05; }; a", 24 },
        { "scores = { a", "scores = { c = { grid = \"finest\"; }; a", 24 },
        { "scores = { a", "scores = { c = { grid = \"representation\"; }; a", 27 },
        { "executors = {", "stage2 = { epochs = 2.0; }; executors = {", 18 },
        { "stage1 = { gpus", "stage1 = { use = \"noop\"; gpus", 9 },
        { "resolution = 224; grid = 16; channels = 1024; },", "resolution = 448; },", 3 + 1 + 1 + 1 + 2 },
    };
    AUTO(plan_destroy) struct plan *before = edited_ok(NULL, NULL);
    assert_int_equal(before->n_tasks, 27);
    for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
        AUTO(plan_destroy) struct plan *after = edited_ok(edits[i].from, edits[i].to);
        if (shared(before, after) != edits[i].kept)
            fail_msg("'%s' kept %zu of %zu identities, wanted %zu", edits[i].to, shared(before, after), before->n_tasks,
                     edits[i].kept);
    }
}

/* It changes A scores and what looks at them, and is in no identity where it is off. */
static void test_nearest_reference(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *before = edited_ok(NULL, NULL);
    AUTO(plan_destroy) struct plan *off = edited_ok("references = [\"A\"]", "references = [\"A\"]; nearest = false");
    AUTO(plan_destroy) struct plan *on = edited_ok("references = [\"A\"]", "references = [\"A\"]; nearest = true");
    assert_int_equal(shared(before, off), before->n_tasks);
    assert_int_equal(shared(before, on), before->n_tasks - count(before, "score_a"));
    assert_non_null(strstr(on->score_settings[0].settings, "\"nearest\":true"));
}

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* ---- content ------------------------------------------------------------------------------------------------------ */

static struct plan *plan_knowing(const char *text, const struct plan_known *known)
{
    struct err e = { 0 };
    struct plan *p = plan_load(text, "s.cfg", NULL, NULL, known, &e);
    if (!p)
        fail_msg("%s", e.text);
    return p;
}

/* `small` reads three of its four checkpoints natively, and an image set. */
static void test_content_is_identified_first(void **state)
{
    (void)state;
    static const char *const names[] = { "m1", "m2", "lm", "i" };
    static const char *const digests[] = { HEX_A, HEX_B, HEX_B, HEX_A };
    struct plan_known known = { .submission = "first", .names = names, .digests = digests };
    AUTO(plan_destroy) struct plan *by_name = plan_knowing(small, NULL);
    assert_false(by_name->identifies);
    assert_int_equal(by_name->n_unknown, 4); /* nothing but the names is known of them */
    AUTO(plan_destroy) struct plan *look = plan_knowing(small, &known);
    assert_true(look->identifies);
    assert_int_equal(look->n_tasks, 4);
    assert_string_equal(look->tasks[0].label, "identify m1");
    assert_string_equal(look->tasks[0].executor, "native");
    assert_int_equal(look->tasks[0].resources.gpus, 0);
    assert_string_equal(plan_identified(look, 1), "m2");
    assert_string_equal(plan_identified(look, 3), "i");
    known.submission = "second";
    AUTO(plan_destroy) struct plan *again = plan_knowing(small, &known);
    assert_int_equal(shared(look, again), 0); /* another submission looks again */
    assert_string_not_equal(look->config_digest, again->config_digest);
    known.n = 3;
    AUTO(plan_destroy) struct plan *rest = plan_knowing(small, &known);
    assert_int_equal(rest->n_tasks, 1);
    known.n = 4;
    AUTO(plan_destroy) struct plan *whole = plan_knowing(small, &known);
    assert_false(whole->identifies);
    assert_int_equal(whole->n_tasks, by_name->n_tasks);
    assert_int_equal(shared(whole, by_name), 0); /* all of them are about content, or need what is */
    known.submission = "third";
    AUTO(plan_destroy) struct plan *same = plan_knowing(small, &known);
    assert_int_equal(shared(whole, same), whole->n_tasks);
    assert_string_equal(whole->config_digest, same->config_digest);
}

/* A stated digest is as good as one that was found, and needs no look. */
static void test_content_is_stated(void **state)
{
    (void)state;
    static const char *const names[] = { "m1", "m2", "lm", "i" };
    static const char *const digests[] = { HEX_A, HEX_B, HEX_B, HEX_A };
    const struct plan_known found = { "s", names, digests, 4 }, none = { "s", names, digests, 0 };
    char text[4096];
    snprintf(text, sizeof text, "%s", small);
    char *at = strstr(text, "{ name = \"m1\"; }");
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s{ name = \"m1\"; digest = \"sha256:" HEX_A "\"; }%s", (int)(at - text), small,
             small + (at - text) + strlen("{ name = \"m1\"; }"));
    AUTO(plan_destroy) struct plan *look = plan_knowing(text, &none);
    assert_int_equal(look->n_tasks, 3);
    AUTO(plan_destroy) struct plan *stated = plan_knowing(text, &found);
    AUTO(plan_destroy) struct plan *whole = plan_knowing(small, &found);
    assert_int_equal(shared(stated, whole), whole->n_tasks);
    assert_string_equal(stated->checkpoints[0].digest, HEX_A);
    assert_non_null(strstr(find_task(stated, "extract A i 0")->params,
                           "\"content\":{\"i\":{\"digest\":\"" HEX_A "\",\"images\":true},"
                           "\"m1\":{\"digest\":\"" HEX_A "\",\"images\":false}}"));
    assert_non_null(strstr(find_task(stated, "score_c A s")->params,
                           "\"content\":{\"i\":{\"digest\":\"" HEX_A "\",\"images\":true}}"));
}

/* Whose executors are not ours know their data themselves. */
static void test_content_of_other_executors(void **state)
{
    (void)state;
    const struct plan_known none = { .submission = "s" };
    char text[4096];
    snprintf(text, sizeof text, "%s", small);
    char *at = strstr(text, "executors = {");
    assert_non_null(at);
    snprintf(at, sizeof text - (size_t)(at - text), "executors = { extract = { use = \"fake\"; }; stage1 = { use = \"command\"; "
             "command = [\"x\"]; }; score_a = { use = \"noop\"; }; score_c = { use = \"fake\"; }; stage2 = { use = "
             "\"noop\"; }; evaluate = { use = \"noop\"; }; };\n");
    AUTO(plan_destroy) struct plan *p = plan_knowing(text, &none);
    assert_false(p->identifies);
    assert_int_equal(p->n_tasks, 27);
    assert_int_equal(p->n_unknown, 0);
}

/* ---- features ----------------------------------------------------------------------------------------------------- */

static struct plan_feature a_feature(uint64_t bytes, double once, double fly)
{
    return (struct plan_feature){ .for_training = true, .bytes = bytes, .once_seconds = once, .fly_seconds = fly, .shards = 1 };
}

static void test_features_are_chosen_by_saving_per_byte(void **state)
{
    (void)state;
    struct plan_feature f[] = {
        a_feature(100, 1, 101),  /* 1 a byte */
        a_feature(10, 1, 41),    /* 4 a byte */
        a_feature(30, 1, 61),    /* 2 a byte */
        a_feature(50, 1, 1),     /* read once */
        a_feature(0, 1, 100),    /* size unknown */
        a_feature(20, 1, 2),     /* needed, whatever it saves */
        a_feature(30, 1, 61),    /* as good as the other */
        a_feature(1, 1, 1000),   /* more files than there may be */
        a_feature(1, 1, 1000),   /* nobody makes them */
    };
    static const struct {
        uint64_t budget;
        const char *kept;
    } cases[] = {
        { 0, "5" },    { 20, "5" },          { 29, "5" },          { 30, "15" },         { 59, "15" },
        { 60, "125" }, { 90, "1256" },       { 189, "1256" },      { 190, "01256" },     { UINT64_MAX, "01256" },
    };
    f[5].needed = true;
    f[7].shards = PLAN_FEATURE_SHARDS_MAX + 1;
    f[8].padded = true;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char kept[16] = "";
        plan_features_choose(f, ARRAY_LEN(f), cases[i].budget);
        for (size_t k = 0; k < ARRAY_LEN(f); k++)
            if (f[k].cached)
                kept[strlen(kept)] = (char)('0' + k);
        assert_string_equal(kept, cases[i].kept);
    }
    static const enum plan_feature_reason reasons[] = { FEATURE_SAVES, FEATURE_SAVES, FEATURE_SAVES, FEATURE_READ_ONCE,
                                                        FEATURE_UNKNOWN, FEATURE_NEEDED, FEATURE_SAVES,
                                                        FEATURE_TOO_MANY_FILES, FEATURE_PADDED };
    for (size_t k = 0; k < ARRAY_LEN(f); k++)
        assert_int_equal(f[k].reason, reasons[k]);
    plan_features_choose(f, ARRAY_LEN(f), 0);
    assert_int_equal(f[0].reason, FEATURE_TOO_LARGE);
}

/* `small` with training data: 20,000 pictures of 16 x 16 x 1024 bf16 tokens, of which stage 1 uses 6,000, two shards. */
#define SHARD_BYTES (UINT64_C(4096) * 16 * 16 * 1024 * 2)

static struct plan *with_features(const char *features, const char *more)
{
    struct err e = { 0 };
    char text[4096];
    snprintf(text, sizeof text, "%s", small);
    char *at = strstr(text, "image_sets = (");
    assert_non_null(at);
    *at = '\0';
    const char *rest = strstr(small, "correspondence_sets");
    AUTO(buf_free) struct buf b = BUF_INIT(8192);
    buf_printf(&b, "%simage_sets = ( { name = \"i\"; images = 10000; }, { name = \"t\"; images = 20000; },\n"
               "{ name = \"u\"; images = 5000; } );\n%.*sstage1 = { image_set = \"t\"; samples = 6000; epochs = 2.0; };\n"
               "stage2 = { image_set = \"u\"; epochs = 2.0; };\nfeatures = { %s };\n%s",
               text, (int)(strstr(rest, "stage1") - rest), rest, features, more);
    struct plan *p = plan_load(buf_text(&b), "s.cfg", NULL, NULL, NULL, &e);
    if (!p)
        fail_msg("%s", e.text);
    return p;
}

static const struct plan_feature *feature(const struct plan *p, const char *encoder, const char *set)
{
    for (size_t i = 0; i < p->n_features; i++)
        if (strcmp(p->encoders[p->features[i].encoder].name, encoder) == 0 &&
            strcmp(p->image_sets[p->features[i].image_set].name, set) == 0)
            return &p->features[i];
    fail_msg("no features of %s on %s", encoder, set);
    return NULL;
}

static bool holds(const struct plan_task *t, const char *text)
{
    return strstr(t->params, text) != NULL;
}

/* Representations A, B and A+B: each encoder is read by two stage 1, in two passes, and by two of three stage 2. */
static void test_features_are_inputs(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *p = with_features("cache_bytes = \"64GiB\";", "");
    const struct plan_feature *f = feature(p, "A", "t");
    assert_int_equal(f->pictures, 8192); /* whole shards */
    assert_true(f->bytes == 2 * SHARD_BYTES);
    assert_true(fabs(f->readers - 2) < 1e-12);
    assert_true(fabs(f->once_seconds - 81.92) < 1e-9);
    assert_true(fabs(f->fly_seconds - 2 * 2 * 60.0) < 1e-9);
    assert_true(f->cached);
    const struct plan_task *one = find_task(p, "stage1 A+B"), *two = find_task(p, "stage2 A"), *c = find_task(p, "score_c A s");
    assert_int_equal(one->n_inputs, 4);
    assert_string_equal(input(p, one, "cache:1:1")->label, "extract B t 1 for training");
    assert_true(holds(one, "\"features\":{\"images_per_shard\":4096,\"members\":[{\"cached\":true,\"shards\":2},"
                           "{\"cached\":true,\"shards\":2}]}"));
    assert_false(input(p, one, "cache:1:1")->deferred);
    assert_string_equal(input(p, two, "cache:0:1")->label, "extract A u 1 for training");
    assert_true(input(p, two, "cache:0:1")->deferred); /* until somebody is chosen */
    assert_true(holds(find_task(p, "extract A t 0 for training"), "\"geometry\":\"own\""));
    assert_string_equal(input(p, c, "features:0:0")->label, "extract A i 0"); /* prepared as the score wants it */
}

/* What is kept changes tasks, never an identity; each of the two budgets has its own cut. */
static void test_features_are_no_identity(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *all = with_features("cache_bytes = \"64GiB\";", "");
    AUTO(plan_destroy) struct plan *none = with_features("cache_bytes = \"0\";", "");
    AUTO(plan_destroy) struct plan *some = with_features("cache_bytes = \"21GiB\";", "");
    assert_int_equal(count(none, "extract"), 6); /* for the C score, in any case */
    assert_int_equal(count(all, "extract"), 6 + 4 + 4);
    assert_int_equal(shared(none, all), none->n_tasks);
    assert_int_equal(shared(some, all), some->n_tasks);
    assert_int_equal(find_task(none, "stage1 A")->n_inputs, 0);
    assert_true(holds(find_task(none, "stage1 A"), "{\"cached\":false,\"shards\":0}"));
    assert_string_equal(find_task(none, "stage1 A")->identity, find_task(all, "stage1 A")->identity);
    assert_string_equal(find_task(none, "evaluate A+B X")->identity, find_task(all, "evaluate A+B X")->identity);
    assert_int_equal(feature(none, "A", "t")->reason, FEATURE_TOO_LARGE);
    /* 10,000 pictures of A and B for the C score are 9.8 GiB; stage 2 saves 61 s a GiB with 2.4 GiB each, stage 1 40 s. */
    assert_true(feature(some, "A", "u")->cached && feature(some, "B", "u")->cached);
    assert_true(feature(some, "A", "t")->cached && !feature(some, "B", "t")->cached);
    struct plan_features_sum s = plan_features_sum(some);
    assert_true(s.kept_bytes <= UINT64_C(21) << 30 && s.saved > 0 && s.saved < s.could_save);
    AUTO(plan_destroy) struct plan *enough = with_features("cache_bytes = \"64GiB\";", "");
    assert_true(plan_features_sum(enough).kept_bytes == s.wanted_bytes);
}

/* Else one plan would have a task twice. */
static void test_features_of_one_content_under_two_names(void **state)
{
    (void)state;
    static const char same[] = "images = 10000; digest = \"" HEX_A "\"; }, { name = \"j\"; images = 10000; digest = \"" HEX_A
                               "\"; } ); correspondence_sets = ( { name = \"r\"; image_set = \"j\"; }, { name = \"s\"; ";
    AUTO(plan_destroy) struct plan *p = edited_ok("images = 10000; } );\ncorrespondence_sets = ( { name = \"s\"; ", same);
    assert_int_equal(count(p, "extract"), 6);
    assert_int_equal(count(p, "score_c"), 6);
    assert_int_equal(shared(p, p), p->n_tasks);
}

static void test_features_that_are_computed_on_the_fly(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *command =
        with_features("", "executors = { stage1 = { use = \"command\"; command = [\"x\"]; }; };");
    assert_int_equal(find_task(command, "stage1 A")->n_inputs, 0); /* your program knows nothing of our files */
    assert_false(holds(find_task(command, "stage1 A"), "images_per_shard"));
    AUTO(plan_destroy) struct plan *fake = with_features("", "executors = { extract = { use = \"fake\"; }; };");
    assert_int_equal(count(fake, "extract"), 6);
    AUTO(plan_destroy) struct plan *screened =
        with_features("", "policy = { screen = \"small_first\"; screen_members = 1; budget = { fine_tunes = 0; }; };");
    assert_false(feature(screened, "A", "u")->cached); /* nobody is fine-tuned */
    assert_true(feature(screened, "A", "t")->readers < 1.5);
}

static void test_growing_only_adds(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *before = edited_ok(NULL, NULL);
    AUTO(plan_destroy) struct plan *after =
        edited_ok("encoders = (", "encoders = ( { name = \"N\"; checkpoint = \"m3\"; resolution = 64; },");
    assert_int_equal(after->n_representations, 6); /* N and N+A, N+B before what was there */
    assert_int_equal(shared(before, after), before->n_tasks);
}

static void test_rules(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "max_size = 1;", "A B" },
        { "max_size = 2;", "A B A+B" },
        { "min_size = 2; max_size = 2; }; list = ( { members = [\"A\"]; } ); /*", "A A+B" },
        { "max_size = 2; exclude = ( { together = [\"A\", \"B\"]; } );", "A B" },
        { "max_size = 2; include = ( { together = [\"A\"]; } );", "A A+B" },
        { "max_size = 2; encoders = [\"B\", \"A\"]; separator = \"&\";", "B A B&A" },
        { "max_size = 2; same_grid = true;", "A B A+B" },
        { "max_size = 9; }; list = ( { name = \"both\"; members = [\"B\", \"A\"]; } ); /*", "both A B" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        char to[300], names[200] = "";
        bool lists = strstr(cases[i][0], "list");
        snprintf(to, sizeof to, "generate = { %s %s", cases[i][0], lists ? "*/" : "};");
        AUTO(plan_destroy) struct plan *p = edited("generate = { max_size = 2; };", to, &e);
        for (size_t r = 0; p && r < p->n_representations; r++)
            snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", r ? " " : "", p->representations[r].name);
        if (strcmp(names, cases[i][1]) != 0)
            fail_msg("%s gives %s %s", cases[i][0], names, e.text);
    }
}

/* ---- refused -------------------------------------------------------------------------------------------------------- */

static const char *const refused[][3] = {
    { "name = \"small\"", "nmae = \"small\"", "s.cfg:1: 'nmae' is not a key of the sweep; did you mean 'name'?" },
    { "name = \"small\"", "name = \"sm\all\"", "s.cfg:1: the name of the sweep holds a control character" },
    { "name = \"small\"", "name = \"small\"; note = \"two\\nlines\"", "s.cfg:1: the note holds a control character; write" },
    { "name = \"small\"", "name = \"\"", "s.cfg:1: the name of the sweep must have 1..255 bytes" },
    { "max_size = 2;", "max_size = 2; separator = \"\\n\";", "s.cfg:6: the name of a representation holds a control character" },
    { "name = \"B\"", "name = \"A\"", "s.cfg:5: the name 'A' was given to an encoder before, in line 4" },
    { "checkpoint = \"m2\"", "checkpoint = \"m22\"", "s.cfg:5: no checkpoint is called 'm22'; did you mean 'm2'?" },
    { "checkpoint = \"m2\"", "checkpoint = \"lm\"", "s.cfg:5: checkpoint 'lm' has role llm, but here one with role encoder" },
    { "checkpoint = \"m2\"", "checkpoint = \"m1\"", "s.cfg: the encoders 'A' and 'B' are the same thing under two names" },
    { "image_set = \"i\"", "image_set = \"j\"", "s.cfg:8: no image set is called 'j'" },
    { "{ name = \"Y\"; }", "{ name = \"Y\"; correspondence_set = \"t\"; }", "s.cfg:9: no correspondence set is called 't'" },
    { "references = [\"A\"]", "references = [\"A@224\"]", "s.cfg:10: no representation is called 'A@224'" },
    { "references = [\"A\"]", "references = []", "s.cfg:10: scores.a.references must name at least one" },
    { "references = [\"A\"]", "references = [\"A\"]; exclude_self = true", "s.cfg:10: exclude_self leaves 'A' without" },
    { "max_size = 2;", "max_size = 0;", "s.cfg: the search space is empty" },
    { "samples = 1000;", "samples = 1000; screening_samples = 1001;", "s.cfg:11: stage1.screening_samples 1001 is above stage1.samples 1000" },
    { "scores = {", "policy = { mode = \"paper\"; screen = \"small_first\"; };\nscores = {",
      "s.cfg:10: policy.screen = \"small_first\" needs policy.mode = \"default\"" },
    { "max_size = 2;", "max_size = 2; encoders = [\"C\"];", "s.cfg:6: no encoder is called 'C'" },
    { "gpus = 1;", "gpus = 0; gpu_memory = \"8GiB\";", "s.cfg:12: executors.stage1 asks for a kind of GPU but for 0 GPUs" },
    { "gpus = 1;", "use = \"command\";", "s.cfg:12: executors.stage1 uses 'command' but names no command" },
    { "gpus = 1;", "command = [\"x\"];", "s.cfg:12: executors.stage1 names a command but does not use it" },
    { "gpus = 1;", "directory = \"here\";", "s.cfg:12: executors.stage1: the directory must be an absolute path" },
    { "gpus = 1;", "bundle = 4;", "s.cfg:12: executors.stage1.bundle: only the native score_c, and fakes" },
    { "gpus = 1;", "environment = { A = 1; };", "s.cfg:12: executors.stage1: environment variable A must be a text" },
    { "stage1 = { gpus = 1; }", "score_a = { use = \"replay\"; }", "s.cfg: an executor replays, but replay.table names no" },
    { "executors =", "policy = { target = ( { benchmark = \"Z\"; } ); }; executors =", "s.cfg:12: no benchmark is called 'Z'" },
    { "samples = 1000;", "samples = 1000; precision = \"fp16\";", "s.cfg:11: the native stage1 computes in bf16 or fp32, not in fp16" },
    { "samples = 1000;", "samples = 1000; connector = \"linear\";", "s.cfg:11: the native stage1 has the connector mlp2x_gelu alone" },
    { "samples = 1000;", "samples = 1000; tune = \"lora\";", "s.cfg:11: the native stage1 trains the connector alone" },
    { "executors =", "stage2 = { learning_rate = 0.0; connector_learning_rate = 0.1; }; executors =",
      "s.cfg:12: stage2.connector_learning_rate is beside a learning_rate above 0" },
    { "executors =", "stage2 = { precision = \"fp16\"; }; executors =", "s.cfg:12: the native stage2 computes in bf16" },
    { "executors =", "evaluate = { temperature = 0.2; }; executors =", "s.cfg: evaluate.temperature = 0.2: the native evaluate" },
    { "executors =", "evaluate = { judge = \"external\"; }; executors =", "s.cfg: evaluate.judge = \"external\": the native evaluate" },
    { "max_size = 2;", "max_size = 2; fusion = \"normalised\";", "s.cfg: representation 'A': the native stage1 puts features side by side" },
    { "samples = 1000", "image_set = \"k\"", "s.cfg:11: no image set is called 'k'" },
    { "name = \"m1\";", "name = \"m1\"; digest = \"abc\";", "s.cfg:2: digest must be 64 lower-case hex digits" },
    { "images = 10000", "images = 1000000000000L", "s.cfg: image set 'i' needs more than 1000000 shards" },
    { "images = 10000; } );", "images = 2900000000L; } ); features = { images_per_shard = 3001; };", "s.cfg: the correspondence score of 'A' would read 966345 shards" },
    { "executors =", "load = { tasks = 3; depth = 4; }; executors =", "s.cfg:12: load.depth 4 is above load.tasks 3" },
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct err e = { 0 };
        AUTO(plan_destroy) struct plan *p = edited(refused[i][0], refused[i][1], &e);
        if (p || e.kind != ERR_INPUT || strncmp(e.text, refused[i][2], strlen(refused[i][2])) != 0)
            fail_msg("%s\n  wanted %s\n  has    %s", refused[i][1], refused[i][2], e.text);
    }
}

static void test_space_too_large(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf b = BUF_INIT(1 << 20);
    buf_puts(&b, "name = \"x\"; checkpoints = ( { name = \"m\"; } ); benchmarks = ( { name = \"b\"; } );\n"
                 "image_sets = ( { name = \"i\"; } ); correspondence_sets = ( { name = \"s\"; image_set = \"i\"; } );\nencoders = (");
    for (int i = 0; i < 40; i++)
        buf_printf(&b, "%s{ name = \"e%d\"; checkpoint = \"m\"; resolution = %d; }", i ? "," : "", i, i + 1);
    buf_puts(&b, ");\nrepresentations = { generate = { max_size = 20; }; };");
    struct err e = { 0 };
    assert_null(plan_load(buf_text(&b), "s.cfg", NULL, NULL, NULL, &e));
    assert_string_equal(e.text, "s.cfg:4: the search space has more than 4096 representations; use a smaller max_size, or "
                                "exclude rules");
}

/* ---- replay tables --------------------------------------------------------------------------------------------------- */

static char *read_given(const char *name, void *arg, struct err *e)
{
    (void)e;
    assert_string_equal(name, "t.csv");
    return strdup(arg);
}

static struct plan *replayed(char *table, struct err *e)
{
    return edited_with("executors = {",
                       "replay = { table = \"t.csv\"; };\n"
                       "executors = { score_a = { use = \"replay\"; }; score_c = { use = \"replay\"; };\n"
                       "  evaluate = { use = \"replay\"; };",
                       read_given, table, e);
}

static void test_replay_tables(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(plan_destroy) struct plan *p = replayed((char[]){ "representation,c,a:X,a:Y,perf:X,perf:Y\nA,1,2,3,4,5\nB,1,2,3,,5\nA+B,1,2,3,4,5\n" }, &e);
    if (!p)
        fail_msg("%s", e.text);
    assert_true(replay_value(find_task(p, "evaluate B Y")) == 5);
    assert_null(strstr(find_task(p, "evaluate B X")->params, "\"value\"")); /* not recorded: fails as data if ever chosen */
    static const char *const bad[][2] = {
        { "representation,c,a:X,a:Y,perf:X,perf:Y\nA,1,2,3,4,5\nB,1,,3,4,5\nA+B,1,2,3,4,5\n",
          "t.csv: representation 'B' has no value in column a:X; fill the cell" },
        { "representation,c,a:X,a:Y,perf:X,perf:Y\nA,,2,3,4,5\nB,1,2,3,4,5\nA+B,1,2,3,4,5\n",
          "t.csv: representation 'A' has no value in column c of s; fill the cell" },
        { "representation,c,a:X,a:Y,perf:X,perf:Y\nA,1,2,3,4,5\nB,1,2,3,4,5\n", "t.csv: no row for representation 'A+B': " },
        { "representation,c,a:X,perf:X\nA,1,2,3\nB,1,2,3\nA+B,1,2,3\n", "t.csv: no columns for benchmark 'Y': " },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err why = { 0 };
        char table[300];
        snprintf(table, sizeof table, "%s", bad[i][0]);
        struct plan *q = replayed(table, &why);
        if (q || why.kind != ERR_INPUT || strncmp(why.text, bad[i][1], strlen(bad[i][1])) != 0)
            fail_msg("wanted %s\nhas    %s", bad[i][1], why.text);
    }
}

/* Two correspondence sets: a benchmark's own C is replayed by the set that goes with it. */
static void test_replay_own_c(void **state)
{
    (void)state;
    char text[4096], table[] = "representation,c,c:Y,a:X,a:Y,perf:X,perf:Y\nA,1,10,3,4,5,6\nB,2,20,3,4,5,6\nA+B,3,30,3,4,5,6\n";
    int n = snprintf(text, sizeof text, "%.*s", (int)(strstr(small, "correspondence_sets") - small), small);
    snprintf(text + n, sizeof text - (size_t)n,
             "correspondence_sets = ( { name = \"s\"; image_set = \"i\"; }, { name = \"t\"; image_set = \"i\"; } );\n"
             "benchmarks = ( { name = \"X\"; }, { name = \"Y\"; correspondence_set = \"t\"; } );\n"
             "scores = { a = { references = [\"A\"]; }; };\nreplay = { table = \"t.csv\"; };\n"
             "executors = { score_c = { use = \"replay\"; }; };\n");
    struct err e = { 0 };
    AUTO(plan_destroy) struct plan *p = plan_load(text, "s.cfg", read_given, table, NULL, &e);
    if (!p)
        fail_msg("%s", e.text);
    assert_true(replay_value(find_task(p, "score_c B s")) == 2);
    assert_true(replay_value(find_task(p, "score_c B t")) == 20);
}

static void test_files(void **state)
{
    (void)state;
    struct err e = { 0 };
    char **names;
    size_t n;
    assert_int_equal(plan_files(small, "s.cfg", &names, &n, &e), 0);
    assert_int_equal(n, 0);
    free(names);
    const char *text = "name = \"x\"; replay = { table = \"t.csv\"; }; executors = { evaluate = { use = \"replay\"; }; };";
    assert_int_equal(plan_files(text, "s.cfg", &names, &n, &e), 0);
    assert_int_equal(n, 1);
    assert_string_equal(names[0], "t.csv");
    free(names[0]);
    free(names);
}

/* ---- load, cost, the reference ----------------------------------------------------------------------------------------- */

static void test_load(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(plan_destroy) struct plan *p =
        plan_load("name = \"l\"; load = { tasks = 7; depth = 3; executor = \"noop\"; };", "s.cfg", NULL, NULL, NULL, &e);
    assert_non_null(p);
    assert_int_equal(p->n_tasks, 7);
    static const size_t inputs[] = { 0, 1, 1, 0, 1, 1, 0 };
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(p->tasks[i].n_inputs, inputs[i]);
        assert_string_equal(p->tasks[i].kind, "fake");
        assert_string_equal(p->tasks[i].executor, "noop");
        if (inputs[i])
            assert_int_equal(p->tasks[i].inputs[0].task, i - 1);
    }
    assert_int_equal(shared(p, p), 7);
}

/* Native C scores on one set may run as one, and nothing else that costs anything. */
static void test_bundles(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(plan_destroy) struct plan *p = edited_ok(NULL, NULL);
    const struct plan_task *c = find_task(p, "score_c A s");
    assert_int_equal(c->bundle_max, 1024);
    assert_int_not_equal(c->bundle, 0);
    assert_int_equal(find_task(p, "score_c A+B s")->bundle, c->bundle);
    assert_int_equal(find_task(p, "stage1 A")->bundle, 0);
    assert_int_equal(find_task(p, "score_a A X")->bundle, 0);
    AUTO(plan_destroy) struct plan *two =
        edited_ok("{ name = \"s\"; image_set = \"i\"; }",
                  "{ name = \"s\"; image_set = \"i\"; }, { name = \"t\"; image_set = \"i\"; split = \"val\"; }");
    assert_int_not_equal(find_task(two, "score_c A s")->bundle, find_task(two, "score_c A t")->bundle);
    AUTO(plan_destroy) struct plan *off = edited_ok("stage1 = { gpus = 1; }", "score_c = { bundle = 1; }");
    assert_int_equal(find_task(off, "score_c A s")->bundle, 0);
    AUTO(plan_destroy) struct plan *own = edited_ok("stage1 = { gpus = 1; }", "score_c = { use = \"command\"; command = [\"x\"]; }");
    assert_int_equal(find_task(own, "score_c A s")->bundle, 0);
    AUTO(plan_destroy) struct plan *fakes = plan_load(
        "name = \"l\"; load = { tasks = 7; executor = \"fake\"; bundle = 5; };", "s.cfg", NULL, NULL, NULL, &e);
    assert_non_null(fakes);
    assert_int_equal(fakes->tasks[6].bundle_max, 5);
    assert_int_equal(fakes->tasks[6].bundle, fakes->tasks[0].bundle);
}

/* CPU time per task must not grow with their number. */
static void test_load_is_linear(void **state)
{
    (void)state;
    static const int sizes[] = { 20000, 200000 };
    double each[2];
    for (int i = 0; i < 2; i++) {
        char text[200];
        struct err e = { 0 };
        snprintf(text, sizeof text, "name = \"l\"; load = { tasks = %d; depth = 2; };", sizes[i]);
        int64_t before = cpu_now_self_ns();
        AUTO(plan_destroy) struct plan *p = plan_load(text, "s.cfg", NULL, NULL, NULL, &e);
        each[i] = (double)(cpu_now_self_ns() - before) / sizes[i];
        assert_non_null(p);
        assert_int_equal(p->n_tasks, sizes[i]);
    }
    print_message("%.0f ns a task at %d, %.0f ns at %d\n", each[0], sizes[0], each[1], sizes[1]);
    assert_true(each[1] < 3 * each[0]);
}

static void test_cost(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(plan_destroy) struct plan *p = load_file(SOURCE_DIR "/examples/paper/sweep.cfg");
    struct plan_cost c = { 0 };
    assert_int_equal(plan_cost(p, &c, &e), 0);
    assert_int_equal(p->n_features, 12);
    assert_true(p->features[0].bytes == UINT64_C(1800) * 24 * 24 * 1024 * 2);
    assert_true(c.kinds[1].gpu_hours > 363.9 && c.kinds[1].gpu_hours < 364.1);    /* 13 x 28 */
    assert_true(c.kinds[4].gpu_hours > 1039.9 && c.kinds[4].gpu_hours < 1040.1);  /* 13 x 80 */
    assert_int_equal(c.n_screens, 2);
    assert_int_equal(c.screens[0].representations, 11);
    assert_int_equal(c.screens[0].later, 2);
    assert_true(c.screens[1].all && fabs(c.screens[1].gpu_hours - c.gpu_hours_scores) < 1e-9);
    assert_true(fabs(c.gpu_hours_budget - c.gpu_hours_scores - 6 * c.gpu_hours_fine_tune) < 1e-9);
    /* A quarter of the samples: a quarter of the connectors, and each fine-tune trains a full one beside. */
    assert_true(c.n_samples == 4 && c.samples[0].samples == 558128 && c.samples[1].samples == 139532);
    assert_true(fabs(c.samples[0].gpu_hours - c.samples[1].gpu_hours - 13 * 28 * 0.75) < 1e-6);
    assert_true(fabs(c.samples[0].with_budget - c.samples[1].with_budget - 13 * 28 * 0.75 + 6 * 28) < 1e-6);
}

/* ---- screening ------------------------------------------------------------------------------------------------------ */

static void test_screen(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *all = edited_ok(NULL, NULL);
    AUTO(plan_destroy) struct plan *p =
        edited_ok("scores = {", "policy = { screen = \"small_first\"; screen_members = 1; };\nscores = {");
    size_t on_demand = 0;
    for (size_t i = 0; i < p->n_tasks; i++) {
        const struct plan_task *t = &p->tasks[i];
        on_demand += t->on_demand;
        assert_true(!t->on_demand || (!t->deferred && strcmp(p->representations[t->representation].name, "A+B") == 0));
        for (size_t k = 0; k < t->n_inputs; k++) /* what runs at once needs nothing that does not */
            assert_true(t->deferred || t->on_demand ||
                        !(p->tasks[t->inputs[k].task].on_demand || p->tasks[t->inputs[k].task].deferred));
    }
    assert_int_equal(on_demand, 4); /* stage1, score_c, two score_a of A+B */
    assert_int_equal(shared(all, p), all->n_tasks); /* nothing is computed anew */
}

/* A reference is scored at once whatever its size. */
static void test_screen_keeps_references(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *p =
        edited_ok("scores = { a = { references = [\"A\"]; }; };",
                  "policy = { screen = \"small_first\"; screen_members = 1; };\nscores = { a = { references = [\"A+B\"]; }; };");
    for (size_t i = 0; i < p->n_tasks; i++)
        assert_false(p->tasks[i].on_demand);
}

static void test_screening_connectors(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *plain = edited_ok(NULL, NULL);
    AUTO(plan_destroy) struct plan *p = edited_ok("samples = 1000;", "samples = 1000; screening_samples = 100;");
    const struct plan_task *cheap = find_task(p, "stage1 B for screening"), *full = find_task(p, "stage1 B");
    assert_true(!cheap->deferred && full->deferred);
    assert_non_null(strstr(cheap->params, "\"samples\":100,"));
    assert_string_equal(full->identity, find_task(plain, "stage1 B")->identity);
    assert_string_equal(find_task(p, "stage2 B")->identity, find_task(plain, "stage2 B")->identity);
    assert_string_not_equal(find_task(p, "score_a B X")->identity, find_task(plain, "score_a B X")->identity);
    AUTO(plan_destroy) struct plan *same = edited_ok("samples = 1000;", "samples = 1000; screening_samples = 1000;");
    assert_int_equal(shared(same, plain), plain->n_tasks);
    assert_int_equal(same->n_tasks, plain->n_tasks);
}

/* ---- floors ---------------------------------------------------------------------------------------------------------- */

#define SPACE_OF_SMALL "channels = 1024; } );\nrepresentations = { generate = { max_size = 2; }; };"
/* `small` with a third encoder, and what stands in `representations` beside the rule. */
#define WITH_FLOORS(floors)                                                                                                \
    SPACE_OF_SMALL, "channels = 1024; }, { name = \"R\"; checkpoint = \"m3\"; resolution = 224; grid = 16; channels = 1024; } );\n" \
                    "representations = { generate = { max_size = 2; }; " floors " };"
#define ONE_FLOOR "floors = ( { name = \"random\"; members = [\"R\"]; } );"

static void test_floors(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *before = edited_ok(NULL, NULL), *p = edited_ok(WITH_FLOORS(ONE_FLOOR));
    assert_int_equal(p->n_representations, 3);
    assert_int_equal(p->n_floors, 1);
    assert_string_equal(p->representations[3].name, "random");
    assert_true(plan_is_floor(p, 3) && !plan_is_floor(p, 2) && !plan_is_floor(p, PLAN_NONE));
    assert_int_equal(shared(before, p), before->n_tasks); /* no result is lost */
    assert_int_equal(p->n_tasks, before->n_tasks + 3 + 1 + 1 + 2);
    for (size_t i = 0; i < p->n_tasks; i++) {
        const struct plan_task *t = &p->tasks[i];
        assert_int_equal(t->floor, strstr(t->label, "random") != NULL || strncmp(t->label, "extract R ", 10) == 0);
        assert_true(!t->floor || (!t->deferred && !t->on_demand));
        assert_true(t->floor || t->priority > find_task(p, "stage1 random")->priority);
    }
    assert_int_equal(find_task(p, "score_a random X")->n_inputs, 2);
    assert_int_equal(find_task(p, "score_c random s")->priority, find_task(p, "score_c A s")->priority);
    assert_int_equal(find_task(p, "score_c random s")->bundle, find_task(p, "score_c A s")->bundle);
}

static void test_floors_fine_tuned(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *scored = edited_ok(WITH_FLOORS(ONE_FLOOR)),
                                   *p = edited_ok(WITH_FLOORS(ONE_FLOOR " fine_tune_floors = true;"));
    assert_int_equal(p->n_tasks, scored->n_tasks + 1 + 2);
    assert_int_equal(shared(scored, p), scored->n_tasks);
    const struct plan_task *last = find_task(p, "evaluate random Y"), *model = input(p, last, "model");
    assert_true(last->deferred && last->floor && model->deferred && model->floor);
    assert_string_equal(input(p, model, "connector")->label, "stage1 random");
}

/* Neither what the policy is asked for nor what it may spend knows of them. */
static void test_floors_cost_nothing_of_the_budget(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct plan_cost c[2] = { 0 };
    AUTO(plan_destroy) struct plan *before = edited_ok(NULL, NULL),
                                   *p = edited_ok(WITH_FLOORS(ONE_FLOOR " fine_tune_floors = true;"));
    assert_int_equal(plan_cost(before, &c[0], &e), 0);
    assert_int_equal(plan_cost(p, &c[1], &e), 0);
    assert_int_equal(c[1].floors.tasks, 10);
    assert_int_equal(c[1].floors.deferred, 3);
    assert_true(c[1].floors.gpu_hours > 80 && c[0].floors.gpu_hours == 0);
    memset(&c[1].floors, 0, sizeof c[1].floors);
    assert_int_equal(c[0].n_screens, c[1].n_screens);
    for (size_t k = 0; k < PLAN_COST_KINDS; k++)
        assert_true(c[0].kinds[k].tasks == c[1].kinds[k].tasks && c[0].kinds[k].gpu_hours == c[1].kinds[k].gpu_hours);
    assert_true(c[0].gpu_hours_scores == c[1].gpu_hours_scores && c[0].gpu_hours_budget == c[1].gpu_hours_budget &&
                c[0].gpu_hours_exhaustive == c[1].gpu_hours_exhaustive);
    for (size_t k = 0; k < c[0].n_screens; k++)
        assert_int_equal(c[0].screens[k].representations, c[1].screens[k].representations);
}

/* A screen leaves them alone, and an encoder that the space has, too, is extracted for both. */
static void test_floors_of_known_encoders(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *p =
        edited_ok("representations = { generate = { max_size = 2; }; };",
                  "representations = { list = ( { members = [\"A\"]; }, { members = [\"A\", \"B\"]; } );\n"
                  "  floors = ( { name = \"far\"; members = [\"B\", \"A\"]; target_grid = 1; } ); };\n"
                  "policy = { screen = \"small_first\"; screen_members = 1; };");
    assert_int_equal(p->n_representations, 2);
    for (size_t i = 0; i < p->n_tasks; i++)
        assert_true(strcmp(p->tasks[i].kind, "extract") != 0 || !p->tasks[i].floor);
    assert_true(find_task(p, "stage1 A+B")->on_demand && !find_task(p, "stage1 far")->on_demand);
    for (size_t i = 0; i < p->n_tasks; i++)
        for (size_t k = 0; k < p->tasks[i].n_inputs; k++) /* what runs at once needs nothing that does not */
            assert_true(p->tasks[i].deferred || p->tasks[i].on_demand || !p->tasks[p->tasks[i].inputs[k].task].on_demand);
}

static const char *const refused_floors[][2] = {
    { "floors = ( { members = [\"RR\"]; } );", "s.cfg:6: no encoder is called 'RR'; did you mean 'R'?" },
    { "floors = ( { members = []; } );", "s.cfg:6: a representation has 1..32 members, not 0" },
    { "floors = ( { name = \"A+B\"; members = [\"R\"]; } );", "s.cfg:6: two representations are called 'A+B'" },
    { "floors = ( { name = \"position\"; members = [\"R\"]; } );", "s.cfg:6: 'position' is what the position-only floor" },
    { "list = ( { members = [\"R\"]; } ); " ONE_FLOOR, "s.cfg:6: the floor 'random' is also in the search space, as 'R'" },
    { "floors = ( { name = \"q\"; members = [\"R\"]; }, { name = \"r\"; members = [\"R\"]; } );",
      "s.cfg: the representations 'q' and 'r' are the same thing under two names" },
    { "fine_tune_floors = true;", "s.cfg: representations.fine_tune_floors is set, but there are no floors" },
    { "floors = ( { members = [\"A\"]; }, { members = [\"B\"]; }, { members = [\"R\"]; } );", "s.cfg: the search space is empty" },
    { "floors = ( { name = \"z\"; members = [\"A\"]; } );", "s.cfg:10: no representation is called 'A'" },
    { "floors = ( { name = \"A\"; members = [\"A\"]; } );", "s.cfg:10: 'A' is a floor; a reference must be in the search space" },
};

static void test_refused_floors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused_floors); i++) {
        struct err e = { 0 };
        char to[600];
        snprintf(to, sizeof to, "channels = 1024; }, { name = \"R\"; checkpoint = \"m3\"; resolution = 224; } );\n"
                                "representations = { generate = { max_size = 2; }; %s };", refused_floors[i][0]);
        AUTO(plan_destroy) struct plan *p = edited(SPACE_OF_SMALL, to, &e);
        if (p || e.kind != ERR_INPUT || strncmp(e.text, refused_floors[i][1], strlen(refused_floors[i][1])) != 0)
            fail_msg("%s\n  wanted %s\n  has    %s", refused_floors[i][0], refused_floors[i][1], e.text);
    }
}

static void test_exhaustive_is_everything(void **state)
{
    (void)state;
    AUTO(plan_destroy) struct plan *p = edited_ok("scores = {", "policy = { mode = \"exhaustive\"; };\nscores = {");
    assert_int_equal(p->policy.budget_fine_tunes, 3);
}

/* The reference example is what `acsweep plan --effective` prints for it, so it holds every key of the tables. */
static void test_reference(void **state)
{
    (void)state;
    struct err e = { 0 };
    const char *path = SOURCE_DIR "/examples/reference/sweep.cfg";
    AUTO(plan_destroy) struct plan *p = load_file(path);
    AUTO(conf_destroy) struct conf *c = conf_load(&sweep_conf_table, path, &e);
    AUTO(free) char *text = conf_read_file(path, CONF_MAX_BYTES, &e);
    AUTO(buf_free) struct buf b = BUF_INIT(1 << 20);
    conf_print(&sweep_conf_table, conf_values(c), true, &b);
    const char *body = strstr(text, "\n\n");
    assert_non_null(body);
    assert_string_equal(body + 2, buf_text(&b));
    assert_int_equal(p->n_representations, 5);
}

static void check_mentions(const struct conf_table *t, const char *text)
{
    for (const struct conf_key *k = t->keys; k->name; k++) {
        char line[100];
        snprintf(line, sizeof line, "%s = ", k->name);
        if (!strstr(text, line) || !strstr(text, k->help))
            fail_msg("the reference does not explain %s of %s", k->name, t->what);
        if (k->table)
            check_mentions(k->table, text);
    }
}

static void test_reference_has_every_key(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(free) char *text = conf_read_file(SOURCE_DIR "/examples/reference/sweep.cfg", CONF_MAX_BYTES, &e);
    check_mentions(&sweep_conf_table, text);
}

static void test_examples(void **state)
{
    (void)state;
    plan_destroy(load_file(SOURCE_DIR "/examples/load/sweep.cfg"));
    AUTO(plan_destroy) struct plan *p = load_file(SOURCE_DIR "/examples/llava15-command/sweep.cfg");
    const struct plan_task *t = find_task(p, "stage2 C+D@336");
    assert_int_equal(p->n_representations, 13);
    assert_string_equal(t->executor, "command");
    assert_int_equal(t->resources.gpus, 8);
    assert_true(t->resources.gpu_memory_bytes == UINT64_C(70) << 30);
    assert_true(t->time_limit_ms == UINT64_C(4) * 86400 * 1000);
    AUTO(plan_destroy) struct plan *native = load_file(SOURCE_DIR "/examples/llava15/sweep.cfg");
    assert_int_equal(native->n_representations, 7);
    assert_int_equal(native->n_benchmarks, 8);
    assert_string_equal(find_task(native, "stage2 C+D@336")->executor, "native");
    assert_non_null(find_task(native, "evaluate CLIP@224 MME"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paper_counts),        cmocka_unit_test(test_paper_values),
        cmocka_unit_test(test_paper_graph),         cmocka_unit_test(test_paper_identities),
        cmocka_unit_test(test_features_are_chosen_by_saving_per_byte),
        cmocka_unit_test(test_features_are_inputs),
        cmocka_unit_test(test_features_are_no_identity),
        cmocka_unit_test(test_features_of_one_content_under_two_names),
        cmocka_unit_test(test_features_that_are_computed_on_the_fly),
        cmocka_unit_test(test_nearest_reference),
        cmocka_unit_test(test_content_is_identified_first),
        cmocka_unit_test(test_content_is_stated),
        cmocka_unit_test(test_content_of_other_executors),
        cmocka_unit_test(test_small),               cmocka_unit_test(test_execution_parameters),
        cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_identity_parameters), cmocka_unit_test(test_growing_only_adds),
        cmocka_unit_test(test_rules),               cmocka_unit_test(test_refused),
        cmocka_unit_test(test_space_too_large),     cmocka_unit_test(test_replay_tables),
        cmocka_unit_test(test_replay_own_c),
        cmocka_unit_test(test_files),               cmocka_unit_test(test_load),
        cmocka_unit_test(test_bundles),
        cmocka_unit_test(test_load_is_linear),      cmocka_unit_test(test_cost),
        cmocka_unit_test(test_screen),
        cmocka_unit_test(test_screen_keeps_references),
        cmocka_unit_test(test_screening_connectors),
        cmocka_unit_test(test_floors),              cmocka_unit_test(test_floors_fine_tuned),
        cmocka_unit_test(test_floors_cost_nothing_of_the_budget),
        cmocka_unit_test(test_floors_of_known_encoders),
        cmocka_unit_test(test_refused_floors),
        cmocka_unit_test(test_exhaustive_is_everything),
        cmocka_unit_test(test_reference),           cmocka_unit_test(test_reference_has_every_key),
        cmocka_unit_test(test_examples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
