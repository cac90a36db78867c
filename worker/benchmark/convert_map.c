#include "worker/benchmark/convert_map.h"

#include <limits.h>
#include <string.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "common/parse.h"
#include "worker/benchmark/py_list.h"

#define CIRCLE 1000000 /* MMBench: a circular variant's index is the question's and a multiple of it */

#define GROUP_MOST 250
#define NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* ---- fields ---------------------------------------------------------------------------------------------------------
 */

const char *record_text(const json_t *record, const char *const *names, char buf[32])
{
    for (; *names; names++) {
        const json_t *v = json_object_get(record, *names);
        const char *s = json_string_value(v);
        if (s && s[0] && strcmp(s, "nan") != 0)
            return s;
        if (json_is_integer(v)) {
            snprintf(buf, 32, "%lld", (long long)json_integer_value(v));
            return buf;
        }
    }
    return NULL;
}

static int set(json_t *q, const char *field, json_t *value, struct err *e)
{
    return json_object_set_new(q, field, value) < 0 ? FAIL_NOMEM(e) : 0;
}

static int put_text(json_t *q, const char *field, const char *text, struct err *e)
{
    return text ? set(q, field, json_string(text), e) : 0;
}

/* The first of `names` that the record has, as `field`. */
static int copy(const json_t *r, json_t *q, const char *field, const char *const *names, bool required, struct err *e)
{
    char buf[32];
    const char *text = record_text(r, names, buf);
    if (!text && required)
        return FAIL(e, ERR_INPUT, "field '%s': is missing or empty", names[0]);
    return put_text(q, field, text, e);
}

/* "image", a picture or a list of them; `stem` names those in base64. */
static int put_images(struct conversion *c, const json_t *v, const char *stem, json_t *q, struct err *e)
{
    if (!v || json_is_null(v) || (json_is_string(v) && !json_string_value(v)[0]))
        return 0;
    if (!json_is_array(v)) {
        const char *path = pictures_take(&c->pictures, v, stem, e);
        return path ? put_text(q, "image", path, e) : err_wrap(e, "field 'image'");
    }
    TRY(set(q, "image", json_array(), e));
    for (size_t i = 0; i < json_array_size(v); i++) {
        const char *path = pictures_take(&c->pictures, json_array_get(v, i), stem, e);
        if (!path)
            return err_wrap(e, "field 'image'");
        if (json_array_append_new(json_object_get(q, "image"), json_string(path)) < 0)
            return FAIL_NOMEM(e);
    }
    return 0;
}

/* Options from columns, null for those that are empty, none behind the last that is not. */
static int put_columns(const json_t *r, const char *const *columns, json_t *q, struct err *e)
{
    AUTO(json_decref) json_t *options = json_array();
    char buf[32];
    size_t last = 0;
    for (; *columns; columns++) {
        const char *text = record_text(r, NAMES(*columns), buf);
        if (json_array_append_new(options, text ? json_string(text) : json_null()) < 0)
            return FAIL_NOMEM(e);
        last = text ? json_array_size(options) : last;
    }
    while (json_array_size(options) > last)
        json_array_remove(options, last);
    if (last == 0)
        return FAIL(e, ERR_INPUT, "no options: the columns for them are empty");
    return set(q, "options", json_incref(options), e);
}

/* ---- MMBench --------------------------------------------------------------------------------------------------------
 */

/* A picture may be the index of another row, whose picture it is. */
static int put_mmbench_image(struct conversion *c, const json_t *r, const char *index, const char *stem, json_t *q,
                             struct err *e)
{
    const char *image = json_string_value(json_object_get(r, "image")), *path;
    bool reference = image && image[0] && strspn(image, "0123456789") == strlen(image);
    if (!image || !image[0])
        return FAIL(e, ERR_INPUT, "field 'image': is missing or empty");
    path = reference ? map_get(&c->pictures.by_id, image, strlen(image))
                     : pictures_take(&c->pictures, json_object_get(r, "image"), stem, e);
    if (!path)
        return reference ? FAIL(e, ERR_INPUT, "field 'image': row %.20s, which it refers to, is not before it", image)
                         : err_wrap(e, "field 'image'");
    char *key = arena_text(&c->pictures.arena, index);
    if (!key)
        return FAIL_NOMEM(e);
    TRY(map_put(&c->pictures.by_id, key, strlen(key), (void *)path, e));
    return put_text(q, "image", path, e);
}

