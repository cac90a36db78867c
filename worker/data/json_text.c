#include "worker/data/json_text.h"

#include <errno.h>
#include <string.h>

#include "common/buf.h"

json_t *json_text_parse(const char *text, size_t len, const char *name, struct err *e)
{
    json_error_t why;
    AUTO(json_decref) json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!j)
        return FAIL_NULL(e, ERR_INPUT, "%s:%d: not JSON: %s", name, why.line > 0 ? why.line : 1, why.text);
    if (!json_is_object(j))
        return FAIL_NULL(e, ERR_INPUT, "%s:1: a JSON object {...} is wanted here", name);
    return TAKE(j);
}

int json_text_read(const char *path, size_t max, char **text, size_t *len, struct err *e)
{
    AUTO(fclose) FILE *f = fopen(path, "re");
    if (!f)
        return FAIL(e, ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
    AUTO(buf_free) struct buf b = BUF_INIT(max);
    char block[1 << 14];
    size_t n;
    while ((n = fread(block, 1, sizeof block, f)) > 0 && !b.failed)
        buf_add(&b, block, n);
    if (ferror(f))
        return FAIL(e, ERR_INPUT, "%s: cannot read: %s", path, strerror(errno));
    if (b.failed)
        return FAIL(e, ERR_INPUT, "%s: over %zu bytes, which no such file has; is it another one?", path, max);
    buf_puts(&b, ""); /* so that an empty file has a text too */
    if (!b.data)
        return FAIL_NOMEM(e);
    *len = b.len;
    *text = TAKE(b.data);
    return 0;
}

json_t *json_text_load(const char *path, size_t max, struct err *e)
{
    AUTO(free) char *text = NULL;
    size_t len;
    return json_text_read(path, max, &text, &len, e) < 0 ? NULL : json_text_parse(text, len, path, e);
}
