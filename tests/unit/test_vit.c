/* The vision transformer against what Hugging Face's modules compute from the same small checkpoints (tests/golden/vit,
 * see make.py there), and against checkpoints that are not whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "tests/lib/checkpoint_copy.h"
#include "worker/model/params.h"
#include "worker/model/vit.h"
#include "worker/torch/th_train.h"

#define GOLDEN SOURCE_DIR "/tests/golden/vit/"
#define TOLERANCE 2e-5

static int64_t live_at_start;

static int setup(void **state)
{
    (void)state;
    live_at_start = th_live();
    return 0;
}

/* Every test leaves neither a tensor nor an error behind. */
static int teardown(void **state)
{
    (void)state;
    struct err e = { 0 };
    if (th_check(&e) < 0)
        print_error("left behind: %s\n", e.text);
    return e.kind != ERR_NONE || th_live() != live_at_start ? -1 : 0;
}

static void assert_fine(const struct err *e, int line)
{
    if (e->kind != ERR_NONE)
        fail_msg("line %d: %s: %s", line, err_kind_name(e->kind), e->text);
}

static struct vit *open_vit(const char *name, const struct vit_options *o)
{
    char dir[400];
    struct err e = { 0 };
    snprintf(dir, sizeof dir, GOLDEN "%s", name);
    struct vit *v = vit_open(dir, o, &e);
    assert_fine(&e, __LINE__);
    return v;
}

static struct weights *open_expected(const char *name)
{
    char file[400];
    struct err e = { 0 };
    snprintf(file, sizeof file, GOLDEN "expected/%s.safetensors", name);
    struct weights *w = weights_open(file, &e);
    assert_fine(&e, __LINE__);
    return w;
}

/* ---- parity ---------------------------------------------------------------------------------------------------------
 */

/* The largest difference; fails when it is over the tolerance, naming the place. */
static double compare(struct tensor *got, struct tensor *want, double tolerance, const char *what)
{
    struct err e = { 0 };
    char a[100], b[100];
    int64_t n = th_numel(want);
    AUTO(free) float *x = calloc((size_t)n + 1, sizeof *x), *y = calloc((size_t)n + 1, sizeof *y);
    if (th_numel(got) != n || th_size(got, 1) != th_size(want, 1) || !th_read(got, TH_F32, x, n) ||
        !th_read(want, TH_F32, y, n)) {
        th_check(&e);
        fail_msg("%s: %s, not %s. %s", what, th_describe(got, a, sizeof a), th_describe(want, b, sizeof b), e.text);
    }
    double worst = 0;
    int64_t place = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)x[i] - y[i]);
        if (!(d <= worst)) {
            worst = d;
            place = i;
        }
    }
    if (!(worst <= tolerance))
        fail_msg("%s: element %lld is %.8g, not %.8g: %.3g off", what, (long long)place, x[place], y[place], worst);
    return worst;
}

static struct tensor *expect(const struct weights *w, const char *size, const char *what)
{
    char name[80];
    struct err e = { 0 };
    snprintf(name, sizeof name, "%s.%s", size, what);
    struct tensor *x = weights_view(w, name);
    th_check(&e);
    assert_fine(&e, __LINE__);
    return x;
}

static double compare_states(const struct vit *v, const struct weights *w, const char *size, const char *what)
{
    TH_SCOPE(s);
    struct tensor *states[8];
    char label[200], key[40];
    double worst = 0;
    int64_t last = vit_layer(v);
    assert_true(last < 8 && vit_forward_all(v, expect(w, size, "pixels"), states));
    for (int64_t k = 0; k <= last; k++) {
        snprintf(key, sizeof key, "hidden.%lld", (long long)k);
        snprintf(label, sizeof label, "%s %s %s", what, size, key);
        worst = fmax(worst, compare(states[k], expect(w, size, key), TOLERANCE, label));
    }
    snprintf(label, sizeof label, "%s %s final", what, size);
    return fmax(worst, compare(vit_final_norm(v, states[last]), expect(w, size, "final"), TOLERANCE, label));
}