static int map_mmbench(struct conversion *c, const json_t *r, json_t *q, struct err *e)
{
    char buf[32], group[32];
    int64_t index;
    const char *text = record_text(r, NAMES("index"), buf);
    if (!text)
        return FAIL(e, ERR_INPUT, "field 'index': is missing or empty");
    if (parse_i64(text, 0, INT64_MAX, &index, e) < 0)
        return err_wrap(e, "field 'index'");
    snprintf(group, sizeof group, "%lld", (long long)(index % CIRCLE));
    TRY(put_text(q, "id", text, e));
    TRY(put_text(q, "group", group, e));
    TRY(copy(r, q, "question", NAMES("question"), true, e));
    TRY(copy(r, q, "hint", NAMES("hint"), false, e));
    TRY(put_columns(r, NAMES("A", "B", "C", "D", "E"), q, e));
    TRY(copy(r, q, "category", NAMES("category"), false, e));
    TRY(copy(r, q, "answer", NAMES("answer"), true, e));
    return put_mmbench_image(c, r, text, group, q, e);
}

/* ---- MME ------------------------------------------------------------------------------------------------------------
 */

/* Both questions of a picture have its name as question_id; ids get a number behind. */
static int put_mme_id(struct conversion *c, const char *group, json_t *q, struct err *e)
{
    char id[PATH_MAX + 32];
    size_t n = (size_t)(uintptr_t)map_get(&c->seen, group, strlen(group)) + 1;
    char *key = arena_text(&c->arena, group);
    if (!key)
        return FAIL_NOMEM(e);
    TRY(map_put(&c->seen, key, strlen(key), (void *)(uintptr_t)n, e));
    snprintf(id, sizeof id, "%s:%zu", group, n);
    return put_text(q, "id", id, e);
}

/* What two questions share is question_id on the Hub, image_path or the picture itself in tables. */
static int map_mme(struct conversion *c, const json_t *r, json_t *q, struct err *e)
{
    char buf[32];
    const char *group = record_text(r, NAMES("question_id", "image_path"), buf);
    const json_t *image = json_object_get(r, "image");
    if (group && strlen(group) > GROUP_MOST)
        return FAIL(e, ERR_INPUT, "field 'question_id': is too long");
    TRY(put_images(c, image ? image : json_object_get(r, "question_id"), group ? group : "mme", q, e));
    group = group ? group : json_string_value(json_object_get(q, "image"));
    if (!group)
        return FAIL(e, ERR_INPUT, "field 'question_id': is missing; it names the picture that two questions share");
    TRY(put_mme_id(c, group, q, e));
    TRY(put_text(q, "group", group, e));
    TRY(copy(r, q, "question", NAMES("question", "text"), true, e));
    TRY(copy(r, q, "category", NAMES("category"), true, e));
    return copy(r, q, "answer", NAMES("answer"), true, e);
}

/* ---- MMMU -----------------------------------------------------------------------------------------------------------
 */

/* A list, or a text with a Python list in it; NULL when it is neither. */
static json_t *list_of(const json_t *v, struct err *e)
{
    if (json_is_array(v))
        return json_incref((json_t *)v);
    return json_is_string(v) ? py_list_parse(json_string_value(v), e) : FAIL_NULL(e, ERR_INPUT, "a list is wanted");
}

static int put_mmmu_options(const json_t *r, json_t *q, struct err *e)
{
    json_t *options = list_of(json_object_get(r, "options"), e);
    if (!options)
        return err_wrap(e, "field 'options'");
    if (json_array_size(options))
        return set(q, "options", options, e);
    json_decref(options);
    return 0;
}

/* Of open questions one answer, or a list of equivalent ones. */
static int put_mmmu_answer(const json_t *r, json_t *q, struct err *e)
{
    const json_t *v = json_object_get(r, "answer");
    const char *text = json_string_value(v);
    bool list = json_is_array(v) || (text && text[0] == '[' && !json_object_get(q, "options"));
    if (!list)
        return copy(r, q, "answer", NAMES("answer"), true, e);
    json_t *answers = list_of(v, e);
    return answers ? set(q, "answers", answers, e) : err_wrap(e, "field 'answer'");
}

