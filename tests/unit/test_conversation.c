/* Templates and label masks beside a second implementation of the rules (tests/golden/text/conversations.py), id for
 * id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/text_golden.h"
#include "worker/text/conversation.h"

enum { TURNS_MOST = 80 };

static size_t read_turns(const json_t *list, struct turn *turns)
{
    const json_t *v;
    size_t i;
    assert_true(json_array_size(list) <= TURNS_MOST);
    json_array_foreach(list, i, v)
    {
        const json_t *text = json_array_get(v, 1);
        turns[i].from = strcmp(json_string_value(json_array_get(v, 0)), "gpt") == 0 ? TURN_GPT : TURN_HUMAN;
        turns[i].text = json_string_value(text);
        turns[i].len = json_string_length(text);
    }
    return json_array_size(list);
}

static struct conversation_rules rules_of(const json_t *sample, const json_t *c)
{
    static const char *const masks[] = { "auto", "classic", "new" };
    struct conversation_rules r = { .max_length = (size_t)golden_int(c, "most") };
    struct err e = { 0 };
    assert_int_equal(
        conversation_template_parse(json_string_value(json_object_get(sample, "template")), &r.template, &e), 0);
    while (strcmp(masks[r.masks], json_string_value(json_object_get(c, "masks"))) != 0)
        r.masks++;
    return r;
}

/* The beginning of a sample's ids, and labels where the spans of targets are. */
static void wanted(const json_t *sample, const json_t *c, struct ids *ids, struct ids *labels)
{
    const json_t *span;
    size_t i;
    struct err e = { 0 };
    golden_ids(json_object_get(sample, "ids"), ids);
    ids->n = (size_t)golden_int(c, "n");
    for (size_t k = 0; k < ids->n; k++)
        assert_int_equal(ids_add(labels, LABEL_IGNORED, &e), 0);
    json_array_foreach(json_object_get(c, "targets"), i, span)
    {
        json_int_t first = json_integer_value(json_array_get(span, 0)),
                   end = json_integer_value(json_array_get(span, 1));
        for (json_int_t k = first; k < end; k++)
            labels->v[k] = ids->v[k];
    }
}

static bool same(const struct ids *a, const struct ids *b)
{
    return a->n == b->n && (!a->n || memcmp(a->v, b->v, a->n * sizeof *a->v) == 0);
}

static bool agrees(const struct tokenizer *t, const json_t *conversation, const json_t *sample, const json_t *c)
{
    struct turn turns[TURNS_MOST];
    struct conversation_rules rules = rules_of(sample, c);
    struct conversation_info info;
    struct err e = { 0 };
    AUTO(ids_free) struct ids ids = { 0 }, labels = { 0 }, want_ids = { 0 }, want_labels = { 0 };
    size_t n = read_turns(json_object_get(conversation, "turns"), turns);
    bool has_image = json_is_true(json_object_get(conversation, "has_image"));
    assert_int_equal(ids_add(&ids, 7, &e), 0); /* appended behind what is there */
    int rc = conversation_encode(t, &rules, turns, n, has_image, &ids, &labels, &info, &e);
    assert_int_equal(ids.v[0], 7);
    memmove(ids.v, ids.v + 1, --ids.n * sizeof *ids.v);
    if (json_object_get(c, "error"))
        return rc < 0 && e.kind == ERR_INPUT && ids.n == 0 && labels.n == 0;
    if (rc < 0)
        fail_msg("%s", e.text);
    wanted(sample, c, &want_ids, &want_labels);
    if (same(&ids, &want_ids) && same(&labels, &want_labels) && info.counted == (size_t)golden_int(c, "counted") &&
        info.present == (size_t)golden_int(c, "present") &&
        info.mismatch == json_is_true(json_object_get(c, "mismatch")) &&
        info.cut == json_is_true(json_object_get(c, "cut")))
        return true;
    golden_print("got ids     ", &ids);
    golden_print("want        ", &want_ids);
    golden_print("got labels  ", &labels);
    golden_print("want        ", &want_labels);
    print_error("counted %zu present %zu mismatch %d cut %d\nwant %s\n", info.counted, info.present, info.mismatch,
                info.cut, golden_dump(c));
    return false;
}

