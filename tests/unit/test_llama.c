/* The decoder against what Hugging Face's LlamaForCausalLM computes and generates from the same small checkpoints
 * (tests/golden/llama, see make.py there), and against itself: with a cache and without, in batches and alone,
 * remembered and recomputed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/checkpoint_copy.h"
#include "tests/unit/llama_rig.h"
#include "worker/model/generate.h"
#include "worker/torch/th_train.h"

static const char *const names[] = { "vicuna", "grouped", "llama3", "linear", "dynamic" };

/* ---- parity ---------------------------------------------------------------------------------------------------------
 */

static void test_logits_are_the_references_at_every_position(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        TH_SCOPE(s);
        AUTO(weights_destroy) struct weights *w = open_golden_numbers(names[i]);
        AUTO(llama_destroy) struct llama *m = open_golden(names[i]);
        AUTO(free) int64_t *lengths = integers(golden(w, "lengths"));
        struct tensor *x = llama_embed(m, golden(w, "ids"));
        struct tensor *got = llama_logits(m, llama_forward(m, x, (struct llama_pass){ .lengths = lengths }));
        double worst = 0;
        for (int64_t b = 0; b < th_size(x, 0); b++)
            worst = fmax(worst, assert_near(th_slice(th_select(got, 0, b), 0, 0, lengths[b]),
                                            th_slice(th_select(golden(w, "logits"), 0, b), 0, 0, lengths[b]), TOLERANCE,
                                            names[i]));
        print_message("%-8s worst difference %.2g\n", names[i], worst);
    }
}

static void test_the_loss_is_the_references(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        TH_SCOPE(s);
        int64_t targets;
        AUTO(weights_destroy) struct weights *w = open_golden_numbers(names[i]);
        AUTO(llama_destroy) struct llama *m = open_golden(names[i]);
        struct tensor *h = llama_forward(m, llama_embed(m, golden(w, "ids")), (struct llama_pass){ 0 });
        struct tensor *loss = llama_loss(m, h, golden(w, "labels"), &targets);
        assert_near(th_reshape(loss, TH_DIMS(1)), golden(w, "loss"), 1e-5, names[i]);
        struct tensor *wanted = th_ne_s(th_slice(golden(w, "labels"), 1, 1, INT64_MAX), LLAMA_IGNORE);
        assert_int_equal(targets, th_item_i64(th_sum_to(wanted, TH_SCALAR_DIMS, false, TH_I64)));
    }
}

/* ---- generation -----------------------------------------------------------------------------------------------------
 */

struct heard {
    int32_t tokens[4][32];
    size_t n[4];
};

static int hear(void *arg, int64_t row, int32_t token, struct err *e)
{
    struct heard *h = arg;
    (void)e;
    h->tokens[row][h->n[row]++] = token;
    return 0;
}

/* The answer is the reference's, but for the token that ends it. */
static void assert_answer(const struct weights *w, const struct llama *m, int64_t b, const struct generated *g)
{
    char name[40];
    snprintf(name, sizeof name, "generated.%lld", (long long)b);
    struct tensor *want = golden(w, name);
    AUTO(free) int64_t *tokens = integers(want);
    size_t n = (size_t)th_numel(want);
    bool ends = false;
    for (int i = 0; i < llama_config(m)->n_eos; i++)
        ends |= tokens[n - 1] == llama_config(m)->eos[i];
    assert_int_equal(g->n, n - ends);
    assert_int_equal(g->stopped, ends);
    for (size_t i = 0; i < g->n; i++)
        assert_int_equal(g->tokens[i], tokens[i]);
}

static void check_generation(const char *name, bool no_cache)
{
    TH_SCOPE(s);
    struct err e = { 0 };
    struct heard heard = { 0 };
    struct generated out[4];
    AUTO(weights_destroy) struct weights *w = open_golden_numbers(name);
    AUTO(llama_destroy) struct llama *m = open_golden(name);
    AUTO(free) int64_t *lengths = integers(golden(w, "lengths"));
    struct tensor *x = llama_embed(m, golden(w, "ids"));
    struct generate_options o = { .max_new_tokens = 14, .no_cache = no_cache, .token = hear, .arg = &heard };
    size_t rows = (size_t)th_size(x, 0);
    if (llama_config(m)->rope == LLAMA_ROPE_DYNAMIC) { /* there the length of the longest row changes the others */
        for (int64_t b = 0; b < (int64_t)rows; b++)
            FINE(llama_generate(m, th_slice(th_slice(x, 0, b, b + 1), 1, 0, lengths[b]), NULL, &o, &out[b], &e));
    } else {
        FINE(llama_generate(m, x, lengths, &o, out, &e));
        for (size_t b = 0; b < rows; b++) {
            assert_int_equal(heard.n[b], out[b].n);
            assert_memory_equal(heard.tokens[b], out[b].tokens, out[b].n * sizeof *out[b].tokens);
        }
    }
    for (size_t b = 0; b < rows; b++)
        assert_answer(w, m, (int64_t)b, &out[b]);
    generated_free(out, rows);
}

