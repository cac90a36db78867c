/* The objects of a list, one after the other: a file that is a JSON array of objects (LLaVA's), or one object on a line
 * (JSONL). Only one object is in memory at a time, so a list of a gigabyte is no trouble.
 *
 *     while ((rc = json_items_next(items, &item, &e)) > 0) ... json_decref(item);
 *
 * The file is mapped: who shortens it while it is read ends the process. */
#ifndef ACSWEEP_WORKER_DATA_JSON_ITEMS_H
#define ACSWEEP_WORKER_DATA_JSON_ITEMS_H

#include <jansson.h>
#include <stddef.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "common/err.h"
#include "common/own.h"

struct json_items;

MUST_USE struct json_items *json_items_open(const char *path, struct err *e);
/* From bytes that stay the caller's and must outlive the result; `name` stands for the file in messages. */
MUST_USE struct json_items *json_items_from(const char *text, size_t len, const char *name, struct err *e);
void json_items_close(struct json_items *items);
DEFINE_CLEANUP(json_items_close, struct json_items *)

/* 1 with the next object (a new reference), 0 at the end, -1 with ERR_INPUT and file:line. */
MUST_USE int json_items_next(struct json_items *items, json_t **item, struct err *e);
/* Where in the bytes the object that came last begins, and the object at such a place once more. Any number of threads
 * may ask for objects at once. */
size_t json_items_offset(const struct json_items *items);
MUST_USE int json_items_at(const struct json_items *items, size_t offset, json_t **item, struct err *e);
/* The whole list as bytes; valid as long as it. */
const char *json_items_bytes(const struct json_items *items, size_t *len);
/* Where the object that came last begins: "file:line", for messages. Counts lines, so not for every item. */
const char *json_items_place(struct json_items *items);

#endif
