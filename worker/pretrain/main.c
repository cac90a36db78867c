/* acsweep-pretrain: trains small encoders and a small language model from nothing, so that a whole sweep can run where
 * there are neither weights nor data sets. Nothing of the product calls it; what it writes are checkpoints as any. */
#include <stdio.h>
#include <string.h>

#include "common/opts.h"
#include "worker/pretrain/decoder.h"
#include "worker/pretrain/encoder.h"
#include "worker/pretrain/probe.h"
#include "worker/torch/tune.h"

/* How long, how fast, where to. */
static const struct opt run_options[] = {
    { .name = "steps", .type = OPT_INT, .value = "N", .lo = 1, .hi = 1000000000,
      .help = "train for so many steps; with --threads 1 the result is the same to the bit each time" },
    { .name = "seconds", .type = OPT_REAL, .value = "S", .lo = 1, .hi = 1000000, .help = "or for so long" },
    { .name = "seed", .type = OPT_INT, .value = "N", .fallback = "1", .lo = 0, .hi = INT64_MAX,
      .help = "of weights, order, views and words" },
    { .name = "threads", .type = OPT_INT, .value = "N", .fallback = "1", .lo = 1, .hi = 1024,
      .help = "that compute; small models gain little from a second one: rather train two at a time" },
    { .name = "dtype", .type = OPT_CHOICE, .choices = "fp32|bf16|fp16", .fallback = "fp16",
      .help = "type of the weights in the file" },
    { .name = "report", .type = OPT_INT, .value = "N", .fallback = "25", .lo = 1, .hi = 1000000000,
      .help = "steps between two lines on standard error" },
    { .name = "out", .letter = 'o', .type = OPT_DIR, .value = "DIR", .required = true,
      .help = "directory to make; it must not be there yet" },
    { 0 },
};

static const struct opt picture_options[] = {
    { .name = "data", .type = OPT_FILE, .value = "FILE", .required = true,
      .help = "a line for each picture: {\"image\": path, \"caption\": text, \"concepts\": [names]}" },
    { .name = "images", .type = OPT_DIR, .value = "DIR", .required = true, .help = "where these paths begin" },
    { 0 },
};

static enum th_dtype dtype_of(const struct opts *o)
{
    const char *name = opts_text(o, "dtype");
    return strcmp(name, "fp32") == 0 ? TH_F32 : strcmp(name, "bf16") == 0 ? TH_BF16 : TH_F16;
}

static int read_pace(const struct opts *o, struct pace *p, struct err *e)
{
    if (opts_given(o, "steps") == opts_given(o, "seconds"))
        return FAIL(e, ERR_USAGE, "give either --steps or --seconds");
    *p = (struct pace){ .steps = opts_int(o, "steps"),
                        .seconds = opts_real(o, "seconds"),
                        .rate = opts_real(o, "lr"),
                        .report = opts_int(o, "report") };
    return 0;
}

/* ---- encoder --------------------------------------------------------------------------------------------------------
 */

static const struct opt encoder_options[] = {
    { .name = "objective", .type = OPT_CHOICE, .choices = "clip|siglip|dense", .required = true,
      .help = "clip and siglip: captions, by softmax or sigmoid; dense: two views, saved as DINOv2" },
    { .name = "validation", .type = OPT_FILE, .value = "FILE",
      .help = "as --data, not trained on: how often the nearest name is the right one" },
    { .name = "resolution", .type = OPT_INT, .value = "PIXELS", .fallback = "64", .lo = 8, .hi = 1024,
      .help = "edge of a picture" },
    { .name = "patch", .type = OPT_INT, .value = "PIXELS", .fallback = "8", .lo = 1, .hi = 256,
      .help = "edge of a patch" },
    { .name = "width", .type = OPT_INT, .value = "N", .fallback = "96", .lo = 8, .hi = 4096, .help = "of the encoder" },
    { .name = "layers", .type = OPT_INT, .value = "N", .fallback = "3", .lo = 1, .hi = 100, .help = "of the encoder" },
    { .name = "batch", .type = OPT_INT, .value = "N", .lo = 1, .hi = 65536,
      .help = "pictures in a step; without it 128, and 64 in two views for dense" },
    { .name = "lr", .type = OPT_REAL, .value = "X", .fallback = "0.001", .lo = 0, .hi = 1,
      .help = "the largest learning rate" },
    { .name = "weight-decay", .type = OPT_REAL, .value = "X", .fallback = "0.05", .lo = 0, .hi = 1,
      .help = "of matrices (AdamW)" },
    { .name = "word-dropout", .type = OPT_REAL, .value = "X", .fallback = "0.7", .lo = 0, .hi = 1,
      .help = "how often a word that names no concept is left out of a caption" },
    { 0 },
};