static const struct golden {
    const char *checkpoint, *expected;
    enum vit_positions positions;
    const char *sizes[6];
} goldens[] = {
    { "clip224", "clip224", VIT_POS_OWN, { "28x28" } },
    { "clip336", "clip336", VIT_POS_OWN, { "42x42", "28x49" } },
    { "openclip", "openclip", VIT_POS_OWN, { "28x28", "42x42" } },
    { "siglip", "siglip", VIT_POS_OWN, { "30x30", "42x35" } },
    { "dinov2", "dinov2", VIT_POS_SIZE, { "35x35", "28x28", "49x49", "42x21", "35x38" } },
    { "dinov2", "dinov2.offset0.1", VIT_POS_OWN, { "35x35", "28x28", "49x49", "42x21", "35x38" } },
    { "dinov2_swiglu", "dinov2_swiglu", VIT_POS_SIZE, { "35x35", "28x28" } },
    { "dinov2_swiglu", "dinov2_swiglu.offset0.1", VIT_POS_OFFSET, { "35x35", "28x28" } },
    { "dinov2_registers", "dinov2_registers", VIT_POS_OWN, { "35x35", "28x28", "49x49" } },
    { "dinov2_registers_swiglu", "dinov2_registers_swiglu", VIT_POS_OWN, { "35x35", "28x28", "49x49" } },
};

static void test_every_hidden_state_is_the_references(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(goldens); i++) {
        const struct golden *g = &goldens[i];
        struct vit_options o = VIT_DEFAULTS;
        o.layer = -1;
        o.final_norm = o.all_tokens = true;
        o.positions = g->positions;
        AUTO(weights_destroy) struct weights *w = open_expected(g->expected);
        assert_non_null(weights_metadata(w, "transformers"));
        AUTO(vit_destroy) struct vit *v = open_vit(g->checkpoint, &o);
        double worst = 0;
        for (size_t k = 0; g->sizes[k]; k++)
            worst = fmax(worst, compare_states(v, w, g->sizes[k], g->expected));
        print_message("%-26s worst difference %.2g\n", g->expected, worst);
    }
}

/* ---- options --------------------------------------------------------------------------------------------------------
 */

/* What vit_forward answers is a hidden state of the reference, from its token `first` on. */
static void assert_answer(const char *name, struct vit_options o, const char *size, const char *key, int64_t first)
{
    TH_SCOPE(s);
    AUTO(weights_destroy) struct weights *w = open_expected(name);
    AUTO(vit_destroy) struct vit *v = open_vit(name, &o);
    struct tensor *pixels = expect(w, size, "pixels");
    struct tensor *got = vit_forward(v, pixels);
    struct tensor *want = th_slice(expect(w, size, key), 1, first, INT64_MAX);
    assert_int_equal(th_size(got, 1), vit_tokens(v, th_size(pixels, 2), th_size(pixels, 3)));
    compare(got, want, TOLERANCE, name);
}

static void test_the_default_is_the_last_but_one_without_norm_and_prefix(void **state)
{
    (void)state;
    assert_answer("clip336", VIT_DEFAULTS, "28x49", "hidden.2", 1);
    assert_answer("siglip", VIT_DEFAULTS, "30x30", "hidden.2", 0);
    assert_answer("dinov2_registers", VIT_DEFAULTS, "28x28", "hidden.2", 4);
}

static void test_any_layer_with_or_without_norm(void **state)
{
    (void)state;
    struct vit_options o = VIT_DEFAULTS;
    o.layer = 0;
    assert_answer("dinov2_registers", o, "35x35", "hidden.0", 4);
    o.layer = -4;
    assert_answer("dinov2_registers", o, "35x35", "hidden.0", 4);
    o.layer = 1;
    o.all_tokens = true;
    assert_answer("openclip", o, "28x28", "hidden.1", 0);
    o.layer = 3;
    o.final_norm = true;
    assert_answer("clip224", o, "28x28", "final", 0);
    o.all_tokens = false;
    assert_answer("clip224", o, "28x28", "final", 1);
}

