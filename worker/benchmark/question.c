#include "worker/benchmark/question.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "common/arena.h"
#include "common/map.h"
#include "worker/benchmark/family.h"
#include "worker/data/image_set.h"
#include "worker/data/json_items.h"

struct question_set {
    char *name;
    const struct benchmark_family *family;
    struct question *questions;
    size_t n, cap;
    struct map by_id; /* id -> 1 + its number */
    struct arena arena;
};

/* One object that is being read. */
struct reading {
    struct question_set *set;
    const json_t *item;
    struct question *q;
};

/* ---- fields ---------------------------------------------------------------------------------------------------------
 */

static int fail_field(struct err *e, const char *field, const char *what)
{
    return FAIL(e, ERR_INPUT, "field '%s': %s", field, what);
}

static const char *keep(struct reading *r, const char *s, struct err *e)
{
    const char *copy = arena_text(&r->set->arena, s);
    return copy ? copy : FAIL_NULL(e, ERR_NOMEM, "out of memory");
}

static const json_t *get(const struct reading *r, const char *field)
{
    const json_t *v = json_object_get(r->item, field);
    return v && !json_is_null(v) ? v : NULL;
}

/* *out stays NULL without the field. */
static int read_text(struct reading *r, const char *field, bool required, const char **out, struct err *e)
{
    const json_t *v = get(r, field);
    if (!v)
        return required ? fail_field(e, field, "is missing; every question needs it") : 0;
    if (!json_is_string(v) || !json_string_value(v)[0])
        return fail_field(e, field, "must be a text that is not empty");
    return (*out = keep(r, json_string_value(v), e)) ? 0 : -1;
}

static int read_benchmark(struct reading *r, struct err *e)
{
    const char *name = json_string_value(json_object_get(r->item, "benchmark"));
    const struct benchmark_family *f = name ? benchmark_family_find(name) : NULL;
    if (!f)
        return FAIL(e, ERR_INPUT, "field 'benchmark': %s%.40s%s; it must be one of %s", name ? "'" : "is missing",
                    name ? name : "", name ? "' is unknown" : "", benchmark_family_names());
    if (r->set->family && r->set->family != f)
        return FAIL(e, ERR_INPUT, "field 'benchmark': %s, but the questions before are of %s; one file, one benchmark",
                    f->name, r->set->family->name);
    r->set->family = f;
    return 0;
}

static int read_id(struct reading *r, struct err *e)
{
    TRY(read_text(r, "id", true, &r->q->id, e));
    if (map_get(&r->set->by_id, r->q->id, strlen(r->q->id)))
        return FAIL(e, ERR_INPUT, "field 'id': '%.80s' came before; ids must differ", r->q->id);
    return map_put(&r->set->by_id, r->q->id, strlen(r->q->id), (void *)(r->set->n + 1), e);
}

/* A list of 1 to `most` texts; with `holes`, null may stand for one. */
static int read_list(struct reading *r, const char *field, size_t most, bool holes, const char *const **out, size_t *n,
                     struct err *e)
{
    const json_t *v = get(r, field);
    if (!json_is_array(v) || json_array_size(v) < 1 || json_array_size(v) > most)
        return FAIL(e, ERR_INPUT, "field '%s': must be a list of 1 to %zu texts", field, most);
    *n = json_array_size(v);
    const char **list = arena_array(&r->set->arena, *n, sizeof *list);
    if (!list)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < *n; i++) {
        const json_t *text = json_array_get(v, i);
        if (holes && json_is_null(text))
            continue;
        if (!json_is_string(text))
            return FAIL(e, ERR_INPUT, "field '%s': item %zu is not a text", field, i + 1);
        if (!(list[i] = keep(r, json_string_value(text), e)))
            return -1;
    }
    *out = list;
    return 0;
}

static const char *clean_path(struct reading *r, const json_t *v, struct err *e)
{
    char path[PATH_MAX];
    if (!json_is_string(v))
        return fail_field(e, "image", "must be a path, or a list of paths"), NULL;
    if (image_set_clean_path(json_string_value(v), path, sizeof path, e) < 0)
        return err_wrap(e, "field 'image'"), NULL;
    return keep(r, path, e);
}

static int read_images(struct reading *r, struct err *e)
{
    const json_t *v = get(r, "image");
    size_t n = json_is_array(v) ? json_array_size(v) : v != NULL;
    if (n == 0)
        return 0;
    if (n > QUESTION_IMAGES_MAX)
        return FAIL(e, ERR_INPUT, "field 'image': %zu pictures; %d are the most", n, QUESTION_IMAGES_MAX);
    const char **paths = arena_array(&r->set->arena, n, sizeof *paths);
    if (!paths)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        if (!(paths[i] = clean_path(r, json_is_array(v) ? json_array_get(v, i) : v, e)))
            return -1;
    r->q->images = paths;
    r->q->n_images = n;
    return 0;
}

static int read_options(struct reading *r, struct err *e)
{
    const struct benchmark_family *f = r->set->family;
    if (!get(r, "options"))
        return f->options && f->kind != MMMU ? fail_field(e, "options", "is missing; give the options by letter") : 0;
    if (!f->options)
        return FAIL(e, ERR_INPUT, "field 'options': questions of %s have none; remove it", f->name);
    return read_list(r, "options", QUESTION_OPTIONS_MAX, true, &r->q->options, &r->q->n_options, e);
}

