/* Rotary positions: which angle each pair of numbers turns by, and how that is stretched beyond the trained length. The
 * formulas are those of transformers' modeling_rope_utils.py, in f32 as there. */
#include "worker/model/llama_impl.h"

#include <math.h>

#define MAX_PAIRS (LLAMA_MAX_HEAD_DIM / 2)

/* 1 / base^(2 i / head_dim) for each pair i, on the CPU. */
static struct tensor *base_frequencies(const struct llama_config *c, double base)
{
    struct tensor *exponents = th_div_s(th_arange(0, (double)c->head_dim, 2, TH_F32, TH_CPU), (double)c->head_dim);
    struct tensor *bases = th_full(TH_DIMS(c->head_dim / 2), base, TH_F32, TH_CPU);
    return th_reciprocal(th_pow(bases, exponents));
}

/* The base for a text of `length`: as trained up to the trained length, then growing (NTK-aware). */
static double dynamic_base(const struct llama_config *c, int64_t length)
{
    double trained = (double)c->positions, now = length > c->positions ? (double)length : trained;
    double stretch = c->rope_factor * now / trained - (c->rope_factor - 1);
    return c->theta * pow(stretch, (double)c->head_dim / (double)(c->head_dim - 2));
}

/* Waves longer than the trained text / low are slowed down by the factor, those shorter than it / high stay, and in
 * between it is a mixture. */
static float llama3_frequency(const struct llama_config *c, float f)
{
    float wave = (float)(2 * M_PI) / f, trained = (float)c->rope_original, factor = (float)c->rope_factor;
    if (wave > (float)(c->rope_original / c->rope_low))
        return f / factor;
    if (wave < (float)(c->rope_original / c->rope_high))
        return f;
    float smooth = (trained / wave - (float)c->rope_low) / (float)(c->rope_high - c->rope_low);
    return (1 - smooth) * f / factor + smooth * f;
}

static struct tensor *scaled_by_llama3(const struct llama_config *c, struct tensor *frequencies)
{
    float f[MAX_PAIRS];
    int64_t n = c->head_dim / 2;
    if (!th_read(frequencies, TH_F32, f, n))
        return NULL;
    for (int64_t i = 0; i < n; i++)
        f[i] = llama3_frequency(c, f[i]);
    return th_from(f, TH_DIMS(n), TH_F32, TH_CPU);
}

static struct tensor *frequencies_for(const struct llama_config *c, int64_t length)
{
    switch ((enum llama_rope)c->rope) {
    case LLAMA_ROPE_PLAIN:
        return base_frequencies(c, c->theta);
    case LLAMA_ROPE_LINEAR:
        return th_div_s(base_frequencies(c, c->theta), c->rope_factor);
    case LLAMA_ROPE_DYNAMIC:
        return base_frequencies(c, dynamic_base(c, length));
    case LLAMA_ROPE_LLAMA3:
        return scaled_by_llama3(c, base_frequencies(c, c->theta));
    }
    return TH_FAIL(ERR_BUG, "rope scaling %d is unknown", c->rope);
}

/* positions (B,N) f32 on the CPU */
static struct rope rope_for(const struct llama *m, struct tensor *positions, int64_t length)
{
    TH_SCOPE(s);
    struct tensor *f = th_to_device(frequencies_for(&m->config, length), m->options.device);
    struct tensor *at = th_unsqueeze(th_unsqueeze(th_to_device(positions, m->options.device), 1), 3); /* (B,1,N,1) */
    struct tensor *angles = th_mul(at, f); /* (B,1,N,head_dim/2) */
    angles = th_cat(TH_LIST(angles, angles), 3);
    struct rope r = { th_to(th_cos(angles), m->options.dtype), th_to(th_sin(angles), m->options.dtype) };
    th_hand_up(&s, r.cos);
    th_hand_up(&s, r.sin);
    return r;
}

struct rope llama_rope_at(const struct llama *m, const int64_t *positions, int64_t rows, int64_t n, int64_t length)
{
    TH_SCOPE(s);
    struct rope r = rope_for(m, th_to(th_from(positions, TH_DIMS(rows, n), TH_I64, TH_CPU), TH_F32), length);
    th_hand_up(&s, r.cos);
    th_hand_up(&s, r.sin);
    return r;
}

struct rope llama_rope_plain(const struct llama *m, int64_t n)
{
    TH_SCOPE(s);
    struct rope r = rope_for(m, th_unsqueeze(th_arange(0, (double)n, 1, TH_F32, TH_CPU), 0), n);
    th_hand_up(&s, r.cos);
    th_hand_up(&s, r.sin);
    return r;
}
