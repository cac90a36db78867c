#include "worker/model/model_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"

#define MAX_COPY ((size_t)256 << 20) /* tokenizers have a few MiB */

static int join(char out[4096], const char *dir, const char *name, struct err *e)
{
    if (snprintf(out, 4096, "%s/%s", dir, name) >= 4096)
        return FAIL(e, ERR_INPUT, "%.80s...: the path is too long", dir);
    return 0;
}

int model_file_write(const char *dir, const char *name, const void *bytes, size_t size, struct err *e)
{
    char path[4096];
    TRY(join(path, dir, name, e));
    return file_replace(path, bytes, size, e);
}

int model_file_write_json(const char *dir, const char *name, const json_t *j, struct err *e)
{
    AUTO(free) char *text = json_dumps(j, JSON_INDENT(2) | JSON_SORT_KEYS);
    if (!text)
        return FAIL_NOMEM(e);
    size_t n = strlen(text);
    text[n] = '\n'; /* in place of the end */
    return model_file_write(dir, name, text, n + 1, e);
}

int model_file_copy(const char *from, const char *dir, const char *name, struct err *e)
{
    char path[4096];
    struct stat st;
    TRY(join(path, from, name, e));
    if (stat(path, &st) < 0 && errno == ENOENT)
        return 0;
    AUTO(fclose) FILE *f = fopen(path, "re");
    if (!f || fstat(fileno(f), &st) < 0)
        return FAIL(e, ERR_ENV, "%s: cannot read: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > MAX_COPY)
        return FAIL(e, ERR_INPUT, "%s: it is no file of at most %zu MiB", path, MAX_COPY >> 20);
    AUTO(free) void *bytes = malloc((size_t)st.st_size + 1);
    if (!bytes)
        return FAIL_NOMEM(e);
    if (fread(bytes, 1, (size_t)st.st_size, f) != (size_t)st.st_size)
        return FAIL(e, ERR_ENV, "%s: cannot read all of it", path);
    return model_file_write(dir, name, bytes, (size_t)st.st_size, e);
}

const char *torch_dtype_name(enum th_dtype t)
{
    switch (t) {
    case TH_BF16:
        return "bfloat16";
    case TH_F16:
        return "float16";
    case TH_F64:
        return "float64";
    default:
        return "float32";
    }
}
