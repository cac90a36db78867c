/* The losses of pretraining beside values worked out here another way. Training itself is tests/e2e/95-pretrain.sh's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/torch_rig.h"
#include "worker/pretrain/objective.h"
#include "worker/pretrain/soft.h"
#include "worker/torch/th_train.h"

#define WIDTH 4

/* ---- InfoNCE --------------------------------------------------------------------------------------------------------
 */

static void test_info_nce(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *a = floats(FLOATS(1, 0, 0, 1), TH_DIMS(2, 2)), *b = floats(FLOATS(0.6f, 0.8f, 0, 1), TH_DIMS(2, 2));
    /* products: 0.6 0 / 0.8 1, times 2 */
    double there = log(exp(1.2) + 1) - 1.2 + log(exp(1.6) + exp(2)) - 2;
    double back = log(exp(1.2) + exp(1.6)) - 1.2 + log(1 + exp(2)) - 2;
    assert_values(info_nce(a, b, VECTOR(2), NULL), 1e-6, (there + back) / 4);
    struct tensor *skip = th_from((const bool[]){ false, true, false, false }, TH_DIMS(2, 2), TH_BOOL, TH_CPU);
    there = log(exp(1.6) + exp(2)) - 2; /* the first row and the second column have nothing to be told from */
    back = log(exp(1.2) + exp(1.6)) - 1.2;
    assert_values(info_nce(a, b, VECTOR(2), skip), 1e-6, (there + back) / 4);
}

/* ---- captions -------------------------------------------------------------------------------------------------------
 */

/* Heads whose layers leave everything as it is: a picture is its token, a text the mean of its words' unit vectors. */

static void make_heads(struct heads *h)
{
    struct err e = { 0 };
    h->params = params_create(&e);
    params_root(h->params, "");
    contrast_want(h, WIDTH, WIDTH);
    if (params_fresh(h->params, 1, TH_F32, TH_CPU, &e) < 0)
        fail_msg("%s", e.text);
    TH_SCOPE(s);
    struct tensor *eye = th_eye(WIDTH, TH_F32, TH_CPU);
    th_copy_(h->words, eye);
    th_copy_(h->picture.w, eye);
    th_copy_(h->text.w, eye);
    th_fill_(h->log_scale, log(2));
    th_fill_(h->bias, -1);
}

/* Picture 0 is of word 0, picture 1 of words 0 and 1: the first text is true of the second picture too. */
static struct tensor *loss_of_two(struct tensor *(*loss)(const struct lesson *l), const struct heads *h)
{
    static int32_t zero[] = { 0 }, both[] = { 0, 1 };
    static const struct pair pairs[2] = { { .words = { zero, 1, 1 }, .kept = { zero, 1, 1 } },
                                          { .words = { both, 2, 2 }, .kept = { both, 2, 2 } } };
    const struct pair *const list[] = { &pairs[0], &pairs[1] };
    struct tensor *tokens = floats(FLOATS(1, 0, 0, 0, 0, 1, 0, 0), TH_DIMS(2, 1, WIDTH));
    struct lesson l = { .heads = h, .tokens = tokens, .n = 2, .pairs = list, .word_dropout = 1 };
    return loss(&l);
}

static void test_captions_true_of_another_picture_do_not_count(void **state)
{
    (void)state;
    AUTO(params_destroy) struct params *p = NULL;
    struct heads h = { 0 };
    make_heads(&h);
    p = h.params;
    TH_SCOPE(s);
    double r = 2 * sqrt(0.5); /* products with the second text, times the scale 2; with the first 2 and 0 */
    double there = log(exp(2) + exp(r)) - 2 + 0, back = 0 + log(2 * exp(r)) - r;
    assert_values(loss_of_two(clip_loss, &h), 1e-5, (there + back) / 4);
    double own = log(1 + exp(-(2 - 1))) + log(1 + exp(-(r - 1))), other = log(1 + exp(r - 1));
    assert_values(loss_of_two(siglip_loss, &h), 1e-5, (own + other) / 2);
}

/* ---- two views ------------------------------------------------------------------------------------------------------
 */

#define PICTURES 4
#define GRID 8

/* An encoder that knows where in the picture each of its patches lies, and no more. */
static struct tensor *tokens_of_places(const struct view *views)
{
    struct tensor *x = th_zeros(TH_DIMS(2 * PICTURES, 1 + GRID * GRID, 8), TH_F32, TH_CPU);
    float *out = th_data(x);
    for (int v = 0; v < 2 * PICTURES; v++)
        for (int i = 0; i < GRID * GRID; i++) {
            float at[2] = { ((float)(i % GRID) + 0.5f) / GRID, ((float)(i / GRID) + 0.5f) / GRID }, there[2];
            view_to_picture(&views[v], at, there);
            float *t = out + (v * (1 + GRID * GRID) + 1 + i) * 8;
            for (int k = 0; k < 2; k++) {
                t[4 * k] = sinf(4 * there[k]);
                t[4 * k + 1] = cosf(4 * there[k]);
                t[4 * k + 2] = sinf(9 * there[k]);
                t[4 * k + 3] = cosf(9 * there[k]);
            }
        }
    return x;
}