static void test_a_batch_generates_what_the_reference_does_row_by_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        check_generation(names[i], false);
}

static void test_without_a_cache_it_is_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        check_generation(names[i], true);
}

/* A row ends with the context, whatever rows are beside it; a prompt that fills it is refused. */
static void test_an_answer_ends_with_the_context(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    struct generated out[2], alone[1];
    AUTO(llama_destroy) struct llama *m = open_golden("grouped");
    struct tensor *x = th_zeros(TH_DIMS(2, 9, 32), TH_F32, TH_CPU);
    const int32_t none = -1;
    const int64_t lengths[] = { 9, 4 };
    for (int no_cache = 0; no_cache < 2; no_cache++) {
        struct generate_options o = {
            .max_new_tokens = 5, .context = 11, .stop = &none, .n_stop = 1, .no_cache = no_cache
        };
        FINE(llama_generate(m, x, lengths, &o, out, &e));
        FINE(llama_generate(m, th_slice(th_slice(x, 0, 1, 2), 1, 0, 4), NULL, &o, alone, &e));
        assert_int_equal(out[0].n, 2);
        assert_int_equal(out[1].n, 5);
        assert_false(out[0].stopped);
        assert_int_equal(alone[0].n, 5);
        assert_memory_equal(out[1].tokens, alone[0].tokens, 5 * sizeof(int32_t));
        generated_free(out, 2);
        generated_free(alone, 1);
    }
    struct generate_options full = { .max_new_tokens = 5, .context = 9 };
    assert_int_equal(llama_generate(m, x, lengths, &full, out, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    AUTO(llama_destroy) struct llama *linear = open_golden("linear");
    assert_int_equal(llama_context(llama_config(m)), 64);
    const struct llama_config *c = llama_config(m);
    assert_int_equal(llama_cache_bytes(m, 3, 5), c->layers * 2 * 3 * 5 * c->kv_heads * c->head_dim * 4);
    assert_int_equal(llama_context(llama_config(linear)), 64);
}

/* Read in pieces, of unequal length, with padding between: each row's states are those of one pass over it alone. */
static void test_what_is_read_in_pieces_is_what_is_read_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        TH_SCOPE(s);
        struct err e = { 0 };
        AUTO(weights_destroy) struct weights *w = open_golden_numbers("llama3");
        AUTO(llama_destroy) struct llama *m = open_golden(names[i]);
        struct tensor *x = th_slice(llama_embed(m, golden(w, "ids")), 1, 0, 20); /* (2,20,D) */
        AUTO(llama_cache_destroy) struct llama_cache *c = llama_cache_create(m, 2, 24, &e);
        assert_no_error(&e, __LINE__);
        bool dynamic = llama_config(m)->rope == LLAMA_ROPE_DYNAMIC;
        for (int turn = 0; turn < 2; turn++) {
            int64_t first[] = { 7, dynamic ? 7 : 4 }, last1 = first[1] + 9;
            llama_forward(m, th_slice(x, 1, 0, 7), (struct llama_pass){ .lengths = first, .cache = c });
            struct tensor *rest = th_cat(
                TH_LIST(th_slice(th_slice(x, 0, 0, 1), 1, 7, 16), th_slice(th_slice(x, 0, 1, 2), 1, first[1], last1)),
                0);
            struct tensor *got = llama_forward(m, rest, (struct llama_pass){ .cache = c }); /* (2,9,D) */
            assert_int_equal(llama_cache_length(c, 1), last1);
            assert_int_equal(llama_cache_room(c), 8);
            struct tensor *a = llama_forward(m, th_slice(th_slice(x, 0, 0, 1), 1, 0, 16), (struct llama_pass){ 0 });
            struct tensor *b = llama_forward(m, th_slice(th_slice(x, 0, 1, 2), 1, 0, last1), (struct llama_pass){ 0 });
            assert_near(th_select(got, 0, 0), th_slice(th_select(a, 0, 0), 0, 7, 16), TOLERANCE, names[i]);
            assert_near(th_select(got, 0, 1), th_slice(th_select(b, 0, 0), 0, first[1], last1), TOLERANCE, names[i]);
            llama_cache_clear(c);
        }
        assert_true(!th_failed());
    }
}

