/* All subsets of some encoders in one pass, against each of them alone: time, equality of every number, peak memory.
 *
 *     build/release/bench/bench_score_c [OPTION]...
 *
 *     -e ENCODERS  -g GRID  -c CHANNELS  -i IMAGES  -p PAIRS  -t THREADS  -m MEMORY  -a fp32|stored
 *     -1 HOW-MANY-ALONE  -d DIRECTORY-FOR-FEATURES  -b (BLAS)
 *
 * Features are random bfloat16 in files, written first and removed at the end; a set of one category in SPair-71k's
 * layout, with 4 to 14 points a pair. Both sides read the same files, which are in the page cache by then, and use the
 * same code: a subset alone is a run with a list of one. Nothing but c_run() is in the clock. With -b both sides
 * multiply with the machine's BLAS instead of c_dot(), which favours those alone: they have little else to do. */
#include <ftw.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "common/mono.h"
#include "common/parse.h"
#include "worker/score/c_score.h"
#include "worker/torch/safetensors.h"

#ifdef BENCH_CBLAS
#include <cblas.h>
#endif

struct setup {
    uint64_t encoders, grid, channels, images, pairs, threads, memory, alone;
    const char *arith, *parent;
    bool blas;
    char dir[200];
};

static uint64_t seed = 1;
static uint32_t random_bits(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33);
}

/* ---- files ----------------------------------------------------------------------------------------------------------
 */

static int write_text(const struct setup *s, const char *name, const char *text, struct err *e)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", s->dir, name);
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) < 0)
        return FAIL(e, ERR_ENV, "cannot write %s", path);
    return 0;
}

static int write_set(const struct setup *s, struct err *e)
{
    char name[100], text[4000];
    for (uint64_t i = 0; i < s->images; i++) {
        size_t at = (size_t)snprintf(text, sizeof text, "{\"kps\":{");
        for (int k = 0; k < 14; k++)
            at += (size_t)snprintf(text + at, sizeof text - at,
                                   k < 4 || random_bits() % 4 ? "%s\"%d\":[%u,%u]" : "%s\"%d\":null", k ? "," : "", k,
                                   random_bits() % 500, random_bits() % 375);
        snprintf(text + at, sizeof text - at, "}}");
        snprintf(name, sizeof name, "ImageAnnotation/cat/i%llu.json", (unsigned long long)i);
        TRY(write_text(s, name, text, e));
        snprintf(name, sizeof name, "JPEGImages/cat/i%llu.jpg", (unsigned long long)i);
        TRY(write_text(s, name, "", e));
    }
    for (uint64_t i = 0; i < s->pairs; i++) {
        uint32_t a = random_bits() % s->images, b = random_bits() % s->images;
        snprintf(name, sizeof name, "PairAnnotation/test/%06llu-i%u-i%u:cat.json", (unsigned long long)i, a, b);
        snprintf(
            text, sizeof text,
            "{\"category\":\"cat\",\"src_imname\":\"i%u.jpg\",\"trg_imname\":\"i%u.jpg\",\"src_imsize\":[500,375,3],"
            "\"trg_imsize\":[500,375,3],\"src_bndbox\":[1,1,400,300],\"trg_bndbox\":[%u,20,480,%u]}",
            a, b, random_bits() % 300, 50 + random_bits() % 300);
        TRY(write_text(s, name, text, e));
    }
    return 0;
}

/* Tokens of one encoder share a direction, as real ones do, so that similarities are neither all alike nor all zero. */
static void fill(uint16_t *values, size_t cells, size_t channels)
{
    for (size_t i = 0; i < cells * channels; i++) {
        float x = (float)(random_bits() % 2000) / 1000 - 1 + (i % channels % 3 == 0 ? 0.7f : 0);
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        values[i] = (uint16_t)(bits >> 16);
    }
}

static int write_features(const struct setup *s, struct err *e)
{
    const int64_t dims[] = { (int64_t)(s->grid * s->grid), (int64_t)s->channels };
    size_t bytes = (size_t)(dims[0] * dims[1]) * sizeof(uint16_t);
    AUTO(free) uint16_t *values = malloc(bytes);
    char path[400];
    if (!values)
        return FAIL_NOMEM(e);
    for (uint64_t k = 0; k < s->encoders * s->images; k++) {
        fill(values, (size_t)dims[0], (size_t)dims[1]);
        snprintf(path, sizeof path, "%s/e%llu/cat/i%llu.safetensors", s->dir, (unsigned long long)(k / s->images),
                 (unsigned long long)(k % s->images));
        AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(path, e);
        if (!w || st_writer_declare(w, "features", TH_BF16, dims, 2, e) < 0 ||
            st_writer_put(w, "features", values, bytes, e) < 0 || st_writer_commit(w, e) < 0)
            return -1;
    }
    return 0;
}