static int run_encoder(const struct opts *o, struct err *e)
{
    const struct objective *objective = objective_find(opts_text(o, "objective"));
    struct encoder_job j = { .objective = objective,
                             .data = opts_text(o, "data"),
                             .images = opts_text(o, "images"),
                             .validation = opts_text(o, "validation"),
                             .out = opts_text(o, "out"),
                             .resolution = opts_int(o, "resolution"),
                             .patch = opts_int(o, "patch"),
                             .width = opts_int(o, "width"),
                             .layers = opts_int(o, "layers"),
                             .batch = opts_given(o, "batch") ? opts_int(o, "batch") : objective->batch,
                             .word_dropout = opts_real(o, "word-dropout"),
                             .weight_decay = opts_real(o, "weight-decay"),
                             .seed = (uint64_t)opts_int(o, "seed"),
                             .dtype = dtype_of(o) };
    TRY(read_pace(o, &j.pace, e));
    th_set_threads((int)opts_int(o, "threads"));
    pace_catch_signals();
    return encoder_train(&j, e);
}

static const struct cmd cmd_encoder = {
    .name = "encoder",
    .summary = "Train an encoder of pictures",
    .details = "Writes config.json, model.safetensors, preprocessor_config.json and training.json. There is no going "
               "on after an interruption: it takes minutes.\n"
               "\n"
               "  acsweep-pretrain encoder --objective clip --data pretrain.jsonl \\\n"
               "      --images pictures --seconds 240 --out models/clip64",
    .options = { picture_options, encoder_options, run_options },
    .run = run_encoder,
};

/* ---- llm ------------------------------------------------------------------------------------------------------------
 */

static const struct opt llm_options[] = {
    { .name = "data", .type = OPT_FILE, .value = "FILE", .many = true,
      .help = "conversations as LLaVA's stage 2 has them, or lines with a \"caption\"" },
    { .name = "plain", .type = OPT_FILE, .value = "FILE", .many = true,
      .help = "conversations of which only the first answer is read, as a caption: LLaVA's stage 1" },
    { .name = "soft", .type = OPT_FILE, .value = "FILE", .many = true,
      .help = "conversations with what is \"seen\" for their picture, or lines with a text and what is \"given\" before it: "
              "these tokens are mixed and disturbed, as a picture's will come, and answers or the text learned" },
    { .name = "words", .type = OPT_FILE, .value = "FILE", .many = true,
      .help = "as --data, for the tokenizer alone: texts that a later run with --from goes on with (may be given again)" },
    { .name = "validation", .type = OPT_FILE, .value = "FILE",
      .help = "as --data, not trained on: the loss at the end" },
    { .name = "from", .type = OPT_DIR, .value = "DIR",
      .help = "go on from this model and its tokenizer, instead of random weights; its shape is kept" },
    { .name = "loss", .type = OPT_CHOICE, .choices = "all|answers|both", .fallback = "all",
      .help = "learn all tokens; answers, and of texts what is not given; or both, for answers are few of all tokens" },
    { .name = "vocab", .type = OPT_INT, .value = "N", .fallback = "1024", .lo = 300, .hi = 65536,
      .help = "tokens at most; a tokenizer is learned from the texts" },
    { .name = "width", .type = OPT_INT, .value = "N", .fallback = "128", .lo = 8, .hi = 4096,
      .help = "of the decoder" },
    { .name = "layers", .type = OPT_INT, .value = "N", .fallback = "4", .lo = 1, .hi = 100, .help = "of the decoder" },
    { .name = "rope-theta", .type = OPT_REAL, .value = "X", .fallback = "100", .lo = 1, .hi = 1e9,
      .help = "base of the positions' wavelengths: LLaMA's 10000 is for long texts, small models learn faster with less" },
    { .name = "batch", .type = OPT_INT, .value = "N", .fallback = "32", .lo = 1, .hi = 65536,
      .help = "texts in a step" },
    { .name = "max-length", .type = OPT_INT, .value = "N", .fallback = "512", .lo = 2, .hi = 2048,
      .help = "tokens of a text" },
    { .name = "lr", .type = OPT_REAL, .value = "X", .fallback = "0.002", .lo = 0, .hi = 1,
      .help = "the largest learning rate" },
    { .name = "weight-decay", .type = OPT_REAL, .value = "X", .fallback = "0.05", .lo = 0, .hi = 1,
      .help = "of matrices (AdamW)" },
    { 0 },
};

static enum decoder_loss loss_of_name(const char *name)
{
    return strcmp(name, "both") == 0 ? DECODER_BOTH : strcmp(name, "answers") == 0 ? DECODER_ANSWERS : DECODER_ALL;
}

