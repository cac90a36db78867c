/* How fast a decoder reads and writes: decode_speed DIR BATCH PROMPT NEW ROUNDS THREADS DTYPE
 *
 * The same made-up prompts as bench/decode.py; prints JSON: CPU seconds of each round until the first token, and until the
 * last one, and the answers of the last round. See bench/decode.py, which runs it in turns with transformers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "worker/model/generate.h"
#include "worker/torch/tune.h"

struct clock {
    double begin, first;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int note_first(void *arg, int64_t row, int32_t token, struct err *e)
{
    struct clock *c = arg;
    (void)row;
    (void)token;
    (void)e;
    if (c->first == 0)
        c->first = now() - c->begin;
    return 0;
}

/* Token i of row b is 3 + (7 i + 11 b) mod (vocabulary - 3). */
static struct tensor *prompts(const struct llama *m, int64_t batch, int64_t n)
{
    TH_SCOPE(s);
    int64_t v = llama_config(m)->vocab - 3;
    struct tensor *i = th_mul_i(th_arange(0, (double)n, 1, TH_I64, TH_CPU), 7);
    struct tensor *b = th_mul_i(th_arange(0, (double)batch, 1, TH_I64, TH_CPU), 11);
    struct tensor *ids = th_add_i(th_rem_i(th_add(th_unsqueeze(b, 1), th_unsqueeze(i, 0)), v), 3);
    return th_return(&s, llama_embed(m, ids));
}

static void print_answers(const struct generated *out, int64_t batch)
{
    printf("], \"answers\": [");
    for (int64_t b = 0; b < batch; b++) {
        printf("%s[", b ? ", " : "");
        for (size_t i = 0; i < out[b].n; i++)
            printf("%s%d", i ? ", " : "", out[b].tokens[i]);
        printf("]");
    }
    printf("]}\n");
}

static int run(char **argv, struct err *e)
{
    TH_SCOPE(s);
    struct llama_options lo = LLAMA_DEFAULTS;
    struct generated out[64];
    int64_t batch = atoll(argv[2]), n = atoll(argv[3]), rounds = atoll(argv[5]);
    struct clock c;
    struct generate_options o = { .max_new_tokens = atoll(argv[4]), .token = note_first, .arg = &c };
    static const int32_t never[] = { -1 };
    o.stop = never;
    o.n_stop = 1;
    TRY(th_dtype_parse(argv[7], &lo.dtype, e));
    AUTO(llama_destroy) struct llama *m = llama_open(argv[1], &lo, e);
    if (!m || batch > 64)
        return m ? FAIL(e, ERR_USAGE, "at most 64 rows") : -1;
    struct tensor *x = prompts(m, batch, n);
    printf("{\"version\": \"%s\", \"rounds\": [", th_version());
    for (int64_t r = 0; r < rounds; r++) {
        c = (struct clock){ .begin = now() };
        TRY(llama_generate(m, x, NULL, &o, out, e));
        printf("%s[%.6f, %.6f]", r ? ", " : "", c.first, now() - c.begin);
        if (r + 1 < rounds)
            generated_free(out, (size_t)batch);
    }
    print_answers(out, batch);
    generated_free(out, (size_t)batch);
    return 0;
}

int main(int argc, char **argv)
{
    struct err e = { 0 };
    if (argc != 8) {
        fprintf(stderr, "decode_speed DIR BATCH PROMPT NEW ROUNDS THREADS DTYPE\n");
        return 2;
    }
    tune_process(argv);
    th_set_threads(atoi(argv[6]));
    if (run(argv, &e) == 0)
        return 0;
    fprintf(stderr, "decode_speed: %s\n", e.text);
    return err_exit_code(e.kind);
}
