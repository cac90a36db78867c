#include "worker/model/inspect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "worker/model/llama_impl.h"
#include "worker/model/vit_impl.h"

#define MAX_PROBLEMS_TEXT ((size_t)16 << 20)

/* ---- the report: what is set is never checked, a report without memory is given up at its end ---------------------
 */

struct report {
    json_t *root, *problems;
    bool failed;
};

static void set(struct report *r, json_t *object, const char *key, json_t *value)
{
    r->failed |= json_object_set_new(object, key, value) < 0;
}

static void set_int(struct report *r, const char *key, int64_t value)
{
    set(r, r->root, key, json_integer(value));
}

/* Texts of files may not be UTF-8; then their place says enough. */
static json_t *text_json(const char *text)
{
    json_t *j = json_string(text);
    return j ? j : json_string("(a text that is not UTF-8)");
}

static void problem(struct report *r, const char *text)
{
    r->failed |= json_array_append_new(r->problems, text_json(text)) < 0;
}

static void problem_of(struct report *r, struct err *e)
{
    problem(r, e->text);
    err_clear(e);
}

static void add_to(struct report *r, json_t *object, const char *key, int64_t more)
{
    set(r, object, key, json_integer(json_integer_value(json_object_get(object, key)) + more));
}

/* ---- files ----------------------------------------------------------------------------------------------------------
 */

static json_t *file_entry(struct report *r, json_t *files, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    json_t *entry;
    size_t i;
    json_array_foreach(files, i, entry)
    {
        if (strcmp(json_string_value(json_object_get(entry, "name")), name) == 0)
            return entry;
    }
    struct stat st = { 0 };
    if (stat(path, &st) < 0)
        st.st_size = 0;
    entry = json_pack("{s:o, s:I, s:i}", "name", text_json(name), "bytes", (json_int_t)st.st_size, "tensors", 0);
    r->failed |= json_array_append_new(files, entry) < 0;
    return r->failed ? NULL : entry;
}

static void describe_weights(struct report *r, const struct weights *w)
{
    json_t *files = json_array(), *dtypes = json_object();
    int64_t numbers = 0, bytes = 0;
    const struct st_tensor *t;
    for (size_t i = 0; (t = weights_at(w, i)) && !r->failed; i++) {
        json_t *entry = file_entry(r, files, safetensors_path(weights_file(w, t)));
        int64_t n = 1;
        for (int k = 0; k < t->rank; k++)
            n *= t->dims[k];
        numbers += n;
        bytes += (int64_t)t->bytes;
        add_to(r, dtypes, t->type_name, 1);
        if (entry)
            add_to(r, entry, "tensors", 1);
    }
    set(r, r->root, "stored",
        json_pack("{s:I, s:I, s:I}", "parameters", (json_int_t)numbers, "tensors", (json_int_t)weights_count(w),
                  "bytes", (json_int_t)bytes));
    set(r, r->root, "dtypes", dtypes);
    set(r, r->root, "files", files);
}

/* ---- vision transformers --------------------------------------------------------------------------------------------
 */

static void describe_vit(struct report *r, const struct vit_config *c)
{
    int64_t grid = vit_grid(c, c->image);
    set(r, r->root, "kind", json_string(vit_family_name((enum vit_family)c->family)));
    set_int(r, "layers", c->layers);
    set_int(r, "width", c->width);
    set_int(r, "heads", c->heads);
    set_int(r, "mlp", c->mlp);
    set(r, r->root, "activation", json_string(c->swiglu ? "swiglu" : activation_name((enum activation)c->activation)));
    set_int(r, "patch", c->patch);
    set_int(r, "image", c->image);
    set_int(r, "grid", grid);
    set(r, r->root, "tokens",
        json_pack("{s:I, s:i, s:I}", "patches", (json_int_t)(grid * grid), "class", c->class_token ? 1 : 0, "registers",
                  (json_int_t)c->registers));
}

static void split_problems(struct report *r, const char *lines)
{
    for (const char *end; (end = strchr(lines, '\n')); lines = end + 1) {
        AUTO(free) char *line = strndup(lines, (size_t)(end - lines));
        r->failed |= !line;
        if (line)
            problem(r, line);
    }
}

