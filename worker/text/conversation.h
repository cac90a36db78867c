/* Conversations to ids and labels, as LLaVA trains (llava/train/train.py, llava/mm_utils.py, llava/conversation.py at
 * commit c121f04).
 *
 * plain      `<image>` caption `\n`, no BOS of its own but the one in front; everything up to and including the image
 * is masked, caption and newline are targets. No EOS. vicuna_v1  SYSTEM " USER: " q " ASSISTANT: " a "</s>" "USER: " q2
 * ...; targets are the answers, each with its </s>.
 *
 * Where an image belongs stands IMAGE_TOKEN; whoever builds the batch replaces it by the connector's outputs. */
#ifndef ACSWEEP_WORKER_TEXT_CONVERSATION_H
#define ACSWEEP_WORKER_TEXT_CONVERSATION_H

#include <stdbool.h>

#include "worker/text/ids.h"
#include "worker/text/tokenizer.h"

#define IMAGE_TOKEN (-200)    /* in ids: an image comes here */
#define LABEL_IGNORED (-100)  /* in labels: no loss here */
#define CONVERSATION_MAX 2048 /* LLaVA's model_max_length */
#define CONVERSATION_IMAGE "<image>"

enum conversation_template { CONVERSATION_PLAIN, CONVERSATION_VICUNA_V1 };
/* "plain", "vicuna_v1" and back; ERR_INPUT lists them. */
const char *conversation_template_name(enum conversation_template template);
MUST_USE int conversation_template_parse(const char *name, enum conversation_template *out, struct err *e);
/* The system text of vicuna_v1. */
const char *conversation_system_text(void);

enum turn_from { TURN_HUMAN, TURN_GPT };
struct turn {
    enum turn_from from;
    const char *text; /* UTF-8, not necessarily NUL-terminated */
    size_t len;
};

/* How vicuna_v1's mask counts the tokens of rounds after the first. */
enum conversation_masks {
    CONVERSATION_MASKS_AUTO,    /* NEW where the tokenizer is not legacy: LLaVA with tokenizers >= 0.14 */
    CONVERSATION_MASKS_CLASSIC, /* LLaVA with tokenizers < 0.14 */
    CONVERSATION_MASKS_NEW,     /* one token less */
};

struct conversation_rules {
    enum conversation_template template;
    enum conversation_masks masks;
    size_t max_length; /* ids of a sample, an image counted as one; 0 = CONVERSATION_MAX */
};

struct conversation_info {
    size_t images;  /* IMAGE_TOKENs in ids, after cutting */
    size_t targets; /* labels that are not LABEL_IGNORED */
    size_t counted; /* vicuna_v1: tokens by rounds ... */
    size_t present; /* ... and tokens there are, without padding ids */
    bool mismatch;  /* they differ, so the whole sample is masked, as LLaVA does with a warning */
    bool cut;       /* it was longer than max_length */
};

/* Append the ids of a sample and as many labels. `has_image`: the sample names one; then a turn with `<image>` is
 * rewritten to `<image>\n` + the rest, stripped, and `<image>` becomes IMAGE_TOKEN; without, it is text like any other.
 * Leading turn of gpt: dropped. Turns that do not alternate, or for plain are not one of each with an image: ERR_INPUT.
 * On error ids and labels are as before. */
MUST_USE int conversation_encode(const struct tokenizer *t, const struct conversation_rules *rules,
                                 const struct turn *turns, size_t n, bool has_image, struct ids *ids,
                                 struct ids *labels, struct conversation_info *info, struct err *e);

/* Append the ids of a prompt to generate from: the turns as they are (`<image>` where the caller put it becomes
 * IMAGE_TOKEN), the last from human, then "ASSISTANT:" (vicuna_v1) or nothing (plain: the texts in a row). Not cut. */
MUST_USE int conversation_prompt(const struct tokenizer *t, enum conversation_template template,
                                 const struct turn *turns, size_t n, struct ids *ids, struct err *e);

/* Samples of a run with mismatching counts, for the warning at its end. Plain memory, one per thread. */
struct conversation_tally {
    uint64_t samples, mismatches, cut, targets;
};
void conversation_tally_add(struct conversation_tally *tally, const struct conversation_info *info);

#endif
