/* LLaVA's conversation files: a JSON list (or JSONL) of {"id", "image" (optional), "conversations": [{"from", "value"},
 * ...]}, as blip_laion_cc_sbu_558k.json and llava_v1_5_mix665k.json are.
 *
 * The file is mapped and read once when opened: every sample is checked, its place and length are kept (12 bytes a
 * sample); chat_set_read parses one sample again. So a file of gigabytes needs little memory, and any order is fine.
 * Reading is thread-safe. Errors name file:line, the sample's number from 0, and the field. */
#ifndef ACSWEEP_WORKER_TEXT_CHAT_SET_H
#define ACSWEEP_WORKER_TEXT_CHAT_SET_H

#include <stdbool.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "worker/text/conversation.h"

struct chat_set;
void chat_set_close(struct chat_set *s);
DEFINE_CLEANUP(chat_set_close, struct chat_set *)

MUST_USE struct chat_set *chat_set_open(const char *path, struct err *e);
/* From bytes that stay the caller's and must outlive the set; `name` stands for the file in messages. */
MUST_USE struct chat_set *chat_set_from(const char *text, size_t len, const char *name, struct err *e);

size_t chat_set_count(const struct chat_set *s);
size_t chat_set_images(const struct chat_set *s); /* samples with an image */
/* Words (runs without whitespace, as Python's str.split) of all turns of sample i; negative when it has no image: the
 * length by which LLaVA groups. Never 0: a sample without any word counts as one word. */
int32_t chat_set_length(const struct chat_set *s, size_t i);
const int32_t *chat_set_lengths(const struct chat_set *s);
/* SHA-256 of the whole file: reads it once more. */
void chat_set_digest(const struct chat_set *s, char hex[DIGEST_HEX_SIZE]);

/* One sample. Plain memory: start with {0}, end with chat_sample_free; may be used again for another sample. */
struct chat_sample {
    const char *id;    /* as text; "" when it has none */
    const char *image; /* relative path without "..", or NULL */
    struct turn *turns;
    size_t n_turns;
    json_t *json; /* what the texts live in */
    char *image_path, *id_text;
};
void chat_sample_free(struct chat_sample *sample);
static inline UNUSED void chat_sample_free_cleanup(struct chat_sample *sample)
{
    chat_sample_free(sample);
}
MUST_USE int chat_set_read(const struct chat_set *s, size_t i, struct chat_sample *out, struct err *e);

#endif