/* "validation_Art_Theory_12" is about Art_Theory. */
static int put_subject(const char *id, json_t *q, struct err *e)
{
    const char *first = strchr(id, '_'), *last = strrchr(id, '_');
    char subject[100];
    if (!first || last <= first || last - first > (ptrdiff_t)sizeof subject)
        return 0;
    snprintf(subject, sizeof subject, "%.*s", (int)(last - first - 1), first + 1);
    return put_text(q, "category", subject[0] ? subject : NULL, e);
}

static int put_mmmu_images(struct conversion *c, const json_t *r, const char *id, json_t *q, struct err *e)
{
    AUTO(json_decref) json_t *list = json_array();
    for (int i = 1; i <= 7; i++) {
        char name[16];
        snprintf(name, sizeof name, "image_%d", i);
        json_t *v = json_object_get(r, name);
        bool there = v && !json_is_null(v) && !(json_is_string(v) && !json_string_value(v)[0]);
        if (there && json_array_append(list, v) < 0)
            return FAIL_NOMEM(e);
    }
    return put_images(c, json_array_size(list) ? list : json_object_get(r, "image"), id, q, e);
}

static int map_mmmu(struct conversion *c, const json_t *r, json_t *q, struct err *e)
{
    char buf[32];
    const char *id = record_text(r, NAMES("id"), buf), *type = json_string_value(json_object_get(r, "question_type"));
    TRY(copy(r, q, "id", NAMES("id"), true, e));
    TRY(put_subject(id, q, e));
    TRY(copy(r, q, "question", NAMES("question"), true, e));
    if (!type || strcmp(type, "open") != 0)
        TRY(put_mmmu_options(r, q, e));
    TRY(put_mmmu_answer(r, q, e));
    return put_mmmu_images(c, r, id, q, e);
}

/* ---- OKVQA, TextVQA, VizWiz -----------------------------------------------------------------------------------------
 */

/* Texts, or objects with an `answer`. */
static int put_people(const json_t *list, json_t *q, struct err *e)
{
    if (!json_is_array(list) || json_array_size(list) == 0)
        return FAIL(e, ERR_INPUT, "field 'answers': is missing or no list; test splits have none");
    TRY(set(q, "answers", json_array(), e));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *text = json_string_value(json_is_object(one) ? json_object_get(one, "answer") : one);
        if (!text)
            return FAIL(e, ERR_INPUT, "field 'answers': item %zu is no text, and has no 'answer'", i + 1);
        if (json_array_append_new(json_object_get(q, "answers"), json_string(text)) < 0)
            return FAIL_NOMEM(e);
    }
    return 0;
}

/* Where the record names no file, its name is made of image_id: "0054c91397f2fe05.jpg", or with `coco` the one that
 * COCO gave it, "COCO_val2014_000000297147.jpg". */
static int put_vqa_image(struct conversion *c, const json_t *r, const char *id, bool coco, json_t *q, struct err *e)
{
    char buf[32];
    const json_t *image = json_object_get(r, "image"), *number = json_object_get(r, "image_id");
    const char *name = record_text(r, NAMES("image_id"), buf);
    if ((image && !json_is_null(image)) || !name)
        return put_images(c, image, id, q, e);
    AUTO(json_decref)
    json_t *path = coco ? json_sprintf("COCO_val2014_%012lld.jpg", (long long)json_integer_value(number))
                        : json_sprintf("%s.jpg", name);
    return path ? put_images(c, path, id, q, e) : FAIL_NOMEM(e);
}

static int map_vqa(struct conversion *c, const json_t *r, json_t *q, struct err *e)
{
    char buf[32];
    bool coco = c->o->family->kind == OKVQA;
    const char *id = record_text(r, NAMES("question_id", "image"), buf);
    const json_t *said = id && c->answers ? json_object_get(c->answers, id) : r;
    if (!said)
        return FAIL(e, ERR_INPUT, "question %.40s has no answers in %s", id, c->o->annotations);
    TRY(copy(r, q, "id", NAMES("question_id", "image"), true, e));
    TRY(copy(r, q, "question", NAMES("question"), true, e));
    TRY(copy(said, q, "category", NAMES("question_type", "category", "answer_type"), false, e));
    TRY(put_people(json_object_get(said, "answers"), q, e));
    return put_vqa_image(c, r, id, coco, q, e);
}

/* ---- ScienceQA ------------------------------------------------------------------------------------------------------
 */

