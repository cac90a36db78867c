/* The vision transformer on a GPU: the goldens of tests/unit/test_vit.c computed there, and how fast a ViT-L/14 is, as a
 * share of what a plain matrix product reaches on the same device in the same run.
 *
 *     gpu_vit [--cpu]      lines for people; exit code 1 when a number is wrong, 4 without the device */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mono.h"
#include "worker/model/vit.h"
#include "worker/torch/tune.h"

#define GOLDEN SOURCE_DIR "/tests/golden/vit/"

static struct th_device device;

static double seconds_since(int64_t t)
{
    return (double)(mono_now() - t) / (double)NS_PER_S;
}

/* ---- parity --------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *checkpoint, *expected, *size;
    enum vit_positions positions;
} goldens[] = {
    { "clip224", "clip224", "28x28", VIT_POS_OWN },
    { "clip336", "clip336", "42x42", VIT_POS_OWN },
    { "openclip", "openclip", "28x28", VIT_POS_OWN },
    { "siglip", "siglip", "30x30", VIT_POS_OWN },
    { "dinov2", "dinov2", "28x28", VIT_POS_SIZE },
    { "dinov2_swiglu", "dinov2_swiglu", "28x28", VIT_POS_SIZE },
    { "dinov2_registers", "dinov2_registers", "28x28", VIT_POS_OWN },
};

/* The largest difference between the last hidden state and the golden one, relative to the golden's largest value. */
static int difference(size_t i, enum th_dtype dtype, double *out, struct err *e)
{
    char path[400], name[80];
    struct vit_options o = VIT_DEFAULTS;
    o.dtype = dtype;
    o.device = device;
    o.layer = -1;
    o.all_tokens = true;
    o.positions = goldens[i].positions;
    snprintf(path, sizeof path, GOLDEN "%s", goldens[i].checkpoint);
    AUTO(vit_destroy) struct vit *v = vit_open(path, &o, e);
    snprintf(path, sizeof path, GOLDEN "expected/%s.safetensors", goldens[i].expected);
    AUTO(weights_destroy) struct weights *w = v ? weights_open(path, e) : NULL;
    if (!w)
        return -1;
    TH_SCOPE(s);
    snprintf(name, sizeof name, "%s.pixels", goldens[i].size);
    struct tensor *pixels = th_to_device(weights_view(w, name), device);
    struct tensor *got = vit_forward(v, pixels);
    snprintf(name, sizeof name, "%s.hidden.%lld", goldens[i].size, (long long)vit_layer(v));
    struct tensor *want = th_to_device(weights_view(w, name), device);
    struct tensor *off = th_abs(th_sub(th_to(got, TH_F32), want));
    *out = th_item(th_amax(off, TH_SCALAR_DIMS, false)) / th_item(th_amax(th_abs(want), TH_SCALAR_DIMS, false));
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
            TRY(difference(i, kinds[k].dtype, &off, e));
            bool good = off <= kinds[k].tolerance;
            printf("parity %-18s %-4s largest relative difference %.2g%s\n", goldens[i].checkpoint,
                   th_dtype_name(kinds[k].dtype), off, good ? "" : "  WRONG");
            bad += !good;
        }
    return bad ? FAIL(e, ERR_TASK, "%d of the goldens do not come out on this device", bad) : 0;
}

/* ---- speed ---------------------------------------------------------------------------------------------------------- */

static const struct vit_config vit_l14 = { .family = VIT_CLIP, .layers = 24, .width = 1024, .heads = 16, .mlp = 4096,
                                           .image = 224, .patch = 14, .channels = 3, .eps = 1e-5, .class_token = true,
                                           .pre_norm = true, .qkv_bias = true };

/* Multiplications and additions of one picture, layers of the options only. */
static double flops(const struct vit *v)
{
    const struct vit_config *c = vit_config(v);
    double n = (double)(vit_grid(c, c->image) * vit_grid(c, c->image) + vit_prefix_tokens(c)), d = (double)c->width;
    return (double)vit_layer(v) * (2 * n * (4 * d * d + 2 * d * (double)c->mlp) + 4 * n * n * d) +
           2 * n * d * (double)(c->channels * c->patch * c->patch);
}

/* Operations per second of a product of two square matrices. */
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

static int speed_of(const struct vit *v, int64_t batch, int repeats, enum th_dtype t, double peak, struct err *e)
{
    struct th_memory m = { 0 };
    TH_SCOPE(s);
    struct tensor *pixels = th_full(TH_DIMS(batch, 3, 224, 224), 0.1, t, device);
    th_device_memory_reset_peak(device);
    th_drop(vit_forward(v, pixels));
    th_synchronize(device);
    int64_t begin = mono_now();
    for (int i = 0; i < repeats; i++)
        th_drop(vit_forward(v, pixels));
    th_synchronize(device);
    double took = seconds_since(begin);
    TRY(th_check(e));
    TRY(th_device_memory(device, &m, e));
    double rate = (double)batch * repeats / took;
    printf("ViT-L/14@224 %s, batch %3lld: %8.1f images/s, %6.3g TFLOP/s, %4.1f %% of the matrix product, peak memory %.2f GiB\n",
           th_dtype_name(t), (long long)batch, rate, rate * flops(v) / 1e12, 100 * rate * flops(v) / peak,
           (double)m.peak / 0x1p30);
    return 0;
}

static int speed(struct err *e)
{
    bool cpu = device.type == TH_DEV_CPU;
    enum th_dtype t = cpu ? TH_F32 : TH_BF16;
    static const int64_t batches[] = { 1, 8, 32, 128, 256 };
    double peak;
    TRY(matmul_peak(cpu ? 1024 : 8192, t, cpu ? 3 : 20, &peak, e));
    printf("matrix product %s: %.3g TFLOP/s\n", th_dtype_name(t), peak / 1e12);
    struct vit_options o = VIT_DEFAULTS;
    o.dtype = t;
    o.device = device;
    AUTO(vit_destroy) struct vit *v = vit_create(&vit_l14, &o, 1, e);
    if (!v)
        return -1;
    for (size_t i = 0; i < (cpu ? 2 : ARRAY_LEN(batches)); i++)
        TRY(speed_of(v, batches[i], cpu ? 1 : 20, t, peak, e));
    return 0;
}

int main(int argc, char **argv)
{
    struct err e = { 0 };
    bool cpu = argc > 1 && strcmp(argv[1], "--cpu") == 0;
    if (cpu)
        tune_process(argv);
    device = cpu ? TH_CPU : TH_CUDA(0);
    if (cpu)
        th_set_threads(1);
    printf("%s, %d CUDA devices\n", th_version(), th_cuda_count());
    if (th_device_check(device, &e) < 0 || parity(&e) < 0 || speed(&e) < 0) {
        fprintf(stderr, "gpu_vit: %s\n", e.text);
        return e.kind == ERR_TASK ? 1 : 4;
    }
    return 0;
}
