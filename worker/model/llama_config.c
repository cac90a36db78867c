#include "worker/model/llama_config.h"

#include <string.h>

/* ---- which class ----------------------------------------------------------------------------------------------------
 */

static const char *const model_types[] = { "llama", "llava", "llava_llama" };
static const char *const architectures[] = { "LlamaForCausalLM", "LlavaLlamaForCausalLM" };

static bool is_one_of(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; name && i < n; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

bool llama_config_matches(const struct hf_config *file)
{
    const char *type = hf_config_text(file, "model_type");
    if (type)
        return is_one_of(type, model_types, ARRAY_LEN(model_types));
    const json_t *first = json_array_get(json_object_get(file->object, "architectures"), 0);
    return is_one_of(json_string_value(first), architectures, ARRAY_LEN(architectures));
}

static int check_class(const struct hf_config *file, struct err *e)
{
    const char *type = hf_config_text(file, "model_type");
    if (!llama_config_matches(file))
        return hf_config_fail(file, "model_type", e, "is %s%.60s%s, which is no decoder known here: llama, llava",
                              type ? "'" : "not there, or ", type ? type : "unknown", type ? "'" : "");
    if (hf_config_has(file, "text_config"))
        return hf_config_fail(file, "text_config", e,
                              "is there: this is LLaVA in transformers' own layout; take a checkpoint in LLaVA's own");
    return 0;
}

/* ---- keys and their defaults: transformers' configuration_llama.py --------------------------------------------------
 */

enum { ACT_IS_SILU }; /* SwiGLU is the only one there is */
static const struct hf_name activations[] = { { "silu", ACT_IS_SILU }, { "swish", ACT_IS_SILU }, { 0 } };

static const struct hf_key keys[] = {
    HF_INT(struct llama_config, vocab, "vocab_size", 32000, 1, 1 << 24),
    HF_INT(struct llama_config, width, "hidden_size", 4096, 1, 1 << 16),
    HF_INT(struct llama_config, mlp, "intermediate_size", 11008, 1, 1 << 20),
    HF_INT(struct llama_config, layers, "num_hidden_layers", 32, 1, 1000),
    HF_INT(struct llama_config, heads, "num_attention_heads", 32, 1, 1 << 12),
    HF_INT(struct llama_config, kv_heads, "num_key_value_heads", 0, 1, 1 << 12), /* absent: heads */
    HF_INT(struct llama_config, head_dim, "head_dim", 0, 1, LLAMA_MAX_HEAD_DIM), /* absent: width / heads */
    HF_INT(struct llama_config, positions, "max_position_embeddings", 2048, 1, 1 << 26),
    HF_REAL(struct llama_config, eps, "rms_norm_eps", 1e-6, 0, 1),
    HF_REAL(struct llama_config, theta, "rope_theta", 10000, 1, 1e12),
    HF_BOOL(struct llama_config, tied, "tie_word_embeddings", false),
    HF_BOOL(struct llama_config, attention_bias, "attention_bias", false),
    HF_BOOL(struct llama_config, mlp_bias, "mlp_bias", false),
    HF_INT(struct llama_config, bos, "bos_token_id", -1, -1, 1 << 24),
    HF_INT(struct llama_config, pad, "pad_token_id", -1, -1, 1 << 24),
    { 0 },
};

static const struct hf_name ropes[] = {
    { "default", LLAMA_ROPE_PLAIN },
    { "linear", LLAMA_ROPE_LINEAR },
    { "dynamic", LLAMA_ROPE_DYNAMIC },
    { "llama3", LLAMA_ROPE_LLAMA3 },
    { 0 },
};

#define FACTOR HF_REAL(struct llama_config, rope_factor, "factor", 0, 1, 1e6)
static const struct hf_key stretch_keys[] = { FACTOR, { 0 } };
static const struct hf_key llama3_keys[] = {
    FACTOR,
    HF_REAL(struct llama_config, rope_low, "low_freq_factor", 0, 1e-6, 1e6),
    HF_REAL(struct llama_config, rope_high, "high_freq_factor", 0, 1e-6, 1e6),
    HF_INT(struct llama_config, rope_original, "original_max_position_embeddings", 0, 1, 1 << 26),
    { 0 },
};

static const struct hf_key *const keys_of_rope[] = {
    [LLAMA_ROPE_PLAIN] = NULL,
    [LLAMA_ROPE_LINEAR] = stretch_keys,
    [LLAMA_ROPE_DYNAMIC] = stretch_keys,
    [LLAMA_ROPE_LLAMA3] = llama3_keys,
};

const char *llama_rope_name(enum llama_rope r)
{
    return r == LLAMA_ROPE_PLAIN ? "none" : ropes[r].name;
}

int64_t llama_context(const struct llama_config *c)
{
    bool stretched = c->rope == LLAMA_ROPE_LINEAR || c->rope == LLAMA_ROPE_DYNAMIC;
    return stretched ? (int64_t)((double)c->positions * c->rope_factor) : c->positions;
}

/* ---- reading --------------------------------------------------------------------------------------------------------
 */

/* `rope_type`, in older files `type`; every number that it needs must be there. */
static int read_scaling(const struct hf_config *section, struct llama_config *out, struct err *e)
{
    const char *key = hf_config_has(section, "rope_type") ? "rope_type" : "type";
    const struct hf_key type[] = { { key, HF_TYPE_NAME, offsetof(struct llama_config, rope), 0, 0, 0, ropes }, { 0 } };
    TRY(hf_config_read(section, type, out, e));
    const struct hf_key *wanted = keys_of_rope[out->rope];
    for (const struct hf_key *k = wanted; k && k->name; k++)
        if (!hf_config_has(section, k->name))
            return hf_config_fail(section, k->name, e, "is missing; %s scaling needs it",
                                  llama_rope_name((enum llama_rope)out->rope));
    return wanted ? hf_config_read(section, wanted, out, e) : 0;
}

/* Up to transformers 4 rope_scaling; since 5 rope_parameters, with the base in it. */
static int read_rope(const struct hf_config *file, struct llama_config *out, struct err *e)
{
    static const struct hf_key theta[] = { HF_REAL(struct llama_config, theta, "rope_theta", 10000, 1, 1e12), { 0 } };
    struct hf_config section;
    if (hf_config_has(file, "rope_scaling")) {
        TRY(hf_config_section(file, "rope_scaling", &section, e));
        return read_scaling(&section, out, e);
    }
    if (!hf_config_has(file, "rope_parameters"))
        return 0;
    TRY(hf_config_section(file, "rope_parameters", &section, e));
    if (hf_config_has(&section, "rope_theta"))
        TRY(hf_config_read(&section, theta, out, e));
    return read_scaling(&section, out, e);
}

static int read_eos(const struct hf_config *file, struct llama_config *out, struct err *e)
{
    const json_t *v = json_object_get(file->object, "eos_token_id");
    size_t n = json_is_array(v) ? json_array_size(v) : v && !json_is_null(v);
    if (n > LLAMA_MAX_EOS)
        return hf_config_fail(file, "eos_token_id", e, "lists over %d ids", LLAMA_MAX_EOS);
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_is_array(v) ? json_array_get(v, i) : v;
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= 1 << 24)
            return hf_config_fail(file, "eos_token_id", e, "must be an id, or a list of ids");
        out->eos[out->n_eos++] = json_integer_value(id);
    }
    return 0;
}