/* ---- training -------------------------------------------------------------------------------------------------------
 */

/* Gradients of everything, one after the other, in one vector. */
static struct tensor *gradients(struct llama *m, const struct weights *w, bool recompute, bool whole_logits)
{
    TH_SCOPE(s);
    struct err e = { 0 };
    FINE(params_train(llama_params(m), "*", true, &e));
    th_grad(true);
    struct tensor *labels = golden(w, "labels");
    struct tensor *h =
        llama_forward(m, llama_embed(m, golden(w, "ids")), (struct llama_pass){ .recompute = recompute });
    struct tensor *loss = llama_loss(m, h, labels, NULL);
    if (whole_logits) {
        struct tensor *logits = llama_logits(m, th_slice(h, 1, 0, th_size(h, 1) - 1));
        loss = th_cross_entropy(logits, th_slice(labels, 1, 1, INT64_MAX), LLAMA_IGNORE);
    }
    assert_true(th_backward(loss));
    struct tensor *list[64], *x;
    const char *name;
    int n = 0;
    for (size_t i = 0; (x = params_next(llama_params(m), &i, &name));) {
        assert_non_null(th_grad_of(x));
        list[n++] = th_reshape(th_clone(th_grad_of(x)), TH_DIMS(-1));
        th_grad_clear(x);
    }
    return th_return(&s, th_detach(th_cat(list, n, 0)));
}

static void test_recomputed_blocks_and_a_loss_in_pieces_have_the_same_gradients(void **state)
{
    (void)state;
    static const char *const some[] = { "grouped", "linear" };
    for (size_t i = 0; i < ARRAY_LEN(some); i++) {
        TH_SCOPE(s);
        AUTO(weights_destroy) struct weights *w = open_golden_numbers(some[i]);
        AUTO(llama_destroy) struct llama *m = open_golden(some[i]);
        struct tensor *want = gradients(m, w, false, true);
        assert_true(th_item(th_norm(want, TH_SCALAR_DIMS, false)) > 0.1);
        assert_near(gradients(m, w, false, false), want, 1e-5, some[i]);
        assert_near(gradients(m, w, true, false), want, 1e-5, some[i]);
    }
}

/* A row at a time, each with its weight, or all at once: the same. Weights of what is no target do not count. */
static void test_weights_of_labels(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    AUTO(weights_destroy) struct weights *w = open_golden_numbers("grouped");
    AUTO(llama_destroy) struct llama *m = open_golden("grouped");
    struct tensor *labels = golden(w, "labels");
    struct tensor *h = llama_forward(m, llama_embed(m, golden(w, "ids")), (struct llama_pass){ 0 });
    int64_t rows = th_size(labels, 0), length = th_size(labels, 1);
    float *weight = calloc((size_t)(rows * length), sizeof *weight);
    double want = 0;
    assert_non_null(weight);
    for (int64_t i = 0; i < rows; i++) {
        int64_t targets;
        struct tensor *mean = llama_loss(m, th_slice(h, 0, i, i + 1), th_slice(labels, 0, i, i + 1), &targets);
        want += th_item(mean) * (double)targets * (double)(i + 1);
        for (int64_t k = 0; k < length; k++)
            weight[i * length + k] = (float)(i + 1);
    }
    struct tensor *weights = th_from(weight, TH_DIMS(rows, length), TH_F32, TH_CPU);
    double got = th_item(llama_weighted_loss(m, h, labels, weights));
    free(weight);
    assert_true(rows > 1 && want > 1 && fabs(got - want) < 1e-5 * want);
    /* Gradients of equal weights are those of the mean. */
    FINE(params_train(llama_params(m), "*", true, &e));
    th_grad(true);
    struct tensor *head = llama_linear(m, 0, LLAMA_Q)->w;
    int64_t targets;
    h = llama_forward(m, llama_embed(m, golden(w, "ids")), (struct llama_pass){ 0 });
    assert_true(th_backward(llama_loss(m, h, labels, &targets)));
    struct tensor *mean = th_clone(th_grad_of(head));
    th_grad_clear(head);
    h = llama_forward(m, llama_embed(m, golden(w, "ids")), (struct llama_pass){ 0 });
    weights = th_full(TH_DIMS(rows, length), 1.0 / (double)targets, TH_F32, TH_CPU);
    assert_true(th_backward(llama_weighted_loss(m, h, labels, weights)));
    assert_near(th_grad_of(head), mean, 1e-6, "gradients");
}

