#include "worker/pretrain/decoder.h"

#include <stdio.h>
#include <string.h>

#include "common/digest.h"
#include "worker/model/llama.h"
#include "worker/model/model_file.h"
#include "worker/pretrain/bpe_learn.h"
#include "worker/pretrain/dice.h"
#include "worker/pretrain/fresh.h"
#include "worker/pretrain/output.h"
#include "worker/pretrain/soft.h"
#include "worker/pretrain/texts.h"
#include "worker/torch/th_train.h"

#define HEAD_WIDTH 32 /* of attention */
#define POSITIONS 2048
#define CLIP_NORM 1.0 /* of gradients */
#define WINDOW 16     /* steps whose texts are sorted by length together, so that little is padded */

/* A text as ids, and which of them are learned. */
struct row {
    struct ids ids, labels;
    struct text_info info;
    bool soft; /* what is seen or given is softened, and answers alone are learned */
};
struct rows {
    struct row *v;
    size_t n;
    int64_t tokens;
    size_t masked; /* samples that stage 2 would leave out */
};

static void rows_free(struct rows *r)
{
    for (size_t i = 0; r->v && i < r->n; i++) {
        ids_free(&r->v[i].ids);
        ids_free(&r->v[i].labels);
    }
    free(r->v);
    *r = (struct rows){ 0 };
}

struct decoder {
    const struct decoder_job *job;
    struct rows train, validation;
    size_t vocab;
    const struct row **window; /* WINDOW batches */
    struct llama *llama;
    struct th_optim *optim;
    struct th_rng *rng; /* of what is softened */
    struct pace pace;
    struct output out;
};

static void decoder_free_cleanup(struct decoder *t)
{
    free(t->window);
    rows_free(&t->train);
    rows_free(&t->validation);
    th_optim_destroy(t->optim);
    th_rng_destroy(t->rng);
    llama_destroy(t->llama);
    pace_free(&t->pace);
    output_end(&t->out);
}

/* ---- the tokenizer --------------------------------------------------------------------------------------------------
 */

static int add_to_learner(struct bpe_learner *l, const struct texts *texts, struct err *e)
{
    int64_t talks = 0;
    for (size_t i = 0; i < texts->n; i++) {
        talks += texts->v[i].talk;
        for (size_t k = 0; k < texts->v[i].n; k++)
            TRY(bpe_learner_add(l, texts->v[i].turns[k].text, texts->v[i].turns[k].len, 1, e));
        if (texts->v[i].seen)
            TRY(bpe_learner_add(l, texts->v[i].seen, strlen(texts->v[i].seen), 1, e));
    }
    if (talks == 0) /* the words that the template adds */
        return 0;
    const char *system = conversation_system_text(), *names = "USER: ASSISTANT:";
    TRY(bpe_learner_add(l, system, strlen(system), talks, e));
    return bpe_learner_add(l, names, strlen(names), talks, e);
}

/* Learn it, write it into the draft, and read it from there, as everybody will. */
static struct tokenizer *make_tokenizer(struct decoder *t, const struct texts *texts, const struct texts *words,
                                        struct err *e)
{
    const char *from = t->job->from;
    if (from)
        return model_file_copy(from, t->out.draft, "tokenizer.json", e) < 0 ||
                       model_file_copy(from, t->out.draft, "tokenizer_config.json", e) < 0
                   ? NULL
                   : tokenizer_open(t->out.draft, e);
    AUTO(bpe_learner_destroy) struct bpe_learner *l = bpe_learner_create(e);
    AUTO(bpe_vocabulary_free) struct bpe_vocabulary v = { 0 };
    if (!l || add_to_learner(l, texts, e) < 0 || add_to_learner(l, words, e) < 0 ||
        bpe_learn(l, (size_t)t->job->vocab, &v, e) < 0 ||
        bpe_vocabulary_write(&v, t->out.draft, e) < 0)
        return NULL;
    t->vocab = v.tokens.n;
    return tokenizer_open(t->out.draft, e);
}

/* ---- data -----------------------------------------------------------------------------------------------------------
 */

