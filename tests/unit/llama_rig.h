/* For tests of decoders and what stands on them: golden files, comparison of tensors. Include after cmocka.h. */
#ifndef ACSWEEP_TESTS_UNIT_LLAMA_RIG_H
#define ACSWEEP_TESTS_UNIT_LLAMA_RIG_H

#include "tests/unit/torch_rig.h"
#include "worker/model/llama.h"

#define GOLDEN SOURCE_DIR "/tests/golden/llama/"
#define TOLERANCE 2e-5
#define FINE(call) fine_((call), &e, __LINE__)

static inline UNUSED void assert_no_error(const struct err *e, int line)
{
    if (e->kind != ERR_NONE)
        fail_msg("line %d: %s: %s", line, err_kind_name(e->kind), e->text);
}

static inline UNUSED void fine_(int rc, const struct err *e, int line)
{
    assert_no_error(e, line);
    assert_int_equal(rc, 0);
}

static inline UNUSED struct llama *open_golden(const char *name)
{
    char dir[400];
    struct err e = { 0 };
    struct llama_options o = LLAMA_DEFAULTS;
    snprintf(dir, sizeof dir, GOLDEN "%s", name);
    struct llama *m = llama_open(dir, &o, &e);
    assert_no_error(&e, __LINE__);
    return m;
}

static inline UNUSED struct weights *open_golden_numbers(const char *name)
{
    char file[400];
    struct err e = { 0 };
    snprintf(file, sizeof file, GOLDEN "expected/%s.safetensors", name);
    struct weights *w = weights_open(file, &e);
    assert_no_error(&e, __LINE__);
    return w;
}

static inline UNUSED struct tensor *golden(const struct weights *w, const char *name)
{
    struct err e = { 0 };
    struct tensor *x = weights_view(w, name);
    th_check(&e);
    assert_no_error(&e, __LINE__);
    return x;
}

/* Integers of a tensor, malloc'ed. */
static inline UNUSED int64_t *integers(struct tensor *x)
{
    int64_t *list = calloc((size_t)th_numel(x) + 1, sizeof *list);
    assert_true(th_read(x, TH_I64, list, th_numel(x)));
    return list;
}

/* The largest difference; fails when it is over the tolerance. */
static inline UNUSED double assert_near(struct tensor *got, struct tensor *want, double tolerance, const char *what)
{
    struct err e = { 0 };
    char a[100], b[100];
    TH_SCOPE(s);
    bool same = th_rank(got) == th_rank(want);
    for (int i = 0; same && i < th_rank(want); i++)
        same = th_size(got, i) == th_size(want, i);
    if (!same)
        fail_msg("%s: %s, not %s", what, th_describe(got, a, sizeof a), th_describe(want, b, sizeof b));
    double worst = 0;
    if (th_numel(want) > 0)
        worst = th_item(th_amax(th_abs(th_sub(th_to(got, TH_F64), th_to(want, TH_F64))), TH_SCALAR_DIMS, false));
    th_check(&e);
    assert_no_error(&e, __LINE__);
    if (!(worst <= tolerance))
        fail_msg("%s: off by %.3g", what, worst);
    return worst;
}

#endif