static struct tokenizer *open_golden(const char *name)
{
    char path[400];
    struct err e = { 0 };
    snprintf(path, sizeof path, "%s/%s/tokenizer.%s", GOLDEN, name, strncmp(name, "slow", 4) == 0 ? "model" : "json");
    struct tokenizer *t = tokenizer_open_file(path, &e);
    if (!t)
        fail_msg("%s: %s", name, e.text);
    return t;
}

static void check_prompts(const struct tokenizer *t, const json_t *list)
{
    const json_t *c;
    size_t i;
    json_array_foreach(list, i, c)
    {
        struct turn turns[TURNS_MOST];
        enum conversation_template template;
        struct err e = { 0 };
        AUTO(ids_free) struct ids ids = { 0 };
        size_t n = read_turns(json_object_get(c, "turns"), turns);
        const char *name = json_string_value(json_object_get(c, "template"));
        assert_int_equal(conversation_template_parse(name, &template, &e), 0);
        assert_int_equal(conversation_prompt(t, template, turns, n, &ids, &e), 0);
        if (!golden_same_ids(&ids, json_object_get(c, "ids"))) {
            golden_print("got ", &ids);
            fail_msg("prompt %zu: want %s", i, golden_dump(c));
        }
    }
}

struct score {
    int wrong, mismatches, seen;
};

static void check_samples(const struct tokenizer *t, const json_t *conversations, const json_t *samples,
                          struct score *score)
{
    const json_t *sample, *c;
    size_t i, k;
    json_array_foreach(samples, i, sample)
    {
        const json_t *conversation = json_array_get(conversations, (size_t)golden_int(sample, "of"));
        json_array_foreach(json_object_get(sample, "cases"), k, c)
        {
            score->mismatches += json_is_true(json_object_get(c, "mismatch"));
            score->seen++;
            if (agrees(t, conversation, sample, c))
                continue;
            print_error("... conversation %s\n", json_string_value(json_object_get(conversation, "name")));
            score->wrong++;
        }
    }
}

static void as_the_rules(const char *begin)
{
    AUTO(json_decref) json_t *all = golden_load("conversations.json");
    const json_t *conversations = json_object_get(all, "conversations"), *golden;
    const char *name;
    struct score score = { 0 };
    json_object_foreach(json_object_get(all, "tokenizers"), name, golden)
    {
        if (strncmp(name, begin, strlen(begin)) != 0)
            continue;
        AUTO(tokenizer_close) struct tokenizer *t = open_golden(name);
        check_samples(t, conversations, json_object_get(golden, "samples"), &score);
        check_prompts(t, json_object_get(golden, "prompts"));
    }
    assert_int_equal(score.wrong, 0);
    assert_true(score.seen > 100);
    assert_true(score.mismatches > 0); /* the case is there */
}

static void slow(void **state)
{
    (void)state;
    as_the_rules("slow");
}

static void fast(void **state)
{
    (void)state;
    as_the_rules("fast");
}