static int encode_all(const struct decoder_job *j, const struct texts *texts, const struct tokenizer *tokenizer,
                      struct rows *out, struct err *e)
{
    if (!(out->v = calloc(texts->n + 1, sizeof *out->v)))
        return FAIL_NOMEM(e);
    for (; out->n < texts->n; out->n++) {
        struct row *row = &out->v[out->n];
        if (text_encode(&texts->v[out->n], tokenizer, (size_t)j->max_length, &row->ids, &row->labels,
                        &row->info, e) < 0) {
            ids_free(&row->ids);
            ids_free(&row->labels);
            return err_wrap(e, "text %zu", out->n);
        }
        out->masked += row->info.masked;
        out->tokens += (int64_t)row->ids.n;
    }
    return 0;
}

static int read_texts(const struct decoder_job *j, struct texts *texts, struct err *e)
{
    for (size_t i = 0; i < j->n_data; i++)
        TRY(texts_read(j->data[i], false, texts, e));
    for (size_t i = 0; i < j->n_plain; i++)
        TRY(texts_read(j->plain[i], true, texts, e));
    return 0;
}

/* The rows from `first` on are softened. Conversations of which nothing is seen may be among others. */
static int soften(struct rows *rows, const struct texts *texts, size_t first, struct err *e)
{
    bool some = first == rows->n;
    for (size_t i = first; i < rows->n; i++) {
        const struct text *t = &texts->v[i];
        some |= t->seen || (!t->talk && t->n == 2);
        if (!t->talk && t->n != 2)
            return FAIL(e, ERR_INPUT, "text %zu: --soft takes conversations in which something is \"seen\", and lines with "
                                      "a text \"given\" before another, and no others", i);
        rows->v[i].soft = true;
    }
    return some ? 0 : FAIL(e, ERR_INPUT, "--soft: in none of the conversations anything is \"seen\"");
}

static int read_data(struct decoder *t, struct err *e)
{
    const struct decoder_job *j = t->job;
    AUTO(texts_free) struct texts texts = { 0 };
    AUTO(texts_free) struct texts others = { 0 };
    AUTO(texts_free) struct texts words = { 0 };
    for (size_t i = 0; i < j->n_words; i++)
        TRY(texts_read(j->words[i], false, &words, e));
    TRY(read_texts(j, &texts, e));
    size_t clear = texts.n;
    for (size_t i = 0; i < j->n_soft; i++)
        TRY(texts_read(j->soft[i], false, &texts, e));
    AUTO(tokenizer_close) struct tokenizer *tokenizer = make_tokenizer(t, &texts, &words, e);
    if (!tokenizer || encode_all(j, &texts, tokenizer, &t->train, e) < 0 || soften(&t->train, &texts, clear, e) < 0)
        return -1;
    if (!j->validation)
        return 0;
    TRY(texts_read(j->validation, false, &others, e));
    return encode_all(j, &others, tokenizer, &t->validation, e);
}

/* ---- the model ------------------------------------------------------------------------------------------------------
 */

/* LLaMA's shape: the MLP is 8/3 as wide, up to a multiple of 32. */
static struct llama_config config_of(const struct decoder *t)
{
    int64_t d = t->job->width;
    return (struct llama_config){ .vocab = (int64_t)t->vocab,
                                  .width = d,
                                  .mlp = (d * 8 / 3 + 31) / 32 * 32,
                                  .layers = t->job->layers,
                                  .heads = d % HEAD_WIDTH ? 1 : d / HEAD_WIDTH,
                                  .kv_heads = d % HEAD_WIDTH ? 1 : d / HEAD_WIDTH,
                                  .positions = POSITIONS,
                                  .eps = 1e-5,
                                  .theta = t->job->rope_theta,
                                  .bos = 1,
                                  .pad = -1,
                                  .eos = { 2 },
                                  .n_eos = 1 };
}

static int make_model(struct decoder *t, struct err *e)
{
    struct llama_config c = config_of(t);
    struct llama_options o = LLAMA_DEFAULTS;
    const char *name;
    struct tensor *x;
    t->llama = t->job->from ? llama_open(t->job->from, &o, e) : llama_create(&c, &o, t->job->seed, e);
    if (!t->llama || !(t->rng = th_rng_create(t->job->seed, e)) ||
        !(t->optim = th_optim_adamw((struct th_adamw){ .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8 }, e)))
        return -1;
    TH_SCOPE(s);
    if (!t->job->from)
        fresh_decoder(llama_params(t->llama), llama_config(t->llama)->layers);
    t->vocab = (size_t)llama_config(t->llama)->vocab;
    for (size_t i = 0; (x = params_next(llama_params(t->llama), &i, &name));)
        th_optim_add(t->optim, name, th_requires_grad_(x, true), th_rank(x) > 1 ? t->job->weight_decay : 0, 1);
    return th_check(e);
}

