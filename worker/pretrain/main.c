/* acsweep-pretrain: trains small encoders and a small language model from nothing, so that a whole sweep can run where there are
 * neither weights nor data sets. Nothing of the product calls it; its results are checkpoints as any others. */
#include <string.h>

#include "common/opts.h"
#include "worker/pretrain/encoder.h"
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
    { .name = "dtype", .type = OPT_CHOICE, .choices = "fp32|bf16|fp16", .fallback = "fp16", .help = "type of the weights in the file" },
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
      .help = "clip: captions, softmax; siglip: captions, sigmoid; dense: two views, place by place (as DINOv2 is saved)" },
    { .name = "validation", .type = OPT_FILE, .value = "FILE",
      .help = "as --data, not trained on: how often the nearest name is the right one" },
    { .name = "resolution", .type = OPT_INT, .value = "PIXELS", .fallback = "64", .lo = 8, .hi = 1024, .help = "edge of a picture" },
    { .name = "patch", .type = OPT_INT, .value = "PIXELS", .fallback = "8", .lo = 1, .hi = 256, .help = "edge of a patch" },
    { .name = "width", .type = OPT_INT, .value = "N", .fallback = "96", .lo = 8, .hi = 4096, .help = "of the encoder" },
    { .name = "layers", .type = OPT_INT, .value = "N", .fallback = "3", .lo = 1, .hi = 100, .help = "of the encoder" },
    { .name = "batch", .type = OPT_INT, .value = "N", .lo = 1, .hi = 65536,
      .help = "pictures in a step; without it 128, and 64 in two views for dense" },
    { .name = "lr", .type = OPT_REAL, .value = "X", .fallback = "0.001", .lo = 0, .hi = 1, .help = "the largest learning rate" },
    { .name = "weight-decay", .type = OPT_REAL, .value = "X", .fallback = "0.05", .lo = 0, .hi = 1, .help = "of matrices (AdamW)" },
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
    return encoder_train(&j, e);
}

static const struct cmd cmd_encoder = {
    .name = "encoder",
    .summary = "Train an encoder of pictures",
    .details = "Writes config.json, model.safetensors, preprocessor_config.json and training.json. It cannot be interrupted and gone on\n"
               "with: it takes minutes.\n"
               "\n"
               "  acsweep-pretrain encoder --objective clip --data pretrain.jsonl --images pictures \\\n"
               "      --seconds 240 --out models/clip64",
    .options = { picture_options, encoder_options, run_options },
    .run = run_encoder,
};

/* ---- all ------------------------------------------------------------------------------------------------------------
 */

static const struct cmd pretrain = {
    .name = "acsweep-pretrain",
    .summary = "Train small encoders and a small language model from nothing",
    .sub = (const struct cmd *const[]){ &cmd_encoder, NULL },
};

int main(int argc, char **argv)
{
    tune_process(argv);
    return opts_main(&pretrain, argc, argv);
}
