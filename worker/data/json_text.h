/* JSON that other programs wrote: parsed with limits, errors with file and line. Keys that appear twice in an object
 * are refused; depth is limited by the parser (2048 levels). */
#ifndef ACSWEEP_WORKER_DATA_JSON_TEXT_H
#define ACSWEEP_WORKER_DATA_JSON_TEXT_H

#include "common/digest.h" /* json_decref_cleanup */

/* One JSON object and nothing behind it; NULL with ERR_INPUT otherwise. `name` stands for the file in messages. */
MUST_USE json_t *json_text_parse(const char *text, size_t len, const char *name, struct err *e);
/* The bytes of a file of at most `max`, malloc'ed. */
MUST_USE int json_text_read(const char *path, size_t max, char **text, size_t *len, struct err *e);
/* Both. */
MUST_USE json_t *json_text_load(const char *path, size_t max, struct err *e);

#endif