/* ---- learning -------------------------------------------------------------------------------------------------------
 */

/* The labels of rows, padded: all ids, or those of answers. */
static struct tensor *labels_of(const struct row *const *rows, size_t n, int64_t longest, bool answers)
{
    struct tensor *labels = th_full(TH_DIMS((int64_t)n, longest), LLAMA_IGNORE, TH_I64, TH_CPU);
    int64_t *label = th_data(labels);
    for (size_t i = 0; label && i < n; i++)
        for (size_t k = 0; k < rows[i]->ids.n; k++)
            label[i * (size_t)longest + k] = answers || rows[i]->soft ? rows[i]->labels.v[k] : rows[i]->ids.v[k];
    return labels;
}

/* The embeddings of ids (B,N), softened where they are told so; `number` is the first row's in the stream. */
static struct tensor *hear(const struct decoder *t, struct tensor *ids, const struct row *const *rows, size_t n,
                           uint64_t number)
{
    struct tensor *x = llama_embed(t->llama, ids);
    AUTO(free) struct soft_row *soft = calloc(n, sizeof *soft);
    bool some = false;
    if (!soft)
        return TH_FAIL(ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (!rows[i]->soft)
            continue;
        soft[i] = soft_row_at(t->job->seed, number + i, (int64_t)rows[i]->info.heard, (int64_t)rows[i]->info.unheard);
        some = true;
    }
    return some ? soft_words(x, soft, t->rng) : x;
}

/* The loss of rows, the first id of each never being a target. `kind`: of what; *targets (unless NULL) are those of the
 * answers, except with DECODER_ALL. In the caller's scope. */
static struct tensor *loss_of(const struct decoder *t, const struct row *const *rows, size_t n, enum decoder_loss kind,
                              int64_t *targets)
{
    int64_t longest = 0, *lengths = calloc(n, sizeof *lengths);
    for (size_t i = 0; lengths && i < n; i++) {
        lengths[i] = (int64_t)rows[i]->ids.n;
        longest = lengths[i] > longest ? lengths[i] : longest;
    }
    if (!lengths)
        return TH_FAIL(ERR_NOMEM, "out of memory");
    struct tensor *ids = th_zeros(TH_DIMS((int64_t)n, longest), TH_I64, TH_CPU);
    int64_t *id = th_data(ids);
    for (size_t i = 0; id && i < n; i++)
        for (size_t k = 0; k < rows[i]->ids.n; k++)
            id[i * (size_t)longest + k] = rows[i]->ids.v[k];
    struct tensor *x = hear(t, ids, rows, n, (uint64_t)t->pace.step * (uint64_t)t->job->batch);
    struct tensor *h = llama_forward(t->llama, x, (struct llama_pass){ .lengths = lengths });
    struct tensor *loss =
        llama_loss(t->llama, h, labels_of(rows, n, longest, kind != DECODER_ALL), targets);
    if (kind == DECODER_BOTH)
        loss = th_add(loss, llama_loss(t->llama, h, labels_of(rows, n, longest, false), NULL));
    free(lengths);
    return loss;
}

static int by_length(const void *a, const void *b)
{
    const struct row *one = *(const struct row *const *)a, *two = *(const struct row *const *)b;
    return one->ids.n != two->ids.n ? (one->ids.n > two->ids.n) - (one->ids.n < two->ids.n) : (one > two) - (one < two);
}

/* The texts of the next WINDOW steps, those of a batch about as long. The steps come in any order, and each text once before
 * any comes again. */
static void fill_window(struct decoder *t)
{
    size_t n = (size_t)t->job->batch * WINDOW;
    for (size_t i = 0; i < n; i++)
        t->window[i] = &t->train.v[dice_shuffled(t->job->seed, (uint64_t)t->pace.step * t->job->batch + i, t->train.n)];
    qsort(t->window, n, sizeof *t->window, by_length);
}