/* The loss is on the answers, each with its end, and on nothing else. */
static void targets_are_answers(void **state)
{
    (void)state;
    static const char *const names[] = { "slow_new", "slow_legacy" };
    static const int rounds[] = { 1, 2, 5 };
    const struct conversation_rules rules = { .template = CONVERSATION_VICUNA_V1 };
    for (size_t k = 0; k < ARRAY_LEN(names) * ARRAY_LEN(rounds); k++) {
        AUTO(tokenizer_close) struct tokenizer *t = open_golden(names[k / 3]);
        AUTO(ids_free) struct ids ids = { 0 }, labels = { 0 }, targets = { 0 };
        AUTO(buf_free) struct buf text = BUF_INIT(1 << 16), want = BUF_INIT(1 << 16);
        struct turn turns[10];
        struct conversation_info info;
        struct err e = { 0 };
        size_t n = 2 * (size_t)rounds[k % 3];
        for (size_t i = 0; i < n; i++)
            turns[i] = i % 2 ? (struct turn){ TURN_GPT, "A dog runs.", 11 } : (struct turn){ TURN_HUMAN, "What?", 5 };
        assert_int_equal(conversation_encode(t, &rules, turns, n, false, &ids, &labels, &info, &e), 0);
        assert_false(info.mismatch);
        for (size_t i = 0; i < labels.n; i++)
            if (labels.v[i] != LABEL_IGNORED)
                assert_int_equal(ids_add(&targets, ids.v[i], &e), 0);
        assert_int_equal(info.targets, targets.n);
        for (size_t i = 0; i < targets.n; i++) {
            AUTO(buf_free) struct buf one = BUF_INIT(100);
            assert_int_equal(tokenizer_decode(t, targets.v + i, 1, false, &one, &e), 0);
            for (const char *p = buf_text(&one); *p; p++)
                if (*p != ' ')
                    buf_add(&text, p, 1);
        }
        for (size_t i = 0; i < n / 2; i++)
            buf_puts(&want, "Adogruns.</s>");
        assert_string_equal(buf_text(&text), buf_text(&want));
    }
}

/* FastChat's text, by its length and digest in the literature of the method. */
static void system_text(void **state)
{
    (void)state;
    char hex[DIGEST_HEX_SIZE];
    const char *s = conversation_system_text();
    digest_bytes(s, strlen(s), hex);
    assert_int_equal(strlen(s), 154);
    assert_string_equal(hex, "1fa69e2371b762d1882b0bd98d284f312a36c27add732016e12e52586f98a9f5");
}

static void names_and_errors(void **state)
{
    (void)state;
    struct err e = { 0 };
    enum conversation_template template;
    assert_string_equal(conversation_template_name(CONVERSATION_PLAIN), "plain");
    assert_string_equal(conversation_template_name(CONVERSATION_VICUNA_V1), "vicuna_v1");
    assert_int_equal(conversation_template_parse("llama_2", &template, &e), -1);
    assert_non_null(strstr(e.text, "template 'llama_2' is none; there are plain and vicuna_v1"));
    err_clear(&e);
    AUTO(tokenizer_close) struct tokenizer *t = open_golden("fast_legacy");
    AUTO(ids_free) struct ids ids = { 0 }, labels = { 0 };
    struct conversation_rules rules = { .template = CONVERSATION_VICUNA_V1 };
    struct conversation_info info;
    struct turn turns[] = { { TURN_HUMAN, "a", 1 }, { TURN_GPT, "b", 1 } };
    assert_int_equal(conversation_encode(t, &rules, turns, 0, true, &ids, &labels, &info, &e), -1);
    assert_non_null(strstr(e.text, "without turns"));
    err_clear(&e);
    assert_int_equal(conversation_prompt(t, CONVERSATION_VICUNA_V1, turns, 2, &ids, &e), -1);
    assert_non_null(strstr(e.text, "last turn must be from human"));
    struct conversation_tally tally = { 0 };
    conversation_tally_add(&tally, &(struct conversation_info){ .targets = 5, .mismatch = true });
    conversation_tally_add(&tally, &(struct conversation_info){ .targets = 7, .cut = true });
    assert_int_equal(tally.samples, 2);
    assert_int_equal(tally.mismatches, 1);
    assert_int_equal(tally.cut, 1);
    assert_int_equal(tally.targets, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow),
        cmocka_unit_test(fast),
        cmocka_unit_test(targets_are_answers),
        cmocka_unit_test(system_text),
        cmocka_unit_test(names_and_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