static const char *contradiction(const struct llama_config *c, const char **key)
{
    if (c->head_dim < 2 || c->head_dim % 2 != 0)
        return *key = "head_dim", "must be even: rotary positions turn pairs";
    if (c->head_dim > LLAMA_MAX_HEAD_DIM)
        return *key = "hidden_size", "must be at most 4096 times 'num_attention_heads'";
    if (c->heads % c->kv_heads != 0)
        return *key = "num_key_value_heads", "must divide 'num_attention_heads'";
    if (c->rope == LLAMA_ROPE_DYNAMIC && c->head_dim < 4)
        return *key = "head_dim", "must be at least 4 for dynamic scaling";
    if (c->rope == LLAMA_ROPE_LLAMA3 && c->rope_low >= c->rope_high)
        return *key = "rope_scaling.low_freq_factor", "must be less than 'high_freq_factor'";
    return NULL;
}

static const char *fill_in(struct llama_config *c, const char **key)
{
    if (c->kv_heads == 0)
        c->kv_heads = c->heads;
    if (c->head_dim == 0 && c->width % c->heads != 0)
        return *key = "hidden_size", "must be a multiple of 'num_attention_heads' where there is no 'head_dim'";
    if (c->head_dim == 0)
        c->head_dim = c->width / c->heads;
    return contradiction(c, key);
}