/* Stripes a pixel wide: there is something to see everywhere. */
static struct pair striped(void)
{
    struct err e = { 0 };
    struct pair p = { .may_flip = true };
    if (image_create(15, 15, &p.picture, &e) < 0)
        fail_msg("%s", e.text);
    for (uint32_t i = 0; i < 15 * 15; i++)
        memset(p.picture.pixels + 3 * i, (i / 15 + i % 15) % 4 < 2 ? 255 : 0, 3);
    return p;
}

static double dense_loss_of(const struct heads *h, const struct view *told, struct tensor *tokens)
{
    struct err e = { 0 };
    struct pair one = striped();
    const struct pair *pairs[PICTURES] = { &one, &one, &one, &one };
    struct lesson l = { .heads = h,
                        .tokens = tokens,
                        .n = PICTURES,
                        .pairs = pairs,
                        .views = told,
                        .grid = GRID,
                        .prefix = 1,
                        .dice = dice_at(3, DICE_POINTS, 0) };
    double loss = th_item(dense_loss(&l));
    image_free(&one.picture);
    if (th_check(&e) < 0)
        fail_msg("%s", e.text);
    return loss;
}

/* What an encoder says of a place must agree between views where, and only where, the views really show it. */
static void test_places_are_found_in_both_views(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct view views[2 * PICTURES], wrong[2 * PICTURES];
    struct view_rules rules = { .smallest = 0.5, .stretch = 0.3, .turn = 30 };
    for (uint64_t i = 0; i < 2 * PICTURES; i++) {
        struct dice d = dice_at(1, DICE_VIEW, i), other = dice_at(1, DICE_VIEW, i < PICTURES ? i : i + 100);
        views[i] = view_draw(&d, &rules, i % PICTURES == 0);
        wrong[i] = view_draw(&other, &rules, false);
    }
    struct heads h = { .params = params_create(&e) };
    AUTO(params_destroy) struct params *p = h.params;
    params_root(p, "");
    dense_want(&h, 8, 0);
    if (params_fresh(p, 1, TH_F32, TH_CPU, &e) < 0)
        fail_msg("%s", e.text);
    TH_SCOPE(s);
    th_fill_(h.log_scale, log(10));
    struct tensor *tokens = tokens_of_places(views);
    double right = dense_loss_of(&h, views, tokens), lie = dense_loss_of(&h, wrong, tokens);
    print_message("the loss is %.3f with the views that were, %.3f with others\n", right, lie);
    assert_true(right < lie - 0.3);
}

/* ---- soft words -----------------------------------------------------------------------------------------------------
 */

static void test_told_words_are_mixed_and_others_left(void **state)
{
    (void)state;
    struct err e = { 0 };
    TH_SCOPE(s);
    struct th_rng *rng = th_rng_create(1, &e);
    struct tensor *x = floats(FLOATS(9, 9, 1, 0, 3, 4, 7, 7, 9, 9, 1, 0, 3, 4, 7, 7), TH_DIMS(2, 4, 2));
    const struct soft_row rows[] = { { .begin = 1, .end = 3, .own = 0.5 }, { .own = 0, .noise = 3 } };
    assert_values(soft_words(x, rows, rng), 1e-6, 9, 9, 1.5, 1, 2.5, 3, 7, 7, 9, 9, 1, 0, 3, 4, 7, 7);
    /* Noise as long as so many times the token: on average, of many tokens; the first is no word. */
    struct tensor *same = th_full(TH_DIMS(1, 401, 16), 2, TH_F32, TH_CPU); /* each 8 long */
    struct tensor *far = th_sub(soft_words(same, &(struct soft_row){ .begin = 1, .end = 401, .own = 1, .noise = 1.5 }, rng), same);
    double mean = th_item(th_mean(th_norm(far, TH_DIMS(2), false), TH_SCALAR_DIMS, false)) * 401 / 400;
    assert_true(fabs(mean - 12) < 0.5);
    assert_true(th_item(th_norm(th_select(far, 1, 0), TH_SCALAR_DIMS, false)) == 0);
    th_rng_destroy(rng);
    /* Rows of a stream: the same each time, and all sorts of them. */
    struct soft_row a = soft_row_at(7, 5, 2, 9), b = soft_row_at(7, 5, 2, 9), other = soft_row_at(7, 6, 2, 9);
    assert_true(a.own == b.own && a.noise == b.noise && a.begin == 2 && a.end == 9 && a.own != other.own && a.noise != other.noise);
    assert_true(a.own >= 0 && a.own < 1 && a.noise >= 0 && a.noise < SOFT_NOISE_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TORCH_TEST(test_info_nce),
        TORCH_TEST(test_captions_true_of_another_picture_do_not_count),
        TORCH_TEST(test_places_are_found_in_both_views),
        TORCH_TEST(test_told_words_are_mixed_and_others_left),
    };
    return torch_absent() ? 77 : cmocka_run_group_tests(tests, NULL, NULL);
}