static int64_t count_names(const struct vit *v, const char *part)
{
    const char *name;
    int64_t n = 0;
    for (size_t i = 0; params_next(vit_params(v), &i, &name);)
        n += strstr(name, part) != NULL;
    return n;
}

static void test_blocks_behind_the_layer_are_not_loaded(void **state)
{
    (void)state;
    struct vit_options o = VIT_DEFAULTS;
    o.layer = 1;
    AUTO(vit_destroy) struct vit *v = open_vit("clip224", &o);
    assert_int_equal(count_names(v, "layers.0."), 16);
    assert_int_equal(count_names(v, "layers.1.") + count_names(v, "layers.2.") + count_names(v, "post_layernorm"), 0);
    assert_int_equal(th_live() - live_at_start, 16 + 5);
}

static void test_positions_of_other_ways_are_other_numbers(void **state)
{
    (void)state;
    TH_SCOPE(s);
    AUTO(weights_destroy) struct weights *w = open_expected("dinov2");
    struct tensor *x[4] = { 0 };
    struct vit_options o = VIT_DEFAULTS;
    for (int how = VIT_POS_OFFSET; how <= VIT_POS_ANTIALIAS; how++) {
        o.positions = (enum vit_positions)how;
        AUTO(vit_destroy) struct vit *v = open_vit("dinov2", &o);
        x[how] = vit_forward(v, expect(w, "28x28", "pixels"));
        for (int k = VIT_POS_OFFSET; k < how; k++)
            assert_true(th_item(th_amax(th_abs(th_sub(x[k], x[how])), TH_SCALAR_DIMS, false)) > 100 * TOLERANCE);
    }
    enum vit_positions p;
    struct err e = { 0 };
    for (int how = VIT_POS_OWN; how <= VIT_POS_ANTIALIAS; how++) {
        assert_int_equal(vit_positions_parse(vit_positions_name((enum vit_positions)how), &p, &e), 0);
        assert_int_equal(p, how);
    }
    assert_int_equal(vit_positions_parse("offset", &p, &e), -1);
}

static void test_bf16_is_near(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct vit_options o = VIT_DEFAULTS;
    o.dtype = TH_BF16;
    AUTO(weights_destroy) struct weights *w = open_expected("siglip");
    AUTO(vit_destroy) struct vit *v = open_vit("siglip", &o);
    struct tensor *got = vit_forward(v, expect(w, "30x30", "pixels")), *want = expect(w, "30x30", "hidden.2");
    assert_int_equal(th_dtype_of(got), TH_BF16);
    struct tensor *error = th_norm(th_sub(th_to(got, TH_F32), want), TH_SCALAR_DIMS, false);
    double relative = th_item(error) / th_item(th_norm(want, TH_SCALAR_DIMS, false));
    assert_true(relative > 1e-5 && relative < 0.02); /* 8 bits of mantissa */
}

/* Small, of every family, whole. */
static struct vit *fresh(int family, uint64_t seed)
{
    struct err e = { 0 };
    bool clip = family == VIT_CLIP, siglip = family == VIT_SIGLIP, registers = family == VIT_DINOV2_REGISTERS;
    struct vit_config c = { .family = family,
                            .layers = 2,
                            .width = 12,
                            .heads = 2,
                            .mlp = 24,
                            .image = 8,
                            .patch = 4,
                            .channels = 3,
                            .registers = registers ? 2 : 0,
                            .eps = 1e-6,
                            .activation = ACT_GELU_TANH,
                            .class_token = !siglip,
                            .pre_norm = clip,
                            .patch_bias = !clip,
                            .qkv_bias = true,
                            .layer_scale = !clip && !siglip,
                            .swiglu = registers };
    struct vit_options o = VIT_DEFAULTS;
    o.layer = -1;
    o.final_norm = true;
    struct vit *v = vit_create(&c, &o, seed, &e);
    assert_fine(&e, __LINE__);
    return v;
}

