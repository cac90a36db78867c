/* What is different between two JSON values, field by field: how `acsweep explain` says why a task is not the one that was
 * done before. */
#ifndef ACSWEEP_CLI_CHANGES_H
#define ACSWEEP_CLI_CHANGES_H

#include <jansson.h>

#include "common/err.h"
#include "common/own.h"

/* Add {"field": PATH, "was": VALUE or null, "is": VALUE or null} to the array `list` for each leaf that differs. PATH is
 * `prefix` and the keys and positions to the leaf: setting.sample_size, members[1].options.layer. */
MUST_USE int changes_find(json_t *list, const char *prefix, const json_t *was, const json_t *is, struct err *e);

#endif
