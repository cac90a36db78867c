#include "worker/text/hf_tokens.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "worker/data/json_text.h"
#include "worker/text/ids.h"

#define CONFIG_MOST ((size_t)16 << 20)
#define TOKENIZER_MOST ((size_t)128 << 20)

static const char *const role_keys[SPECIAL_ROLES] = {
    [SPECIAL_BOS] = "bos_token",   [SPECIAL_EOS] = "eos_token", [SPECIAL_UNK] = "unk_token",
    [SPECIAL_SEP] = "sep_token",   [SPECIAL_PAD] = "pad_token", [SPECIAL_CLS] = "cls_token",
    [SPECIAL_MASK] = "mask_token",
};

void hf_tokens_free(struct hf_tokens *t)
{
    free(t->tokenizer_class);
    added_tokens_free(&t->added);
    for (size_t i = 0; i < SPECIAL_ROLES; i++)
        free(t->role[i].text);
    for (size_t i = 0; i < t->n_more; i++)
        free(t->more[i].text);
    free(t->more);
    *t = (struct hf_tokens){ 0 };
}

/* Own the text that `token` borrows. */
static int keep(struct added_token *slot, const struct added_token *token, struct err *e)
{
    struct added_token kept = *token;
    kept.text = malloc(token->len + 1);
    if (!kept.text)
        return FAIL_NOMEM(e);
    memcpy(kept.text, token->text, token->len);
    kept.text[token->len] = '\0';
    free(slot->text);
    *slot = kept;
    return 0;
}

/* "<s>" or an object; a plain text is special and not normalized. */
static int parse_special(const json_t *j, const char *name, const char *key, struct added_token *out, struct err *e)
{
    if (json_is_string(j)) {
        *out = (struct added_token){ .text = (char *)json_string_value(j), .len = json_string_length(j) };
    } else if (!json_is_object(j)) {
        return FAIL(e, ERR_INPUT, "%s: '%s' must be a text or an object with 'content'", name, key);
    } else {
        TRY(added_token_parse(j, 0, name, out, e));
    }
    out->special = true;
    return 0;
}

static int read_roles(const json_t *j, const char *name, struct hf_tokens *t, struct err *e)
{
    for (size_t i = 0; i < SPECIAL_ROLES; i++) {
        const json_t *v = json_object_get(j, role_keys[i]);
        struct added_token token;
        if (!v)
            continue;
        if (json_is_null(v)) {
            free(t->role[i].text);
            t->role[i] = (struct added_token){ 0 };
            continue;
        }
        TRY(parse_special(v, name, role_keys[i], &token, e));
        TRY(keep(&t->role[i], &token, e));
    }
    return 0;
}

static int add_more(struct hf_tokens *t, const struct added_token *token, struct err *e)
{
    for (size_t i = 0; i < t->n_more; i++)
        if (t->more[i].len == token->len && memcmp(t->more[i].text, token->text, token->len) == 0)
            return 0;
    struct added_token *v = realloc(t->more, (t->n_more + 1) * sizeof *v);
    if (!v)
        return FAIL_NOMEM(e);
    t->more = v;
    v[t->n_more] = (struct added_token){ 0 };
    TRY(keep(&v[t->n_more], token, e));
    t->n_more++;
    return 0;
}

static int read_more(const json_t *j, const char *name, struct hf_tokens *t, struct err *e)
{
    const json_t *list = json_object_get(j, "additional_special_tokens"), *v;
    size_t i;
    if (!list || json_is_null(list))
        return 0;
    if (!json_is_array(list))
        return FAIL(e, ERR_INPUT, "%s: 'additional_special_tokens' must be a list", name);
    json_array_foreach(list, i, v)
    {
        struct added_token token;
        TRY(parse_special(v, name, "additional_special_tokens", &token, e));
        TRY(add_more(t, &token, e));
    }
    return 0;
}