static void test_a_model_at_random_depends_on_its_seed_alone(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *pixels = th_ones(TH_DIMS(1, 3, 8, 12), TH_F32, TH_CPU), *y[3];
    for (int i = 0; i < 3; i++) {
        AUTO(vit_destroy) struct vit *v = fresh(VIT_DINOV2_REGISTERS, i == 2 ? 8 : 7);
        y[i] = vit_forward(v, pixels);
    }
    assert_true(th_is_shape(y[0], TH_DIMS(1, 6, 12)));
    assert_true(th_item(th_amax(th_abs(th_sub(y[0], y[1])), TH_SCALAR_DIMS, false)) == 0);
    assert_true(th_item(th_amax(th_abs(th_sub(y[0], y[2])), TH_SCALAR_DIMS, false)) > 1e-3);
}

static double greatest_difference(struct tensor *a, struct tensor *b)
{
    return th_item(th_amax(th_abs(th_sub(a, b)), TH_SCALAR_DIMS, false));
}

static void test_what_is_saved_is_read_again(void **state)
{
    (void)state;
    TH_SCOPE(s);
    char dir[64];
    checkpoint_scratch(dir);
    for (int family = VIT_CLIP; family <= VIT_DINOV2_REGISTERS; family++) {
        struct err e = { 0 };
        struct vit_options o = VIT_DEFAULTS;
        o.layer = -1;
        o.final_norm = true;
        AUTO(vit_destroy) struct vit *v = fresh(family, 3);
        assert_int_equal(vit_save(v, dir, TH_F32, &e), 0);
        AUTO(vit_destroy) struct vit *again = vit_open(dir, &o, &e);
        assert_fine(&e, __LINE__);
        AUTO(json_decref) json_t *a = vit_config_json(vit_config(v)), *b = vit_config_json(vit_config(again));
        assert_true(json_equal(a, b) && vit_config(v)->mlp == vit_config(again)->mlp);
        struct tensor *pixels = th_ones(TH_DIMS(1, 3, 8, 8), TH_F32, TH_CPU);
        assert_true(greatest_difference(vit_forward(v, pixels), vit_forward(again, pixels)) == 0);
        o.layer = 1;
        AUTO(vit_destroy) struct vit *part = vit_open(dir, &o, &e);
        assert_int_equal(vit_save(part, dir, TH_F32, &e), -1);
        assert_int_equal(e.kind, ERR_BUG);
        err_clear(&e);
        assert_int_equal(vit_save(v, "/nowhere", TH_F32, &e), -1);
        assert_true(e.kind == ERR_ENV && strstr(e.text, "/nowhere/model.safetensors"));
    }
    checkpoint_scratch_end(dir);
}

/* Ask for gradients of the class token and of one block, and follow them. */
static void test_what_is_not_frozen_learns(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(vit_destroy) struct vit *v = fresh(VIT_DINOV2, 5);
    AUTO(th_optim_destroy) struct th_optim *adam = th_optim_adamw((struct th_adamw){ 0 }, &e);
    assert_int_equal(params_train(vit_params(v), "embeddings.cls_token", true, &e), 0);
    assert_int_equal(params_train(vit_params(v), "encoder.layer.1.*", true, &e), 0);
    assert_int_equal(params_train(vit_params(v), "encoder.layer.1.norm1.*", false, &e), 0);
    const char *name;
    struct tensor *x;
    int64_t wanted = 0;
    for (size_t i = 0; (x = params_next(vit_params(v), &i, &name));)
        if (th_requires_grad(x)) {
            assert_true(th_optim_add(adam, name, x, 0, 1));
            wanted++;
        }
    assert_int_equal(wanted, 1 + 16);
    double first = 0, last = 0;
    for (int step = 0; step < 30; step++) {
        TH_SCOPE(s);
        th_grad(true);
        struct tensor *y = vit_forward(v, th_ones(TH_DIMS(2, 3, 8, 8), TH_F32, TH_CPU));
        struct tensor *wanted_y = th_roll(th_expand(th_linspace(-2, 2, 12, TH_F32, TH_CPU), TH_DIMS(2, 4, 12)), 1, 2);
        struct tensor *loss = th_mse_loss(y, wanted_y);
        th_backward(loss);
        for (size_t i = 0; (x = params_next(vit_params(v), &i, &name));)
            assert_true((th_grad_of(x) != NULL) == th_requires_grad(x));
        th_optim_step(adam, 0.02);
        th_optim_zero_grad(adam);
        last = th_item(loss);
        first = step ? first : last;
        assert_int_equal(th_check(&e), 0);
    }
    print_message("loss %g, then %g\n", first, last);
    assert_true(first > 1 && last < 0.3 * first);
    assert_int_equal(params_train(vit_params(v), "nothing", true, &e), -1);
}

