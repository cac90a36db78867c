/* The decoder on a GPU: the goldens of tests/unit/test_llama.c computed there; and how fast one of 7B parameters (Vicuna's
 * shape, random weights, bf16) reads, writes and is trained, as a share of what a plain matrix product reaches on the same
 * device in the same run.
 *
 *     gpu_llama [--cpu] [LAYERS]    LAYERS of the 32, for a smaller device; exit code 1 for wrong numbers, 4 without device */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mono.h"
#include "worker/model/generate.h"
#include "worker/torch/th_train.h"
#include "worker/torch/tune.h"

#define GOLDEN SOURCE_DIR "/tests/golden/llama/"

static struct th_device device;

static double seconds_since(int64_t t)
{
    return (double)(mono_now() - t) / (double)NS_PER_S;
}

/* ---- parity --------------------------------------------------------------------------------------------------------- */

static const char *const goldens[] = { "grouped", "linear", "llama3" };

static int difference(const char *name, enum th_dtype dtype, double *out, struct err *e)
{
    char path[400];
    struct llama_options o = { dtype, device };
    snprintf(path, sizeof path, GOLDEN "%s", name);
    AUTO(llama_destroy) struct llama *m = llama_open(path, &o, e);
    snprintf(path, sizeof path, GOLDEN "expected/%s.safetensors", name);
    AUTO(weights_destroy) struct weights *w = m ? weights_open(path, e) : NULL;
    if (!w)
        return -1;
    TH_SCOPE(s);
    struct tensor *ids = th_to_device(th_to(weights_view(w, "ids"), TH_I64), device);
    struct tensor *got = llama_logits(m, llama_forward(m, llama_embed(m, ids), (struct llama_pass){ 0 }));
    struct tensor *want = th_to_device(weights_view(w, "logits"), device), *lengths = weights_view(w, "lengths");
    *out = 0;
    for (int64_t b = 0; b < th_size(ids, 0); b++) { /* what stands behind a row's end is without meaning */
        int64_t n = th_item_i64(th_select(lengths, 0, b));
        struct tensor *row = th_slice(th_select(want, 0, b), 0, 0, n);
        struct tensor *off = th_abs(th_sub(th_to(th_slice(th_select(got, 0, b), 0, 0, n), TH_F32), row));
        *out = fmax(*out, th_item(th_amax(off, TH_SCALAR_DIMS, false)) /
                              th_item(th_amax(th_abs(row), TH_SCALAR_DIMS, false)));
    }
    return th_check(e);
}

static int parity(struct err *e)
{
    static const struct {
        enum th_dtype dtype;
        double tolerance;
    } kinds[] = { { TH_F32, 2e-4 }, { TH_BF16, 6e-2 } };
    int bad = 0;
    for (size_t i = 0; i < ARRAY_LEN(goldens); i++)
        for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
            double off;
            TRY(difference(goldens[i], kinds[k].dtype, &off, e));
            bool good = off <= kinds[k].tolerance;
            printf("parity %-18s %-4s largest relative difference %.2g%s\n", goldens[i], th_dtype_name(kinds[k].dtype), off,
                   good ? "" : "  WRONG");
            bad += !good;
        }
    return bad ? FAIL(e, ERR_TASK, "%d of the goldens do not come out on this device", bad) : 0;
}

/* ---- speed ---------------------------------------------------------------------------------------------------------- */

static struct llama_config shape(bool cpu, int64_t layers)
{
    struct llama_config c = { .vocab = 32000, .width = 4096, .mlp = 11008, .layers = layers, .heads = 32, .kv_heads = 32,
                              .positions = 4096, .eps = 1e-5, .theta = 10000, .bos = 1, .pad = -1 };
    if (cpu) { /* to try the program */
        c.width = 256;
        c.mlp = 688;
        c.heads = c.kv_heads = 8;
        c.layers = 4;
        c.vocab = 1000;
    }
    return c;
}

static int matmul_peak(int64_t n, enum th_dtype t, int repeats, double *out, struct err *e)
{
    TH_SCOPE(s);
    struct tensor *a = th_full(TH_DIMS(n, n), 0.5, t, device), *b = th_full(TH_DIMS(n, n), 0.25, t, device);
    th_drop(th_matmul(a, b));
    th_synchronize(device);
    int64_t begin = mono_now();
    for (int i = 0; i < repeats; i++)
        th_drop(th_matmul(a, b));
    th_synchronize(device);
    *out = 2.0 * (double)n * (double)n * (double)n * repeats / seconds_since(begin);
    return th_check(e);
}

static int tell(const char *what, double tokens, double took, double flops, double peak, struct err *e)
{
    struct th_memory m = { 0 };
    TRY(th_device_memory(device, &m, e));
    printf("%-34s %9.0f tokens/s, %4.1f %% of the matrix product, peak memory %.1f GiB\n", what, tokens / took,
           100 * tokens * flops / took / peak, (double)m.peak / 0x1p30);
    th_device_memory_reset_peak(device);
    return 0;
}

static struct tensor *some_ids(const struct llama *m, int64_t b, int64_t n)
{
    TH_SCOPE(s);
    struct tensor *ids = th_add_i(th_rem_i(th_arange(0, (double)(b * n), 1, TH_I64, device), llama_config(m)->vocab - 3), 3);
    return th_return(&s, th_reshape(ids, TH_DIMS(b, n)));
}