static int make_directories(struct setup *s, struct err *e)
{
    static const char *const names[] = { "ImageAnnotation", "ImageAnnotation/cat", "JPEGImages",
                                         "JPEGImages/cat",  "PairAnnotation",      "PairAnnotation/test" };
    char path[400];
    snprintf(s->dir, sizeof s->dir, "%s/acsweep-bench-XXXXXX", s->parent);
    bool failed = !mkdtemp(s->dir);
    for (size_t i = 0; i < ARRAY_LEN(names) && !failed; i++) {
        snprintf(path, sizeof path, "%s/%s", s->dir, names[i]);
        failed = mkdir(path, 0777) < 0;
    }
    for (uint64_t k = 0; k < 2 * s->encoders && !failed; k++) {
        snprintf(path, sizeof path, "%s/e%llu%s", s->dir, (unsigned long long)k / 2, k % 2 ? "/cat" : "");
        failed = mkdir(path, 0777) < 0;
    }
    return failed ? FAIL(e, ERR_ENV, "cannot make directories in %s", s->parent) : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

/* ---- products
 * -------------------------------------------------------------------------------------------------------- */

#ifdef BENCH_CBLAS
static int blas_dot(void *arg, const float *rows, size_t n_rows, const float *tokens, size_t n_tokens, size_t width,
                    float *out, size_t out_stride, struct err *e)
{
    (void)arg, (void)e;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n_rows, (int)n_tokens, (int)width, 1, rows, (int)width,
                tokens, (int)width, 0, out, (int)out_stride);
    return 0;
}
#else
static int blas_dot(void *arg, const float *rows, size_t n_rows, const float *tokens, size_t n_tokens, size_t width,
                    float *out, size_t out_stride, struct err *e)
{
    (void)arg, (void)rows, (void)n_rows, (void)tokens, (void)n_tokens, (void)width, (void)out, (void)out_stride;
    return FAIL(e, ERR_USAGE, "built without OpenBLAS");
}
#endif

/* ---- runs -----------------------------------------------------------------------------------------------------------
 */

struct clocks {
    double wall, cpu;
};

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct c_scores *timed_run(const struct c_job *job, struct clocks *sum, struct err *e)
{
    double cpu = cpu_now();
    int64_t wall = mono_now();
    struct c_scores *s = c_run(job, e);
    sum->cpu += cpu_now() - cpu;
    sum->wall += (double)(mono_now() - wall) * 1e-9;
    return s;
}

static bool is_same(const struct c_scores *one, const struct c_scores *all, size_t subset, size_t alphas)
{
    bool same = c_scores_geo(one, 0) == c_scores_geo(all, subset) ||
                (isnan(c_scores_geo(one, 0)) && isnan(c_scores_geo(all, subset)));
    for (size_t a = 0; a < alphas; a++)
        same = same && c_scores_pck(one, 0, 0, a) == c_scores_pck(all, subset, 0, a) &&
               c_scores_pck(one, 0, C_ALL, a) == c_scores_pck(all, subset, C_ALL, a);
    return same;
}

/* Subsets spread over the list, each by itself. */
static int run_alone(const struct c_job *job, const struct c_scores *all, size_t n, size_t *different,
                     struct clocks *sum, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        size_t subset = i * job->n_subsets / n;
        struct c_job one = *job;
        one.subsets = &job->subsets[subset];
        one.n_subsets = 1;
        AUTO(c_scores_destroy) struct c_scores *s = timed_run(&one, sum, e);
        if (!s)
            return -1;
        *different += !is_same(s, all, subset, job->setting.n_alphas);
    }
    return 0;
}

static double peak_mib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

static int compare(const struct setup *s, const struct c_job *job, struct err *e)
{
    struct clocks together = { 0 }, alone = { 0 };
    size_t n = s->alone && s->alone < job->n_subsets ? s->alone : job->n_subsets, different = 0;
    AUTO(c_scores_destroy)
    struct c_scores *first = timed_run(job, &together, e); /* brings the files into the page cache */
    together = (struct clocks){ 0 };
    AUTO(c_scores_destroy) struct c_scores *all = first ? timed_run(job, &together, e) : NULL;
    if (!all)
        return -1;
    double peak = peak_mib();
    struct c_plan_size plan = c_scores_plan(all);
    printf("all %zu: %.2f s wall, %.2f s CPU; planned %.1f MiB (%d threads, blocks of %zu points), peak of the process "
           "%.1f MiB\n",
           job->n_subsets, together.wall, together.cpu, (double)plan.bytes / (1 << 20), plan.threads, plan.rows, peak);
    TRY(run_alone(job, all, n, &different, &alone, e));
    double scale = (double)job->n_subsets / (double)n;
    printf("%zu alone: %.2f s wall, %.2f s CPU%s\n", n, alone.wall, alone.cpu,
           n < job->n_subsets ? " (a sample, spread)" : "");
    printf("ratio: %.1f by wall, %.1f by CPU; %zu of %zu subsets differ in any number\n",
           alone.wall * scale / together.wall, alone.cpu * scale / together.cpu, different, n);
    return different ? FAIL(e, ERR_BUG, "subsets alone are not what they are together") : 0;
}