/* What is declared in p, counted, and compared with w, which may be NULL. */
static int check_params(struct report *r, struct params *p, const struct weights *w, struct err *e)
{
    AUTO(buf_free) struct buf lines = BUF_INIT(MAX_PROBLEMS_TEXT);
    size_t n;
    set_int(r, "parameters", params_elements(p));
    if (!w)
        return 0;
    TRY(params_problems(p, w, &lines, &n, e));
    split_problems(r, buf_text(&lines));
    return 0;
}

static int check_vit(struct report *r, const struct vit_config *c, const struct weights *w, struct err *e)
{
    AUTO(params_destroy) struct params *p = params_create(e);
    AUTO(free) struct vit_block *blocks = calloc((size_t)c->layers, sizeof *blocks);
    struct vit_weights slots = { .blocks = blocks };
    if (!p || !blocks)
        return FAIL_NOMEM(e);
    params_root(p, vit_root(c, w));
    vit_want(p, c, (struct vit_extent){ c->layers, true }, &slots);
    return check_params(r, p, w, e);
}

/* ---- decoders -------------------------------------------------------------------------------------------------------
 */

static void describe_llama(struct report *r, const struct llama_config *c)
{
    set_int(r, "layers", c->layers);
    set_int(r, "width", c->width);
    set_int(r, "heads", c->heads);
    set_int(r, "kv_heads", c->kv_heads);
    set_int(r, "mlp", c->mlp);
    set(r, r->root, "activation", json_string("swiglu"));
    set_int(r, "vocabulary", c->vocab);
    set_int(r, "positions", c->positions);
    set(r, r->root, "rope", json_string(llama_rope_name((enum llama_rope)c->rope)));
    set(r, r->root, "tied", json_boolean(c->tied));
}

/* Of a LLaVA checkpoint. */
static void describe_connector(struct report *r, const struct weights *w)
{
    const struct st_tensor *first = w ? weights_find(w, "model.mm_projector.0.weight") : NULL;
    if (first && first->rank == 2)
        set(r, r->root, "connector",
            json_pack("{s:I, s:I}", "in", (json_int_t)first->dims[1], "out", (json_int_t)first->dims[0]));
}

static int check_llama(struct report *r, const struct llama_config *c, const struct weights *w, struct err *e)
{
    AUTO(params_destroy) struct params *p = params_create(e);
    AUTO(free) struct llama_block *blocks = calloc((size_t)c->layers, sizeof *blocks);
    struct llama_weights slots = { .blocks = blocks };
    if (!p || !blocks)
        return FAIL_NOMEM(e);
    llama_want(p, c, &slots);
    return check_params(r, p, w, e);
}

static int inspect_llama(struct report *r, const struct hf_config *file, const struct weights *w, struct err *e)
{
    struct llama_config c;
    if (llama_config_read(file, &c, e) < 0) {
        problem_of(r, e);
        return 0;
    }
    describe_llama(r, &c);
    describe_connector(r, w);
    return check_llama(r, &c, w, e);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------
 */

static int describe_model(struct report *r, const struct hf_config *file, const struct weights *w, struct err *e)
{
    struct vit_config c;
    const char *type = hf_model_type(file), *class = hf_config_text(file, "_class_name");
    if (type || class)
        set(r, r->root, "kind", text_json(type ? type : class));
    if (llama_config_matches(file))
        return inspect_llama(r, file, w, e);
    if (vit_config_read(file, &c, e) < 0) {
        problem_of(r, e);
        return 0;
    }
    describe_vit(r, &c);
    return check_vit(r, &c, w, e);
}

static int describe_directory(struct report *r, const char *dir, struct err *e)
{
    char path[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s/preprocessor_config.json", dir);
    set(r, r->root, "preprocessor", json_boolean(stat(path, &st) == 0));
    AUTO(weights_destroy) struct weights *w = weights_open(dir, e);
    if (w)
        describe_weights(r, w);
    else
        problem_of(r, e);
    AUTO(hf_config_free) struct hf_config file = { 0 };
    snprintf(path, sizeof path, "%s/config.json", dir);
    if (hf_config_load(path, &file, e) == 0)
        return describe_model(r, &file, w, e);
    problem_of(r, e);
    return 0;
}

json_t *inspect_checkpoint(const char *dir, struct err *e)
{
    struct stat st;
    if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode) || strlen(dir) > 4000)
        return FAIL_NULL(e, ERR_INPUT, "%s: %s; name a directory with config.json and model.safetensors in it", dir,
                         stat(dir, &st) < 0 ? strerror(errno) : "it is not a directory");
    AUTO(json_decref) json_t *root = json_object();
    struct report r = { root, json_array(), false };
    set(&r, root, "directory", text_json(dir));
    set(&r, root, "kind", json_string("unknown"));
    int rc = describe_directory(&r, dir, e);
    set(&r, root, "readable", json_boolean(json_array_size(r.problems) == 0));
    set(&r, root, "problems", r.problems);
    if (rc < 0 || r.failed)
        return rc < 0 ? NULL : FAIL_NULL(e, ERR_NOMEM, "out of memory");
    return TAKE(root);
}

