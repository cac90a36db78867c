#include "worker/text/chat_set.h"

#include <limits.h>
#include <string.h>

#include "worker/data/image_set.h"
#include "worker/data/json_items.h"
#include "worker/text/unicode.h"

struct chat_set {
    struct json_items *items;
    char *name;
    uint64_t *offset;
    int32_t *length;
    size_t n, cap, images;
};

void chat_set_close(struct chat_set *s)
{
    if (!s)
        return;
    json_items_close(s->items);
    free(s->name);
    free(s->offset);
    free(s->length);
    free(s);
}

/* ---- one sample ---------------------------------------------------------------------------------------------------
 */

void chat_sample_free(struct chat_sample *sample)
{
    json_decref(sample->json);
    free(sample->turns);
    free(sample->image_path);
    free(sample->id_text);
    *sample = (struct chat_sample){ 0 };
}

static int read_turn(const json_t *j, size_t i, struct turn *out, struct err *e)
{
    const char *from = json_string_value(json_object_get(j, "from"));
    const json_t *value = json_object_get(j, "value");
    if (!from || (strcmp(from, "human") != 0 && strcmp(from, "gpt") != 0))
        return FAIL(e, ERR_INPUT, "'conversations', turn %zu: 'from' must be \"human\" or \"gpt\"", i);
    if (!json_is_string(value))
        return FAIL(e, ERR_INPUT, "'conversations', turn %zu: 'value' must be a text", i);
    out->from = from[0] == 'h' ? TURN_HUMAN : TURN_GPT;
    out->text = json_string_value(value);
    out->len = json_string_length(value);
    return 0;
}

static int read_turns(const json_t *list, struct chat_sample *out, struct err *e)
{
    size_t i, n = json_array_size(list);
    const json_t *v;
    if (n == 0)
        return FAIL(e, ERR_INPUT, "'conversations' must be a list of turns {\"from\", \"value\"}");
    out->turns = calloc(n, sizeof *out->turns);
    if (!out->turns)
        return FAIL_NOMEM(e);
    json_array_foreach(list, i, v) TRY(read_turn(v, i, &out->turns[i], e));
    out->n_turns = n;
    return 0;
}

static int read_id(const json_t *j, struct chat_sample *out, struct err *e)
{
    out->id = "";
    if (!j)
        return 0;
    if (json_is_string(j)) {
        out->id = json_string_value(j);
        return 0;
    }
    if (!json_is_integer(j))
        return FAIL(e, ERR_INPUT, "'id' must be a text or a whole number");
    if (asprintf(&out->id_text, "%lld", (long long)json_integer_value(j)) < 0) {
        out->id_text = NULL;
        return FAIL_NOMEM(e);
    }
    out->id = out->id_text;
    return 0;
}

static int read_image(const json_t *j, struct chat_sample *out, struct err *e)
{
    char path[PATH_MAX];
    if (!j)
        return 0;
    if (!json_is_string(j))
        return FAIL(e, ERR_INPUT, "'image' must be a path; leave it out where there is none");
    if (image_set_clean_path(json_string_value(j), path, sizeof path, e) < 0)
        return err_wrap(e, "'image'");
    out->image = out->image_path = strdup(path);
    return out->image ? 0 : FAIL_NOMEM(e);
}

/* Marks of one turn come to one picture (LLaVA puts it first); a second turn's would be a second picture. */
static int check_marks(const struct chat_sample *sample, struct err *e)
{
    size_t turns = 0;
    for (size_t i = 0; sample->image && i < sample->n_turns; i++)
        turns += memmem(sample->turns[i].text, sample->turns[i].len, CONVERSATION_IMAGE, strlen(CONVERSATION_IMAGE)) != NULL;
    if (turns <= 1)
        return 0;
    return FAIL(e, ERR_INPUT, "'conversations': " CONVERSATION_IMAGE " stands in %zu turns, but a sample has one picture; leave "
                "it in the first of them", turns);
}

