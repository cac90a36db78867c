/* Connector and decoder joined: what a batch becomes, what learns, and directories that are read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "tests/lib/checkpoint_copy.h"
#include "tests/unit/llama_rig.h"
#include "worker/model/vlm.h"
#include "worker/torch/th_train.h"

#define WIDTH 32 /* of the golden decoders */
#define CHANNELS 6

static struct vlm *make_vlm(void)
{
    struct err e = { 0 };
    struct connector_options o = CONNECTOR_DEFAULTS;
    struct vlm *v = vlm_join(open_golden("grouped"), connector_create(CHANNELS, WIDTH, &o, 5, &e), &e);
    assert_no_error(&e, __LINE__);
    return v;
}

static struct tensor *pictures(int64_t n, int64_t tokens)
{
    TH_SCOPE(s);
    struct tensor *x = th_arange(0, (double)(n * tokens * CHANNELS), 1, TH_F32, TH_CPU);
    return th_return(&s, th_reshape(th_sin(x), TH_DIMS(n, tokens, CHANNELS)));
}

#define SAMPLE(ids_, labels_)                                    \
    (struct vlm_sample)                                          \
    {                                                            \
        .ids = (ids_), .labels = (labels_), .n = ARRAY_LEN(ids_) \
    }

static const int32_t one_ids[] = { 1, VLM_IMAGE, 5, 6 }, one_labels[] = { -100, -100, 5, 6 };
static const int32_t two_ids[] = { 1, 7, VLM_IMAGE, VLM_IMAGE, 8 }, two_labels[] = { 1, 7, -100, -100, 8 };
static const int32_t text_ids[] = { 1, 9, 10 }, text_labels[] = { -100, 9, 10 };