/* ---- for people -----------------------------------------------------------------------------------------------------
 */

static long long number(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static void model_text(const json_t *info, struct buf *out)
{
    const json_t *tokens = json_object_get(info, "tokens");
    if (!tokens)
        return;
    buf_printf(out, "encoder      %lld layers of width %lld, %lld heads, MLP %lld (%s), %lld parameters\n",
               number(info, "layers"), number(info, "width"), number(info, "heads"), number(info, "mlp"),
               json_string_value(json_object_get(info, "activation")), number(info, "parameters"));
    buf_printf(out, "picture      %lld pixels in patches of %lld: a grid of %lld x %lld\n", number(info, "image"),
               number(info, "patch"), number(info, "grid"), number(info, "grid"));
    buf_printf(out, "tokens       %lld of patches, %lld class, %lld register\n", number(tokens, "patches"),
               number(tokens, "class"), number(tokens, "registers"));
}

static void decoder_text(const json_t *info, struct buf *out)
{
    const json_t *connector = json_object_get(info, "connector");
    if (!json_object_get(info, "vocabulary"))
        return;
    buf_printf(
        out, "decoder      %lld layers of width %lld, %lld heads (%lld of keys), MLP %lld (swiglu), %lld parameters\n",
        number(info, "layers"), number(info, "width"), number(info, "heads"), number(info, "kv_heads"),
        number(info, "mlp"), number(info, "parameters"));
    buf_printf(out, "text         %lld tokens known%s, %lld positions, scaling %s\n", number(info, "vocabulary"),
               json_is_true(json_object_get(info, "tied")) ? " (head tied)" : "", number(info, "positions"),
               json_string_value(json_object_get(info, "rope")));
    if (connector)
        buf_printf(out, "connector    from %lld channels to %lld\n", number(connector, "in"), number(connector, "out"));
}

static void files_text(const json_t *info, struct buf *out)
{
    const json_t *stored = json_object_get(info, "stored"), *file;
    const char *type;
    json_t *count;
    size_t i;
    if (!stored)
        return;
    buf_printf(out, "stored       %lld tensors, %lld numbers, %lld bytes:", number(stored, "tensors"),
               number(stored, "parameters"), number(stored, "bytes"));
    json_object_foreach(json_object_get(info, "dtypes"), type, count)
    {
        buf_printf(out, " %s x %lld", type, (long long)json_integer_value(count));
    }
    buf_puts(out, "\n");
    json_array_foreach(json_object_get(info, "files"), i, file)
    {
        buf_printf(out, "file         %s, %lld bytes, %lld tensors\n", json_string_value(json_object_get(file, "name")),
                   number(file, "bytes"), number(file, "tensors"));
    }
}

void inspect_text(const json_t *info, struct buf *out)
{
    json_t *line;
    size_t i;
    buf_printf(out, "directory    %s\n", json_string_value(json_object_get(info, "directory")));
    buf_printf(out, "kind         %s\n", json_string_value(json_object_get(info, "kind")));
    model_text(info, out);
    decoder_text(info, out);
    files_text(info, out);
    buf_printf(out, "preprocessor %s\n",
               json_is_true(json_object_get(info, "preprocessor")) ? "preprocessor_config.json" : "none");
    buf_printf(out, "readable     %s\n", json_is_true(json_object_get(info, "readable")) ? "yes" : "no");
    json_array_foreach(json_object_get(info, "problems"), i, line)
    {
        buf_printf(out, "problem      %s\n", json_string_value(line));
    }
}
