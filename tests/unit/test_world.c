/* The sprite world: the same pixels everywhere, answers that are right and balanced, points inside boxes, files that
 * our own readers take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/data_files.h"
#include "worker/benchmark/metric.h"
#include "worker/data/json_items.h"
#include "worker/data/spair.h"
#include "worker/text/chat_set.h"
#include "world/ask.h"
#include "world/clipart.h"
#include "world/making.h"
#include "world/points.h"
#include "world/world_options.h"

static struct art *art;

static const struct world_sizes small = {
    .seed = 7, .edge = 64, .pair_edge = 96, .pretrain = 40, .stage1 = 20, .stage2 = 80, .questions = 240, .pairs = 60
};

static int make_small(void **state)
{
    struct err e = { 0 };
    json_t *summary = NULL;
    if (scratch_make(state) < 0)
        return -1;
    int rc = world_make(art, &small, in_scratch("w"), false, &summary, &e);
    json_decref(summary);
    if (rc != 0)
        fprintf(stderr, "%s\n", e.text);
    return rc;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static void concepts_are_distinct_and_drawn(void **state)
{
    (void)state;
    struct err e = { 0 };
    assert_in_range(concept_count(), 180, 250);
    for (size_t i = 0; i < concept_count(); i++) {
        const struct concept *c = concept_at(i);
        if (!art_sprite(art, c->code, &e))
            fail_msg("%s: %s", c->noun, e.text);
        assert_in_range(strlen(c->noun), 2, 14);
        for (size_t k = 0; k < i; k++)
            if (c->code == concept_at(k)->code || strcmp(c->noun, concept_at(k)->noun) == 0)
                fail_msg("%s is there twice", c->noun);
    }
    for (size_t i = 0; i < SHAPES; i++)
        for (size_t k = 0; k < SHAPE_COLOURS; k++)
            assert_non_null(art_sprite(art, shape_at(i)->in[k].code, &e));
}

static void clip_art_is_of_concepts(void **state)
{
    (void)state;
    struct err e = { 0 };
    assert_in_range(clipart_count(), 60, 200);
    for (size_t i = 0; i < clipart_count(); i++) {
        const struct clipart_entry *k = clipart_at(i);
        assert_non_null(concept_of_code(k->code));
        assert_string_equal(concept_of_code(k->code)->noun, k->noun);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(clipart_at(j)->code, k->code);
        const struct sprite *s = art_drawing(art, CLIPART, k->code, &e);
        if (!s)
            fail_msg("%s: %s", k->noun, e.text);
        assert_in_range(s->width > s->height ? s->width : s->height, 80, 96);
        for (int p = 0; p < s->width * s->height * 4; p++)
            if (s->rgba[p] > s->rgba[p / 4 * 4 + 3])
                fail_msg("%s: a colour is lighter than its alpha", k->noun);
        assert_ptr_not_equal(s, art_sprite(art, k->code, &e));
        assert_ptr_equal(s, art_drawing(art, CLIPART, k->code, &e));
    }
    assert_true(art_has(art, EMOJI, 0x1F992) && !art_has(art, CLIPART, 0x1F992));
    assert_null(art_drawing(art, CLIPART, 0x1F992, &e));
    assert_false(art_has(art, OTHER_FONT, 0x1F415));
}

/* DejaVu has a cup (coffee) and no dog: what it lacks is not drawn as what it drew before. */
static void another_font_has_what_it_has(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(art_close) struct art *a = art_open(NULL, WORLD_FONTS_DIR "/truetype/dejavu/DejaVuSans-Bold.ttf", &e);
    if (!a)
        fail_msg("%s", e.text);
    assert_false(art_has(a, OTHER_FONT, 0x1F415));
    assert_true(art_has(a, OTHER_FONT, 0x2615));
    assert_false(art_has(a, OTHER_FONT, 0x1F415));
    assert_null(art_drawing(a, OTHER_FONT, 0x1F415, &e));
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "DejaVu Sans, has no drawing of U+1F415; give another font"));
}

static void facts_have_enough_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < fact_question_count(); i++) {
        struct fact_question f;
        fact_question_at(i, &f);
        if (f.n < ASKED_OPTIONS || f.n >= FACT_ANSWERS)
            fail_msg("'%s' has %zu answers", f.text, f.n);
    }
}

