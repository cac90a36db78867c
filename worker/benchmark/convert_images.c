#include "worker/benchmark/convert_images.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/digest.h"
#include "worker/data/image_set.h"

#define STEM_MOST 100

void convert_pictures_free(struct pictures *p)
{
    map_free(&p->by_bytes);
    map_free(&p->by_name);
    map_free(&p->by_id);
    arena_free(&p->arena);
}

/* ---- bytes ----------------------------------------------------------------------------------------------------------
 */

int base64_decode(const char *text, uint8_t **bytes, size_t *n, struct err *e)
{
    static const int variants[] = { sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING };
    const char *comma = strncmp(text, "data:", 5) == 0 ? strchr(text, ',') : NULL;
    text = comma ? comma + 1 : text;
    size_t len = strlen(text), room = len / 4 * 3 + 3;
    AUTO(free) uint8_t *out = malloc(room);
    if (!out)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < ARRAY_LEN(variants); i++)
        if (sodium_base642bin(out, room, text, len, "\r\n ", n, NULL, variants[i]) == 0) {
            *bytes = TAKE(out);
            return 0;
        }
    return FAIL(e, ERR_INPUT, "the picture is no base64: '%.20s...'; is the file complete?", text);
}

static const char *extension(const uint8_t *b, size_t n)
{
    static const struct {
        const char *extension, *magic;
        size_t len;
    } kinds[] = { { "jpg", "\xff\xd8\xff", 3 }, { "png", "\x89PNG\r\n\x1a\n", 8 }, { "webp", "RIFF", 4 } };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (n > 16 && memcmp(b, kinds[i].magic, kinds[i].len) == 0)
            return kinds[i].extension;
    return NULL;
}

/* How base64 of those begins. Paths that begin so are absolute, or unlikely. */
static bool is_base64(const char *s)
{
    return strncmp(s, "data:", 5) == 0 || strncmp(s, "/9j/", 4) == 0 || strncmp(s, "iVBORw0KG", 9) == 0 ||
           strncmp(s, "UklGR", 5) == 0 || strlen(s) > PATH_MAX;
}

/* ---- files ----------------------------------------------------------------------------------------------------------
 */

/* What is left of a name: letters, digits, '-', '_' and '.', none of them first; without an extension of a picture. */
static void clean_stem(const char *stem, char out[STEM_MOST + 1])
{
    size_t n = 0;
    for (; *stem && n < STEM_MOST; stem++, n++) {
        bool fine = isalnum((unsigned char)*stem) || *stem == '-' || (*stem == '.' && n > 0);
        out[n] = (char)(fine ? *stem : '_');
    }
    out[n] = '\0';
    char *dot = strrchr(out, '.');
    if (dot && dot > out &&
        (!strcmp(dot, ".jpg") || !strcmp(dot, ".png") || !strcmp(dot, ".jpeg") || !strcmp(dot, ".webp")))
        *dot = '\0';
}

static char *free_name(struct pictures *p, const char *stem, const char *kind, struct err *e)
{
    char clean[STEM_MOST + 1], name[STEM_MOST + 40];
    clean_stem(stem, clean);
    snprintf(name, sizeof name, "%s.%s", clean[0] ? clean : "picture", kind);
    for (size_t i = 2; map_get(&p->by_name, name, strlen(name)); i++)
        snprintf(name, sizeof name, "%s-%zu.%s", clean[0] ? clean : "picture", i, kind);
    char *copy = arena_text(&p->arena, name);
    if (!copy)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    return map_put(&p->by_name, copy, strlen(copy), copy, e) < 0 ? NULL : copy;
}

static int make_directory(struct pictures *p, struct err *e)
{
    char path[PATH_MAX];
    if (p->made)
        return 0;
    if (snprintf(path, sizeof path, "%s/%s/", p->beside, p->below) >= (int)sizeof path)
        return FAIL(e, ERR_ENV, "%s: the path is too long", p->below);
    for (char *slash = path + strlen(p->beside) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            return FAIL(e, ERR_ENV, "%s: cannot make the directory: %s", path, strerror(errno));
    }
    p->made = true;
    return 0;
}

static int write_file(const char *path, const uint8_t *bytes, size_t n, struct err *e)
{
    char temp[PATH_MAX + 32];
    snprintf(temp, sizeof temp, "%s.tmp%ld", path, (long)getpid());
    FILE *f = fopen(temp, "we");
    bool failed = !f || fwrite(bytes, 1, n, f) != n;
    failed |= f && fclose(f) != 0;
    if (!failed && rename(temp, path) == 0)
        return 0;
    int why = errno;
    unlink(temp);
    return FAIL(e, ERR_ENV, "%s: cannot write: %s", path, strerror(why));
}

static const char *store(struct pictures *p, const uint8_t *bytes, size_t n, const char *stem, struct err *e)
{
    char digest[DIGEST_HEX_SIZE], relative[PATH_MAX], path[PATH_MAX];
    digest_bytes(bytes, n, digest);
    const char *known = map_get(&p->by_bytes, digest, strlen(digest)), *kind = extension(bytes, n);
    if (known)
        return known;
    if (!kind)
        return FAIL_NULL(e, ERR_INPUT, "the picture in base64 is no JPEG, PNG or WebP");
    const char *name = free_name(p, stem, kind, e), *key = arena_text(&p->arena, digest);
    if (!name || make_directory(p, e) < 0)
        return NULL;
    snprintf(relative, sizeof relative, "%s/%s", p->below, name);
    if (snprintf(path, sizeof path, "%s/%s", p->beside, relative) >= (int)sizeof path)
        return FAIL_NULL(e, ERR_ENV, "%s: the path is too long", relative);
    char *kept = arena_text(&p->arena, relative);
    if (!kept || !key || map_put(&p->by_bytes, key, strlen(key), kept, e) < 0)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    if (write_file(path, bytes, n, e) < 0)
        return NULL;
    p->written++;
    return kept;
}

const char *pictures_take(struct pictures *p, const json_t *value, const char *stem, struct err *e)
{
    char whole[PATH_MAX], path[PATH_MAX];
    const json_t *bytes = json_is_object(value) ? json_object_get(value, "bytes") : NULL;
    const char *text = json_string_value(bytes ? bytes : value);
    if (!text || !text[0])
        return FAIL_NULL(e, ERR_INPUT, "the picture must be a path, or its bytes in base64");
    if (bytes || is_base64(text)) {
        AUTO(free) uint8_t *data = NULL;
        size_t n;
        return base64_decode(text, &data, &n, e) < 0 ? NULL : store(p, data, n, stem, e);
    }
    if (image_set_clean_path(text, path, sizeof path, e) < 0)
        return NULL;
    if (snprintf(whole, sizeof whole, "%s/%s", p->below, path) >= (int)sizeof whole)
        return FAIL_NULL(e, ERR_INPUT, "the picture's path '%.80s' is too long", path);
    char *kept = arena_text(&p->arena, whole);
    return kept ? kept : FAIL_NULL(e, ERR_NOMEM, "out of memory");
}
