#include "worker/tool/generate_tool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "common/mono.h"
#include "worker/model/generate.h"
#include "worker/model/vlm.h"
#include "worker/text/conversation.h"
#include "worker/tool/members.h"
#include "worker/train/adapter.h"

#define MAX_ANSWER ((size_t)64 << 20)

struct answer_job {
    const struct opts *o;
    enum th_dtype compute;
    struct th_device device;
    struct tokenizer *tokenizer;
    struct llama *llama; /* a decoder alone; or */
    struct vlm *vlm;     /* with pictures or an adapter, which has its own */
    const char *const *pictures;
    size_t n_pictures;
    struct tokenizer_stream stream;
    struct buf text;
    bool quiet;    /* nothing is printed before the end */
    int64_t first; /* when the first token came */
};

/* ---- options --------------------------------------------------------------------------------------------------------
 */

static int check_combination(const struct opts *o, struct err *e)
{
    bool pictures = opts_given(o, "image"), encoders = opts_given(o, "encoder");
    if (pictures && !encoders)
        return FAIL(e, ERR_USAGE, "--image needs --encoder DIR: which encoders make the connector's representation?");
    if (!pictures && (encoders || opts_given(o, "connector")))
        return FAIL(e, ERR_USAGE, "--%s is for pictures; give --image FILE", encoders ? "encoder" : "connector");
    if (opts_given(o, "connector") && opts_given(o, "llm"))
        return FAIL(e, ERR_USAGE, "--connector goes with the decoder of --model; give either it or --llm");
    if (!pictures && !opts_text(o, "prompt")[0])
        return FAIL(e, ERR_USAGE, "nothing to ask: give --prompt TEXT, --image FILE, or both");
    return 0;
}

static int read_options(struct answer_job *j, struct err *e)
{
    j->compute = tool_dtype(j->o, "compute");
    j->n_pictures = opts_list(j->o, "image", &j->pictures);
    j->quiet = opts_flag(j->o, "json");
    return tool_device(j->o, &j->device, e);
}

/* ---- what goes in ---------------------------------------------------------------------------------------------------
 */

static size_t count_marks(const char *text)
{
    size_t n = 0;
    for (; (text = strstr(text, CONVERSATION_IMAGE)); text += strlen(CONVERSATION_IMAGE))
        n++;
    return n;
}

/* The question with a mark for each picture. */
static int question(const struct answer_job *j, struct buf *out, struct err *e)
{
    const char *prompt = opts_text(j->o, "prompt");
    size_t marks = count_marks(prompt);
    if (marks > 0 && marks != j->n_pictures)
        return FAIL(e, ERR_USAGE, "the prompt has %zu times " CONVERSATION_IMAGE ", but there are %zu pictures", marks,
                    j->n_pictures);
    bool plain = strcmp(opts_text(j->o, "template"), "plain") == 0;
    for (size_t i = marks; i < j->n_pictures; i++) /* stage 1 knows no line break behind a picture */
        buf_printf(out, CONVERSATION_IMAGE "%s", plain ? "" : "\n");
    buf_puts(out, prompt);
    return buf_check(out, "the prompt", e);
}

static int encode_question(const struct answer_job *j, struct ids *ids, struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(MAX_ANSWER);
    enum conversation_template template;
    TRY(question(j, &text, e));
    TRY(conversation_template_parse(opts_text(j->o, "template"), &template, e));
    struct turn turn = { .from = TURN_HUMAN, .text = buf_text(&text), .len = text.len };
    return conversation_prompt(j->tokenizer, template, &turn, 1, ids, e);
}

/* Features of the pictures, (I,N,d) */
static struct tensor *look(const struct answer_job *j, struct err *e)
{
    AUTO(tool_members_free) struct tool_members members = { 0 };
    if (tool_members_read(j->o, j->compute, &members, e) < 0)
        return NULL;
    AUTO(representation_close)
    struct representation *r = tool_representation(j->o, &members, j->compute, j->device, e);
    if (!r)
        return NULL;
    tool_compare(j->vlm, &members, r, "generate");
    return representation_files(r, j->pictures, j->n_pictures, e);
}

/* The decoder's input, (1,N,D) */
static struct tensor *embed(const struct answer_job *j, const struct ids *ids, struct err *e)
{
    TH_SCOPE(s);
    struct vlm_sample sample = { .ids = ids->v, .n = ids->n };
    AUTO(vlm_batch_free) struct vlm_batch b = { 0 };
    if (j->vlm) {
        struct tensor *features = j->n_pictures ? look(j, e) : NULL;
        if ((j->n_pictures && !features) || vlm_embed(j->vlm, &sample, 1, features, 0, &b, e) < 0)
            return NULL;
        return th_return(&s, b.x);
    }
    for (size_t i = 0; i < ids->n; i++)
        if (ids->v[i] < 0 || ids->v[i] >= llama_config(j->llama)->vocab)
            return FAIL_NULL(e, ERR_INPUT, "id %d is outside of the decoder's %lld; is this its tokenizer?", ids->v[i],
                             (long long)llama_config(j->llama)->vocab);
    struct tensor *list = th_from(ids->v, TH_DIMS(1, (int64_t)ids->n), TH_I32, j->device);
    struct tensor *x = llama_embed(j->llama, th_to(list, TH_I64));
    return th_check(e) < 0 ? NULL : th_return(&s, x);
}