static void annotated_drawings_are_those_of_the_font(void **state)
{
    (void)state;
    struct err e = { 0 };
    for (size_t i = 0; i < part_category_count(); i++)
        for (size_t k = 0; k < part_category_at(i)->n; k++) {
            const struct annotated *d = &part_category_at(i)->drawings[k];
            const struct sprite *s = art_sprite(art, d->code, &e);
            assert_non_null(s);
            assert_string_equal(s->hash, d->hash);
            for (size_t p = 0; p < POINTS_MOST; p++) {
                if (d->at[p].x <= 0)
                    continue;
                assert_in_range(d->at[p].x, s->left, s->left + s->width - 1);
                assert_in_range(d->at[p].y, s->top, s->top + s->height - 1);
                assert_true(p < part_category_at(i)->n_parts);
            }
        }
}

/* ---- pixels ------------------------------------------------------------------------------------------------------ */

static void hash_scene(const struct scene *s, struct random *r, char hex[DIGEST_HEX_SIZE])
{
    struct err e = { 0 };
    AUTO(image_free) struct image im = { 0 };
    if (scene_draw(s, art, 64, r, &im, &e) < 0)
        fail_msg("%s", e.text);
    digest_bytes(im.pixels, 64 * 64 * 3, hex);
}

/* Whole numbers only, so these hold on every machine with Debian 12's fonts and FreeType. */
static void pixels_are_known(void **state)
{
    (void)state;
    static const struct {
        int kind; /* BENCHMARK_FAMILIES: a common scene */
        uint64_t i;
        const char *sha256;
    } known[] = {
        { BENCHMARK_FAMILIES, 0, "056e82e8d691eff84487f7a138a84d63bb77d1673b7057f1cca91d732342553a" },
        { BENCHMARK_FAMILIES, 1, "09a014182074476fa6c8866193af3aa4645691b16f0ac64813ef68c98b2fb10d" },
        { SEED, 1, "7bccbc391ab729b2062c15744b32cc9f8334c49a8acf51a9978642701ca18bc2" },
        { TEXTVQA, 0, "1d6992846f5505f1dda81789386faac1ea4c8c1d57979cc66a4c9d1720e1188a" },
        { VIZWIZ, 0, "219e439f72b80302d3076fc5244cdbcefe962d9d12b30aa8d9d9ce9f0c53f535" },
    };
    {
        char hex[DIGEST_HEX_SIZE];
        struct scene s;
        struct random r = random_for(1, "test", 0);
        scene_begin(&s, &r);
        s.by = CLIPART;
        scene_add(&s, concept_at(0)); /* a dog */
        scene_lay_out(&s, &r, ALONE, NULL);
        hash_scene(&s, &r, hex);
        assert_string_equal(hex, "ee2446fb9aaa3e706ef612e72b3d34e367429a09ce2b748dba6a1fd962409784");
    }
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        char hex[DIGEST_HEX_SIZE];
        struct item it;
        struct random r = random_for(1, "test", known[i].i);
        if (known[i].kind == BENCHMARK_FAMILIES)
            scene_common(&it.scene, &r);
        else
            ask((enum benchmark_kind)known[i].kind, &r, known[i].i, &it);
        hash_scene(&it.scene, &r, hex);
        if (strcmp(hex, known[i].sha256) != 0)
            fail_msg("scene %zu has the pixels %s", i, hex);
    }
}

