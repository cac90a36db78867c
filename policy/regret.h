/* What a choice lost, where the performance of everything is known; and the same for choices by lot, as expectations
 * that are exact, by order statistics. */
#ifndef ACSWEEP_POLICY_REGRET_H
#define ACSWEEP_POLICY_REGRET_H

#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

/* Of one choice, or expected of a choice by lot. NaN = there is none. */
struct policy_regret {
    double value;   /* performance of what was chosen */
    double lost;    /* best - value, in the unit of the values */
    double share;   /* lost / (best - worst); 0 when all are alike */
    double rank;    /* 1 + how many are better */
    double is_best; /* 1 or 0, or the chance of it: nothing is better (recall@1) */
    double in_top3; /* at most two are better */
    double in_list; /* the best, or one of equals, is among the three that were named (recall@3) */
};

/* The choice of list[0], and of the list of up to three. truth[n] are finite numbers, n > 0, n_list > 0. */
void policy_regret_of(const double *truth, size_t n, const size_t *list, size_t n_list, struct policy_regret *out);

/* Expected, when k of the n are drawn without replacement, all sets alike, and the best of them is chosen; the list is
 * filled with the next best of them, then with others by lot. k = 1: one at random, and a list at random. All NaN for
 * k = 0; ERR_USAGE for k > n. */
MUST_USE int policy_regret_by_lot(const double *truth, size_t n, size_t k, struct policy_regret *out, struct err *e);

/* Means of each field over the rows that have one; NaN without any. */
void policy_regret_mean(const struct policy_regret *rows, size_t n, struct policy_regret *out);

#endif