/* Takes the reference to `j`. */
static int parse_sample(json_t *j, struct chat_sample *out, struct err *e)
{
    chat_sample_free(out);
    out->json = j;
    TRY(read_id(json_object_get(j, "id"), out, e));
    TRY(read_image(json_object_get(j, "image"), out, e));
    TRY(read_turns(json_object_get(j, "conversations"), out, e));
    return check_marks(out, e);
}

int chat_set_read(const struct chat_set *s, size_t i, struct chat_sample *out, struct err *e)
{
    json_t *j;
    if (i >= s->n)
        return FAIL(e, ERR_BUG, "%s: sample %zu of %zu", s->name, i, s->n);
    TRY(json_items_at(s->items, s->offset[i], &j, e));
    if (parse_sample(j, out, e) < 0)
        return err_wrap(e, "%s: sample %zu", s->name, i);
    return 0;
}

/* ---- the set ------------------------------------------------------------------------------------------------------
 */

static int32_t length_of(const struct chat_sample *sample)
{
    size_t words = 0;
    for (size_t i = 0; i < sample->n_turns; i++)
        words += unicode_words(sample->turns[i].text, sample->turns[i].len);
    words = words ? words : 1;
    int32_t length = words < INT32_MAX ? (int32_t)words : INT32_MAX;
    return sample->image ? length : -length;
}

static int make_room(struct chat_set *s, struct err *e)
{
    if (s->n < s->cap)
        return 0;
    size_t cap = s->cap ? 2 * s->cap : 1024;
    if (cap > UINT32_MAX)
        return FAIL(e, ERR_INPUT, "%s: over %zu samples", s->name, s->n);
    uint64_t *offset = realloc(s->offset, cap * sizeof *offset);
    if (!offset)
        return FAIL_NOMEM(e);
    s->offset = offset;
    int32_t *length = realloc(s->length, cap * sizeof *length);
    if (!length)
        return FAIL_NOMEM(e);
    s->length = length;
    s->cap = cap;
    return 0;
}

static int index_samples(struct chat_set *s, struct err *e)
{
    AUTO(chat_sample_free) struct chat_sample sample = { 0 };
    json_t *j;
    int rc;
    while ((rc = json_items_next(s->items, &j, e)) > 0) {
        if (parse_sample(j, &sample, e) < 0)
            return err_wrap(e, "%s: sample %zu", json_items_place(s->items), s->n);
        TRY(make_room(s, e));
        s->offset[s->n] = json_items_offset(s->items);
        s->length[s->n] = length_of(&sample);
        s->images += sample.image != NULL;
        s->n++;
    }
    return rc < 0 || s->n ? rc : FAIL(e, ERR_INPUT, "%s: no samples in it", s->name);
}

static struct chat_set *create(struct json_items *items, const char *name, struct err *e)
{
    AUTO(chat_set_close) struct chat_set *s = calloc(1, sizeof *s);
    if (!s) {
        json_items_close(items);
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    }
    s->items = items;
    if (!items)
        return NULL;
    if (!(s->name = strdup(name)))
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    return index_samples(s, e) < 0 ? NULL : TAKE(s);
}

struct chat_set *chat_set_open(const char *path, struct err *e)
{
    return create(json_items_open(path, e), path, e);
}

struct chat_set *chat_set_from(const char *text, size_t len, const char *name, struct err *e)
{
    return create(json_items_from(text, len, name, e), name, e);
}

size_t chat_set_count(const struct chat_set *s)
{
    return s->n;
}

size_t chat_set_images(const struct chat_set *s)
{
    return s->images;
}

int32_t chat_set_length(const struct chat_set *s, size_t i)
{
    return s->length[i];
}

const int32_t *chat_set_lengths(const struct chat_set *s)
{
    return s->length;
}

void chat_set_digest(const struct chat_set *s, char hex[DIGEST_HEX_SIZE])
{
    size_t len;
    const char *bytes = json_items_bytes(s->items, &len);
    digest_bytes(bytes, len, hex);
}