struct reader {
    const struct vit *vit;
    struct err e;
    float sum;
};

static void *forward_in_thread(void *arg)
{
    struct reader *r = arg;
    TH_SCOPE(s);
    struct tensor *y = vit_forward(r->vit, th_ones(TH_DIMS(1, 3, 8, 8), TH_F32, TH_CPU));
    r->sum = (float)th_item(th_sum(y, TH_SCALAR_DIMS, false));
    th_check(&r->e);
    return NULL;
}

static void test_threads_share_a_model(void **state)
{
    (void)state;
    AUTO(vit_destroy) struct vit *v = fresh(VIT_DINOV2_REGISTERS, 7);
    struct reader readers[2] = { { v, { 0 }, 0 }, { v, { 0 }, 1 } };
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, forward_in_thread, &readers[i]), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_fine(&readers[i].e, __LINE__);
    }
    assert_true(readers[0].sum == readers[1].sum);
}

/* ---- refusals -------------------------------------------------------------------------------------------------------
 */

static void assert_refused_(struct vit_options o, const char *dir, enum err_kind kind, const char *part, int line)
{
    struct err e = { 0 };
    AUTO(vit_destroy) struct vit *v = vit_open(dir, &o, &e);
    if (v || e.kind != kind || !strstr(e.text, part))
        fail_msg("line %d: %s: %s", line, err_kind_name(e.kind), e.text);
}
#define ASSERT_REFUSED(o, dir, kind, part) assert_refused_((o), (dir), (kind), (part), __LINE__)

static void test_checkpoints_that_are_not_whole_are_refused_with_the_list(void **state)
{
    (void)state;
    char dir[64], path[100];
    checkpoint_scratch(dir);
    const struct checkpoint_edit edits[] = {
        { EDIT_DROP, "embeddings.cls_token", NULL },
        { EDIT_DROP, "encoder.layer.0.layer_scale1.lambda1", NULL },
        { EDIT_FLATTEN, "encoder.layer.1.attention.attention.query.weight", NULL },
        { EDIT_ADD, "layernorm.bias", "encoder.layer.1.norm3.bias" },
        { 0 },
    };
    checkpoint_copy(GOLDEN "dinov2", dir, edits);
    ASSERT_REFUSED(VIT_DEFAULTS, dir, ERR_INPUT,
                   ": the tensors are not those that config.json asks for: 2 missing (embeddings.cls_token, "
                   "encoder.layer.0.layer_scale1.lambda1); 1 of another shape or type "
                   "(encoder.layer.1.attention.attention.query.weight is F32[1024], not [32,32]); 1 unknown "
                   "(encoder.layer.1.norm3.bias)");
    /* What is cut off, or no checkpoint at all. */
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    assert_int_equal(truncate(path, 100000), 0);
    ASSERT_REFUSED(VIT_DEFAULTS, dir, ERR_INPUT, "model.safetensors");
    assert_int_equal(truncate(path, 500), 0);
    ASSERT_REFUSED(VIT_DEFAULTS, dir, ERR_INPUT, "is cut off");
    checkpoint_config(dir, "{\"model_type\": \"dinov2\", \"hidden_size\": \"32\"}");
    ASSERT_REFUSED(VIT_DEFAULTS, dir, ERR_INPUT, "config.json: 'hidden_size' must be a whole number");
    checkpoint_scratch_end(dir);
    ASSERT_REFUSED(VIT_DEFAULTS, dir, ERR_ENV, "config.json: cannot read");
}

