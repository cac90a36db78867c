/* The A score (cross-modal alignment): how near the tokens that a representation gives the language model are to those
 * that CLIP gives it, each through its own connector trained by stage 1.
 *
 * For sample i, target tokens e_t and reference tokens r_s, each divided by its L2 norm + 1e-10:
 *
 *     M_i = mean over t of ( max over s of cos(e_t, r_s) )          A = mean over i of M_i
 *
 * and over several references the mean of their A. The direction matters: the maximum is over the reference's tokens.
 * Nothing is clipped; a token of zeros has the cosine 0 with every other. (Law of Vision Representation, eq. 2 and 6.2;
 * A_score/compute.py of the released code.)
 *
 * A_FP32 computes in float32 whatever tokens are stored in. A_BF16 is the arithmetic of the released code, which
 * computes with bfloat16 tensors: norm, quotient, a second norm and quotient (torch's cosine_similarity has its own),
 * product, sum and the mean of a sample are each rounded to bfloat16, the mean over samples is made in double. A score
 * of a representation with itself is then not quite 1. */
#ifndef ACSWEEP_WORKER_SCORE_A_SCORE_H
#define ACSWEEP_WORKER_SCORE_A_SCORE_H

#include <jansson.h>
#include <stdbool.h>

#include "common/own.h"
#include "worker/torch/th.h"

enum a_arith { A_FP32, A_BF16 };
/* "fp32", "bf16". */
const char *a_arith_name(enum a_arith a);
MUST_USE int a_arith_parse(const char *name, enum a_arith *out, struct err *e);

/* ---- one sample -----------------------------------------------------------------------------------------------------
 */

struct a_tokens {
    const void *data;   /* n rows of `width` elements, row by row; need not be aligned */
    enum th_dtype type; /* TH_F32, TH_BF16 or TH_F16 */
    size_t n, width;
};

/* M of one sample. ERR_INPUT when there are no tokens, widths differ, or a value is not finite. Does not depend on
 * `threads` (0: one). */
MUST_USE int a_match(const struct a_tokens *target, const struct a_tokens *reference, enum a_arith arith, int threads,
                     double *m, struct err *e);

/* ---- files of samples -----------------------------------------------------------------------------------------------
 */

/* safetensors with one tensor [tokens, width] for each sample, named by its id; the same names in all files. */
struct a_file {
    const char *name; /* in results, UTF-8; each reference's once */
    const char *path;
};

struct a_options {
    struct a_file target;
    const struct a_file *references;
    size_t n_references;
    enum a_arith arith;
    bool exclude_self; /* leave out the reference whose name is the target's */
    bool nearest;      /* only the reference whose number of tokens is nearest to the target's; the first of equals */
    int threads;       /* 0: one */
    int (*progress)(void *arg, size_t done, size_t samples, struct err *e);
    void *progress_arg;
};

/* {"a": 0.52, "n": 100, "arith": "fp32", "references": {"CLIP@336": 0.50, "CLIP@224": 0.54}}: the mean, samples, and A
 * with each reference that counted. The caller frees it. */
json_t *a_score(const struct a_options *o, struct err *e);

#endif
