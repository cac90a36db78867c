/* What tokenizer_config.json, special_tokens_map.json and added_tokens.json beside a tokenizer say, merged as
 * transformers 4.52 merges them (PreTrainedTokenizerBase._from_pretrained). Private to worker/text. */
#ifndef ACSWEEP_WORKER_TEXT_HF_TOKENS_H
#define ACSWEEP_WORKER_TEXT_HF_TOKENS_H

#include "worker/text/added_tokens.h"

enum special_role {
    SPECIAL_BOS,
    SPECIAL_EOS,
    SPECIAL_UNK,
    SPECIAL_SEP,
    SPECIAL_PAD,
    SPECIAL_CLS,
    SPECIAL_MASK,
    SPECIAL_ROLES
};

struct hf_tokens {
    char *tokenizer_class; /* NULL when not said */
    bool legacy, add_prefix_space, clean_up, add_bos, add_eos;
    struct added_tokens added;
    /* Special tokens: one for each role (text NULL where there is none), and the additional ones. Ids are not set. */
    struct added_token role[SPECIAL_ROLES];
    struct added_token *more;
    size_t n_more;
};

void hf_tokens_free(struct hf_tokens *t);
static inline UNUSED void hf_tokens_free_cleanup(struct hf_tokens *t)
{
    hf_tokens_free(t);
}
/* Files that are not in `dir` are like empty ones. `slow`: beside a tokenizer.model; the roles have LLaMA's defaults.
 */
MUST_USE int hf_tokens_read(const char *dir, bool slow, struct hf_tokens *out, struct err *e);

#endif