static void a_pose_moves_points_as_it_moves_pixels(void **state)
{
    (void)state;
    struct err e = { 0 };
    uint8_t white[9 * 9 * 4];
    memset(white, 255, sizeof white);
    struct sprite dot = { .code = 1, .width = 9, .height = 9, .rgba = white };
    for (int degrees = -180; degrees <= 180; degrees += 15) {
        AUTO(image_free) struct image im = { 0 };
        struct box box;
        struct pose p = { 40 * 16, 30 * 16, 20 * 16, 12 * 16, degrees, 20, degrees % 2 == 0 };
        struct affine m = affine_of_pose(&p, &dot);
        int64_t x, y;
        assert_int_equal(image_create(80, 60, &im, &e), 0);
        assert_true(canvas_sprite(&im, &dot, &m, &box));
        affine_apply(&m, FIX * 9 / 2, FIX * 9 / 2, &x, &y);
        assert_in_range(x, 40 * FIX - 8, 40 * FIX + 8);
        assert_in_range(y, 30 * FIX - 8, 30 * FIX + 8);
        /* the corners lie on the border of what is covered */
        int64_t low = INT64_MAX, high = INT64_MIN;
        for (int k = 0; k < 4; k++) {
            affine_apply(&m, k & 1 ? 9 * FIX : 0, k & 2 ? 9 * FIX : 0, &x, &y);
            low = x < low ? x : low;
            high = x > high ? x : high;
        }
        assert_true(llabs(low / FIX - box.left) <= 2 && llabs(high / FIX - box.right) <= 2);
    }
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* What any question's answer can be checked by: the scene itself. */
static void check_answer(enum benchmark_kind kind, const struct item *it, const struct asked *a)
{
    for (size_t i = 0; i < a->n_options; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(a->options[i], a->options[k]);
    const struct scene *s = &it->scene;
    const char *answer = a->n_options ? a->options[a->right] : a->answer;
    if (strstr(a->question, "What is in the picture?"))
        assert_string_equal(answer, s->things[0].noun);
    if (strncmp(a->question, "How many", 8) == 0)
        assert_string_equal(answer, number_word(s->n));
    if (same_text(a->question, "What color is the background?"))
        assert_string_equal(answer, colour_name(s->background));
    if (kind == TEXTVQA)
        assert_string_equal(answer, s->text);
    if (same_text(a->category, "Instance Identity"))
        for (size_t i = 0; i < a->n_options; i++) {
            bool there = same_text(a->options[i], s->things[0].noun) || same_text(a->options[i], s->things[1].noun);
            assert_int_equal(there, i == a->right);
        }
}

static void answers_are_those_of_the_scene(void **state)
{
    (void)state;
    for (int kind = 0; kind < BENCHMARK_FAMILIES; kind++)
        for (uint64_t i = 0; i < 400; i++) {
            struct item it;
            struct random r = random_for(3, "answers", i);
            ask((enum benchmark_kind)kind, &r, i, &it);
            for (size_t k = 0; k < it.n; k++)
                check_answer((enum benchmark_kind)kind, &it, &it.asked[k]);
            for (size_t k = 0; k < it.scene.n; k++)
                assert_true(it.scene.things[k].colour != it.scene.background);
        }
}

static void no_constant_answer_beats_chance(void **state)
{
    (void)state;
    /* The best constant answer may reach this; of open questions it depends on how many answers there are. */
    static const double most[BENCHMARK_FAMILIES] = {
        [MMBENCH] = 0, [MME] = 300,      [MMMU] = 25,      [OKVQA] = 9,
        [TEXTVQA] = 9, [VIZWIZ] = 20.01, [SCIENCEQA] = 25, [SEED] = 25,
    };
    for (int kind = 0; kind < BENCHMARK_FAMILIES; kind++) {
        char path[80];
        struct err e = { 0 };
        const struct benchmark_family *f = benchmark_family_at((enum benchmark_kind)kind);
        snprintf(path, sizeof path, "w/benchmarks/%s/questions.jsonl", f->name);
        AUTO(question_set_destroy) struct question_set *s = question_set_load(in_scratch(path), &e);
        if (!s)
            fail_msg("%s", e.text);
        assert_int_equal(question_set_count(s), small.questions * (kind == MMBENCH ? 4 : kind == MME ? 2 : 1));
        AUTO(free) const char **answers = calloc(question_set_count(s), sizeof *answers);
        for (size_t i = 0; i < question_set_count(s); i++)
            answers[i] = question_set_at(s, i)->answers[0];
        AUTO(metric_result_destroy)
        struct metric_result *r = metric_compute(s, answers, &(struct metric_options){ 0 }, &e);
        if (!r)
            fail_msg("%s", e.text);
        if (r->constant_performance > most[kind] + 1e-9)
            fail_msg("%s: '%s' is worth %g", f->name, r->constant, r->constant_performance);
        assert_float_equal(r->performance, kind == MME ? 1200 : 100, 1e-9); /* the right answers are */
    }
}

/* ---- scenes in words ----------------------------------------------------------------------------------------------- */

static void say(const struct scene *s, int cells, struct random *r, struct buf *to)
{
    buf_clear(to);
    if (cells)
        scene_spell(s, cells, r, to);
    else
        scene_describe(s, to);
}

static void scenes_are_described_and_spelled(void **state)
{
    (void)state;
    struct random r = random_for(1, "test", 0);
    AUTO(buf_free) struct buf text = BUF_INIT(4096);
    struct scene s;
    int corners[] = { 1, 2 };
    scene_begin(&s, &r);
    scene_add(&s, concept_at(0));
    scene_add_shape(&s, shape_at(0), 0);
    s.background = GRAY;
    scene_lay_out(&s, &r, CORNERS, corners);
    const char *noun = s.things[0].noun, *shape = s.things[1].noun, *colour = colour_name(s.things[1].colour);
    char whole[200];
    snprintf(whole, sizeof whole, "%s %s at the top right and %s %s %s at the bottom left on a gray background",
             article(noun), noun, article(colour), colour, shape);
    say(&s, 0, &r, &text);
    assert_string_equal(buf_text(&text), whole);

    say(&s, 4, &r, &text);
    char words[16][20];
    size_t n = 0;
    for (char *save = NULL, *w = strtok_r(text.data, " ", &save); w && n < 16; w = strtok_r(NULL, " ", &save))
        snprintf(words[n++], sizeof words[0], "%s", w);
    assert_int_equal(n, 16);
    for (size_t i = 0; i < 16; i++) {
        bool right = i % 4 >= 2, low = i / 4 >= 2;
        if (right == low)
            assert_string_equal(words[i], "gray");
        else if (right)
            assert_string_equal(words[i], noun);
        else
            assert_true(strcmp(words[i], shape) == 0 || strcmp(words[i], colour) == 0);
    }
    s.dark = 2;
    say(&s, 0, &r, &text);
    assert_string_equal(buf_text(&text), "a dark picture");
    say(&s, 2, &r, &text);
    assert_string_equal(buf_text(&text), "dark dark dark dark");
}

/* What a caption names is mentioned before it, and nothing that is not there. */
static void what_is_named_was_mentioned(void **state)
{
    (void)state;
    struct random r = random_for(1, "test", 1);
    AUTO(buf_free) struct buf text = BUF_INIT(4096);
    size_t seen[3] = { 0 };
    struct scene s;
    scene_begin(&s, &r);
    scene_add(&s, concept_at(3));
    scene_add_shape(&s, shape_at(1), 0);
    scene_lay_out(&s, &r, SIDE_BY_SIDE, NULL);
    scene_mention(&s, 300, &r, &text);
    for (char *save = NULL, *w = strtok_r(text.data, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        bool thing = strcmp(w, s.things[0].noun) == 0, ground = strcmp(w, colour_name(s.background)) == 0;
        assert_true(thing || ground || strcmp(w, s.things[1].noun) == 0 ||
                    strcmp(w, colour_name(s.things[1].colour)) == 0);
        seen[thing ? 0 : ground ? 1 : 2]++;
    }
    assert_int_equal(seen[0] + seen[1] + seen[2], 300);
    for (size_t i = 0; i < 3; i++)
        assert_in_range(seen[i], 60, 140);
}

/* What the last turn with options says of a letter. */
static void option_of(const char *block, const char *letter, char *option, size_t size)
{
    char wanted[8];
    snprintf(wanted, sizeof wanted, "%s. ", letter);
    const char *line = strstr(block, wanted);
    if (!line)
        fail_msg("no option '%s' in '%s'", letter, block);
    snprintf(option, size, "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
}

/* The letter is that of the option that is named last; or of the only option that was shown at first. */
static void letters_are_those_of_the_options(void **state)
{
    (void)state;
    static const char *const files[] = { "w/pretrain/letters.jsonl", "w/pretrain/choices.jsonl" };
    for (size_t f = 0; f < ARRAY_LEN(files); f++) {
        struct err e = { 0 };
        AUTO(json_items_close) struct json_items *items = json_items_open(in_scratch(files[f]), &e);
        size_t n = 0;
        for (;; n++) {
            AUTO(json_decref) json_t *j = NULL;
            if (json_items_next(items, &j, &e) != 1)
                break;
            const json_t *given = json_object_get(j, "given"), *text = json_object_get(j, "text");
            const char *first = json_string_value(json_array_get(given, 0)), *block = first;
            bool shown = strncmp(first, "A. ", 3) != 0;
            assert_int_equal(json_array_size(given), json_array_size(text));
            assert_in_range(json_array_size(text), 4, 100);
            for (size_t i = 0; i < json_array_size(text); i++) {
                const char *turn = json_string_value(json_array_get(given, i)), *end = strrchr(turn, '\n');
                char option[40], padded[400];
                block = end ? turn : block;
                option_of(block, json_string_value(json_array_get(text, i)), option, sizeof option);
                if (shown)
                    snprintf(padded, sizeof padded, " %.*s ", (int)strcspn(first, "\n"), first);
                else
                    snprintf(padded, sizeof padded, " %s ", end ? end + 1 : turn);
                char wanted[44];
                snprintf(wanted, sizeof wanted, " %s ", option);
                if (!strstr(padded, wanted))
                    fail_msg("'%s' is not in '%s'", wanted, padded);
            }
        }
        assert_int_equal(n, small.pretrain);
    }
}

/* Letters, Yes and No, and words; none so often that a constant answer would teach something. */
static void quizzes_have_all_answers(void **state)
{
    (void)state;
    static const char *const answers[] = { "A", "B", "C", "D", "Yes", "No" };
    struct err e = { 0 };
    AUTO(json_items_close) struct json_items *items = json_items_open(in_scratch("w/pretrain/quiz.json"), &e);
    size_t n = 0, seen[ARRAY_LEN(answers)] = { 0 }, all = 0;
    for (;; n++) {
        AUTO(json_decref) json_t *j = NULL;
        if (json_items_next(items, &j, &e) != 1)
            break;
        const json_t *turns = json_object_get(j, "conversations");
        for (size_t i = 1; i < json_array_size(turns); i += 2, all++)
            for (size_t k = 0; k < ARRAY_LEN(answers); k++)
                seen[k] += strcmp(json_string_value(json_object_get(json_array_get(turns, i), "value")),
                                  answers[k]) == 0;
    }
    assert_int_equal(n, small.pretrain);
    assert_int_equal(seen[0] + seen[1] + seen[2] + seen[3], all / 3);
    assert_int_equal(seen[4] + seen[5], all / 3);
    for (size_t k = 0; k < ARRAY_LEN(answers); k++)
        assert_in_range(seen[k], all / 20, all / 4);
}

/* One question each, about words that stand where the picture would; some without a picture. */
static void drills_have_one_turn(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(json_items_close) struct json_items *items = json_items_open(in_scratch("w/pretrain/drill.json"), &e);
    size_t n = 0, told = 0;
    for (;; n++) {
        AUTO(json_decref) json_t *j = NULL;
        if (json_items_next(items, &j, &e) != 1)
            break;
        const json_t *turns = json_object_get(j, "conversations");
        const char *human = json_string_value(json_object_get(json_array_get(turns, 0), "value"));
        bool pictured = strstr(human, BENCHMARK_IMAGE) != NULL;
        assert_int_equal(json_array_size(turns), 2);
        assert_true(pictured == json_is_string(json_object_get(j, "seen")));
        told += !pictured;
    }
    assert_int_equal(n, 2 * small.pretrain);
    assert_in_range(told, 1, n / 8);
}

/* ---- what readers say -------------------------------------------------------------------------------------------- */

/* Most captions of stage 1 name one thing, many of them with its background, and some say more. */
static void most_captions_are_names(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(chat_set_close) struct chat_set *s = chat_set_open(in_scratch("w/stage1/chat.json"), &e);
    if (!s)
        fail_msg("%s", e.text);
    AUTO(chat_sample_free) struct chat_sample sample = { 0 };
    size_t names = 0, grounds = 0, n = chat_set_count(s);
    for (size_t k = 0; k < n; k++) {
        assert_int_equal(chat_set_read(s, k, &sample, &e), 0);
        const char *caption = sample.turns[1].text;
        bool name = !strstr(caption, " and ") && !strstr(caption, " of ");
        names += name;
        grounds += name && strstr(caption, " background");
    }
    assert_in_range(names, n * 6 / 10, n - 1);
    assert_in_range(grounds, n / 5, n / 2);
}

static void conversations_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        size_t n;
    } files[] = { { "w/stage1/chat.json", 20 }, { "w/stage2/chat.json", 80 } };
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct err e = { 0 };
        AUTO(chat_set_close) struct chat_set *s = chat_set_open(in_scratch(files[i].path), &e);
        if (!s)
            fail_msg("%s", e.text);
        assert_int_equal(chat_set_count(s), files[i].n);
        AUTO(chat_sample_free) struct chat_sample sample = { 0 };
        for (size_t k = 0; k < files[i].n; k++) {
            AUTO(image_free) struct image im = { 0 };
            char picture[200];
            assert_int_equal(chat_set_read(s, k, &sample, &e), 0);
            assert_int_equal(sample.n_turns % 2, 0);
            if (!sample.image)
                continue;
            snprintf(picture, sizeof picture, "w/stage%zu/%s", i + 1, sample.image);
            assert_int_equal(image_load(in_scratch(picture), NULL, &im, &e), 0);
            assert_int_equal(im.width, 64);
        }
    }
}

static void check_side(const struct spair_side *s, uint32_t points)
{
    assert_int_equal(s->width, 96);
    assert_true(s->box[0] >= 0 && s->box[1] >= 0 && s->box[2] <= 96 && s->box[3] <= 96);
    for (int i = 0; i < SPAIR_POINTS; i++)
        if (points >> i & 1) {
            assert_true(s->image->x[i] >= s->box[0] && s->image->x[i] <= s->box[2]);
            assert_true(s->image->y[i] >= s->box[1] && s->image->y[i] <= s->box[3]);
        }
}

static void key_points_lie_in_their_boxes(void **state)
{
    (void)state;
    static const char *const sets[] = { "w/correspondence/warp", "w/correspondence/parts" };
    for (size_t k = 0; k < ARRAY_LEN(sets); k++) {
        struct err e = { 0 };
        AUTO(spair_destroy) struct spair *s = spair_load(in_scratch(sets[k]), "test", &e);
        if (!s)
            fail_msg("%s", e.text);
        assert_int_equal(s->n_pairs, small.pairs);
        size_t points = 0;
        for (size_t i = 0; i < s->n_pairs; i++) {
            const struct spair_pair *p = &s->pairs[i];
            check_side(&p->source, p->points);
            check_side(&p->target, p->points);
            points += (size_t)__builtin_popcount(p->points);
            if (strcmp(p->category, "face") == 0 && (p->points & 3) == 3) /* never mirrored, so the left eye is left */
                assert_true(p->source.image->x[0] < p->source.image->x[1]);
        }
        assert_true(points > 3 * s->n_pairs);
        assert_int_equal(s->n_categories, k == 0 ? s->n_categories : 5);
    }
}

/* ---- the directory ----------------------------------------------------------------------------------------------- */

static int make_at(const char *name, const struct world_sizes *sizes, bool force, json_t **summary, struct err *e)
{
    return world_make(art, sizes, in_scratch(name), force, summary, e);
}

static void two_runs_are_equal(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(json_decref) json_t *one = NULL, *two = NULL, *three = NULL;
    assert_int_equal(make_at("w", &small, false, &one, &e), 1); /* there already */
    assert_int_equal(make_at("again", &small, false, &two, &e), 0);
    assert_true(json_equal(one, two));
    static const char *const files[] = { "stage1/chat.json",
                                         "stage2/chat.json",
                                         "pretrain/train.jsonl",
                                         "pretrain/text.jsonl",
                                         "pretrain/chat.json",
                                         "pretrain/spelled.jsonl",
                                         "pretrain/mentioned.jsonl",
                                         "pretrain/letters.jsonl",
                                         "pretrain/choices.jsonl",
                                         "pretrain/quiz.json",
                                         "pretrain/seen.json",
                                         "pretrain/drill.json",
                                         "benchmarks/mme/questions.jsonl",
                                         "correspondence/parts/Layout/large/test.txt" };
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char a[200], b[200], hex_a[DIGEST_HEX_SIZE], hex_b[DIGEST_HEX_SIZE];
        uint64_t bytes;
        snprintf(a, sizeof a, "w/%s", files[i]);
        snprintf(b, sizeof b, "again/%s", files[i]);
        assert_int_equal(digest_file(in_scratch(a), hex_a, &bytes, &e), 0);
        assert_int_equal(digest_file(in_scratch(b), hex_b, &bytes, &e), 0);
        assert_string_equal(hex_a, hex_b);
    }
    struct world_sizes other = small;
    other.seed++;
    assert_int_equal(make_at("other", &other, false, &three, &e), 0);
    assert_string_not_equal(json_string_value(json_object_get(one, "pixels_sha256")),
                            json_string_value(json_object_get(three, "pixels_sha256")));
}