/* ---- what comes out -------------------------------------------------------------------------------------------------
 */

static int print_new(struct answer_job *j, size_t from, struct err *e)
{
    if (j->quiet || j->text.len == from)
        return 0;
    if (fwrite(j->text.data + from, 1, j->text.len - from, stdout) != j->text.len - from || fflush(stdout) != 0)
        return FAIL(e, ERR_ENV, "cannot write to standard output: %s", strerror(errno));
    return 0;
}

static int take_token(void *arg, int64_t row, int32_t token, struct err *e)
{
    struct answer_job *j = arg;
    size_t from = j->text.len;
    (void)row;
    if (!j->first)
        j->first = mono_now();
    TRY(tokenizer_stream_push(j->tokenizer, &j->stream, token, &j->text, e));
    return print_new(j, from, e);
}

static int end_text(struct answer_job *j, struct err *e)
{
    size_t from = j->text.len;
    TRY(tokenizer_stream_end(j->tokenizer, &j->stream, &j->text, e));
    TRY(buf_check(&j->text, "the answer", e));
    TRY(print_new(j, from, e));
    if (!j->quiet && putchar('\n') == EOF)
        return FAIL(e, ERR_ENV, "cannot write to standard output: %s", strerror(errno));
    return 0;
}

static json_t *tokens_json(const struct generated *g)
{
    json_t *list = json_array();
    for (size_t i = 0; i < g->n; i++)
        json_array_append_new(list, json_integer(g->tokens[i]));
    return list;
}

static int print_json(const struct answer_job *j, int64_t prompt, const struct generated *g, int64_t began,
                      struct err *e)
{
    int64_t end = mono_now(), first = j->first ? j->first : end;
    AUTO(json_decref)
    json_t *out =
        json_pack("{s:s, s:o, s:b, s:I, s:f, s:f}", "text", buf_text(&j->text), "tokens", tokens_json(g), "stopped",
                  g->stopped, "prompt_tokens", (json_int_t)prompt, "first_token_seconds",
                  (double)(first - began) / (double)NS_PER_S, "seconds", (double)(end - began) / (double)NS_PER_S);
    if (!out)
        return FAIL_NOMEM(e);
    if (json_dumpf(out, stdout, JSON_COMPACT) < 0 || putchar('\n') == EOF)
        return FAIL(e, ERR_ENV, "cannot write to standard output: %s", strerror(errno));
    return 0;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------
 */

static int open_model(struct answer_job *j, struct err *e)
{
    const char *dir = opts_text(j->o, "model"), *llm = opts_text(j->o, "llm");
    struct llama_options lo = { j->compute, j->device };
    struct vlm_options vo = { .connector = opts_text(j->o, "connector"), .dtype = j->compute, .device = j->device };
    bool adapter = adapter_is_in(dir);
    if ((llm || !adapter) && !(j->tokenizer = tokenizer_open(llm ? llm : dir, e)))
        return -1;
    if (vo.connector)
        j->vlm = vlm_open(dir, &vo, e);
    else if (j->n_pictures || llm || adapter)
        j->vlm = tool_model(dir, llm, j->compute, j->device, e);
    else
        j->llama = llama_open(dir, &lo, e);
    return j->vlm || j->llama ? 0 : -1;
}

static int answer(struct answer_job *j, struct err *e)
{
    TH_SCOPE(s);
    AUTO(ids_free) struct ids ids = { 0 };
    struct generated g;
    TRY(open_model(j, e));
    TRY(encode_question(j, &ids, e));
    int64_t began = mono_now();
    struct tensor *x = embed(j, &ids, e);
    if (!x)
        return -1;
    int32_t eos = tokenizer_eos(j->tokenizer);
    const struct llama *m = j->vlm ? j->vlm->llama : j->llama;
    struct generate_options o = { .max_new_tokens = opts_int(j->o, "max-tokens"),
                                  .context = llama_context(llama_config(m)),
                                  .token = take_token,
                                  .arg = j };
    if (llama_config(m)->n_eos == 0 && eos >= 0) {
        o.stop = &eos;
        o.n_stop = 1;
    }
    TRY(llama_generate(m, x, NULL, &o, &g, e));
    int rc = end_text(j, e);
    if (rc == 0 && j->quiet)
        rc = print_json(j, th_size(x, 1), &g, began, e);
    generated_free(&g, 1);
    return rc;
}

int tool_generate(const struct opts *o, struct err *e)
{
    struct answer_job j = { .o = o, .text = BUF_INIT(MAX_ANSWER) };
    TRY(check_combination(o, e));
    TRY(read_options(&j, e));
    TRY(tool_begin(o, "generate", j.device, e));
    int rc = answer(&j, e);
    vlm_destroy(j.vlm);
    llama_destroy(j.llama);
    tokenizer_close(j.tokenizer);
    tokenizer_stream_free(&j.stream);
    buf_free(&j.text);
    return rc;
}
