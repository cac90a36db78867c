/* The questions of a benchmark: one JSONL format for all families, one question on a line (docs/benchmarks.md).
 *
 *     {"benchmark": "mmbench", "id": "1000241", "group": "241", "image": "241.jpg", "question": "...",
 *      "options": ["...", "...", null, "..."], "answer": "B", "category": "object_localization"}
 *
 * Reading is strict: an unknown field, a wrong type, an answer that is no option, an id that came before, a mix of
 * families are each ERR_INPUT with file, line, field and remedy. `image` is the same field that image_set_json() reads,
 * so the pictures of a file of questions are an image set, in the order in which they first come. */
#ifndef ACSWEEP_WORKER_BENCHMARK_QUESTION_H
#define ACSWEEP_WORKER_BENCHMARK_QUESTION_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

#define QUESTION_OPTIONS_MAX 26
#define QUESTION_IMAGES_MAX 64
#define QUESTION_ANSWERS_MAX 64

struct benchmark_family;

/* All texts are UTF-8, live as long as the set, and are as in the file. */
struct question {
    const char *id;
    const char *const *images; /* paths below the directory of the pictures, cleaned (worker/data/image_set.h) */
    size_t n_images;
    const char *question;
    const char *const *options; /* by letter; NULL where a letter has none */
    size_t n_options;           /* 0: an open question */
    const char *const *answers; /* of a question with options one, its letter; of an open one all that people gave */
    size_t n_answers;
    const char *category; /* subject, skill, subtask: what results are also given by; NULL: none */
    const char *hint;     /* what goes before the question; NULL: none */
    const char *group;    /* questions that count together: circular variants, the two of an MME picture; NULL: alone */
    bool video;           /* the pictures are frames of a video */
};

struct question_set;

/* ERR_INPUT for a file that cannot be read or is not in order. */
MUST_USE struct question_set *question_set_load(const char *path, struct err *e);
/* The same from bytes; `name` stands for the file in messages. */
MUST_USE struct question_set *question_set_parse(const char *text, size_t len, const char *name, struct err *e);
void question_set_destroy(struct question_set *s);
DEFINE_CLEANUP(question_set_destroy, struct question_set *)

size_t question_set_count(const struct question_set *s); /* at least 1 */
const struct question *question_set_at(const struct question_set *s, size_t i);
/* Index of an id, or SIZE_MAX. */
size_t question_set_find(const struct question_set *s, const char *id);
const struct benchmark_family *question_set_family(const struct question_set *s);
const char *question_set_name(const struct question_set *s); /* of the file */

#endif