static int read_answers(struct reading *r, struct err *e)
{
    const json_t *one = get(r, "answer"), *many = get(r, "answers");
    if (!one == !many)
        return fail_field(e, "answer",
                          one ? "give either it or 'answers', not both"
                              : "is missing; without it (as in test splits) nothing can be scored");
    if (many)
        return read_list(r, "answers", QUESTION_ANSWERS_MAX, false, &r->q->answers, &r->q->n_answers, e);
    const char **list = arena_array(&r->set->arena, 1, sizeof *list);
    if (!list)
        return FAIL_NOMEM(e);
    r->q->answers = list;
    r->q->n_answers = 1;
    return read_text(r, "answer", true, &list[0], e);
}

static int read_media(struct reading *r, struct err *e)
{
    const char *media = NULL;
    TRY(read_text(r, "media", false, &media, e));
    r->q->video = media && strcmp(media, "video") == 0;
    if (media && !r->q->video && strcmp(media, "image") != 0)
        return fail_field(e, "media", "must be \"image\" or \"video\"");
    return 0;
}

static int check_names(const struct reading *r, struct err *e)
{
    static const char *const fields[] = { "benchmark", "id",     "group",   "image",    "media", "question",
                                          "options",   "answer", "answers", "category", "hint" };
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)r->item, key, v)
    {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(fields) && !known; i++)
            known = strcmp(key, fields[i]) == 0;
        if (!known)
            return FAIL(e, ERR_INPUT, "field '%.60s' is unknown; published files go through 'acsweep convert' first",
                        key);
    }
    return 0;
}

/* ---- what belongs together ------------------------------------------------------------------------------------------
 */

static int check_letter(const struct question *q, struct err *e)
{
    const char *a = q->answers[0];
    bool letter = q->n_answers == 1 && a[0] >= 'A' && a[0] <= 'Z' && !a[1];
    if (!letter)
        return fail_field(e, "answer", "must be the letter of an option");
    if ((size_t)(a[0] - 'A') >= q->n_options || !q->options[a[0] - 'A'])
        return FAIL(e, ERR_INPUT, "field 'answer': there is no option %s among the %zu", a, q->n_options);
    return 0;
}

static int check_question(const struct benchmark_family *f, const struct question *q, struct err *e)
{
    if (q->n_options)
        return check_letter(q, e);
    if (f->kind == MME && (q->n_answers != 1 || (strcasecmp(q->answers[0], "yes") && strcasecmp(q->answers[0], "no"))))
        return fail_field(e, "answer", "must be Yes or No");
    if (f->kind == MME && (!q->group || !q->category))
        return fail_field(e, q->group ? "category" : "group", "is missing; MME counts by picture and subtask");
    for (size_t i = 0; f->kind == MMMU && i < q->n_answers; i++)
        if (!q->answers[i][0])
            return fail_field(e, "answers", "an empty answer would be found in every text; remove it");
    return 0;
}

static int read_question(struct reading *r, struct err *e)
{
    struct question *q = r->q;
    TRY(check_names(r, e));
    TRY(read_benchmark(r, e));
    TRY(read_id(r, e));
    TRY(read_text(r, "question", true, &q->question, e));
    TRY(read_text(r, "group", false, &q->group, e));
    TRY(read_text(r, "category", false, &q->category, e));
    TRY(read_text(r, "hint", false, &q->hint, e));
    TRY(read_images(r, e));
    TRY(read_media(r, e));
    TRY(read_options(r, e));
    TRY(read_answers(r, e));
    return check_question(r->set->family, q, e);
}

/* ---- the set --------------------------------------------------------------------------------------------------------
 */

static int add_item(struct question_set *s, const json_t *item, struct err *e)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 256;
        struct question *q = realloc(s->questions, cap * sizeof *q);
        if (!q)
            return FAIL_NOMEM(e);
        s->questions = q;
        s->cap = cap;
    }
    s->questions[s->n] = (struct question){ 0 };
    struct reading r = { s, item, &s->questions[s->n] };
    TRY(read_question(&r, e));
    s->n++;
    return 0;
}

static struct question_set *from_items(struct json_items *items, const char *name, struct err *e)
{
    AUTO(question_set_destroy) struct question_set *s = calloc(1, sizeof *s);
    json_t *item;
    int rc;
    if (!s || !(s->name = strdup(name)))
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    while ((rc = json_items_next(items, &item, e)) > 0) {
        rc = add_item(s, item, e);
        json_decref(item);
        if (rc < 0)
            return err_wrap(e, "%s", json_items_place(items)), NULL;
    }
    if (rc < 0)
        return NULL;
    if (s->n == 0)
        return FAIL_NULL(e, ERR_INPUT, "%s:1: no question there; 'acsweep convert' makes such files", name);
    return TAKE(s);
}

struct question_set *question_set_parse(const char *text, size_t len, const char *name, struct err *e)
{
    AUTO(json_items_close) struct json_items *items = json_items_from(text, len, name, e);
    return items ? from_items(items, name, e) : NULL;
}

struct question_set *question_set_load(const char *path, struct err *e)
{
    AUTO(json_items_close) struct json_items *items = json_items_open(path, e);
    return items ? from_items(items, path, e) : NULL;
}

void question_set_destroy(struct question_set *s)
{
    if (!s)
        return;
    free(s->name);
    free(s->questions);
    map_free(&s->by_id);
    arena_free(&s->arena);
    free(s);
}

size_t question_set_count(const struct question_set *s)
{
    return s->n;
}

const struct question *question_set_at(const struct question_set *s, size_t i)
{
    return &s->questions[i];
}

size_t question_set_find(const struct question_set *s, const char *id)
{
    return (size_t)(uintptr_t)map_get(&s->by_id, id, strlen(id)) - 1;
}

const struct benchmark_family *question_set_family(const struct question_set *s)
{
    return s->family;
}

const char *question_set_name(const struct question_set *s)
{
    return s->name;
}