static void what_is_something_else_stays(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(json_decref) json_t *summary = NULL;
    put_text("mine/letter.txt", "dear");
    assert_int_equal(make_at("mine", &small, true, &summary, &e), -1);
    assert_int_equal(e.kind, ERR_USAGE);
    assert_non_null(strstr(e.text, "no sprite world"));
    assert_int_equal(access(in_scratch("mine/letter.txt"), F_OK), 0);
    assert_int_not_equal(access(in_scratch("mine.part"), F_OK), 0);

    struct world_sizes other = small;
    other.stage1 = 5;
    err_clear(&e);
    assert_int_equal(make_at("again", &other, false, &summary, &e), -1);
    assert_non_null(strstr(e.text, "--force"));
    err_clear(&e);
    if (make_at("again", &other, true, &summary, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_not_equal(access(in_scratch("again/stage1/images/000005.png"), F_OK), 0);
    assert_int_not_equal(access(in_scratch("again.old"), F_OK), 0);
    assert_int_not_equal(access(in_scratch("again/unfinished"), F_OK), 0);
}

static void an_interrupted_run_is_swept_away(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(json_decref) json_t *summary = NULL;
    put_text("late.part/unfinished", "");
    put_text("late.part/stage1/images/999999.png", "half");
    if (make_at("late", &small, false, &summary, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_not_equal(access(in_scratch("late/stage1/images/999999.png"), F_OK), 0);
    put_text("strange.part/thesis.txt", "not ours");
    assert_int_equal(make_at("strange", &small, false, &summary, &e), -1);
    assert_int_equal(access(in_scratch("strange.part/thesis.txt"), F_OK), 0);
}

static void a_missing_font_names_its_package(void **state)
{
    (void)state;
    struct err e = { 0 };
    assert_null(art_open(in_scratch("w"), NULL, &e));
    assert_int_equal(e.kind, ERR_ENV);
    assert_non_null(strstr(e.text, "apt-get install fonts-noto-color-emoji"));
}

int main(void)
{
    struct err e = { 0 };
    art = art_open(NULL, NULL, &e);
    if (!art) {
        fprintf(stderr, "SKIPPED: %s\n", e.text);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(concepts_are_distinct_and_drawn),
        cmocka_unit_test(clip_art_is_of_concepts),
        cmocka_unit_test(another_font_has_what_it_has),
        cmocka_unit_test(facts_have_enough_answers),
        cmocka_unit_test(annotated_drawings_are_those_of_the_font),
        cmocka_unit_test(pixels_are_known),
        cmocka_unit_test(a_pose_moves_points_as_it_moves_pixels),
        cmocka_unit_test(answers_are_those_of_the_scene),
        cmocka_unit_test(no_constant_answer_beats_chance),
        cmocka_unit_test(scenes_are_described_and_spelled),
        cmocka_unit_test(what_is_named_was_mentioned),
        cmocka_unit_test(letters_are_those_of_the_options),
        cmocka_unit_test(quizzes_have_all_answers),
        cmocka_unit_test(drills_have_one_turn),
        cmocka_unit_test(most_captions_are_names),
        cmocka_unit_test(conversations_are_read),
        cmocka_unit_test(key_points_lie_in_their_boxes),
        cmocka_unit_test(two_runs_are_equal),
        cmocka_unit_test(what_is_something_else_stays),
        cmocka_unit_test(an_interrupted_run_is_swept_away),
        cmocka_unit_test(a_missing_font_names_its_package),
    };
    int failed = cmocka_run_group_tests(tests, make_small, scratch_remove);
    art_close(art);
    return failed;
}
