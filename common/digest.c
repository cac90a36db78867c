#include "common/digest.h"

#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/parse.h"

_Static_assert(DIGEST_HEX_SIZE == 2 * crypto_hash_sha256_BYTES + 1, "SHA-256 in hexadecimal");

#define CANONICAL_LIMIT (64u << 20)

void digest_bytes(const void *bytes, size_t len, char hex[DIGEST_HEX_SIZE])
{
    unsigned char sum[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(sum, bytes, len);
    hex_encode(sum, sizeof sum, hex);
}

int digest_file(const char *path, char hex[DIGEST_HEX_SIZE], uint64_t *bytes, struct err *e)
{
    AUTO(fclose) FILE *f = fopen(path, "rb");
    if (!f)
        return FAIL(e, ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
    unsigned char block[1 << 16], sum[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    uint64_t total = 0;
    size_t n;
    while ((n = fread(block, 1, sizeof block, f)) > 0) {
        crypto_hash_sha256_update(&state, block, n);
        total += n;
    }
    if (ferror(f))
        return FAIL(e, ERR_ENV, "%s: cannot read: %s", path, strerror(errno));
    crypto_hash_sha256_final(&state, sum);
    hex_encode(sum, sizeof sum, hex);
    if (bytes)
        *bytes = total;
    return 0;
}

int digest_fd(int fd, const char *path, void *block, size_t size, digest_step *step, void *arg,
              char hex[DIGEST_HEX_SIZE], struct err *e)
{
    unsigned char sum[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (;;) {
        ssize_t n = read(fd, block, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FAIL(e, ERR_ENV, "%s: cannot read: %s", path, strerror(errno));
        if (n == 0)
            break;
        crypto_hash_sha256_update(&state, block, (size_t)n);
        if (step)
            TRY(step(arg, (size_t)n, e));
    }
    crypto_hash_sha256_final(&state, sum);
    hex_encode(sum, sizeof sum, hex);
    return 0;
}

/* Reals: an integral value within 2^53 prints as an integer, so that 1 and 1.0 mean the same. */
static int add_real(struct buf *b, double v, struct err *e)
{
    if (!isfinite(v))
        return FAIL(e, ERR_INPUT, "a number that is not finite has no canonical form");
    if (v == floor(v) && fabs(v) < 0x1p53) {
        buf_printf(b, "%lld", (long long)v);
        return 0;
    }
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_puts(b, text);
    return 0;
}

static void add_string(struct buf *b, const char *s, size_t len)
{
    buf_puts(b, "\"");
    size_t plain = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(b, s + plain, i - plain);
        plain = i + 1;
        if (c < 0x20)
            buf_printf(b, "\\u%04x", c);
        else
            buf_printf(b, "\\%c", c);
    }
    buf_add(b, s + plain, len - plain);
    buf_puts(b, "\"");
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_value(struct buf *b, const json_t *v, int depth, struct err *e);

static int add_object(struct buf *b, const json_t *v, int depth, struct err *e)
{
    size_t n = json_object_size(v), i = 0;
    AUTO(free) const char **keys = calloc(n ? n : 1, sizeof *keys);
    if (!keys)
        return FAIL_NOMEM(e);
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)v, key, item) keys[i++] = key;
    qsort(keys, n, sizeof *keys, by_bytes);
    buf_puts(b, "{");
    for (i = 0; i < n; i++) {
        if (i)
            buf_puts(b, ",");
        add_string(b, keys[i], strlen(keys[i]));
        buf_puts(b, ":");
        TRY(add_value(b, json_object_get(v, keys[i]), depth + 1, e));
    }
    buf_puts(b, "}");
    return 0;
}

static int add_value(struct buf *b, const json_t *v, int depth, struct err *e)
{
    if (depth > 64)
        return FAIL(e, ERR_INPUT, "JSON nested deeper than 64 levels");
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return add_object(b, v, depth, e);
    case JSON_ARRAY: {
        buf_puts(b, "[");
        for (size_t i = 0; i < json_array_size(v); i++) {
            if (i)
                buf_puts(b, ",");
            TRY(add_value(b, json_array_get(v, i), depth + 1, e));
        }
        buf_puts(b, "]");
        return 0;
    }
    case JSON_STRING:
        add_string(b, json_string_value(v), json_string_length(v));
        return 0;
    case JSON_INTEGER:
        buf_printf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        return 0;
    case JSON_REAL:
        return add_real(b, json_real_value(v), e);
    case JSON_TRUE:
        buf_puts(b, "true");
        return 0;
    case JSON_FALSE:
        buf_puts(b, "false");
        return 0;
    case JSON_NULL:
        buf_puts(b, "null");
        return 0;
    }
    return FAIL(e, ERR_BUG, "unknown JSON type");
}

char *json_canonical(const json_t *value, struct err *e)
{
    AUTO(buf_free) struct buf b = BUF_INIT(CANONICAL_LIMIT);
    if (add_value(&b, value, 0, e) < 0 || buf_check(&b, "canonical JSON", e) < 0)
        return NULL;
    return TAKE(b.data);
}

int digest_json(const json_t *value, char hex[DIGEST_HEX_SIZE], struct err *e)
{
    AUTO(free) char *text = json_canonical(value, e);
    if (!text)
        return -1;
    digest_bytes(text, strlen(text), hex);
    return 0;
}
