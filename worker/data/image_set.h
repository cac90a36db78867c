/* An image set: a list of picture files below one directory, in a fixed order, each once.
 *
 * The order is a property of the data, never of the machine: a directory's files by the bytes of their paths; a LLaVA
 * or JSONL file's pictures as they come first. The list's digest, and the cut into shards of a fixed number of
 * pictures, name features on disk.
 *
 * Paths are relative to the directory; those from files must stay below it: absolute ones and ".." are refused. Links
 * are followed, they are the owner's. */
#ifndef ACSWEEP_WORKER_DATA_IMAGE_SET_H
#define ACSWEEP_WORKER_DATA_IMAGE_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"

#define IMAGE_SET_SHARD 4096 /* pictures in a shard, unless a sweep says otherwise */

struct image_set;
void image_set_destroy(struct image_set *s);
DEFINE_CLEANUP(image_set_destroy, struct image_set *)

/* Every file below `dir` that ends in .jpg, .jpeg, .png or .webp (in any case), except in names that begin with a dot.
 * ERR_INPUT when there is none. */
MUST_USE struct image_set *image_set_folder(const char *dir, struct err *e);
/* The same for `dir`/JPEGImages: the pictures of an SPair-71k directory, paths beginning with "JPEGImages/". */
MUST_USE struct image_set *image_set_spair(const char *dir, struct err *e);
/* The `image` of every object of a JSON array (LLaVA's training data) or of a JSONL file (a benchmark's questions): a
 * path below `dir`, or a list of them. Objects without `image` are counted. Files that are not there are an error that
 * names the first few. */
MUST_USE struct image_set *image_set_json(const char *path, const char *dir, struct err *e);
/* The same from bytes, without looking for the files. */
MUST_USE struct image_set *image_set_parse(const char *text, size_t len, const char *name, const char *dir,
                                           struct err *e);

/* The files `paths`, below `dir`, or with dir NULL as they are; in this order, each once. They are not looked for. */
MUST_USE struct image_set *image_set_files(const char *dir, const char *const *paths, size_t n, struct err *e);

/* ERR_INPUT, with the first few of them, when pictures are not there or are no files. `what` begins the message. */
MUST_USE int image_set_check(const struct image_set *s, const char *what, struct err *e);

size_t image_set_count(const struct image_set *s);
/* Relative to the directory; valid as long as the set. */
const char *image_set_path(const struct image_set *s, size_t i);
/* The whole path; ERR_INPUT when it is longer than `size`. */
MUST_USE int image_set_full_path(const struct image_set *s, size_t i, char *path, size_t size, struct err *e);
/* Index of a relative path, or -1. */
int64_t image_set_find(const struct image_set *s, const char *path);
/* SHA-256 of the relative paths, each with the NUL behind it. */
const char *image_set_digest(const struct image_set *s);

struct image_set_counts {
    size_t entries;    /* objects read, or files looked at */
    size_t without;    /* objects without a picture, or files that are none */
    size_t duplicates; /* mentions of a picture that was there already */
};
struct image_set_counts image_set_counts(const struct image_set *s);

/* Shards of `per_shard` pictures (at least 1), the last one shorter. */
size_t image_set_shards(const struct image_set *s, size_t per_shard);
struct image_range {
    size_t first, count;
};
struct image_range image_set_shard(const struct image_set *s, size_t per_shard, size_t shard);

/* A path from a data file, brought to its one spelling ("./a//b" is "a/b"). ERR_INPUT for one that is empty, absolute,
 * leads up, or is too long for `size`. */
MUST_USE int image_set_clean_path(const char *path, char *out, size_t size, struct err *e);

#endif
