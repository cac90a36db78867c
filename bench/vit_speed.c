/* How fast a vision transformer answers, and how near that is to what the machine's matrix product can do.
 *
 *     build/release/bench/vit_speed                        ViT-L/14 at 224 pixels, batches of 1 and 8, one thread
 *     build/release/bench/vit_speed --image 336 --batch 4 --threads 2 --dtype bf16 --rounds 5 --layers 12 --device cuda
 *
 * Weights are random. Rounds of the two products and of the encoder take turns, so that what else the machine does
 * weighs on all alike, and work is counted by CPU time: on one thread that is what the encoder costs, however busy the
 * machine is. --untuned leaves malloc and BLAS as they begin (tune.h).
 * Peak is the better of a 2048^3 product and of one in the shape of the encoder's own largest (tokens x D x
 * 4D). */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/parse.h"
#include "worker/model/vit.h"
#include "worker/torch/tune.h"

struct settings {
    struct vit_config config;
    struct vit_options options;
    int64_t batches[8];
    int n_batches, threads, rounds;
    bool untuned;
};

struct spent {
    double wall, cpu, flop; /* seconds, seconds, floating point operations */
};

/* ---- clocks ---------------------------------------------------------------------------------------------------------
 */

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct spent now(struct th_device d)
{
    th_synchronize(d);
    return (struct spent){ seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID), 0 };
}

/* The best of the rounds counts: the rest is what disturbed them. */
static void keep_best(struct spent *best, struct spent begin, struct spent end, double flop)
{
    struct spent s = { end.wall - begin.wall, end.cpu - begin.cpu, flop };
    if (best->flop == 0 || s.flop / s.cpu > best->flop / best->cpu)
        *best = s;
}

/* ---- work -----------------------------------------------------------------------------------------------------------
 */

/* Of one picture: products of the patches, of the four projections, of attention, of the MLP. */
static double flop_of(const struct vit_config *c, int64_t blocks)
{
    double d = (double)c->width, grid = (double)vit_grid(c, c->image), patches = grid * grid;
    double n = patches + (double)vit_prefix_tokens(c), m = (double)c->mlp;
    double block = 8 * n * d * d + 4 * n * n * d + (c->swiglu ? 6 : 4) * n * d * m;
    return 2 * patches * d * (double)(c->channels * c->patch * c->patch) + (double)blocks * block;
}

struct product {
    struct tensor *a, *b;
    double flop;
    struct spent best;
};

static struct product make_product(const struct settings *s, struct th_rng *rng, int64_t n, int64_t k, int64_t m)
{
    struct product p = { .flop = 2.0 * (double)n * (double)k * (double)m };
    p.a = th_randn(rng, TH_DIMS(n, k), s->options.dtype, s->options.device);
    p.b = th_randn(rng, TH_DIMS(m, k), s->options.dtype, s->options.device);
    return p;
}

static void run_product(const struct settings *s, struct product *p)
{
    TH_SCOPE(scope);
    struct spent begin = now(s->options.device);
    th_linear(p->a, p->b, NULL);
    th_linear(p->a, p->b, NULL);
    keep_best(&p->best, begin, now(s->options.device), 2 * p->flop);
}

static void run_forward(const struct settings *s, const struct vit *v, struct tensor *pixels, struct spent *best)
{
    TH_SCOPE(scope);
    struct spent begin = now(s->options.device);
    vit_forward(v, pixels);
    keep_best(best, begin, now(s->options.device), (double)th_size(pixels, 0) * flop_of(&s->config, vit_layer(v)));
}

static double rate(const struct spent *s)
{
    return s->flop / s->cpu * 1e-9;
}

static int measure(const struct settings *s, const struct vit *v, int64_t batch, struct err *e)
{
    TH_SCOPE(scope);
    struct th_rng *rng = th_rng_create(1, e);
    if (!rng)
        return -1;
    int64_t edge = s->config.image, rows = batch * vit_tokens(v, edge, edge);
    struct tensor *pixels = th_randn(rng, TH_DIMS(batch, s->config.channels, edge, edge), TH_F32, s->options.device);
    struct product square = make_product(s, rng, 2048, 2048, 2048);
    struct product own = make_product(s, rng, rows, s->config.width, s->config.mlp);
    struct spent best = { 0 };
    run_forward(s, v, pixels, &best); /* warm */
    best = (struct spent){ 0 };
    for (int i = 0; i < s->rounds && !th_failed(); i++) {
        run_product(s, &square);
        run_product(s, &own);
        run_forward(s, v, pixels, &best);
    }
    th_rng_destroy(rng);
    TRY(th_check(e));
    double peak = fmax(rate(&square.best), rate(&own.best));
    printf("%5lld  %8.2f img/s  %8.2f img/cpu-s  %8.1f GFLOP/cpu-s  %8.1f 2048^3  %8.1f own shape  %5.1f %% of peak\n",
           (long long)batch, (double)batch / best.wall, (double)batch / best.cpu, rate(&best), rate(&square.best),
           rate(&own.best), 100 * rate(&best) / peak);
    return 0;
}