static int measure(struct setup *s, struct err *e)
{
    struct c_member members[C_ALL_MAX];
    char dirs[C_ALL_MAX][400];
    AUTO(free) uint32_t *subsets = malloc(((size_t)1 << s->encoders) * sizeof *subsets);
    struct c_job job = { .n_sources = s->encoders,
                         .threads = (int)s->threads,
                         .memory = s->memory / 2,
                         .setting = c_setting_default(),
                         .n_subsets = ((size_t)1 << s->encoders) - 1,
                         .subsets = subsets,
                         .dot = s->blas ? blas_dot : NULL };
    struct c_source sources[C_ALL_MAX];
    if (make_directories(s, e) < 0 || write_set(s, e) < 0 || write_features(s, e) < 0)
        return -1;
    TRY(c_arith_parse(s->arith, &job.setting.arith, e));
    AUTO(spair_destroy) struct spair *set = spair_load(s->dir, "test", e);
    AUTO(c_features_destroy) struct c_features *f = set ? c_features_create(set, s->memory / 2, e) : NULL;
    if (!f || !subsets)
        return -1;
    for (size_t k = 0; k < s->encoders; k++) {
        snprintf(dirs[k], sizeof dirs[k], "%s/e%zu", s->dir, k);
        members[k] = (struct c_member){ strrchr(dirs[k], '/') + 1, dirs[k] };
        TRY(c_features_add(f, members[k].name, members[k].dir, &sources[k], e));
    }
    c_subsets_all((int)s->encoders, subsets);
    job.set = set;
    job.sources = sources;
    size_t points = 0;
    for (size_t i = 0; i < set->n_pairs; i++)
        points += (size_t)__builtin_popcount(set->pairs[i].points);
    printf("%llu encoders, %llu tokens x %llu channels, %zu pairs of %zu pictures, %zu points, %s%s, budget %llu MiB\n",
           (unsigned long long)s->encoders, (unsigned long long)(s->grid * s->grid), (unsigned long long)s->channels,
           set->n_pairs, set->n_images, points, s->arith, s->blas ? ", BLAS" : "", (unsigned long long)s->memory >> 20);
    return compare(s, &job, e);
}

static int read_option(struct setup *s, int letter, const char *value, struct err *e)
{
    switch (letter) {
    case 'e':
        return parse_u64(value, 1, C_ALL_MAX, &s->encoders, e);
    case 'g':
        return parse_u64(value, 1, 64, &s->grid, e);
    case 'c':
        return parse_u64(value, 1, 16384, &s->channels, e);
    case 'i':
        return parse_u64(value, 1, 10000, &s->images, e);
    case 'p':
        return parse_u64(value, 1, 100000, &s->pairs, e);
    case 't':
        return parse_u64(value, 1, 64, &s->threads, e);
    case 'm':
        return parse_size(value, &s->memory, e);
    case '1':
        return parse_u64(value, 1, 100000, &s->alone, e);
    case 'b':
        s->blas = true;
        return 0;
    case 'a':
        s->arith = value;
        return 0;
    case 'd':
        s->parent = value;
        return 0;
    default:
        return FAIL(e, ERR_USAGE, "see the head of bench/score_c.c");
    }
}

int main(int argc, char **argv)
{
    struct setup s = { .encoders = 10,
                       .grid = 16,
                       .channels = 1024,
                       .images = 25,
                       .pairs = 300,
                       .threads = 1,
                       .memory = (uint64_t)1 << 30,
                       .arith = "fp32",
                       .parent = "/tmp" };
    struct err e = { 0 };
    int letter, rc = 0;
    while (rc == 0 && (letter = getopt(argc, argv, "e:g:c:i:p:t:m:1:a:d:b")) != -1)
        rc = read_option(&s, letter, optarg, &e);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (rc == 0)
        rc = measure(&s, &e);
    if (s.dir[0])
        nftw(s.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (rc == 0)
        return 0;
    fprintf(stderr, "bench_score_c: %s\n", e.text);
    return err_exit_code(e.kind);
}