static int run_llm(const struct opts *o, struct err *e)
{
    struct decoder_job j = { .from = opts_text(o, "from"),
                             .validation = opts_text(o, "validation"),
                             .out = opts_text(o, "out"),
                             .loss = loss_of_name(opts_text(o, "loss")),
                             .vocab = opts_int(o, "vocab"),
                             .width = opts_int(o, "width"),
                             .layers = opts_int(o, "layers"),
                             .batch = opts_int(o, "batch"),
                             .max_length = opts_int(o, "max-length"),
                             .rope_theta = opts_real(o, "rope-theta"),
                             .weight_decay = opts_real(o, "weight-decay"),
                             .seed = (uint64_t)opts_int(o, "seed"),
                             .dtype = dtype_of(o) };
    j.n_words = opts_list(o, "words", &j.words);
    j.n_data = opts_list(o, "data", &j.data);
    j.n_plain = opts_list(o, "plain", &j.plain);
    j.n_soft = opts_list(o, "soft", &j.soft);
    if (j.n_data + j.n_plain == 0)
        return FAIL(e, ERR_USAGE, "give texts: --data FILE, --plain FILE, each once or more");
    if (j.from && (opts_given(o, "vocab") || opts_given(o, "width") || opts_given(o, "layers") ||
                   opts_given(o, "rope-theta") || j.n_words))
        return FAIL(e, ERR_USAGE,
                    "--from keeps that model's shape and tokenizer: leave out --vocab, --words, --width, --layers and "
                    "--rope-theta");
    TRY(read_pace(o, &j.pace, e));
    th_set_threads((int)opts_int(o, "threads"));
    pace_catch_signals();
    return decoder_train(&j, e);
}

static const struct cmd cmd_llm = {
    .name = "llm",
    .summary = "Train a language model and its tokenizer",
    .details = "Writes config.json, model.safetensors, tokenizer.json, tokenizer_config.json and training.json. "
               "Pictures are left out of the texts. Without --loss all tokens are learned, questions too.\n"
               "\n"
               "  acsweep-pretrain llm --data stage2.json --plain stage1.json \\\n"
               "      --seconds 120 --out models/llm",
    .options = { llm_options, run_options },
    .run = run_llm,
};

/* ---- probe ----------------------------------------------------------------------------------------------------------
 */

static const struct opt probe_options[] = {
    { .name = "encoder", .type = OPT_DIR, .value = "DIR", .required = true,
      .help = "checkpoint in Hugging Face layout" },
    { .name = "validation", .type = OPT_FILE, .value = "FILE", .required = true, .help = "as --data, to be named" },
    { .name = "layer", .type = OPT_INT, .value = "N", .fallback = "-1", .lo = -1000, .hi = 1000,
      .help = "hidden state: 0 what goes into the first block, negative from the end" },
    { .name = "lambda", .type = OPT_REAL, .value = "X", .fallback = "0.01", .lo = 1e-9, .hi = 1e9,
      .help = "penalty of ridge regression, for each picture" },
    { .name = "seed", .type = OPT_INT, .value = "N", .fallback = "1", .lo = 0, .hi = INT64_MAX,
      .help = "of the weights at random" },
    { .name = "threads", .type = OPT_INT, .value = "N", .fallback = "1", .lo = 1, .hi = 1024, .help = "that compute" },
    { .name = "json", .type = OPT_FLAG, .help = "one JSON object" },
    { 0 },
};

static int print_probe(const struct opts *o, const struct probe_result *r, struct err *e)
{
    int n = opts_flag(o, "json")
                ? printf("{\"classes\":%zu,\"train\":%zu,\"test\":%zu,\"trained\":{\"top1\":%.6g,\"top5\":%.6g},"
                         "\"random\":{\"top1\":%.6g,\"top5\":%.6g},\"constant\":%.6g}\n",
                         r->classes, r->train, r->test, r->trained.top1, r->trained.top5, r->random.top1,
                         r->random.top5, r->constant)
                : printf("%zu names, %zu pictures to learn from, %zu to name\n"
                         "                  top-1   top-5\n"
                         "trained encoder   %5.3f   %5.3f\n"
                         "random weights    %5.3f   %5.3f\n"
                         "one answer        %5.3f\n",
                         r->classes, r->train, r->test, r->trained.top1, r->trained.top5, r->random.top1,
                         r->random.top5, r->constant);
    return n < 0 ? FAIL(e, ERR_ENV, "cannot write to standard output") : 0;
}

static int run_probe(const struct opts *o, struct err *e)
{
    struct probe_job j = { .encoder = opts_text(o, "encoder"),
                           .data = opts_text(o, "data"),
                           .validation = opts_text(o, "validation"),
                           .images = opts_text(o, "images"),
                           .layer = (int)opts_int(o, "layer"),
                           .lambda = opts_real(o, "lambda"),
                           .seed = (uint64_t)opts_int(o, "seed") };
    struct probe_result r;
    th_set_threads((int)opts_int(o, "threads"));
    TRY(probe_encoder(&j, &r, e));
    return print_probe(o, &r, e);
}

static const struct cmd cmd_probe = {
    .name = "probe",
    .summary = "See what a linear reader finds in an encoder's features",
    .details = "Pictures with exactly one concept are named by ridge regression from the mean of the patches' tokens; "
               "beside it what the same encoder with random weights gives.",
    .options = { picture_options, probe_options },
    .run = run_probe,
};

/* ---- all ------------------------------------------------------------------------------------------------------------
 */

static const struct cmd pretrain = {
    .name = "acsweep-pretrain",
    .summary = "Train small encoders and a small language model from nothing",
    .sub = (const struct cmd *const[]){ &cmd_encoder, &cmd_llm, &cmd_probe, NULL },
};

int main(int argc, char **argv)
{
    tune_process(argv);
    return opts_main(&pretrain, argc, argv);
}
