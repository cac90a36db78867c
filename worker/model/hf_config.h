/* config.json of a published model (Hugging Face layout), read through tables: one row per key holds its place in a
 * struct, its default (the one that the model's class in transformers has) and its range, so that all three are seen
 * together.
 *
 *     static const struct hf_key keys[] = {
 *         HF_INT(struct shape, layers, "num_hidden_layers", 12, 1, 1000),
 *         HF_REAL(struct shape, eps, "layer_norm_eps", 1e-6, 0, 1),
 *         { 0 },
 *     };
 *
 * Keys that no table asks for are left alone: such files carry hundreds that only matter elsewhere. A key that is null
 * counts as absent. Every error is ERR_INPUT and names the file and the key. No libtorch in here. */
#ifndef ACSWEEP_WORKER_MODEL_HF_CONFIG_H
#define ACSWEEP_WORKER_MODEL_HF_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

#define HF_CONFIG_MAX_BYTES ((size_t)4 << 20)
#define HF_CONFIG_MAX_DEPTH 32

/* An object of the file. The root owns the tree; sections point into it. */
struct hf_config {
    json_t *root;
    const json_t *object; /* where keys are looked for */
    char place[320];      /* the file's path, for messages; the end of a long one */
    char section[64];     /* "" or "vision_config." */
};

/* An object of at most HF_CONFIG_MAX_BYTES, no deeper than HF_CONFIG_MAX_DEPTH, no key twice. ERR_ENV when the file
 * cannot be opened. */
MUST_USE int hf_config_load(const char *path, struct hf_config *out, struct err *e);
MUST_USE int hf_config_parse(const char *text, size_t len, const char *place, struct hf_config *out, struct err *e);
void hf_config_free(struct hf_config *c);

/* Does the key hold something other than null? */
bool hf_config_has(const struct hf_config *c, const char *key);
/* A text; NULL when the key is absent or holds something else. */
const char *hf_config_text(const struct hf_config *c, const char *key);
/* The object under `key` as *out, which lives as long as c: ERR_INPUT when it is no object. */
MUST_USE int hf_config_section(const struct hf_config *c, const char *key, struct hf_config *out, struct err *e);

enum hf_type {
    HF_TYPE_INT,  /* int64_t; 24.0 is not a whole number here, nor is true */
    HF_TYPE_REAL, /* double; a whole number will do */
    HF_TYPE_BOOL, /* bool */
    HF_TYPE_NAME, /* int, from a table of names */
};
struct hf_name {
    const char *name; /* NULL ends the table */
    int value;
};
struct hf_key {
    const char *name; /* NULL ends the table */
    enum hf_type type;
    size_t at;
    double fallback, lo, hi; /* of HF_TYPE_NAME: the value */
    const struct hf_name *names;
};
#define HF_INT(type, field, key, fallback, lo, hi)                              \
    {                                                                           \
        (key), HF_TYPE_INT, offsetof(type, field), (fallback), (lo), (hi), NULL \
    }
#define HF_REAL(type, field, key, fallback, lo, hi)                              \
    {                                                                            \
        (key), HF_TYPE_REAL, offsetof(type, field), (fallback), (lo), (hi), NULL \
    }
#define HF_BOOL(type, field, key, fallback)                                \
    {                                                                      \
        (key), HF_TYPE_BOOL, offsetof(type, field), (fallback), 0, 1, NULL \
    }
#define HF_NAME(type, field, key, fallback, names)                            \
    {                                                                         \
        (key), HF_TYPE_NAME, offsetof(type, field), (fallback), 0, 0, (names) \
    }

/* Fill the struct at `out`. */
MUST_USE int hf_config_read(const struct hf_config *c, const struct hf_key *keys, void *out, struct err *e);
/* The other way: every key with its value. New reference; NULL without memory. */
json_t *hf_config_json(const struct hf_key *keys, const void *in);
/* ERR_INPUT "PATH: 'vision_config.KEY' ...". Returns -1. */
int hf_config_fail(const struct hf_config *c, const char *key, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* "a, b or c" of a table of names, for messages. Returns buf. */
const char *hf_names_list(const struct hf_name *names, char *buf, size_t size);

static inline UNUSED void hf_config_free_cleanup(struct hf_config *c)
{
    hf_config_free(c);
}

#endif