static int read_bool(const json_t *j, const char *name, const char *key, bool *out, struct err *e)
{
    const json_t *v = json_object_get(j, key);
    if (!v || json_is_null(v)) /* transformers' None: the default */
        return 0;
    if (!json_is_boolean(v))
        return FAIL(e, ERR_INPUT, "%s: '%s' must be true or false", name, key);
    *out = json_is_true(v);
    return 0;
}

static int parse_id(const char *text, const char *name, int32_t *out, struct err *e)
{
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || v >= TOKEN_ID_MOST)
        return FAIL(e, ERR_INPUT, "%s: '%.40s' is no token id", name, text);
    *out = (int32_t)v;
    return 0;
}

static int read_decoder(const json_t *decoder, const char *name, struct hf_tokens *t, struct err *e)
{
    const char *key;
    const json_t *v;
    if (!json_is_object(decoder))
        return FAIL(e, ERR_INPUT, "%s: 'added_tokens_decoder' must be an object {\"id\": {\"content\": ...}}", name);
    json_object_foreach((json_t *)decoder, key, v)
    {
        struct added_token token;
        int32_t id;
        TRY(parse_id(key, name, &id, e));
        TRY(added_token_parse(v, id, name, &token, e));
        TRY(added_tokens_put(&t->added, &token, name, e));
    }
    return 0;
}

static int read_settings(const json_t *j, const char *name, struct hf_tokens *t, struct err *e)
{
    const json_t *class = json_object_get(j, "tokenizer_class");
    if (json_is_string(class) && !(t->tokenizer_class = strdup(json_string_value(class))))
        return FAIL_NOMEM(e);
    TRY(read_bool(j, name, "legacy", &t->legacy, e));
    TRY(read_bool(j, name, "add_prefix_space", &t->add_prefix_space, e));
    TRY(read_bool(j, name, "clean_up_tokenization_spaces", &t->clean_up, e));
    TRY(read_bool(j, name, "add_bos_token", &t->add_bos, e));
    TRY(read_bool(j, name, "add_eos_token", &t->add_eos, e));
    TRY(read_roles(j, name, t, e));
    return read_more(j, name, t, e);
}

/* ---- the files ----------------------------------------------------------------------------------------------------
 */

/* *j NULL when the file is not there. */
static int load(const char *dir, const char *file, size_t most, char name[PATH_MAX], json_t **j, struct err *e)
{
    *j = NULL;
    if ((size_t)snprintf(name, PATH_MAX, "%s/%s", dir, file) >= PATH_MAX)
        return FAIL(e, ERR_INPUT, "%s: the path is too long", dir);
    if (access(name, F_OK) < 0 && errno == ENOENT)
        return 0;
    AUTO(free) char *text = NULL;
    size_t len;
    json_error_t why;
    TRY(json_text_read(name, most, &text, &len, e));
    /* transformers writes 10^30 for "no limit", which is no integer here. */
    *j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &why);
    if (!*j)
        return FAIL(e, ERR_INPUT, "%s:%d: not JSON: %s", name, why.line > 0 ? why.line : 1, why.text);
    return json_is_object(*j) ? 0 : FAIL(e, ERR_INPUT, "%s:1: a JSON object {...} is wanted here", name);
}

/* An id, or -1. */
static int32_t id_of(const json_t *v)
{
    double id = json_is_number(v) ? json_number_value(v) : -1;
    return id >= 0 && id < TOKEN_ID_MOST && id == (int32_t)id ? (int32_t)id : -1;
}

static bool is_special(const struct hf_tokens *t, const char *text)
{
    for (size_t i = 0; i < SPECIAL_ROLES; i++)
        if (t->role[i].text && strcmp(t->role[i].text, text) == 0)
            return true;
    for (size_t i = 0; i < t->n_more; i++)
        if (strcmp(t->more[i].text, text) == 0)
            return true;
    return false;
}