static int put_letter(const json_t *r, const json_t *options, json_t *q, struct err *e)
{
    const json_t *v = json_object_get(r, "answer");
    char letter[2] = { (char)('A' + json_integer_value(v)), '\0' };
    if (!json_is_integer(v) || json_integer_value(v) < 0 || (size_t)json_integer_value(v) >= json_array_size(options))
        return FAIL(e, ERR_INPUT, "field 'answer': is not the number of a choice, from 0 on");
    return put_text(q, "answer", letter, e);
}

/* problems.json says only "image.png", which is at SPLIT/ID/image.png. */
static int put_science_image(struct conversion *c, const json_t *r, const char *id, json_t *q, struct err *e)
{
    const json_t *image = json_object_get(r, "image");
    const char *name = json_string_value(image), *split = json_string_value(json_object_get(r, "split"));
    if (!name || strcmp(name, "image.png") != 0 || !split)
        return put_images(c, image, id, q, e);
    AUTO(json_decref) json_t *path = json_sprintf("%s/%s/%s", split, id, name);
    return path ? put_images(c, path, id, q, e) : FAIL_NOMEM(e);
}

static int map_scienceqa(struct conversion *c, const json_t *r, json_t *q, struct err *e)
{
    char buf[32];
    const char *id = record_text(r, NAMES("id", "question_id"), buf);
    if (!id)
        snprintf(buf, sizeof buf, "%zu", c->n);
    TRY(put_text(q, "id", id ? id : buf, e));
    TRY(copy(r, q, "question", NAMES("question"), true, e));
    TRY(copy(r, q, "hint", NAMES("hint"), false, e));
    TRY(copy(r, q, "category", NAMES("subject"), false, e));
    json_t *options = json_object_get(r, "choices");
    if (!json_is_array(options))
        return FAIL(e, ERR_INPUT, "field 'choices': is missing or no list");
    TRY(set(q, "options", json_incref(options), e));
    TRY(put_letter(r, options, q, e));
    return put_science_image(c, r, id ? id : buf, q, e);
}

/* ---- SEED-Bench -----------------------------------------------------------------------------------------------------
 */

static int map_seed(struct conversion *c, const json_t *r, json_t *q, struct err *e)
{
    char buf[32];
    const char *type = json_string_value(json_object_get(r, "data_type"));
    const json_t *image = json_object_get(r, "image");
    bool video = type && strcmp(type, "video") == 0;
    if (video && (!image || json_is_null(image)))
        return 0; /* the released list names videos, of which frames have to be cut first */
    TRY(copy(r, q, "id", NAMES("question_id"), true, e));
    TRY(copy(r, q, "question", NAMES("question"), true, e));
    TRY(copy(r, q, "category", NAMES("question_type_id"), false, e));
    TRY(put_columns(r, NAMES("choice_a", "choice_b", "choice_c", "choice_d"), q, e));
    TRY(copy(r, q, "answer", NAMES("answer"), true, e));
    if (video)
        TRY(put_text(q, "media", "video", e));
    return put_images(c, image && !json_is_null(image) ? image : json_object_get(r, "data_id"),
                      record_text(r, NAMES("question_id"), buf), q, e);
}

/* ---- all of them ----------------------------------------------------------------------------------------------------
 */

static bool is_other_split(const struct conversion *c, const json_t *r)
{
    const char *split = json_string_value(json_object_get(r, "split")), *wanted = c->o->split;
    if (!wanted && c->o->family->kind == SCIENCEQA)
        wanted = "test";
    return split && wanted && strcmp(split, wanted) != 0;
}

int convert_record(struct conversion *c, const json_t *record, json_t *question, struct err *e)
{
    static int (*const map[BENCHMARK_FAMILIES])(struct conversion * c, const json_t *r, json_t *q, struct err *e) = {
        [MMBENCH] = map_mmbench, [MME] = map_mme,    [MMMU] = map_mmmu,           [OKVQA] = map_vqa,
        [TEXTVQA] = map_vqa,     [VIZWIZ] = map_vqa, [SCIENCEQA] = map_scienceqa, [SEED] = map_seed,
    };
    c->n++;
    if (is_other_split(c, record))
        return 0;
    TRY(map[c->o->family->kind](c, record, question, e));
    return json_object_size(question) ? put_text(question, "benchmark", c->o->family->name, e) : 0;
}
