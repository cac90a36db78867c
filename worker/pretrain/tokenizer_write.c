/* A learned vocabulary as the files that worker/text and transformers read: LLaMA's fast tokenizer, legacy. */
#include <jansson.h>
#include <string.h>

#include "common/buf.h"
#include "common/digest.h" /* json_decref_cleanup */
#include "worker/model/model_file.h"
#include "worker/pretrain/bpe_learn.h"
#include "worker/text/unicode.h"

#define SPECIAL 3 /* <unk>, <s>, </s> */

static json_t *special_token(const struct bpe_vocabulary *v, int id, bool with_id)
{
    json_t *j = json_pack("{s:s, s:b, s:b, s:b, s:b, s:b}", "content", names_text(&v->tokens, (size_t)id),
                          "single_word", 0, "lstrip", 0, "rstrip", 0, "normalized", 0, "special", 1);
    if (j && with_id)
        json_object_set_new(j, "id", json_integer(id));
    return j;
}

static json_t *added_tokens(const struct bpe_vocabulary *v)
{
    json_t *list = json_array();
    for (int id = 0; id < SPECIAL; id++)
        json_array_append_new(list, special_token(v, id, true));
    return list;
}

static json_t *vocab_json(const struct bpe_vocabulary *v)
{
    json_t *j = json_object();
    for (size_t i = 0; i < v->tokens.n; i++)
        json_object_set_new(j, names_text(&v->tokens, i), json_integer((json_int_t)i));
    return j;
}

/* "left right": older and newer versions of the library `tokenizers` read this. */
static json_t *merges_json(const struct bpe_vocabulary *v)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->n_merges; i++)
        json_array_append_new(list, json_sprintf("%s %s", names_text(&v->tokens, (size_t)v->merges[i].left),
                                                 names_text(&v->tokens, (size_t)v->merges[i].right)));
    return list;
}

static json_t *model_json(const struct bpe_vocabulary *v)
{
    return json_pack("{s:s, s:n, s:s, s:n, s:n, s:b, s:b, s:b, s:o, s:o}", "type", "BPE", "dropout", "unk_token",
                     "<unk>", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 1, "byte_fallback", 1,
                     "ignore_merges", 0, "vocab", vocab_json(v), "merges", merges_json(v));
}

/* U+2581 before the text and for each blank; back again when decoding. */
static json_t *normalizer_json(void)
{
    return json_pack("{s:s, s:[{s:s, s:s}, {s:s, s:{s:s}, s:s}]}", "type", "Sequence", "normalizers", "type", "Prepend",
                     "prepend", UNICODE_UNDERLINE, "type", "Replace", "pattern", "String", " ", "content",
                     UNICODE_UNDERLINE);
}

static json_t *decoder_json(void)
{
    return json_pack("{s:s, s:[{s:s, s:{s:s}, s:s}, {s:s}, {s:s}, {s:s, s:s, s:i, s:i}]}", "type", "Sequence",
                     "decoders", "type", "Replace", "pattern", "String", UNICODE_UNDERLINE, "content", " ", "type",
                     "ByteFallback", "type", "Fuse", "type", "Strip", "content", " ", "start", 1, "stop", 0);
}

/* BOS in front. */
static json_t *processor_json(void)
{
    return json_pack(
        "{s:s, s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}], s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}, {s:{s:s, s:i}}, {s:{s:s, s:i}}],"
        " s:{s:{s:s, s:[i], s:[s]}}}",
        "type", "TemplateProcessing", "single", "SpecialToken", "id", "<s>", "type_id", 0, "Sequence", "id", "A",
        "type_id", 0, "pair", "SpecialToken", "id", "<s>", "type_id", 0, "Sequence", "id", "A", "type_id", 0,
        "SpecialToken", "id", "<s>", "type_id", 1, "Sequence", "id", "B", "type_id", 1, "special_tokens", "<s>", "id",
        "<s>", "ids", 1, "tokens", "<s>");
}

static json_t *config_json(const struct bpe_vocabulary *v)
{
    return json_pack("{s:b, s:b, s:{s:o, s:o, s:o}, s:s, s:s, s:s, s:n, s:b, s:b, s:s, s:i}", "add_bos_token", 1,
                     "add_eos_token", 0, "added_tokens_decoder", "0", special_token(v, 0, false), "1",
                     special_token(v, 1, false), "2", special_token(v, 2, false), "bos_token", "<s>", "eos_token",
                     "</s>", "unk_token", "<unk>", "pad_token", "clean_up_tokenization_spaces", 0, "legacy", 1,
                     "tokenizer_class", "LlamaTokenizerFast", "model_max_length", 2048);
}

int bpe_vocabulary_write(const struct bpe_vocabulary *v, const char *dir, struct err *e)
{
    AUTO(json_decref) json_t *config = config_json(v);
    AUTO(json_decref)
    json_t *all = json_pack("{s:s, s:n, s:n, s:o, s:o, s:n, s:o, s:o, s:o}", "version", "1.0", "truncation", "padding",
                            "added_tokens", added_tokens(v), "normalizer", normalizer_json(), "pre_tokenizer",
                            "post_processor", processor_json(), "decoder", decoder_json(), "model", model_json(v));
    if (!all || !config)
        return FAIL_NOMEM(e);
    TRY(model_file_write_json(dir, "tokenizer.json", all, e));
    return model_file_write_json(dir, "tokenizer_config.json", config, e);
}
