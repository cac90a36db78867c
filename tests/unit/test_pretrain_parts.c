/* What pretraining is made of, without libtorch: orders, views, captions, vocabularies, ridge regression. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "worker/data/json_items.h"
#include "worker/layout.h"
#include "worker/pretrain/bpe_learn.h"
#include "worker/pretrain/dice.h"
#include "worker/pretrain/pairs.h"
#include "worker/pretrain/ridge.h"
#include "worker/pretrain/texts.h"
#include "worker/pretrain/view.h"

/* ---- orders ---------------------------------------------------------------------------------------------------------
 */

static void test_each_pass_holds_each_number_once(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 70; n++) {
        int moved = 0;
        for (uint64_t pass = 0; pass < 3; pass++) {
            bool seen[70] = { false };
            for (uint64_t i = 0; i < n; i++) {
                uint64_t x = dice_shuffled(5, pass * n + i, n);
                assert_true(x < n && !seen[x]);
                seen[x] = true;
                moved += x != dice_shuffled(5, i, n);
            }
        }
        assert_true(n < 10 || moved > 0); /* passes differ */
    }
}

/* ---- views ----------------------------------------------------------------------------------------------------------
 */

static void test_a_view_finds_its_points_again(void **state)
{
    (void)state;
    struct view_rules rules = { .smallest = 0.5, .stretch = 0.3, .turn = 30 };
    for (uint64_t i = 0; i < 200; i++) {
        struct dice d = dice_at(1, DICE_VIEW, i);
        struct view v = view_draw(&d, &rules, i % 2);
        float at[2] = { (float)dice_real(&d), (float)dice_real(&d) }, there[2], back[2];
        view_to_picture(&v, at, there);
        assert_true(view_from_picture(&v, there, back));
        assert_true(fabsf(back[0] - at[0]) < 1e-4 && fabsf(back[1] - at[1]) < 1e-4);
    }
}

/* Left half red, right half blue. */
static void paint(struct image *im, uint32_t edge)
{
    struct err e = { 0 };
    assert_int_equal(image_create(edge, edge, im, &e), 0);
    for (uint32_t i = 0; i < edge * edge; i++)
        im->pixels[3 * i + (i % edge < edge / 2 ? 0 : 2)] = 255;
}

static void render(const struct view_rules *rules, bool mirrored, const struct image *im, float *chw)
{
    struct dice d = dice_at(1, DICE_VIEW, 1);
    struct view v = view_draw(&d, rules, mirrored);
    struct view_scale s = { { 0.5f, 0.5f, 0.5f }, { 0.5f, 0.5f, 0.5f } };
    view_render(&v, im, 8, &s, chw);
}

static void test_views_show_the_picture(void **state)
{
    (void)state;
    AUTO(image_free) struct image im = { 0 };
    float chw[3 * 64];
    paint(&im, 8);
    struct view_rules as_it_is = { .smallest = 1 };
    render(&as_it_is, false, &im, chw); /* the same size: its own pixels */
    for (int i = 0; i < 64; i++)
        assert_true(fabsf(chw[i] - (i % 8 < 4 ? 1 : -1)) < 1e-5 && fabsf(chw[128 + i] - (i % 8 < 4 ? -1 : 1)) < 1e-5);
    render(&as_it_is, true, &im, chw);
    for (int i = 0; i < 64; i++)
        assert_true(fabsf(chw[i] - (i % 8 < 4 ? -1 : 1)) < 1e-5);
    assert_true(view_contrast(&im, (const float[]){ 0.5f, 0.3f }, 0.1f) > 0.9f); /* at the border of both */
    assert_true(view_contrast(&im, (const float[]){ 0.2f, 0.3f }, 0.1f) < 0.01f);
    struct view_rules grey = { .smallest = 1, .grey = 1 };
    render(&grey, false, &im, chw);
    assert_true(fabsf(chw[0] - (2 * 0.299f - 1)) < 1e-5 && fabsf(chw[64] - chw[0]) < 1e-6 &&
                fabsf(chw[128] - chw[0]) < 1e-6);
}