/* The config asks for another model than the tensors are. */
static void test_a_config_of_another_model_is_refused(void **state)
{
    (void)state;
    char dir[64];
    const struct checkpoint_edit no_edit[] = { { 0 } };
    checkpoint_scratch(dir);
    checkpoint_copy(GOLDEN "dinov2", dir, no_edit);
    checkpoint_config(dir, "{\"model_type\": \"dinov2\", \"hidden_size\": 32, \"num_attention_heads\": 4, "
                           "\"num_hidden_layers\": 2, \"mlp_ratio\": 2, \"patch_size\": 7, \"image_size\": 35}");
    ASSERT_REFUSED(VIT_DEFAULTS, dir, ERR_INPUT, "18 unknown (encoder.layer.2.");
    checkpoint_config(dir, "{\"model_type\": \"siglip_vision_model\"}");
    ASSERT_REFUSED(VIT_DEFAULTS, dir, ERR_INPUT, " missing (vision_model.embeddings.position_embedding.weight, ");
    checkpoint_scratch_end(dir);
}

static void test_unused_blocks_may_be_missing_but_not_wrong(void **state)
{
    (void)state;
    char dir[64];
    struct err e = { 0 };
    struct checkpoint_edit edits[] = {
        { EDIT_DROP, "vision_model.encoder.layers.2.layer_norm1.bias", NULL },
        { EDIT_DROP, "vision_model.post_layernorm.bias", NULL },
        { 0 },
    };
    struct vit_options o = VIT_DEFAULTS;
    checkpoint_scratch(dir);
    checkpoint_copy(GOLDEN "clip224", dir, edits);
    vit_destroy(vit_open(dir, &o, &e));
    assert_fine(&e, __LINE__);
    o.final_norm = true;
    ASSERT_REFUSED(o, dir, ERR_INPUT, "1 missing (vision_model.post_layernorm.bias)");
    o.layer = -1;
    ASSERT_REFUSED(o, dir, ERR_INPUT, "2 missing (vision_model.encoder.layers.2.layer_norm1.bias, ");
    edits[0] = (struct checkpoint_edit){ EDIT_FLATTEN, "vision_model.encoder.layers.2.mlp.fc1.weight", NULL };
    checkpoint_copy(GOLDEN "clip224", dir, edits);
    ASSERT_REFUSED(VIT_DEFAULTS, dir, ERR_INPUT, "1 of another shape or type (vision_model.encoder.layers.2.mlp.fc1.");
    checkpoint_scratch_end(dir);
}

static void test_heads_put_on_top_and_bare_halves_are_read_too(void **state)
{
    (void)state;
    char dir[64];
    struct err e = { 0 };
    checkpoint_scratch(dir);
    AUTO(weights_destroy) struct weights *w = weights_open(GOLDEN "dinov2", &e);
    struct checkpoint_edit edits[100] = { { 0 } };
    char names[100][200];
    const struct st_tensor *t;
    for (size_t i = 0; (t = weights_at(w, i)) && i < 99; i++) { /* Dinov2ForImageClassification */
        snprintf(names[i], sizeof names[i], "dinov2.%s", t->name);
        edits[i] = (struct checkpoint_edit){ EDIT_RENAME, t->name, names[i] };
    }
    checkpoint_copy(GOLDEN "dinov2", dir, edits);
    struct vit_options o = VIT_DEFAULTS;
    AUTO(vit_destroy) struct vit *v = vit_open(dir, &o, &e);
    assert_fine(&e, __LINE__);
    assert_int_equal(count_names(v, "dinov2.encoder.layer.1."), 18);
    AUTO(weights_destroy) struct weights *clip = weights_open(GOLDEN "clip224", &e);
    memset(edits, 0, sizeof edits);
    for (size_t i = 0; (t = weights_at(clip, i)) && i < 99; i++) /* transformers 5 */
        edits[i] = (struct checkpoint_edit){ EDIT_RENAME, t->name, t->name + strlen("vision_model.") };
    checkpoint_copy(GOLDEN "clip224", dir, edits);
    AUTO(vit_destroy) struct vit *bare = vit_open(dir, &o, &e);
    assert_fine(&e, __LINE__);
    assert_int_equal(count_names(bare, "vision_model.") + count_names(bare, "text_model"), 0);
    assert_int_equal(count_names(bare, "encoder.layers."), 32);
    checkpoint_scratch_end(dir);
}