static void test_without_targets_the_loss_is_nothing_and_so_are_its_gradients(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    int64_t targets = -1;
    AUTO(llama_destroy) struct llama *m = open_golden("grouped");
    FINE(params_train(llama_params(m), "*", true, &e));
    th_grad(true);
    struct tensor *ids = th_full(TH_DIMS(2, 5), 4, TH_I64, TH_CPU),
                  *labels = th_full(TH_DIMS(2, 5), -100, TH_I64, TH_CPU);
    struct tensor *loss =
        llama_loss(m, llama_forward(m, llama_embed(m, ids), (struct llama_pass){ 0 }), labels, &targets);
    assert_int_equal(targets, 0);
    assert_true(th_item(loss) == 0);
    assert_true(th_backward(loss));
    struct tensor *norm = llama_linear(m, 0, LLAMA_Q)->w;
    assert_true(th_item(th_norm(th_grad_of(norm), TH_SCALAR_DIMS, false)) == 0);
}

static void test_lora_adds_its_difference_and_merges(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    AUTO(weights_destroy) struct weights *w = open_golden_numbers("grouped");
    AUTO(llama_destroy) struct llama *m = open_golden("grouped");
    struct linear *v = llama_linear(m, 1, LLAMA_V);
    struct th_rng *rng = th_rng_create(1, &e);
    int64_t out, in;
    llama_layer_size(llama_config(m), LLAMA_V, &out, &in);
    struct lora f = { .a = th_randn(rng, TH_DIMS(4, in), TH_F32, TH_CPU),
                      .b = th_randn(rng, TH_DIMS(out, 4), TH_F32, TH_CPU),
                      .scale = 0.05 };
    struct tensor *x = llama_embed(m, golden(w, "ids"));
    struct tensor *before = llama_forward(m, x, (struct llama_pass){ 0 });
    v->lora = &f;
    struct tensor *with = llama_forward(m, x, (struct llama_pass){ 0 });
    linear_merge(v);
    assert_null(v->lora);
    struct tensor *merged = llama_forward(m, x, (struct llama_pass){ 0 });
    assert_true(th_item(th_amax(th_abs(th_sub(before, with)), TH_SCALAR_DIMS, false)) > 0.01);
    assert_near(merged, with, 1e-5, "merged");
    f.dropout = 0.5;
    f.rng = rng;
    v->lora = &f;
    th_grad(true);
    assert_null(llama_forward(m, x, (struct llama_pass){ .recompute = true }));
    assert_fails(ERR_BUG, "dropout");
    v->lora = NULL;
    th_rng_destroy(rng);
}

/* ---- making and saving ----------------------------------------------------------------------------------------------
 */

static struct tensor *some_logits(const struct llama *m)
{
    TH_SCOPE(s);
    struct tensor *ids = th_rem_i(th_reshape(th_arange(0, 40, 1, TH_I64, TH_CPU), TH_DIMS(2, 20)), 17);
    return th_return(&s, llama_logits(m, llama_forward(m, llama_embed(m, ids), (struct llama_pass){ 0 })));
}

static void test_what_is_saved_is_read_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        TH_SCOPE(s);
        struct err e = { 0 };
        char dir[64];
        struct llama_options o = LLAMA_DEFAULTS;
        checkpoint_scratch(dir);
        AUTO(llama_destroy) struct llama *m = open_golden(names[i]);
        FINE(llama_save(m, dir, TH_F32, &e));
        AUTO(llama_destroy) struct llama *again = llama_open(dir, &o, &e);
        assert_no_error(&e, __LINE__);
        assert_memory_equal(llama_config(m), llama_config(again), sizeof(struct llama_config));
        assert_near(some_logits(again), some_logits(m), 0, names[i]);
        checkpoint_scratch_end(dir);
    }
}

static void test_a_model_at_random_depends_on_its_seed_alone(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    struct llama_options o = LLAMA_DEFAULTS;
    struct llama_config c = { .vocab = 40,
                              .width = 16,
                              .mlp = 24,
                              .layers = 2,
                              .heads = 4,
                              .kv_heads = 2,
                              .eps = 1e-5,
                              .theta = 10000,
                              .positions = 64 };
    AUTO(llama_destroy)
    struct llama *a = llama_create(&c, &o, 3, &e),
                 *b = llama_create(&c, &o, 3, &e), *other = llama_create(&c, &o, 4, &e);
    assert_no_error(&e, __LINE__);
    assert_int_equal(llama_config(a)->head_dim, 4);
    assert_near(some_logits(a), some_logits(b), 0, "the same seed");
    assert_true(th_item(th_amax(th_abs(th_sub(some_logits(a), some_logits(other))), TH_SCALAR_DIMS, false)) > 1e-4);
}

