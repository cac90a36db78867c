#include "worker/data/json_items.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define ITEM_MOST ((size_t)64 << 20)

struct json_items {
    const char *text;
    size_t len, at, item; /* `item` is where the last one began */
    void *mapped;
    bool array, ended;
    size_t n;
    char *name, *place;
};

static size_t line_of(const struct json_items *t, size_t at)
{
    size_t line = 1;
    for (const char *p = t->text, *end = t->text + at; (p = memchr(p, '\n', (size_t)(end - p))); p++)
        line++;
    return line;
}

static int fail_at(const struct json_items *t, size_t at, struct err *e, const char *what)
{
    return FAIL(e, ERR_INPUT, "%s:%zu: %s", t->name, line_of(t, at), what);
}

/* ---- opening ------------------------------------------------------------------------------------------------------
 */

void json_items_close(struct json_items *t)
{
    if (!t)
        return;
    if (t->mapped)
        munmap(t->mapped, t->len);
    free(t->name);
    free(t->place);
    free(t);
}

static void skip_blanks(struct json_items *t)
{
    while (t->at < t->len && strchr(" \t\r\n", t->text[t->at]) && t->text[t->at])
        t->at++;
}

static void begin(struct json_items *t)
{
    if (t->len >= 3 && memcmp(t->text, "\xef\xbb\xbf", 3) == 0)
        t->at = 3;
    skip_blanks(t);
    t->array = t->at < t->len && t->text[t->at] == '[';
    t->at += t->array;
}

static struct json_items *create(const char *name, struct err *e)
{
    AUTO(json_items_close) struct json_items *t = calloc(1, sizeof *t);
    if (!t || !(t->name = strdup(name)))
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    t->text = "";
    return TAKE(t);
}

struct json_items *json_items_from(const char *text, size_t len, const char *name, struct err *e)
{
    struct json_items *t = create(name, e);
    if (!t)
        return NULL;
    if (len)
        t->text = text;
    t->len = len;
    begin(t);
    return t;
}

struct json_items *json_items_open(const char *path, struct err *e)
{
    struct stat st;
    AUTO(json_items_close) struct json_items *t = create(path, e);
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (!t)
        return NULL;
    if (fd < 0 || fstat(fd, &st) < 0)
        return FAIL_NULL(e, ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return FAIL_NULL(e, ERR_INPUT, "%s: not a file; name a JSON or JSONL file", path);
    if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            return FAIL_NULL(e, ERR_ENV, "%s: cannot map: %s", path, strerror(errno));
        madvise(p, (size_t)st.st_size, MADV_SEQUENTIAL);
        t->text = t->mapped = p;
        t->len = (size_t)st.st_size;
    }
    begin(t);
    return TAKE(t);
}

/* ---- one after the other ------------------------------------------------------------------------------------------
 */

/* 1 when an object begins at the cursor, 0 at the end of the list. */
static int seek(struct json_items *t, struct err *e)
{
    skip_blanks(t);
    if (t->array && t->at < t->len && t->text[t->at] == ']') {
        t->at++;
        t->ended = true;
        skip_blanks(t);
        return t->at == t->len ? 0 : fail_at(t, t->at, e, "something follows the list's closing ]; remove it");
    }
    if (t->at == t->len && t->array)
        return fail_at(t, t->at, e, "the list is not closed by ]; is the file complete?");
    if (t->at == t->len)
        return 0;
    if (t->array && t->n > 0) {
        if (t->text[t->at] != ',')
            return fail_at(t, t->at, e, "a comma or ] is wanted after the object");
        t->at++;
        skip_blanks(t);
    }
    if (t->at == t->len || t->text[t->at] != '{')
        return fail_at(t, t->at, e, "a JSON object {...} is wanted here: a list of objects, or one object on a line");
    return 1;
}

/* The object at a place, and how many bytes it has. */
static int load_at(const struct json_items *t, size_t at, json_t **item, size_t *bytes, struct err *e)
{
    size_t left = t->len - at;
    json_error_t why;
    *item = json_loadb(t->text + at, left < ITEM_MOST ? left : ITEM_MOST, JSON_DISABLE_EOF_CHECK, &why);
    if (!*item && left > ITEM_MOST && json_error_code(&why) == json_error_premature_end_of_input)
        return fail_at(t, at, e, "an object of more than 64 MiB; is it the right file?");
    if (!*item)
        return FAIL(e, ERR_INPUT, "%s:%zu: not JSON: %s", t->name,
                    line_of(t, at) + (why.line > 1 ? (size_t)why.line - 1 : 0), why.text);
    *bytes = (size_t)why.position;
    return 0;
}

int json_items_next(struct json_items *t, json_t **item, struct err *e)
{
    size_t bytes;
    if (t->ended)
        return 0;
    int rc = seek(t, e);
    if (rc <= 0)
        return rc;
    t->item = t->at;
    TRY(load_at(t, t->at, item, &bytes, e));
    t->at += bytes;
    t->n++;
    return 1;
}

size_t json_items_offset(const struct json_items *t)
{
    return t->item;
}

int json_items_at(const struct json_items *t, size_t offset, json_t **item, struct err *e)
{
    size_t bytes;
    if (offset >= t->len)
        return FAIL(e, ERR_BUG, "%s: an object at byte %zu of %zu", t->name, offset, t->len);
    return load_at(t, offset, item, &bytes, e);
}

const char *json_items_bytes(const struct json_items *t, size_t *len)
{
    *len = t->len;
    return t->text;
}

const char *json_items_place(struct json_items *t)
{
    free(t->place);
    if (asprintf(&t->place, "%s:%zu", t->name, line_of(t, t->item)) < 0)
        t->place = NULL;
    return t->place ? t->place : t->name;
}
