#include "world/making.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "worker/data/png_write.h"

static int full_path(const struct making *m, const char *path, char out[PATH_MAX], struct err *e)
{
    if (snprintf(out, PATH_MAX, "%s/%s", m->root, path) >= PATH_MAX)
        return FAIL(e, ERR_ENV, "the path is too long: %.200s...", m->root);
    return 0;
}

int making_dir(struct making *m, const char *path, struct err *e)
{
    char full[PATH_MAX];
    TRY(full_path(m, path, full, e));
    for (char *p = full + strlen(m->root) + 1;; p++) {
        if (*p && *p != '/')
            continue;
        char here = *p;
        *p = '\0';
        if (mkdir(full, 0777) < 0 && errno != EEXIST)
            return FAIL(e, ERR_ENV, "%s: cannot create: %s", full, strerror(errno));
        if (!here)
            return 0;
        *p = here;
    }
}

int making_picture(struct making *m, const char *path, const struct image *im, struct err *e)
{
    char full[PATH_MAX];
    TRY(full_path(m, path, full, e));
    crypto_hash_sha256_update(&m->pixels, im->pixels, (size_t)im->width * im->height * 3);
    m->pictures++;
    buf_clear(&m->png);
    TRY(png_encode(im, PNG_FAST, &m->png, e));
    AUTO(fclose) FILE *f = fopen(full, "wbe");
    bool written = f && fwrite(m->png.data, 1, m->png.len, f) == m->png.len;
    written = f && fclose(TAKE(f)) == 0 && written;
    return written ? 0 : FAIL(e, ERR_ENV, "%s: cannot write: %s", full, strerror(errno));
}

FILE *making_open(struct making *m, const char *path, struct err *e)
{
    char full[PATH_MAX];
    if (full_path(m, path, full, e) < 0)
        return NULL;
    FILE *f = fopen(full, "wbe");
    return f ? f : FAIL_NULL(e, ERR_ENV, "%s: cannot create: %s", full, strerror(errno));
}

int making_put(FILE *f, json_t *line, const char *behind, struct err *e)
{
    if (!line)
        return FAIL_NOMEM(e);
    bool written = json_dumpf(line, f, JSON_COMPACT) == 0 && fputs(behind, f) >= 0;
    json_decref(line);
    return written ? 0 : FAIL(e, ERR_ENV, "a file cannot be written: %s", strerror(errno));
}

int making_close(struct making *m, FILE **f, const char *path, struct err *e)
{
    bool written = !ferror(*f) && fflush(*f) == 0;
    written = fclose(TAKE(*f)) == 0 && written;
    return written ? 0 : FAIL(e, ERR_ENV, "%s/%s: cannot write: %s", m->root, path, strerror(errno));
}