/* ---- options --------------------------------------------------------------------------------------------------------
 */

static const struct option longs[] = {
    { "batch", required_argument, NULL, 'b' },
    { "threads", required_argument, NULL, 't' },
    { "rounds", required_argument, NULL, 'r' },
    { "layers", required_argument, NULL, 'l' },
    { "image", required_argument, NULL, 'i' },
    { "dtype", required_argument, NULL, 'd' },
    { "device", required_argument, NULL, 'g' },
    { "untuned", no_argument, NULL, 'u' },
    { 0 },
};

static int set_number(int64_t *out, int64_t hi, struct err *e)
{
    return parse_i64(optarg, 1, hi, out, e);
}

static int set_option(struct settings *s, int c, struct err *e)
{
    int64_t n = 0;
    switch (c) {
    case 'b':
        if (s->n_batches == (int)ARRAY_LEN(s->batches))
            return FAIL(e, ERR_USAGE, "--batch: too many");
        return set_number(&s->batches[s->n_batches++], 1024, e);
    case 't':
        TRY(set_number(&n, 1024, e));
        s->threads = (int)n;
        return 0;
    case 'r':
        TRY(set_number(&n, 1000000, e));
        s->rounds = (int)n;
        return 0;
    case 'l':
        return set_number(&s->config.layers, 1000, e);
    case 'i':
        return set_number(&s->config.image, 8192, e);
    case 'd':
        return th_dtype_parse(optarg, &s->options.dtype, e);
    case 'g':
        return th_device_parse(optarg, &s->options.device, e);
    case 'u':
        s->untuned = true;
        return 0;
    }
    return FAIL(e, ERR_USAGE,
                "options: --batch N... --threads N --rounds N --layers N --image N --dtype T --device D --untuned");
}

static int read_options(int argc, char **argv, struct settings *s, struct err *e)
{
    *s = (struct settings){ .options = VIT_DEFAULTS, .threads = 1, .rounds = 3 };
    s->config = (struct vit_config){ .family = VIT_CLIP,
                                     .layers = 24,
                                     .width = 1024,
                                     .heads = 16,
                                     .mlp = 4096,
                                     .image = 224,
                                     .patch = 14,
                                     .channels = 3,
                                     .eps = 1e-5,
                                     .activation = ACT_QUICK_GELU,
                                     .class_token = true,
                                     .pre_norm = true,
                                     .qkv_bias = true };
    s->options.layer = -1;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;)
        TRY(set_option(s, c, e));
    if (s->n_batches == 0) {
        s->batches[s->n_batches++] = 1;
        s->batches[s->n_batches++] = 8;
    }
    return 0;
}

static int run(const struct settings *s, struct err *e)
{
    th_set_threads(s->threads);
    AUTO(vit_destroy) struct vit *v = vit_create(&s->config, &s->options, 1, e);
    if (!v)
        return -1;
    printf("%s, %d threads, %s: %lld layers of width %lld at %lld pixels, %.1f GFLOP a picture\n", th_version(),
           s->threads, th_dtype_name(s->options.dtype), (long long)s->config.layers, (long long)s->config.width,
           (long long)s->config.image, 1e-9 * flop_of(&s->config, vit_layer(v)));
    for (int i = 0; i < s->n_batches; i++)
        TRY(measure(s, v, s->batches[i], e));
    return 0;
}

int main(int argc, char **argv)
{
    struct settings s;
    struct err e = { 0 };
    int rc = read_options(argc, argv, &s, &e);
    if (rc == 0 && !s.untuned)
        tune_process(argv);
    if (rc == 0 && run(&s, &e) == 0)
        return 0;
    fprintf(stderr, "vit_speed: %s\n", e.text);
    return err_exit_code(e.kind);
}
