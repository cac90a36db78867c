/* What of th.h needs no libtorch: dtypes, devices, and the error of each thread. */
#include "worker/torch/th_value.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/own.h"
#include "common/parse.h"
#include "worker/torch/th.h"

static const struct {
    const char *name;
    size_t size;
    bool is_float;
} dtypes[TH_DTYPES] = {
    [TH_F32] = { "f32", 4, true },    [TH_F64] = { "f64", 8, true },  [TH_BF16] = { "bf16", 2, true },
    [TH_F16] = { "f16", 2, true },    [TH_I64] = { "i64", 8, false }, [TH_I32] = { "i32", 4, false },
    [TH_I16] = { "i16", 2, false },   [TH_I8] = { "i8", 1, false },   [TH_U8] = { "u8", 1, false },
    [TH_BOOL] = { "bool", 1, false },
};

static _Thread_local struct err thread_error;

size_t th_dtype_size(enum th_dtype t)
{
    return (unsigned)t < TH_DTYPES ? dtypes[t].size : 0;
}

const char *th_dtype_name(enum th_dtype t)
{
    return (unsigned)t < TH_DTYPES ? dtypes[t].name : "other";
}

bool th_dtype_is_float(enum th_dtype t)
{
    return (unsigned)t < TH_DTYPES && dtypes[t].is_float;
}

int th_dtype_parse(const char *name, enum th_dtype *out, struct err *e)
{
    for (int t = 0; t < TH_DTYPES; t++)
        if (strcmp(dtypes[t].name, name) == 0) {
            *out = (enum th_dtype)t;
            return 0;
        }
    return FAIL(e, ERR_INPUT, "'%s' is no dtype (f32, f64, bf16, f16, i64, i32, i16, i8, u8, bool)", name);
}

int th_device_parse(const char *text, struct th_device *out, struct err *e)
{
    uint64_t index = 0;
    if (strcmp(text, "cpu") == 0) {
        *out = TH_CPU;
        return 0;
    }
    if (strcmp(text, "cuda") != 0 && (strncmp(text, "cuda:", 5) != 0 || parse_u64(text + 5, 0, 127, &index, NULL) < 0))
        return FAIL(e, ERR_INPUT, "'%s' is no device (cpu, cuda, cuda:0 ... cuda:127)", text);
    *out = TH_CUDA((int)index);
    return 0;
}

const char *th_device_name(struct th_device d, char buf[16])
{
    if (d.type == TH_DEV_CPU)
        snprintf(buf, 16, "cpu");
    else
        snprintf(buf, 16, "cuda:%d", d.index);
    return buf;
}

struct err *th_error_of_thread(void)
{
    return &thread_error;
}

bool th_failed(void)
{
    return thread_error.kind != ERR_NONE;
}

static void abort_if_asked(void)
{
    const char *want = getenv("ACSWEEP_TORCH_ABORT");
    if (!want || strcmp(want, "1") != 0)
        return;
    fprintf(stderr, "ACSWEEP_TORCH_ABORT: %s\n", thread_error.text);
    abort();
}

void th_error_set(enum err_kind kind, const char *where, const char *text)
{
    if (th_failed())
        return;
    err_set(&thread_error, kind, __FILE__, __LINE__, "%s: %s", where, text);
    abort_if_asked();
}

struct tensor *th_fail(enum err_kind kind, const char *file, int line, const char *fmt, ...)
{
    if (th_failed())
        return NULL;
    char text[sizeof thread_error.text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    err_set(&thread_error, kind, file, line, "%s", text);
    abort_if_asked();
    return NULL;
}

int th_check(struct err *e)
{
    if (!th_failed())
        return 0;
    if (e && e->kind == ERR_NONE)
        *e = thread_error;
    err_clear(&thread_error);
    return -1;
}
