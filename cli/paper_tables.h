/* Tables 1 and 3 of the paper beside what our policy library computes from a table that holds the paper's 13 x 8 facts.
 */
#ifndef ACSWEEP_CLI_PAPER_TABLES_H
#define ACSWEEP_CLI_PAPER_TABLES_H

#include <jansson.h>
#include <stdio.h>

#include "policy/table.h"

/* Both tables as text for people. ERR_INPUT when a benchmark of the paper is not in the table. Needs no randomness: the
 * recall of the paper's policy is summed over all 2^13 trained sets. */
MUST_USE int paper_tables_print(const struct policy_table *t, FILE *out, struct err *e);

/* The same as {"table1":[...],"table3":[...]}, values in per cent. */
json_t *paper_tables_json(const struct policy_table *t, struct err *e);

#endif
