/* The eight families of benchmarks: how a question is asked, how long an answer may be, and which numbers come of the
 * answers. Prompts and limits are those of lmms-eval's tasks as LLaVA-1.5 is evaluated with them (docs/benchmarks.md
 * has the sources and what differs). */
#ifndef ACSWEEP_WORKER_BENCHMARK_FAMILY_H
#define ACSWEEP_WORKER_BENCHMARK_FAMILY_H

#include "common/buf.h"
#include "worker/benchmark/question.h"

#define BENCHMARK_IMAGE "<image>" /* where a picture goes in a prompt */

enum benchmark_kind { MMBENCH, MME, MMMU, OKVQA, TEXTVQA, VIZWIZ, SCIENCEQA, SEED, BENCHMARK_FAMILIES };

struct benchmark_family {
    enum benchmark_kind kind;
    const char *name;           /* "mmbench": the field `benchmark` of its questions */
    const char *title;          /* "MMBench" */
    int max_new_tokens;         /* of an answer; 0: whatever the sweep says (1024) */
    const char *const *metrics; /* names that may be performance, the usual one first; NULL ends */
    bool options;               /* its questions have options: always; of MMMU some */
};

/* NULL when there is no such family. */
const struct benchmark_family *benchmark_family_find(const char *name);
const struct benchmark_family *benchmark_family_at(enum benchmark_kind kind);
/* "mmbench, mme, ...", for messages. */
const char *benchmark_family_names(void);

/* The user's turn for a question: BENCHMARK_IMAGE + "\n" before the family's prompt, unless the prompt has places of
 * its own (MMMU) or the question no picture. What it appends is UTF-8; buf_check() says whether it fits. */
void benchmark_prompt(const struct benchmark_family *f, const struct question *q, struct buf *to);
/* Which of the question's pictures goes to each BENCHMARK_IMAGE of its prompt, from 0: in MMMU the one whose number stands
 * there, which may come twice, late or not at all; in all other families one by one, so that only the first picture of a
 * question is asked about. Returns how many places there are, of which `most` are written; a number may be beyond the
 * pictures that there are. */
size_t benchmark_prompt_pictures(const struct benchmark_family *f, const struct question *q, size_t *pictures,
                                 size_t most);

#endif