/* added_tokens.json: {"<token>": id, ...}, of before there was added_tokens_decoder. */
static int read_added(const json_t *j, const char *name, struct hf_tokens *t, struct err *e)
{
    const char *key;
    const json_t *v;
    json_object_foreach((json_t *)j, key, v)
    {
        if (id_of(v) < 0)
            return FAIL(e, ERR_INPUT, "%s: '%.60s' must have a token id", name, key);
        struct added_token token = { .text = (char *)key, .len = strlen(key), .special = is_special(t, key) };
        token.id = id_of(v);
        token.normalized = !token.special;
        TRY(added_tokens_put(&t->added, &token, name, e));
    }
    return 0;
}

/* The added tokens of a tokenizer.json beside tokenizer.model. */
static int read_tokenizer_json(const json_t *j, const char *name, struct hf_tokens *t, struct err *e)
{
    const json_t *list = json_object_get(j, "added_tokens"), *v;
    size_t i;
    json_array_foreach(list, i, v)
    {
        int32_t id = id_of(json_object_get(v, "id"));
        struct added_token token;
        if (id < 0)
            return FAIL(e, ERR_INPUT, "%s: added token %zu must have an 'id'", name, i);
        TRY(added_token_parse(v, id, name, &token, e));
        TRY(added_tokens_put(&t->added, &token, name, e));
    }
    return 0;
}

/* Without added_tokens_decoder, older files say which tokens there are. */
static int read_older(const char *dir, bool slow, struct hf_tokens *t, struct err *e)
{
    char name[PATH_MAX];
    AUTO(json_decref) json_t *map = NULL, *added = NULL, *full = NULL;
    TRY(load(dir, "special_tokens_map.json", CONFIG_MOST, name, &map, e));
    if (map) {
        TRY(read_roles(map, name, t, e));
        TRY(read_more(map, name, t, e));
    }
    TRY(load(dir, "added_tokens.json", CONFIG_MOST, name, &added, e));
    if (added)
        TRY(read_added(added, name, t, e));
    if (slow) /* a fast one knows its own */
        TRY(load(dir, "tokenizer.json", TOKENIZER_MOST, name, &full, e));
    return full ? read_tokenizer_json(full, name, t, e) : 0;
}

static int set_defaults(bool slow, struct hf_tokens *t, struct err *e)
{
    static const struct {
        enum special_role role;
        const char *text;
    } defaults[] = { { SPECIAL_BOS, "<s>" }, { SPECIAL_EOS, "</s>" }, { SPECIAL_UNK, "<unk>" } };
    *t = (struct hf_tokens){ .legacy = true, .add_prefix_space = true, .add_bos = true };
    for (size_t i = 0; slow && i < ARRAY_LEN(defaults); i++) {
        struct added_token token = { .text = (char *)defaults[i].text, .special = true };
        token.len = strlen(token.text);
        TRY(keep(&t->role[defaults[i].role], &token, e));
    }
    return 0;
}

/* A special token that is also an added one has that one's flags. */
static void take_flags(const struct hf_tokens *t, struct added_token *token)
{
    const struct added_token *same = token->text ? added_tokens_by_text(&t->added, token->text, token->len) : NULL;
    if (!same)
        return;
    char *text = token->text;
    *token = *same;
    token->text = text;
    token->special = true;
}

int hf_tokens_read(const char *dir, bool slow, struct hf_tokens *out, struct err *e)
{
    char name[PATH_MAX];
    AUTO(json_decref) json_t *config = NULL;
    AUTO(hf_tokens_free) struct hf_tokens t = { 0 };
    TRY(set_defaults(slow, &t, e));
    TRY(load(dir, "tokenizer_config.json", CONFIG_MOST, name, &config, e));
    if (config)
        TRY(read_settings(config, name, &t, e));
    const json_t *decoder = json_object_get(config, "added_tokens_decoder");
    if (decoder)
        TRY(read_decoder(decoder, name, &t, e));
    else
        TRY(read_older(dir, slow, &t, e));
    for (size_t i = 0; i < SPECIAL_ROLES; i++)
        take_flags(&t, &t.role[i]);
    for (size_t i = 0; i < t.n_more; i++)
        take_flags(&t, &t.more[i]);
    *out = t;
    t = (struct hf_tokens){ 0 };
    return 0;
}