static int one_step(struct decoder *t, struct err *e)
{
    size_t n = (size_t)t->job->batch;
    if (t->pace.step % WINDOW == 0)
        fill_window(t);
    const struct row *const *batch = t->window + n * dice_shuffled(t->job->seed, (uint64_t)t->pace.step, WINDOW);
    TH_SCOPE(s);
    th_grad(true);
    struct tensor *loss = loss_of(t, batch, n, t->job->loss, NULL);
    th_backward(loss);
    th_optim_clip_grad(t->optim, CLIP_NORM);
    th_optim_step(t->optim, pace_rate(&t->pace));
    th_optim_zero_grad(t->optim);
    double value = th_item(loss);
    TRY(th_check(e));
    return pace_step(&t->pace, value, e);
}

/* Mean loss over all tokens of the validation texts, whatever is learned, so that runs can be compared. */
static int validate(const struct decoder *t, double *mean, struct err *e)
{
    double sum = 0;
    int64_t all = 0;
    for (size_t i = 0; i < t->validation.n; i++) {
        TH_SCOPE(s);
        const struct row *row = &t->validation.v[i];
        int64_t targets = 0;
        struct tensor *loss = loss_of(t, &row, 1, DECODER_ALL, &targets);
        double value = th_item(loss);
        TRY(th_check(e));
        sum += value * (double)targets;
        all += targets;
    }
    *mean = all ? sum / (double)all : 0;
    return 0;
}

/* ---- the result -----------------------------------------------------------------------------------------------------
 */

static int add_digests(json_t *about, const char *key, const char *const *files, size_t n, struct err *e)
{
    json_t *list = json_array();
    if (!list || json_object_set_new(about, key, list) < 0)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        char digest[DIGEST_HEX_SIZE];
        TRY(digest_file(files[i], digest, NULL, e));
        if (json_array_append_new(list, json_string(digest)) < 0)
            return FAIL_NOMEM(e);
    }
    return 0;
}

static int describe(const struct decoder *t, json_t *about, struct err *e)
{
    const struct decoder_job *j = t->job;
    double loss;
    TRY(add_digests(about, "data_sha256", j->data, j->n_data, e));
    TRY(add_digests(about, "plain_sha256", j->plain, j->n_plain, e));
    TRY(add_digests(about, "soft_sha256", j->soft, j->n_soft, e));
    if (!j->validation)
        return 0;
    TRY(validate(t, &loss, e));
    fprintf(stderr, "validation: loss %.4f a token of %zu texts\n", loss, t->validation.n);
    return json_object_set_new(about, "validation_loss", json_real(loss)) < 0 ? FAIL_NOMEM(e) : 0;
}

static int save(struct decoder *t, struct err *e)
{
    static const char *const loss_names[] = { "next token", "answers", "next token and answers" };
    const struct decoder_job *j = t->job;
    AUTO(json_decref)
    json_t *about =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:O}", "objective",
                  loss_names[j->loss], "texts",
                  (json_int_t)t->train.n, "tokens", (json_int_t)t->train.tokens, "vocab", (json_int_t)t->vocab, "steps",
                  (json_int_t)t->pace.step, "batch", (json_int_t)j->batch, "learning_rate", t->pace.rate,
                  "weight_decay", j->weight_decay, "seed", (json_int_t)j->seed, "losses", t->pace.losses);
    if (!about)
        return FAIL_NOMEM(e);
    TRY(describe(t, about, e));
    TRY(llama_save(t->llama, t->out.draft, j->dtype, e));
    TRY(model_file_write_json(t->out.draft, "training.json", about, e));
    return output_commit(&t->out, e);
}

int decoder_train(const struct decoder_job *job, struct err *e)
{
    AUTO(decoder_free) struct decoder t = { .job = job, .pace = job->pace };
    if (!(t.window = calloc((size_t)job->batch * WINDOW, sizeof *t.window)))
        return FAIL_NOMEM(e);
    TRY(th_device_check(TH_CPU, e));
    TRY(output_check(&t.out, job->out, e));
    TRY(output_begin(&t.out, e)); /* for the tokenizer */
    TRY(read_data(&t, e));
    TRY(make_model(&t, e));
    fprintf(stderr, "llm: %zu texts, %lld tokens, a vocabulary of %zu; the decoder has %lld numbers\n", t.train.n,
            (long long)t.train.tokens, t.vocab, (long long)params_elements(llama_params(t.llama)));
    if (t.train.masked)
        fprintf(stderr,
                "warning: stage 2 would leave out %zu of these texts, for LLaVA's label masks do not fit them\n",
                t.train.masked);
    TRY(pace_begin(&t.pace, e));
    while (pace_goes_on(&t.pace))
        TRY(one_step(&t, e));
    return save(&t, e);
}