/* ---- captions -------------------------------------------------------------------------------------------------------
 */

static int read_pairs(const char *text, bool known_only, struct vocabulary *v, struct pairs *out, struct err *e)
{
    AUTO(json_items_close) struct json_items *items = json_items_from(text, strlen(text), "x.jsonl", e);
    struct pairs_source s = { .path = "x.jsonl", .known_only = known_only };
    return items ? pairs_read_items(&s, items, v, out, e) : -1;
}

static void test_captions_become_words(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(vocabulary_free) struct vocabulary v = { 0 };
    AUTO(pairs_free) struct pairs p = { 0 };
    AUTO(pairs_free) struct pairs more = { 0 };
    const char *text =
        "{\"image\":\"1.png\",\"caption\":\"Two hot-dogs, two!\",\"concepts\":[\"hot-dog\"]}\n"
        "{\"image\":\"2.png\",\"caption\":\"a fire engine on the LEFT\",\"concepts\":[\"fire engine\"]}\n"
        "{\"image\":\"3.png\",\"caption\":\"leftover\",\"flip\":false}\n";
    assert_int_equal(read_pairs(text, false, &v, &p, &e), 0);
    assert_int_equal(p.n, 3);
    assert_int_equal(p.v[0].words.n, 3); /* two, hot-dogs, and the concept's hot-dog */
    assert_int_equal(p.v[0].kept.n, 1);
    assert_true(p.v[0].may_flip && !p.v[1].may_flip && !p.v[2].may_flip);
    assert_int_equal(v.spelled[1].n, 2);
    assert_true(words_within(&v.spelled[1], &p.v[1].words) && !words_within(&v.spelled[1], &p.v[0].words));
    assert_true(words_within(&v.spelled[0], &p.v[0].words) && words_within(&(struct ids){ 0 }, &p.v[0].words));
    size_t words = v.words.n;
    const char *other = "{\"image\":\"4.png\",\"caption\":\"two unseen words\",\"concepts\":[\"unicorn\",\"hot-dog\"]}";
    assert_int_equal(read_pairs(other, true, &v, &more, &e), 0);
    assert_int_equal(v.words.n, words); /* nothing is added */
    assert_int_equal(more.v[0].concepts.n, 1);
    assert_int_equal(more.v[0].words.n, 2); /* two, hot-dog */
}

