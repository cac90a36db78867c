/* The cache of content digests: a line for each file, in the order of the names' bytes.
 *
 *     acsweep content 1
 *     HEX SIZE CHANGED INODE NAME        in NAME, bytes below 33, '%' and 127 are %XX
 *
 * It is only ever a shortcut: a line that is not understood is as good as none. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "worker/data/content_list.h"

static const char header[] = "acsweep content 1\n";

static void put_name(struct buf *b, const char *name)
{
    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        buf_printf(b, *p <= 0x20 || *p == '%' || *p == 0x7f ? "%%%02x" : "%c", *p);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; false when it is no such name. */
static bool take_name(char *text)
{
    char *out = text;
    for (const char *p = text; *p && *p != '\n'; p++) {
        if (*p != '%') {
            *out++ = *p;
            continue;
        }
        int high = hex_digit(p[1]), low = high < 0 ? -1 : hex_digit(p[2]);
        if (low < 0 || high + low == 0)
            return false;
        *out++ = (char)(high * 16 + low);
        p += 2;
    }
    *out = '\0';
    return true;
}

static bool take_line(char *line, struct content_file *f)
{
    int at = -1;
    if (sscanf(line, "%64[0-9a-f] %" SCNu64 " %" SCNd64 " %" SCNu64 " %n", f->digest, &f->size, &f->changed, &f->inode,
               &at) != 4 ||
        at < 0 || strlen(f->digest) != DIGEST_HEX_SIZE - 1)
        return false;
    f->name = line + at;
    return take_name(f->name);
}

/* Both are sorted, so one pass does; *at never goes back. */
static void find(struct content_list *l, size_t *at, const struct content_file *known)
{
    while (*at < l->n && strcmp(l->files[*at].name, known->name) < 0)
        ++*at;
    struct content_file *f = *at < l->n ? &l->files[*at] : NULL;
    if (f && strcmp(f->name, known->name) == 0 && f->size == known->size && f->changed == known->changed &&
        f->inode == known->inode)
        memcpy(f->digest, known->digest, sizeof f->digest);
}

void content_cache_read(struct content_list *l, const char *cache)
{
    AUTO(fclose) FILE *in = fopen(cache, "re");
    AUTO(free) char *line = NULL;
    size_t size = 0, at = 0;
    if (!in || getline(&line, &size, in) < 0 || strcmp(line, header) != 0)
        return;
    while (getline(&line, &size, in) > 0) {
        struct content_file known = { 0 };
        if (take_line(line, &known))
            find(l, &at, &known);
    }
}

static int write_all(FILE *out, const struct content_list *l, int64_t settled)
{
    AUTO(buf_free) struct buf b = BUF_INIT(1 << 20);
    fputs(header, out);
    for (size_t i = 0; i < l->n; i++) {
        const struct content_file *f = &l->files[i];
        if (!f->digest[0] || f->changed > settled)
            continue;
        buf_clear(&b);
        put_name(&b, f->name);
        fprintf(out, "%s %" PRIu64 " %" PRId64 " %" PRIu64 " %s\n", f->digest, f->size, f->changed, f->inode,
                buf_text(&b));
    }
    return fflush(out) == 0 && fsync(fileno(out)) == 0 ? 0 : -1;
}

int content_cache_write(const struct content_list *l, const char *cache, int64_t settled, struct err *e)
{
    char temp[4096];
    if (snprintf(temp, sizeof temp, "%s.%ld", cache, (long)getpid()) >= (int)sizeof temp)
        return FAIL(e, ERR_ENV, "%.200s...: path too long", cache);
    AUTO(fclose) FILE *out = fopen(temp, "we");
    if (!out || write_all(out, l, settled) < 0 || rename(temp, cache) < 0) {
        int why = errno;
        unlink(temp);
        return FAIL(e, ERR_ENV, "%s: cannot write: %s", cache, strerror(why));
    }
    return 0;
}