static int read_tokens(const struct llama *m, int64_t b, int64_t n, double flops, double peak, struct err *e)
{
    TH_SCOPE(s);
    struct tensor *x = llama_embed(m, some_ids(m, b, n));
    th_drop(llama_forward(m, x, (struct llama_pass){ 0 }));
    th_synchronize(device);
    int64_t begin = mono_now();
    for (int i = 0; i < 3; i++)
        th_drop(llama_forward(m, x, (struct llama_pass){ 0 }));
    th_synchronize(device);
    double took = seconds_since(begin) / 3;
    TRY(th_check(e));
    char what[64];
    snprintf(what, sizeof what, "read %lld x %lld", (long long)b, (long long)n);
    return tell(what, (double)(b * n), took, flops, peak, e);
}

static int write_tokens(const struct llama *m, int64_t b, int64_t n, int64_t more, double flops, double peak, struct err *e)
{
    TH_SCOPE(s);
    static const int32_t never[] = { -1 };
    struct generate_options o = { .max_new_tokens = more, .stop = never, .n_stop = 1 }, one = o;
    struct generated out[64];
    struct tensor *x = llama_embed(m, some_ids(m, b, n));
    one.max_new_tokens = 1;
    int64_t begin = mono_now();
    TRY(llama_generate(m, x, NULL, &one, out, e));
    double first = seconds_since(begin);
    generated_free(out, (size_t)b);
    begin = mono_now();
    TRY(llama_generate(m, x, NULL, &o, out, e));
    double took = seconds_since(begin) - first;
    generated_free(out, (size_t)b);
    char what[64];
    snprintf(what, sizeof what, "write %lld x %lld after %lld", (long long)b, (long long)more, (long long)n);
    return tell(what, (double)(b * (more - 1)), took, flops, peak, e);
}

/* A step of stage 1: the gradient of what goes in, through the frozen decoder, blocks computed again. */
static int train_tokens(const struct llama *m, int64_t b, int64_t n, double flops, double peak, struct err *e)
{
    double took = 0;
    for (int i = 0; i < 2; i++) { /* the first warms up */
        TH_SCOPE(s);
        struct tensor *ids = some_ids(m, b, n);
        struct tensor *x = th_requires_grad_(th_detach(llama_embed(m, ids)), true);
        th_grad(true);
        th_synchronize(device);
        int64_t begin = mono_now();
        struct tensor *h = llama_forward(m, x, (struct llama_pass){ .recompute = true });
        th_backward(llama_loss(m, h, ids, NULL));
        th_synchronize(device);
        took = seconds_since(begin);
        TRY(th_check(e));
    }
    char what[64];
    snprintf(what, sizeof what, "stage 1 step %lld x %lld", (long long)b, (long long)n);
    return tell(what, (double)(b * n), took, 3 * flops, peak, e); /* forward, again, and towards the input */
}

static int speed(int64_t layers, struct err *e)
{
    bool cpu = device.type == TH_DEV_CPU;
    enum th_dtype t = cpu ? TH_F32 : TH_BF16;
    struct llama_config c = shape(cpu, layers);
    struct llama_options o = { t, device };
    double peak;
    TRY(matmul_peak(cpu ? 1024 : 8192, t, cpu ? 3 : 20, &peak, e));
    printf("matrix product %s: %.3g TFLOP/s\n", th_dtype_name(t), peak / 1e12);
    TRY(llama_config_check(&c, e));
    int64_t begin = mono_now();
    AUTO(llama_destroy) struct llama *m = llama_create(&c, &o, 1, e);
    if (!m)
        return -1;
    double n = (double)params_elements(llama_params(m)), flops = 2 * (n - (double)(c.vocab * c.width));
    printf("decoder of %.2f billion numbers, %s, made at random in %.0f s\n", n / 1e9, th_dtype_name(t),
           seconds_since(begin));
    th_device_memory_reset_peak(device);
    TRY(read_tokens(m, 1, cpu ? 64 : 1024, flops, peak, e));
    TRY(read_tokens(m, cpu ? 2 : 16, cpu ? 64 : 1024, flops, peak, e));
    TRY(write_tokens(m, 1, cpu ? 16 : 600, cpu ? 8 : 64, flops, peak, e));
    TRY(write_tokens(m, cpu ? 4 : 32, cpu ? 16 : 600, cpu ? 8 : 64, flops, peak, e));
    return train_tokens(m, cpu ? 2 : 16, cpu ? 32 : 640, flops, peak, e);
}

int main(int argc, char **argv)
{
    struct err e = { 0 };
    bool cpu = argc > 1 && strcmp(argv[1], "--cpu") == 0;
    if (cpu)
        tune_process(argv);
    long layers = argc > 1 + cpu ? strtol(argv[1 + cpu], NULL, 10) : 32;
    device = cpu ? TH_CPU : TH_CUDA(0);
    if (cpu)
        th_set_threads(1);
    if (layers < 1 || th_device_check(device, &e) < 0 || parity(&e) < 0 || speed(layers, &e) < 0) {
        fprintf(stderr, "gpu_llama: %s\n", e.text);
        return e.kind == ERR_TASK ? 1 : 4;
    }
    return 0;
}
