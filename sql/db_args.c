/* Typed arguments -> what libpq sends. Everything travels as text except bytea, which travels binary.
 *
 * Array literals are built here and nowhere else: elements of text arrays are always quoted, with \ and " escaped, so no
 * element can end its array early or turn into NULL by spelling. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "sql/db_internal.h"

/* One message to PostgreSQL is limited to 1 GiB; stay below it. */
#define PARAMS_MAX ((size_t)1 << 29)

static void put_i64(struct buf *b, int64_t x)
{
    char digits[24];
    char *p = digits + sizeof digits;
    uint64_t u = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
    do
        *--p = (char)('0' + u % 10);
    while (u /= 10);
    if (x < 0)
        *--p = '-';
    buf_add(b, p, (size_t)(digits + sizeof digits - p));
}

static void put_f64(struct buf *b, double x)
{
    if (x == floor(x) && fabs(x) < 0x1p53 && (x != 0 || !signbit(x)))
        put_i64(b, (int64_t)x); /* the same value, and printf of a double is slow */
    else if (isinf(x))
        buf_puts(b, x > 0 ? "Infinity" : "-Infinity");
    else
        buf_printf(b, "%.17g", x);
}

static void put_quoted(struct buf *b, const char *s)
{
    buf_add(b, "\"", 1);
    while (*s) {
        size_t plain = strcspn(s, "\"\\");
        buf_add(b, s, plain);
        s += plain;
        if (*s) {
            buf_add(b, "\\", 1);
            buf_add(b, s++, 1);
        }
    }
    buf_add(b, "\"", 1);
}

static void put_element(struct buf *b, const struct sql_arg *a, size_t i)
{
    switch (a->type) {
    case SQL_ARG_I64S:
        if (a->v.i64s[i] == INT64_MIN)
            buf_puts(b, "NULL");
        else
            put_i64(b, a->v.i64s[i]);
        break;
    case SQL_ARG_F64S:
        if (isnan(a->v.f64s[i]))
            buf_puts(b, "NULL");
        else
            put_f64(b, a->v.f64s[i]);
        break;
    case SQL_ARG_BOOLS:
        buf_add(b, a->v.bools[i] ? "t" : "f", 1);
        break;
    default:
        if (a->v.texts[i])
            put_quoted(b, a->v.texts[i]);
        else
            buf_puts(b, "NULL");
    }
}

static bool arg_is_null(const struct sql_arg *a)
{
    switch (a->type) {
    case SQL_ARG_NULL:
        return true;
    case SQL_ARG_F64:
        return isnan(a->v.f64);
    case SQL_ARG_TEXT:
        return !a->v.text;
    case SQL_ARG_BYTES:
        return !a->v.bytes && a->n > 0;
    default:
        return false;
    }
}

/* Render what is neither NULL, TEXT nor BYTES. */
static void put_rendered(struct buf *b, const struct sql_arg *a)
{
    switch (a->type) {
    case SQL_ARG_I64:
        put_i64(b, a->v.i64);
        return;
    case SQL_ARG_F64:
        put_f64(b, a->v.f64);
        return;
    case SQL_ARG_BOOL:
        buf_add(b, a->v.boolean ? "t" : "f", 1);
        return;
    default:
        break;
    }
    buf_add(b, "{", 1);
    for (size_t i = 0; i < a->n; i++) {
        if (i)
            buf_add(b, ",", 1);
        put_element(b, a, i);
    }
    buf_add(b, "}", 1);
}

int db_params_init(struct db_params *p, const struct sql_arg *args, size_t n, struct err *e)
{
    *p = (struct db_params){ .text = BUF_INIT(PARAMS_MAX) };
    AUTO(free) size_t *offsets = calloc(n + 1, sizeof *offsets);
    p->values = calloc(n + 1, sizeof *p->values);
    p->lengths = calloc(n + 1, sizeof *p->lengths);
    p->formats = calloc(n + 1, sizeof *p->formats);
    if (!offsets || !p->values || !p->lengths || !p->formats)
        return FAIL_NOMEM(e);

    for (size_t i = 0; i < n; i++) {
        const struct sql_arg *a = &args[i];
        offsets[i] = SIZE_MAX; /* nothing rendered */
        if (arg_is_null(a))
            continue;
        if (a->type == SQL_ARG_TEXT) {
            p->values[i] = a->v.text;
        } else if (a->type == SQL_ARG_BYTES) {
            if (a->n > PARAMS_MAX)
                return FAIL(e, ERR_INPUT, "argument %zu holds %zu bytes, more than a row can take", i + 1, a->n);
            p->values[i] = a->n ? a->v.bytes : "";
            p->lengths[i] = (int)a->n;
            p->formats[i] = 1;
        } else {
            offsets[i] = p->text.len;
            put_rendered(&p->text, a);
            buf_add(&p->text, "", 1); /* its NUL */
        }
    }
    TRY(buf_check(&p->text, "statement arguments", e));
    /* Only now: the buffer may have moved while it grew. */
    for (size_t i = 0; i < n; i++)
        if (offsets[i] != SIZE_MAX)
            p->values[i] = p->text.data + offsets[i];
    return 0;
}

void db_params_free(struct db_params *p)
{
    free(p->values);
    free(p->lengths);
    free(p->formats);
    buf_free(&p->text);
    *p = (struct db_params){ 0 };
}

static void put_copy_escaped(struct buf *b, const char *s)
{
    while (*s) {
        size_t plain = strcspn(s, "\\\t\n\r");
        buf_add(b, s, plain);
        s += plain;
        if (!*s)
            break;
        static const char from[] = "\\\t\n\r", to[] = "\\tnr";
        char out[2] = { '\\', to[strchr(from, *s) - from] };
        buf_add(b, out, 2);
        s++;
    }
}

static void put_hex(struct buf *b, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    buf_puts(b, "\\\\x"); /* COPY reads \\ as one backslash */
    for (size_t i = 0; i < n; i++) {
        char two[2] = { digits[bytes[i] >> 4], digits[bytes[i] & 15] };
        buf_add(b, two, 2);
    }
}

void db_copy_put(struct buf *b, struct buf *scratch, const struct sql_arg *a)
{
    if (arg_is_null(a)) {
        buf_puts(b, "\\N");
    } else if (a->type == SQL_ARG_TEXT) {
        put_copy_escaped(b, a->v.text);
    } else if (a->type == SQL_ARG_BYTES) {
        put_hex(b, a->v.bytes, a->n);
    } else {
        buf_clear(scratch);
        put_rendered(scratch, a);
        if (scratch->failed)
            b->failed = true;
        put_copy_escaped(b, buf_text(scratch));
    }
}
