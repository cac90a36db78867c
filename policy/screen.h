/* Which representations to score next, when only the small ones are scored so far.
 *
 * Scoring everything is dear: A needs a connector for each representation, and combinations are many. So the singles
 * and pairs come first, and what larger combinations are worth scoring is guessed from their parts: a missing score is
 * the mean over the largest scored proper parts of a combination, plus what combining has brought on average where it
 * is known (the same rule on the combinations that are scored). The belief of the default policy at those guessed
 * scores says what is worth having. Only the order of asking rests on the guess: what is chosen and predicted has
 * scores of its own. */
#ifndef ACSWEEP_POLICY_SCREEN_H
#define ACSWEEP_POLICY_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/own.h"
#include "policy/table.h"

/* What may still be scored. */
struct policy_screen {
    const size_t *const *members; /* [representations] encoders of each, by number, in any order */
    const size_t *n_members;      /* [representations] */
    const bool *asked;            /* [representations] scored, being scored, or failed: not to be asked for again */
    size_t batch;                 /* how many to ask for */
};

/* Replace missing scores by the guess, on the normalised scale, in all `m` benchmarks' points. Only rows that were not
 * asked for and have a scored part; guessed[r] tells which. */
MUST_USE int policy_screen_guess(const struct policy_screen *s, struct policy_points *points, size_t m, bool *guessed,
                                 struct err *e);

#endif