int llama_config_check(struct llama_config *c, struct err *e)
{
    const char *key, *why = fill_in(c, &key);
    return why ? FAIL(e, ERR_INPUT, "'%s' %s", key, why) : 0;
}

int llama_config_read(const struct hf_config *file, struct llama_config *out, struct err *e)
{
    struct {
        int activation;
    } act;
    const struct hf_key act_keys[] = { { "hidden_act", HF_TYPE_NAME, 0, ACT_IS_SILU, 0, 0, activations }, { 0 } };
    *out = (struct llama_config){ 0 };
    TRY(check_class(file, e));
    TRY(hf_config_read(file, keys, out, e));
    TRY(hf_config_read(file, act_keys, &act, e));
    TRY(read_rope(file, out, e));
    TRY(read_eos(file, out, e));
    const char *key, *why = fill_in(out, &key);
    return why ? hf_config_fail(file, key, e, "%s", why) : 0;
}

int llama_config_load(const char *path, struct llama_config *out, struct err *e)
{
    AUTO(hf_config_free) struct hf_config file;
    TRY(hf_config_load(path, &file, e));
    return llama_config_read(&file, out, e);
}

/* ---- writing --------------------------------------------------------------------------------------------------------
 */

static json_t *rope_json(const struct llama_config *c)
{
    if (c->rope == LLAMA_ROPE_PLAIN)
        return json_null();
    json_t *j = hf_config_json(keys_of_rope[c->rope], c);
    if (j && json_object_set_new(j, "rope_type", json_string(ropes[c->rope].name)) == 0)
        return j;
    json_decref(j);
    return NULL;
}

static json_t *eos_json(const struct llama_config *c)
{
    if (c->n_eos == 0)
        return json_null();
    if (c->n_eos == 1)
        return json_integer(c->eos[0]);
    json_t *list = json_array();
    for (int i = 0; i < c->n_eos; i++)
        if (json_array_append_new(list, json_integer(c->eos[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static bool set_id(json_t *j, const char *key, int64_t id)
{
    return json_object_set_new(j, key, id < 0 ? json_null() : json_integer(id)) == 0;
}

json_t *llama_config_json(const struct llama_config *c)
{
    json_t *j = hf_config_json(keys, c);
    bool good = j && json_object_set_new(j, "model_type", json_string("llama")) == 0 &&
                json_object_set_new(j, "architectures", json_pack("[s]", "LlamaForCausalLM")) == 0 &&
                json_object_set_new(j, "hidden_act", json_string("silu")) == 0 &&
                json_object_set_new(j, "rope_scaling", rope_json(c)) == 0 &&
                json_object_set_new(j, "eos_token_id", eos_json(c)) == 0 && set_id(j, "bos_token_id", c->bos) &&
                set_id(j, "pad_token_id", c->pad);
    if (!good) {
        json_decref(j);
        j = NULL;
    }
    return j;
}
