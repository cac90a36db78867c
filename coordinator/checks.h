/* What a worker may say: checked once, before anything of it is kept, so that no value from outside can make the
 * database refuse a batch or memory grow without limit. */
#ifndef ACSWEEP_COORDINATOR_CHECKS_H
#define ACSWEEP_COORDINATOR_CHECKS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire.h"
#include "coordinator/graph.h"

#define CHECK_TOKENS_MAX 65536 /* attempts that one worker may hold */
#define CHECK_RESULTS_MAX 4096 /* results in one message */

/* ERR_PEER with one line that names the field. */
MUST_USE int check_hello(const Acsweep__Hello *h, struct err *e);
/* Whether it can be told which attempt a result is about; and whether the rest of it can be stored. */
MUST_USE int check_result_token(const Acsweep__Result *r, struct err *e);
MUST_USE int check_result(const Acsweep__Result *r, struct err *e);

/* The metric without which a success of this kind means nothing; NULL = it needs none. */
const char *check_needed_metric(const char *kind);
bool check_has_metric(const Acsweep__Result *r, const char *name);

/* Times and costs are a worker's word and for people only: what cannot be is stored as unknown (0). */
int64_t check_time(int64_t unix_us);
double check_cost(double v);
int64_t check_bytes(uint64_t v);

#endif
