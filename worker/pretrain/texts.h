/* What a language model learns from: conversations, as LLaVA's stage 2 has them, and captions. Files are lists of
 * objects (a JSON array, or one on a line): {"conversations": [{"from": "human", "value": ...}, ...]} or {"caption":
 * ...} or {"text": ..., "given": ...}, where "given" (optional) is what the text follows on; both may be lists, as long as one
 * another: what is given and what follows, in turns. Pictures are left out, with the `<image>` that stands for them; a
 * conversation may have "seen": words, which then stand where its picture's tokens would. */
#ifndef ACSWEEP_WORKER_PRETRAIN_TEXTS_H
#define ACSWEEP_WORKER_PRETRAIN_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

#include "worker/text/conversation.h"

struct text {
    bool talk;          /* turns of a conversation; else one text, or what is given and the text in turns */
    struct turn *turns; /* each with a text of its own */
    size_t n;
    char *seen; /* words in the place of the picture, before the first turn; NULL: none */
};
struct texts {
    struct text *v;
    size_t n, cap;
};
void texts_free(struct texts *t);
static inline UNUSED void texts_free_cleanup(struct texts *t)
{
    texts_free(t);
}
/* Append those of a file. `answers_only`: of each conversation the first answer, as a caption: what stage 1 makes of
 * it. */
MUST_USE int texts_read(const char *path, bool answers_only, struct texts *out, struct err *e);
/* The same from a list that is open already; `name` is the file's. */
struct json_items;
MUST_USE int texts_read_items(struct json_items *items, const char *name, bool answers_only, struct texts *out,
                              struct err *e);

struct text_info {
    bool masked;          /* the label mask of stage 2 would leave this sample out: its counts of tokens do not agree */
    size_t heard, unheard; /* ids [heard, unheard) are what is seen or, of a text, first given; equal: nothing is */
};
/* Append ids as stages 1 and 2 make them (conversation.h): a conversation by vicuna_v1, a text with BOS and a newline; cut
 * after `most`, without what is seen. As many labels: the ids of answers, and of a text that are not given, else
 * LABEL_IGNORED. out and labels are empty before. */
MUST_USE int text_encode(const struct text *t, const struct tokenizer *tokenizer, size_t most, struct ids *out,
                         struct ids *labels, struct text_info *info, struct err *e);

#endif