static void assert_labels(const struct vlm_batch *b, int64_t row, const int64_t *want, size_t n)
{
    TH_SCOPE(s);
    AUTO(free) int64_t *got = integers(th_select(b->labels, 0, row));
    assert_int_equal(th_size(b->labels, 1), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(got[i], want[i]);
}
#define ASSERT_LABELS(b, row, ...) \
    assert_labels((b), (row), (const int64_t[]){ __VA_ARGS__ }, sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

static struct tensor *text(const struct vlm *v, int64_t id)
{
    return llama_embed(v->llama, th_full(TH_DIMS(1), (double)id, TH_I64, TH_CPU)); /* (1,D) */
}

static void test_pictures_stand_where_their_marks_were(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    AUTO(vlm_destroy) struct vlm *v = make_vlm();
    struct vlm_sample samples[] = { SAMPLE(one_ids, one_labels), SAMPLE(text_ids, text_labels),
                                    SAMPLE(two_ids, two_labels) };
    struct tensor *f = pictures(3, 2), *t = connector_forward(v->connector, f); /* (3,2,D) */
    AUTO(vlm_batch_free) struct vlm_batch b;
    FINE(vlm_embed(v, samples, 3, f, 0, &b, &e));
    assert_int_equal(b.lengths[0], 5);
    assert_int_equal(b.lengths[1], 3);
    assert_int_equal(b.lengths[2], 7);
    struct tensor *zeros = th_zeros(TH_DIMS(4, WIDTH), TH_F32, TH_CPU);
    struct tensor *row0 = th_cat(TH_LIST(text(v, 1), th_select(t, 0, 0), text(v, 5), text(v, 6)), 0);
    struct tensor *row1 = th_cat(TH_LIST(text(v, 1), text(v, 9), text(v, 10), zeros), 0);
    struct tensor *row2 =
        th_cat(TH_LIST(text(v, 1), text(v, 7), th_select(t, 0, 1), th_select(t, 0, 2), text(v, 8)), 0);
    struct tensor *padded = th_cat(TH_LIST(row0, th_slice(zeros, 0, 0, 2)), 0);
    assert_near(b.x, th_stack(TH_LIST(padded, row1, row2), 0), 0, "embeddings");
    ASSERT_LABELS(&b, 0, -100, -100, -100, 5, 6, -100, -100);
    ASSERT_LABELS(&b, 1, -100, 9, 10, -100, -100, -100, -100);
    ASSERT_LABELS(&b, 2, 1, 7, -100, -100, -100, -100, 8);
    assert_int_equal(b.targets, 2 + 2 + 2); /* the first of a row is none */
    assert_int_equal(b.cut, 0);
}

static void test_rows_are_cut_after_pictures_were_put_in(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    AUTO(vlm_destroy) struct vlm *v = make_vlm();
    struct vlm_sample samples[] = { SAMPLE(two_ids, two_labels), SAMPLE(text_ids, NULL) };
    AUTO(vlm_batch_free) struct vlm_batch b, whole;
    FINE(vlm_embed(v, samples, 2, pictures(2, 3), 4, &b, &e));
    FINE(vlm_embed(v, samples, 2, pictures(2, 3), 0, &whole, &e));
    assert_int_equal(b.lengths[0], 4);
    assert_int_equal(b.cut, 1);
    assert_near(b.x, th_slice(whole.x, 1, 0, 4), 0, "the first columns");
    ASSERT_LABELS(&b, 0, 1, 7, -100, -100);
    ASSERT_LABELS(&b, 1, -100, -100, -100, -100);
    assert_int_equal(b.targets, 1);
}

static void test_a_batch_of_text_gives_the_connector_gradients_of_nothing(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    AUTO(vlm_destroy) struct vlm *v = make_vlm();
    FINE(params_train(connector_params(v->connector), "*", true, &e));
    th_grad(true);
    struct vlm_sample samples[] = { SAMPLE(text_ids, text_labels) };
    AUTO(vlm_batch_free) struct vlm_batch b, with;
    FINE(vlm_embed(v, samples, 1, NULL, 0, &b, &e));
    struct tensor *h = llama_forward(v->llama, b.x, (struct llama_pass){ .lengths = b.lengths });
    assert_true(th_backward(llama_loss(v->llama, h, b.labels, NULL)));
    const char *name;
    struct tensor *x;
    for (size_t i = 0; (x = params_next(connector_params(v->connector), &i, &name));) {
        assert_non_null(th_grad_of(x));
        assert_true(th_item(th_norm(th_grad_of(x), TH_SCALAR_DIMS, false)) == 0);
    }
    struct vlm_sample pictured[] = { SAMPLE(one_ids, one_labels) };
    FINE(vlm_embed(v, pictured, 1, pictures(1, 3), 0, &with, &e));
    h = llama_forward(v->llama, with.x, (struct llama_pass){ .lengths = with.lengths, .recompute = true });
    assert_true(th_backward(llama_loss(v->llama, h, with.labels, NULL)));
    for (size_t i = 0; (x = params_next(connector_params(v->connector), &i, &name));)
        assert_true(th_item(th_norm(th_grad_of(x), TH_SCALAR_DIMS, false)) > 0);
}

static void assert_refused(const struct vlm *v, struct vlm_sample sample, struct tensor *f, const char *part)
{
    struct err e = { 0 };
    struct vlm_batch b;
    assert_int_equal(vlm_embed(v, &sample, 1, f, 0, &b, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    if (!strstr(e.text, part))
        fail_msg("%s", e.text);
    assert_null(b.lengths);
}

static void test_batches_that_cannot_be(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    AUTO(vlm_destroy) struct vlm *v = make_vlm();
    static const int32_t high[] = { 1, 96 }, low[] = { 1, -7 };
    assert_refused(v, SAMPLE(two_ids, NULL), pictures(1, 2), "names 2 pictures, but there are features of 1");
    assert_refused(v, SAMPLE(two_ids, NULL), NULL, "features of 0");
    assert_refused(v, SAMPLE(text_ids, NULL), pictures(1, 2), "names 0 pictures");
    assert_refused(v, SAMPLE(high, NULL), NULL, "id 96 is outside");
    assert_refused(v, SAMPLE(low, NULL), NULL, "id -7 is outside");
    static const int32_t beyond[] = { -100, 9, 96 };
    assert_refused(v, SAMPLE(text_ids, beyond), NULL, "label 96");
    assert_refused(v, SAMPLE(one_ids, NULL), th_zeros(TH_DIMS(1, 2, CHANNELS + 1), TH_F32, TH_CPU), "takes features");
    assert_refused(v, (struct vlm_sample){ .ids = high }, NULL, "empty");
    struct connector_options o = CONNECTOR_DEFAULTS;
    assert_null(vlm_join(open_golden("grouped"), connector_create(CHANNELS, WIDTH + 1, &o, 5, &e), &e));
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "trained for another one"));
}

static void test_what_is_saved_is_read_again(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    char dir[64], path[128];
    struct stat st;
    checkpoint_scratch(dir);
    AUTO(vlm_destroy) struct vlm *v = make_vlm();
    AUTO(json_decref) json_t *about = json_pack("{s:[s]}", "encoders", "clip");
    struct vlm_about a = { .vision_tower = "clip",
                           .select_layer = -2,
                           .about = about,
                           .tokenizer_from = GOLDEN "grouped" /* it has a generation_config.json */ };
    FINE(vlm_save(v, dir, &a, TH_F32, &e));
    struct vlm_options o = { .dtype = TH_F32, .device = TH_CPU };
    AUTO(vlm_destroy) struct vlm *again = vlm_open(dir, &o, &e);
    assert_no_error(&e, __LINE__);
    assert_true(json_equal(again->about, about));
    struct vlm_sample samples[] = { SAMPLE(one_ids, one_labels) };
    AUTO(vlm_batch_free) struct vlm_batch b, c;
    FINE(vlm_embed(v, samples, 1, pictures(1, 3), 0, &b, &e));
    FINE(vlm_embed(again, samples, 1, pictures(1, 3), 0, &c, &e));
    assert_near(llama_forward(again->llama, c.x, (struct llama_pass){ 0 }),
                llama_forward(v->llama, b.x, (struct llama_pass){ 0 }), 0, "saved");
    snprintf(path, sizeof path, "%s/generation_config.json", dir);
    assert_int_equal(stat(path, &st), 0);
    /* the connector alone can be put on the decoder that it was trained for */
    snprintf(path, sizeof path, "%s/mm_projector.bin", dir);
    o.connector = path;
    AUTO(vlm_destroy) struct vlm *joined = vlm_open(GOLDEN "grouped", &o, &e);
    assert_no_error(&e, __LINE__);
    assert_null(joined->about);
    /* and the tensors of the connector are found in the whole checkpoint too */
    unlink(path);
    snprintf(path, sizeof path, "%s/mm_projector.safetensors", dir);
    unlink(path);
    o.connector = NULL;
    AUTO(vlm_destroy) struct vlm *whole = vlm_open(dir, &o, &e);
    assert_no_error(&e, __LINE__);
    checkpoint_scratch_end(dir);
}

int main(void)
{
    if (torch_absent())
        return 77;
    const struct CMUnitTest tests[] = {
        TORCH_TEST(test_pictures_stand_where_their_marks_were),
        TORCH_TEST(test_rows_are_cut_after_pictures_were_put_in),
        TORCH_TEST(test_a_batch_of_text_gives_the_connector_gradients_of_nothing),
        TORCH_TEST(test_batches_that_cannot_be),
        TORCH_TEST(test_what_is_saved_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