static void test_wrong_pairs_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "", "it has no lines" },
        { "{\"image\":\"1.png\"}", "'caption' must be" },
        { "{\"caption\":\"x\"}", "'image' must be" },
        { "{\"image\":\"/etc/1.png\",\"caption\":\"x\"}", "x.jsonl:1" },
        { "{\"image\":\"a/../../1.png\",\"caption\":\"x\"}", "x.jsonl:1" },
        { "{\"image\":\"1.png\",\"caption\":\"x\"}\n{\"image\":\"1.png\",\"caption\":\"x\",\"concepts\":\"fox\"}",
          "x.jsonl:2" },
        { "{\"image\":\"1.png\",\"caption\":\"x\",\"concepts\":[\"\"]}", "'concepts' must be" },
        { "{\"image\":\"1.png\",\"caption\":\"x\",\"flip\":1}", "'flip' must be" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        AUTO(vocabulary_free) struct vocabulary v = { 0 };
        AUTO(pairs_free) struct pairs p = { 0 };
        assert_int_equal(read_pairs(cases[i].text, false, &v, &p, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        if (!strstr(e.text, cases[i].why))
            fail_msg("case %zu: %s", i, e.text);
    }
}

/* ---- vocabularies ---------------------------------------------------------------------------------------------------
 */

/* Counted by hand: l o w is in both words (7 times); then U+2581 low (5); then e r and low e (2 each), of which e is
 * older than low. */
static void test_the_most_frequent_pair_is_merged(void **state)
{
    (void)state;
    struct err e = { 0 };
    static const char *const merged[] = { "lo", "low", "\xe2\x96\x81low", "er" };
    AUTO(bpe_learner_destroy) struct bpe_learner *l = bpe_learner_create(&e);
    AUTO(bpe_vocabulary_free) struct bpe_vocabulary v = { 0 };
    assert_int_equal(bpe_learner_add(l, "low", 3, 5, &e), 0);
    assert_int_equal(bpe_learner_add(l, "9lower", 6, 2, &e), 0);
    assert_int_equal(bpe_learn(l, BPE_ALPHABET + 7 + 4, &v, &e), 0); /* the alphabet: U+2581 l o w 9 e r */
    assert_int_equal(v.n_merges, 4);
    for (size_t i = 0; i < ARRAY_LEN(merged); i++)
        assert_string_equal(names_text(&v.tokens, BPE_ALPHABET + 7 + i), merged[i]);
    AUTO(bpe_vocabulary_free) struct bpe_vocabulary small = { 0 };
    assert_int_equal(bpe_learn(l, BPE_ALPHABET + 6, &small, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
}

static const char talk[] =
    "[{\"conversations\":[{\"from\":\"human\",\"value\":\"<image>\\nWhat is it?\"},"
    "{\"from\":\"gpt\",\"value\":\"a red fox\"},{\"from\":\"human\",\"value\":\"How many? 12, 21!\"},"
    "{\"from\":\"gpt\",\"value\":\"one\"}]},{\"caption\":\" a red fox, na\\u00efve\"},"
    "{\"given\":\"What is it?\",\"text\":\"a red fox\"},"
    "{\"given\":[\"What is it?\",\"How many?\"],\"text\":[\"a red fox\",\"one\"]}]";

static void read_talk(bool answers_only, struct texts *out)
{
    struct err e = { 0 };
    AUTO(json_items_close) struct json_items *items = json_items_from(talk, sizeof talk - 1, "x.json", &e);
    if (!items || texts_read_items(items, "x.json", answers_only, out, &e) < 0)
        fail_msg("%s", e.text);
}

static struct tokenizer *learn_tokenizer(const struct texts *t, const char *dir)
{
    struct err e = { 0 };
    AUTO(bpe_learner_destroy) struct bpe_learner *l = bpe_learner_create(&e);
    AUTO(bpe_vocabulary_free) struct bpe_vocabulary v = { 0 };
    for (size_t i = 0; i < t->n; i++)
        for (size_t k = 0; k < t->v[i].n; k++)
            assert_int_equal(bpe_learner_add(l, t->v[i].turns[k].text, t->v[i].turns[k].len, 3, &e), 0);
    struct tokenizer *tokenizer = NULL;
    if (bpe_learn(l, 400, &v, &e) < 0 || bpe_vocabulary_write(&v, dir, &e) < 0 ||
        !(tokenizer = tokenizer_open(dir, &e)))
        fail_msg("%s", e.text);
    return tokenizer;
}

static void assert_there_and_back(const struct tokenizer *t, const char *text, size_t most)
{
    struct err e = { 0 };
    AUTO(ids_free) struct ids ids = { 0 };
    AUTO(buf_free) struct buf back = BUF_INIT(1000);
    assert_int_equal(tokenizer_encode(t, text, strlen(text), true, &ids, &e), 0);
    assert_int_equal(ids.v[0], 1);
    assert_int_equal(tokenizer_decode(t, ids.v, ids.n, true, &back, &e), 0);
    assert_string_equal(back.data, text);
    if (ids.n > most)
        fail_msg("'%s' has %zu ids, not %zu", text, ids.n, most);
}

static void test_texts_and_their_tokenizer(void **state)
{
    (void)state;
    char dir[] = "/tmp/acsweep-pretrain-XXXXXX";
    struct err e = { 0 };
    AUTO(texts_free) struct texts t = { 0 };
    AUTO(texts_free) struct texts answers = { 0 };
    read_talk(false, &t);
    assert_true(t.n == 4 && t.v[0].talk && t.v[0].n == 4 && !t.v[1].talk && t.v[1].n == 1 && t.v[2].n == 2);
    assert_true(!t.v[3].talk && t.v[3].n == 4);
    assert_string_equal(t.v[0].turns[0].text, "What is it?"); /* no picture, no blank that was around it */
    read_talk(true, &answers);
    assert_true(answers.n == 4 && !answers.v[0].talk && answers.v[0].n == 1);
    assert_string_equal(answers.v[0].turns[0].text, "a red fox");
    assert_non_null(mkdtemp(dir));
    AUTO(tokenizer_close) struct tokenizer *tokenizer = learn_tokenizer(&t, dir);
    assert_there_and_back(tokenizer, "a red fox", 4); /* BOS and a token for each word */
    assert_there_and_back(tokenizer, "12 21, one!\n", 99);
    assert_there_and_back(tokenizer, "\xe6\x97\xa5 never seen: {Z}", 99); /* by bytes */
    for (size_t i = 0; i < t.n; i++) {
        AUTO(ids_free) struct ids ids = { 0 };
        AUTO(ids_free) struct ids labels = { 0 };
        struct text_info info;
        assert_int_equal(text_encode(&t.v[i], tokenizer, 512, &ids, &labels, &info, &e), 0);
        assert_true(ids.n > 4 && labels.n == ids.n && !info.masked);
        /* a caption is learned whole; answers, and what follows on something, alone: "a red fox", "one" and the end */
        size_t learned = 0, last = ids.n - 1;
        for (size_t k = 0; k < ids.n; k++)
            learned += labels.v[k] != LABEL_IGNORED;
        assert_int_equal(labels.v[last], ids.v[last]);
        assert_int_equal(learned, i == 1 ? ids.n : i == 2 ? 4 : i == 3 ? 5 : 6);
    }
    remove_tree(dir);
}

static void read_items(const char *json, struct texts *out)
{
    struct err e = { 0 };
    AUTO(json_items_close) struct json_items *items = json_items_from(json, strlen(json), "x.json", &e);
    assert_non_null(items);
    if (texts_read_items(items, "x.json", false, out, &e) < 0)
        fail_msg("%s", e.text);
}

/* What is seen stands where stage 2 puts a picture's tokens, and everything else is as it is there. */
static void test_words_that_are_seen(void **state)
{
    (void)state;
    char dir[] = "/tmp/acsweep-pretrain-XXXXXX";
    struct err e = { 0 };
    AUTO(texts_free) struct texts t = { 0 };
    AUTO(texts_free) struct texts others = { 0 };
    AUTO(ids_free) struct ids ids = { 0 };
    AUTO(ids_free) struct ids labels = { 0 };
    AUTO(ids_free) struct ids expected = { 0 };
    AUTO(ids_free) struct ids expected_labels = { 0 };
    AUTO(ids_free) struct ids seen = { 0 };
    read_talk(false, &others);
    read_items("[{\"seen\":\"fox fox red\",\"conversations\":[{\"from\":\"human\",\"value\":\"<image>\\nWhat is it?\"},"
               "{\"from\":\"gpt\",\"value\":\"a red fox\"}]}]", &t);
    assert_true(t.n == 1 && t.v[0].talk && t.v[0].n == 2);
    assert_string_equal(t.v[0].seen, "fox fox red");
    assert_non_null(mkdtemp(dir));
    AUTO(tokenizer_close) struct tokenizer *tokenizer = learn_tokenizer(&others, dir);
    struct text_info info;
    assert_int_equal(text_encode(&t.v[0], tokenizer, 512, &ids, &labels, &info, &e), 0);
    static const char question[] = "<image>\nWhat is it?";
    const struct turn turns[] = { { TURN_HUMAN, question, strlen(question) }, { TURN_GPT, "a red fox", 9 } };
    struct conversation_rules rules = { .template = CONVERSATION_VICUNA_V1, .max_length = 512 };
    struct conversation_info about;
    assert_int_equal(conversation_encode(tokenizer, &rules, turns, 2, true, &expected, &expected_labels, &about, &e), 0);
    assert_int_equal(tokenizer_encode(tokenizer, "fox fox red", 11, false, &seen, &e), 0);
    assert_true(info.unheard - info.heard == seen.n && expected.v[info.heard] == IMAGE_TOKEN && !info.masked);
    assert_int_equal(ids.n, expected.n - 1 + seen.n);
    assert_int_equal(labels.n, ids.n);
    for (size_t i = 0; i < ids.n; i++) {
        bool inside = i >= info.heard && i < info.unheard;
        size_t from = i < info.heard ? i : inside ? info.heard : i + 1 - seen.n;
        assert_int_equal(ids.v[i], inside ? seen.v[i - info.heard] : expected.v[from]);
        assert_int_equal(labels.v[i], inside ? LABEL_IGNORED : expected_labels.v[from]);
    }
    remove_tree(dir);
}

static void test_texts_that_are_wrong(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "[{\"given\":[\"a\"],\"text\":[\"b\",\"c\"]}]", "[{\"given\":[],\"text\":[]}]", "[{\"text\":[\"b\"]}]",
        "[{\"given\":[1],\"text\":[\"b\"]}]",           "[{\"given\":1,\"text\":\"b\"}]",
        "[{\"seen\":\"a\",\"conversations\":[{\"from\":\"human\",\"value\":\"no picture\"},{\"from\":\"gpt\",\"value\":\"b\"}]}]",
        "[{\"seen\":\"\",\"conversations\":[{\"from\":\"human\",\"value\":\"<image>\"},{\"from\":\"gpt\",\"value\":\"b\"}]}]",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct err e = { 0 };
        AUTO(texts_free) struct texts t = { 0 };
        AUTO(json_items_close)
        struct json_items *items = json_items_from(wrong[i], strlen(wrong[i]), "x.json", &e);
        assert_int_equal(texts_read_items(items, "x.json", false, &t, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_non_null(strstr(e.text, "must be"));
    }
}

/* ---- ridge regression -----------------------------------------------------------------------------------------------
 */

#define ROWS 120

/* Three classes at the corners of a triangle, and a second feature vector that says nothing. */
static void test_ridge_tells_classes_apart(void **state)
{
    (void)state;
    static const float corners[3][2] = { { 0, 1 }, { -1, -1 }, { 1, -1 } };
    float apart[ROWS][2], same[ROWS][2];
    int32_t labels[ROWS];
    struct err e = { 0 };
    struct dice d = dice_at(1, DICE_SPLIT, 0);
    for (int i = 0; i < ROWS; i++) {
        labels[i] = i % 3;
        for (int k = 0; k < 2; k++) {
            apart[i][k] = corners[i % 3][k] + (float)dice_between(&d, -0.2, 0.2);
            same[i][k] = 7;
        }
    }
    struct ridge_data data = { ROWS, 2, 3, apart[0], labels };
    struct ridge_score s;
    assert_int_equal(ridge_classify(&data, &data, 0.01, &s, &e), 0);
    assert_true(s.top1 == 1 && s.top5 == 1);
    data.features = same[0];
    assert_int_equal(ridge_classify(&data, &data, 0.01, &s, &e), 0);
    assert_true(fabs(s.top1 - 1.0 / 3) < 1e-9); /* one answer for all */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_pass_holds_each_number_once),
        cmocka_unit_test(test_a_view_finds_its_points_again),
        cmocka_unit_test(test_views_show_the_picture),
        cmocka_unit_test(test_captions_become_words),
        cmocka_unit_test(test_wrong_pairs_are_refused),
        cmocka_unit_test(test_the_most_frequent_pair_is_merged),
        cmocka_unit_test(test_texts_and_their_tokenizer),
        cmocka_unit_test(test_words_that_are_seen),
        cmocka_unit_test(test_texts_that_are_wrong),
        cmocka_unit_test(test_ridge_tells_classes_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