static void test_options_that_cannot_be(void **state)
{
    (void)state;
    struct vit_options o = VIT_DEFAULTS;
    o.layer = 4;
    ASSERT_REFUSED(o, GOLDEN "clip224", ERR_INPUT, "there is no hidden state 4: this model has 3 layers");
    o.layer = -5;
    ASSERT_REFUSED(o, GOLDEN "clip224", ERR_INPUT, "there is no hidden state -5");
    o = VIT_DEFAULTS;
    o.dtype = TH_F16;
    ASSERT_REFUSED(o, GOLDEN "clip224", ERR_INPUT, "cpu cannot compute in f16; take f32 or bf16");
    o = VIT_DEFAULTS;
    o.device = TH_CUDA(63);
    ASSERT_REFUSED(o, GOLDEN "clip224", ERR_ENV, "cuda:63");
}

static void assert_no_answer(struct vit *v, struct tensor *pixels, const char *part)
{
    struct err e = { 0 };
    assert_null(vit_forward(v, pixels));
    assert_int_equal(th_check(&e), -1);
    if (e.kind != ERR_INPUT || !strstr(e.text, part))
        fail_msg("%s: %s", err_kind_name(e.kind), e.text);
}

static void test_pictures_that_cannot_be(void **state)
{
    (void)state;
    TH_SCOPE(s);
    AUTO(vit_destroy) struct vit *v = fresh(VIT_CLIP, 1);
    const char *part = "pictures must be floats (B,3,H,W), H and W at least 4; these are ";
    assert_no_answer(v, th_zeros(TH_DIMS(1, 3, 8, 3), TH_F32, TH_CPU), part);
    assert_no_answer(v, th_zeros(TH_DIMS(1, 4, 8, 8), TH_F32, TH_CPU), part);
    assert_no_answer(v, th_zeros(TH_DIMS(3, 8, 8), TH_F32, TH_CPU), part);
    assert_no_answer(v, th_zeros(TH_DIMS(0, 3, 8, 8), TH_F32, TH_CPU), part);
    assert_no_answer(v, th_zeros(TH_DIMS(1, 3, 8, 8), TH_U8, TH_CPU), part);
}

int main(void)
{
    if (!th_available()) {
        printf("SKIPPED: %s\n", th_version());
        return 77;
    }
    th_set_threads(1);
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_every_hidden_state_is_the_references),
        TEST(test_the_default_is_the_last_but_one_without_norm_and_prefix),
        TEST(test_any_layer_with_or_without_norm),
        TEST(test_blocks_behind_the_layer_are_not_loaded),
        TEST(test_positions_of_other_ways_are_other_numbers),
        TEST(test_bf16_is_near),
        TEST(test_a_model_at_random_depends_on_its_seed_alone),
        TEST(test_what_is_saved_is_read_again),
        TEST(test_what_is_not_frozen_learns),
        TEST(test_threads_share_a_model),
        TEST(test_checkpoints_that_are_not_whole_are_refused_with_the_list),
        TEST(test_a_config_of_another_model_is_refused),
        TEST(test_unused_blocks_may_be_missing_but_not_wrong),
        TEST(test_heads_put_on_top_and_bare_halves_are_read_too),
        TEST(test_options_that_cannot_be),
        TEST(test_pictures_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