static void test_bf16_is_near(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    struct llama_options o = { .dtype = TH_BF16, .device = TH_CPU };
    AUTO(llama_destroy) struct llama *m = open_golden("llama3"), *half = llama_open(GOLDEN "llama3", &o, &e);
    assert_no_error(&e, __LINE__);
    struct tensor *want = some_logits(m), *got = some_logits(half);
    assert_int_equal(th_dtype_of(got), TH_BF16);
    assert_near(got, want, 0.05 * th_item(th_amax(th_abs(want), TH_SCALAR_DIMS, false)), "bf16");
}

/* ---- what is refused ------------------------------------------------------------------------------------------------
 */

static void test_passes_that_cannot_be(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    AUTO(llama_destroy) struct llama *m = open_golden("grouped");
    AUTO(llama_cache_destroy) struct llama_cache *c = llama_cache_create(m, 1, 4, &e);
    struct tensor *x = th_zeros(TH_DIMS(1, 3, 32), TH_F32, TH_CPU);
    assert_null(llama_forward(m, th_zeros(TH_DIMS(1, 3, 31), TH_F32, TH_CPU), (struct llama_pass){ 0 }));
    assert_fails(ERR_BUG, "(B,N,32)");
    int64_t long_row = 4;
    assert_null(llama_forward(m, x, (struct llama_pass){ .lengths = &long_row }));
    assert_fails(ERR_BUG, "length");
    assert_non_null(llama_forward(m, x, (struct llama_pass){ .cache = c }));
    assert_null(llama_forward(m, x, (struct llama_pass){ .cache = c }));
    assert_fails(ERR_BUG, "no room");
    assert_int_equal(llama_cache_length(c, 0), 3);
    th_grad(true);
    assert_null(llama_forward(m, th_slice(x, 1, 0, 1), (struct llama_pass){ .cache = c }));
    assert_fails(ERR_BUG, "gradients");
}

/* Also where it follows from other sizes: tables of angles have room for so much. */
static void test_heads_that_are_too_wide(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct llama_config c = { .heads = 2, .width = 2 * LLAMA_MAX_HEAD_DIM };
    assert_int_equal(llama_config_check(&c, &e), 0);
    assert_int_equal(c.head_dim, LLAMA_MAX_HEAD_DIM);
    c = (struct llama_config){ .heads = 2, .width = 2 * LLAMA_MAX_HEAD_DIM + 4 };
    assert_int_equal(llama_config_check(&c, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "'hidden_size' must be at most 4096 times 'num_attention_heads'"));
}

static void test_numbers_that_are_none_end_the_generation(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    struct generated out[1];
    struct generate_options o = { .max_new_tokens = 3 };
    AUTO(llama_destroy) struct llama *m = open_golden("grouped");
    struct tensor *x = th_full(TH_DIMS(1, 3, 32), NAN, TH_F32, TH_CPU);
    assert_int_equal(llama_generate(m, x, NULL, &o, out, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_null(out[0].tokens);
}

int main(void)
{
    if (torch_absent())
        return 77;
    const struct CMUnitTest tests[] = {
        TORCH_TEST(test_logits_are_the_references_at_every_position),
        TORCH_TEST(test_the_loss_is_the_references),
        TORCH_TEST(test_a_batch_generates_what_the_reference_does_row_by_row),
        TORCH_TEST(test_without_a_cache_it_is_the_same),
        TORCH_TEST(test_an_answer_ends_with_the_context),
        TORCH_TEST(test_what_is_read_in_pieces_is_what_is_read_at_once),
        TORCH_TEST(test_recomputed_blocks_and_a_loss_in_pieces_have_the_same_gradients),
        TORCH_TEST(test_weights_of_labels),
        TORCH_TEST(test_without_targets_the_loss_is_nothing_and_so_are_its_gradients),
        TORCH_TEST(test_lora_adds_its_difference_and_merges),
        TORCH_TEST(test_what_is_saved_is_read_again),
        TORCH_TEST(test_a_model_at_random_depends_on_its_seed_alone),
        TORCH_TEST(test_bf16_is_near),
        TORCH_TEST(test_passes_that_cannot_be),
        TORCH_TEST(test_heads_that_are_too_wide),
        TORCH_TEST(test_numbers_that_are_none_end_the_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
