/* The keys of sweep.cfg. ROLE says whether a value is part of a result's identity (ID) or only tells how to get it (EX).
 * docs/config.md explains the groups; examples/reference/sweep.cfg shows every key and is checked against these tables. */
#include "coordinator/sweep_conf.h"

#define NO_LINE SIZE_MAX
#define ID .role = CONF_IDENTITY
#define EX .role = CONF_EXECUTION
#define BIG 1e12

#define K(type_, field_, name_, kind_) .name = #name_, .type = kind_, .at = CONF_AT(type_, field_)

/* ---- models and data ------------------------------------------------------------------------------------------------ */

#define C_(kind, name) K(struct checkpoint_conf, name, name, kind)
static const struct conf_key checkpoint_keys[] = {
    { C_(CONF_TEXT, name), .required = true, .help = "logical name" },
    { C_(CONF_CHOICE, role), .fallback = "encoder", .choices = "encoder|llm|connector", .help = "what it is" },
    { C_(CONF_TEXT, source), .fallback = "", .help = "where it comes from, e.g. a Hugging Face id" },
    { C_(CONF_TEXT, digest), .help = "SHA-256 of its content, 64 hex digits; without it a worker finds it out, where native tasks read it" },
    { 0 },
};
static const struct conf_table checkpoint_table = { "a checkpoint", sizeof(struct checkpoint_conf), checkpoint_keys,
                                                    CONF_AT(struct checkpoint_conf, line) };

#define O_(kind, name) K(struct encoder_options_conf, name, name, kind)
static const struct conf_key encoder_options_keys[] = {
    { O_(CONF_INT, layer), .lo = -1000, .hi = 1000, ID, .help = "transformer layer whose output is taken; -2 = the last but one" },
    { O_(CONF_CHOICE, feature), .choices = "patch|cls_patch", ID, .help = "drop the class token, or keep all tokens" },
    { O_(CONF_CHOICE, preprocess), .choices = "crop|stretch", ID, .help = "shortest edge and centre crop, or stretch to a square" },
    { O_(CONF_CHOICE, position_interpolation), .choices = "offset0.1|size", ID,
      .help = "bicubic positions by scale with offset (transformers 4.38), or by size" },
    { O_(CONF_INT, block), .lo = -1000, .hi = 1000, ID, .help = "diffusion: up block (U-Net) or transformer block" },
    { O_(CONF_INT, timestep), .lo = 0, .hi = 1000, ID, .help = "diffusion: time step" },
    { O_(CONF_CHOICE, noise), .choices = "none|ddpm_fp32|flow", ID, .help = "diffusion: noise added to the latent" },
    { O_(CONF_CHOICE, latent), .choices = "sample|mean", ID, .help = "diffusion: draw from the VAE's posterior, or its mean" },
    { O_(CONF_INT, ensemble), .lo = 1, .hi = 64, ID, .help = "diffusion: noise draws averaged" },
    { O_(CONF_INT, seed), .lo = 0, .hi = 4294967295.0, ID, .help = "diffusion: seed of latent and noise, per image" },
    { O_(CONF_TEXT, prompt), ID, .help = "diffusion: text prompt" },
    { O_(CONF_FREE, extra), ID, .help = "anything else that your own program needs to know" },
    { 0 },
};
const struct conf_table encoder_options_conf_table = { "options of an encoder", sizeof(struct encoder_options_conf),
                                                       encoder_options_keys, NO_LINE };

#define E_(kind, name) K(struct encoder_conf, name, name, kind)
static const struct conf_key encoder_keys[] = {
    { E_(CONF_TEXT, name), .required = true, .help = "e.g. CLIP@336: one model at one resolution" },
    { E_(CONF_TEXT, checkpoint), .required = true, .help = "name of a checkpoint with role encoder" },
    { E_(CONF_INT, resolution), .required = true, .lo = 1, .hi = 16384, .help = "input size in pixels" },
    { E_(CONF_INT, grid), .fallback = "0", .lo = 0, .hi = 4096, .help = "tokens per side; 0 = not stated" },
    { E_(CONF_INT, channels), .fallback = "0", .lo = 0, .hi = 1048576, .help = "channels of a token; 0 = not stated" },
    { E_(CONF_REAL, images_per_gpu_second), .fallback = "0", .lo = 0, .hi = BIG, .help = "estimate of cost; 0 = features.images_per_gpu_second" },
    { E_(CONF_GROUP, options), .table = &encoder_options_conf_table, .help = "which features are taken" },
    { 0 },
};
static const struct conf_table encoder_table = { "an encoder", sizeof(struct encoder_conf), encoder_keys,
                                                 CONF_AT(struct encoder_conf, line) };

#define I_(kind, name) K(struct image_set_conf, name, name, kind)
static const struct conf_key image_set_keys[] = {
    { I_(CONF_TEXT, name), .required = true, .help = "logical name" },
    { I_(CONF_CHOICE, role), .fallback = "other", .choices = "stage1|stage2|benchmark|correspondence|other", .help = "what it is for" },
    { I_(CONF_INT, images), .fallback = "0", .lo = 0, .hi = BIG, .help = "number of images; 0 = not stated" },
    { I_(CONF_TEXT, digest), .help = "SHA-256 of its content, 64 hex digits; without it a worker finds it out, where native tasks read it" },
    { 0 },
};
static const struct conf_table image_set_table = { "an image set", sizeof(struct image_set_conf), image_set_keys,
                                                   CONF_AT(struct image_set_conf, line) };

#define S_(kind, name) K(struct correspondence_set_conf, name, name, kind)
static const struct conf_key correspondence_set_keys[] = {
    { S_(CONF_TEXT, name), .required = true, .help = "e.g. SPair-71k" },
    { S_(CONF_TEXT, image_set), .required = true, .help = "name of the image set that holds its images" },
    { S_(CONF_TEXT, split), .fallback = "test", .help = "part of the set" },
    { S_(CONF_INT, pairs), .fallback = "0", .lo = 0, .hi = BIG, .help = "number of image pairs; 0 = not stated" },
    { 0 },
};
static const struct conf_table correspondence_set_table = { "a correspondence set",
                                                            sizeof(struct correspondence_set_conf),
                                                            correspondence_set_keys,
                                                            CONF_AT(struct correspondence_set_conf, line) };

#define B_(kind, name) K(struct benchmark_conf, name, name, kind)
static const struct conf_key benchmark_keys[] = {
    { B_(CONF_TEXT, name), .required = true, .help = "e.g. MMBench" },
    { B_(CONF_TEXT, metric), .fallback = "accuracy", .help = "what performance means: accuracy, circular_accuracy, perception, vqa" },
    { B_(CONF_INT, questions), .fallback = "0", .lo = 0, .hi = BIG, .help = "number of questions, for confidence; 0 = not stated" },
    { B_(CONF_REAL, maximum), .fallback = "0", .lo = 0, .hi = BIG, .help = "best possible performance; 0 = not stated" },
    { B_(CONF_TEXT, group), .fallback = "", .help = "group in reports, e.g. vision or ocr" },
    { B_(CONF_TEXT, image_set), .help = "name of the image set that holds its images and questions" },
    { B_(CONF_TEXT, correspondence_set), .help = "the set whose C score goes with it; default: the first one" },
    { 0 },
};
static const struct conf_table benchmark_table = { "a benchmark", sizeof(struct benchmark_conf), benchmark_keys,
                                                   CONF_AT(struct benchmark_conf, line) };

#define L_(kind, name) K(struct llm_conf, name, name, kind)
static const struct conf_key llm_keys[] = {
    { L_(CONF_TEXT, checkpoint), .help = "name of a checkpoint with role llm" },
    { 0 },
};
static const struct conf_table llm_table = { "llm", sizeof(struct llm_conf), llm_keys, CONF_AT(struct llm_conf, line) };

/* ---- the search space ------------------------------------------------------------------------------------------------ */

#define FUSIONS .choices = "raw|normalised", ID, .help = "tokens are concatenated as they are, or each encoder's with unit length"

#define R_(kind, name) K(struct representation_conf, name, name, kind)
static const struct conf_key representation_keys[] = {
    { R_(CONF_TEXT, name), .help = "default: the members joined by the separator of `generate`" },
    { R_(CONF_TEXTS, members), .required = true, .help = "encoders in order; tokens are concatenated along channels" },
    { R_(CONF_INT, target_grid), .fallback = "0", .lo = 0, .hi = 4096, .help = "tokens per side all members are resized to; 0 = the finest member's" },
    { R_(CONF_CHOICE, fusion), .fallback = "raw", FUSIONS },
    { 0 },
};
static const struct conf_table representation_table = { "a representation", sizeof(struct representation_conf),
                                                        representation_keys, CONF_AT(struct representation_conf, line) };

static const struct conf_key rule_keys[] = {
    { K(struct rule_conf, together, together, CONF_TEXTS), .required = true, .help = "encoders; the rule is about combinations that hold all of them" },
    { 0 },
};
static const struct conf_table rule_table = { "a rule", sizeof(struct rule_conf), rule_keys,
                                              CONF_AT(struct rule_conf, line) };

#define G_(kind, name) K(struct generate_conf, name, name, kind)
static const struct conf_key generate_keys[] = {
    { G_(CONF_TEXTS, encoders), .help = "encoders to combine, in the order they are concatenated; default: all that no floor names" },
    { G_(CONF_INT, min_size), .fallback = "1", .lo = 1, .hi = 32, .help = "members at least" },
    { G_(CONF_INT, max_size), .fallback = "0", .lo = 0, .hi = 32, .help = "members at most; 0 = nothing is generated" },
    { G_(CONF_GROUPS, include), .table = &rule_table, .help = "when given, only combinations that match one of these rules" },
    { G_(CONF_GROUPS, exclude), .table = &rule_table, .help = "never combinations that match one of these rules" },
    { G_(CONF_BOOL, same_grid), .fallback = "false", .help = "only combinations whose members state one and the same grid" },
    { G_(CONF_INT, target_grid), .fallback = "0", .lo = 0, .hi = 4096, .help = "as for a representation" },
    { G_(CONF_CHOICE, fusion), .fallback = "raw", FUSIONS },
    { G_(CONF_TEXT, separator), .fallback = "+", .help = "between the members' names" },
    { 0 },
};
static const struct conf_table generate_table = { "generate", sizeof(struct generate_conf), generate_keys,
                                                  CONF_AT(struct generate_conf, line) };

#define P_(kind, name) K(struct space_conf, name, name, kind)
static const struct conf_key space_keys[] = {
    { P_(CONF_GROUPS, list), .table = &representation_table, .help = "representations named one by one" },
    { P_(CONF_GROUP, generate), .table = &generate_table, .help = "all combinations by rule, beside the list" },
    { P_(CONF_GROUPS, floors), .table = &representation_table,
      .help = "what scores are compared with, e.g. an encoder with random weights: scored like the others, but never chosen, ranked or fitted" },
    { P_(CONF_BOOL, fine_tune_floors), .fallback = "false", .help = "fine-tune and evaluate the floors too, when the search has ended" },
    { 0 },
};
static const struct conf_table space_table = { "representations", sizeof(struct space_conf), space_keys, NO_LINE };

/* ---- scores ---------------------------------------------------------------------------------------------------------- */

#define A_(kind, name) K(struct score_a_conf, name, name, kind)
static const struct conf_key score_a_keys[] = {
    { A_(CONF_TEXTS, references), .help = "representations whose connectors are the reference (the paper: CLIP@224 and CLIP@336)" },
    { A_(CONF_CHOICE, sample), .fallback = "random", .choices = "random|longest_prompt", ID, .help = "how a benchmark's images are drawn" },
    { A_(CONF_INT, sample_size), .fallback = "100", .lo = 1, .hi = 1000000, ID, .help = "images per benchmark" },
    { A_(CONF_INT, sample_seed), .fallback = "42", .lo = 0, .hi = 4294967295.0, ID, .help = "seed of the random sample" },
    { A_(CONF_CHOICE, arith), .fallback = "fp32", .choices = "fp32|bf16", ID, .help = "arithmetic; bf16 imitates the released code" },
    { A_(CONF_BOOL, exclude_self), .fallback = "false", ID, .help = "leave a reference out of its own score" },
    { A_(CONF_BOOL, nearest), .fallback = "false", .help = "compare with one reference only, whose tokens are nearest in number" },
    { 0 },
};
const struct conf_table score_a_conf_table = { "scores.a", sizeof(struct score_a_conf), score_a_keys,
                                               CONF_AT(struct score_a_conf, line) };

#define Q_(kind, name) K(struct score_c_conf, name, name, kind)
static const struct conf_key score_c_keys[] = {
    { Q_(CONF_REAL, alpha), .fallback = "0.1", .lo = 0.001, .hi = 1, ID, .help = "PCK threshold as a part of the object's box" },
    { Q_(CONF_CHOICE, geometry), .fallback = "letterbox", .choices = "letterbox|stretch_mismatch|stretch_both", ID,
      .help = "how images and key points are brought to a square; stretch_mismatch imitates the released code" },
    { Q_(CONF_CHOICE, arith), .fallback = "fp32", .choices = "fp32|stored", ID, .help = "arithmetic; stored = the dtype of the features" },
    { Q_(CONF_CHOICE, grid), .fallback = "representation", .choices = "representation|finest",
      .help = "tokens that are compared: as many as the representation has, or as its finest member has of its own" },
    { Q_(CONF_INT, layer), .fallback = "-2", .lo = -1000, .hi = 1000, ID, .help = "layer of encoders whose options name none" },
    { Q_(CONF_INT, annotation_size), .fallback = "840", .lo = 1, .hi = 65536, ID, .help = "side of the square the key points live in, pixels" },
    { Q_(CONF_INT, window), .fallback = "5", .lo = 0, .hi = 4096, ID, .help = "soft argmax: cells on each side of the maximum" },
    { Q_(CONF_REAL, temperature), .fallback = "0.02", .lo = 1e-6, .hi = 100, ID, .help = "soft argmax: temperature" },
    { Q_(CONF_INT, pictures), .fallback = "4", .lo = 0, .hi = 12,
      .help = "pairs of which the report draws pictures; 0 = none; changes no number" },
    { 0 },
};
const struct conf_table score_c_conf_table = { "scores.c", sizeof(struct score_c_conf), score_c_keys,
                                               CONF_AT(struct score_c_conf, line) };

static const struct conf_key scores_keys[] = {
    { K(struct scores_conf, a, a, CONF_GROUP), .table = &score_a_conf_table, .help = "alignment score" },
    { K(struct scores_conf, c, c, CONF_GROUP), .table = &score_c_conf_table, .help = "correspondence score" },
    { 0 },
};
static const struct conf_table scores_table = { "scores", sizeof(struct scores_conf), scores_keys, NO_LINE };

/* ---- training and evaluation ------------------------------------------------------------------------------------------ */

#define T_(kind, name) K(struct train_conf, name, name, kind)
#define TRAIN_KEYS(samples_, batch_, lr_, template_, device_batch_, hours_, tune_, sampler_)                              \
    { T_(CONF_TEXT, image_set), .help = "name of the image set with the training samples" },                              \
    { T_(CONF_INT, samples), .fallback = samples_, .lo = 1, .hi = BIG, ID, .help = "samples used, in the set's order" },  \
    { T_(CONF_REAL, epochs), .fallback = "1", .lo = 0.000001, .hi = 1000, ID, .help = "passes over the samples" },        \
    { T_(CONF_INT, batch), .fallback = batch_, .lo = 1, .hi = 1048576, ID, .help = "samples per step, over all devices" },\
    { T_(CONF_REAL, learning_rate), .fallback = lr_, .lo = 0, .hi = 10, ID, .help = "peak learning rate" },               \
    { T_(CONF_CHOICE, schedule), .fallback = "cosine", .choices = "cosine|linear|constant", ID, .help = "after the warm-up" }, \
    { T_(CONF_REAL, warmup_ratio), .fallback = "0.03", .lo = 0, .hi = 1, ID, .help = "part of the steps" },               \
    { T_(CONF_CHOICE, optimizer), .fallback = "adamw", .choices = "adamw|sgd", ID, .help = "adamw: betas 0.9 and 0.999, eps 1e-8" }, \
    { T_(CONF_REAL, weight_decay), .fallback = "0", .lo = 0, .hi = 10, ID, .help = "decoupled weight decay" },            \
    { T_(CONF_REAL, grad_clip), .fallback = "0", .lo = 0, .hi = BIG, ID, .help = "largest gradient norm; 0 = no clipping" }, \
    { T_(CONF_CHOICE, precision), .fallback = "bf16", .choices = "bf16|fp16|fp32", ID, .help = "of the forward pass" },   \
    { T_(CONF_INT, max_length), .fallback = "2048", .lo = 16, .hi = 1048576, ID, .help = "tokens after the image is expanded" }, \
    { T_(CONF_CHOICE, template), .fallback = template_, .choices = "plain|v1", ID, .help = "conversation template" },     \
    { T_(CONF_CHOICE, image_aspect), .fallback = "square", .choices = "square|pad", ID, .help = "the processor's own crop, or pad first" }, \
    { T_(CONF_INT, select_layer), .fallback = "-2", .lo = -1000, .hi = 1000, ID, .help = "layer of encoders whose options name none" }, \
    { T_(CONF_CHOICE, connector), .fallback = "mlp2x_gelu", .choices = "mlp2x_gelu|linear", ID, .help = "shape of the connector" }, \
    { T_(CONF_CHOICE, tune), .fallback = tune_, .choices = "connector|full|lora", ID, .help = "what is trained" },        \
    { T_(CONF_INT, lora_rank), .fallback = "128", .lo = 1, .hi = 65536, ID, .help = "with tune = lora" },                 \
    { T_(CONF_REAL, lora_alpha), .fallback = "256", .lo = 0, .hi = BIG, ID, .help = "with tune = lora" },                 \
    { T_(CONF_CHOICE, sampler), .fallback = sampler_, .choices = "random|grouped", ID, .help = "random order, or grouped by modality and length" }, \
    { T_(CONF_INT, seed), .fallback = "42", .lo = 0, .hi = 4294967295.0, ID, .help = "of initialisation and order" },     \
    { T_(CONF_INT, device_batch), .fallback = device_batch_, .lo = 1, .hi = 1048576, EX, .help = "samples on one device at a time" }, \
    { T_(CONF_BOOL, gradient_checkpointing), .fallback = "true", EX, .help = "less memory for more time" },               \
    { T_(CONF_DURATION, checkpoint_every), .fallback = "30m", .lo = 0, .hi = 31536000, EX, .help = "what is lost at most when a node dies; 0 = saved only when a node is drained" }, \
    { T_(CONF_REAL, gpu_hours), .fallback = hours_, .lo = 0, .hi = BIG, .help = "estimate: GPU-hours of the full recipe; scaled by samples x epochs" }

static const struct conf_key stage1_keys[] = {
    TRAIN_KEYS("558128", "256", "0.001", "plain", "32", "28", "connector", "random"),
    { T_(CONF_INT, screening_samples), .fallback = "0", .lo = 0, .hi = BIG, .help = "samples for connectors that only serve the A score; stage 2 then trains its own from `samples`; 0 = one connector for both" },
    { 0 }
};
static const struct conf_key stage2_keys[] = {
    TRAIN_KEYS("665298", "128", "0.00002", "v1", "16", "80", "full", "grouped"),
    { T_(CONF_REAL, connector_learning_rate), .lo = 1e-12, .hi = 10, ID, .help = "peak learning rate of the connector, LLaVA's mm_projector_lr; without it learning_rate" },
    { 0 }
};
const struct conf_table stage1_conf_table = { "stage1", sizeof(struct train_conf), stage1_keys,
                                              CONF_AT(struct train_conf, line) };
const struct conf_table stage2_conf_table = { "stage2", sizeof(struct train_conf), stage2_keys,
                                              CONF_AT(struct train_conf, line) };

#define V_(kind, name) K(struct evaluate_conf, name, name, kind)
static const struct conf_key evaluate_keys[] = {
    { V_(CONF_REAL, temperature), .fallback = "0", .lo = 0, .hi = 100, ID, .help = "0 = greedy decoding" },
    { V_(CONF_INT, max_new_tokens), .fallback = "1024", .lo = 1, .hi = 1048576, ID, .help = "for benchmarks that set no limit themselves" },
    { V_(CONF_CHOICE, precision), .fallback = "bf16", .choices = "bf16|fp16|fp32", ID, .help = "of the LLM" },
    { V_(CONF_CHOICE, judge), .fallback = "none", .choices = "none|external", ID, .help = "none: an answer that cannot be parsed is wrong" },
    { V_(CONF_REAL, questions_per_gpu_second), .fallback = "5", .lo = 0.000001, .hi = BIG, .help = "estimate of cost" },
    { 0 },
};
const struct conf_table evaluate_conf_table = { "evaluate", sizeof(struct evaluate_conf), evaluate_keys, NO_LINE };

#define F_(kind, name) K(struct features_conf, name, name, kind)
static const struct conf_key features_keys[] = {
    { F_(CONF_CHOICE, dtype), .fallback = "bf16", .choices = "bf16|fp16|fp32", ID, .help = "features are rounded to it, cached or not" },
    { F_(CONF_INT, images_per_shard), .fallback = "4096", .lo = 1, .hi = 1000000000, ID, .help = "images of one extract task and file" },
    { F_(CONF_SIZE, cache_bytes), .fallback = "64GiB", .lo = 0, .hi = 0x1p60, EX, .help = "features kept in files for native tasks that read them again; the rest is computed on the fly" },
    { F_(CONF_REAL, images_per_gpu_second), .fallback = "100", .lo = 0.000001, .hi = BIG, .help = "estimate of cost" },
    { 0 },
};
static const struct conf_table features_table = { "features", sizeof(struct features_conf), features_keys, NO_LINE };

/* ---- executors ------------------------------------------------------------------------------------------------------- */

#define X_(kind, name) K(struct fake_conf, name, name, kind)
static const struct conf_key fake_keys[] = {
    { X_(CONF_REAL, sleep_ms), .fallback = "0", .lo = 0, .hi = 864000000, .help = "time it takes" },
    { X_(CONF_REAL, sleep_max_ms), .fallback = "0", .lo = 0, .hi = 864000000, .help = "when above sleep_ms: a random time between the two" },
    { X_(CONF_TEXT, outcome), .help = "succeed, fail:CLASS, checkpoint, crash, hang, lie or leak; default: succeed" },
    { X_(CONF_INT, fail_attempts), .fallback = "0", .lo = 0, .hi = 1000000, .help = "misbehave in the first N attempts only; 0 = in all" },
    { X_(CONF_SIZE, leak_bytes), .lo = 0, .hi = 68719476736.0, .help = "what outcome leak keeps; default: 64 MiB" },
    { X_(CONF_INT, seed), .fallback = "0", .lo = 0, .hi = 4294967295.0, .help = "of the random time" },
    { X_(CONF_FREE, metrics), .help = "name = number: what it reports" },
    { 0 },
};
static const struct conf_table fake_table = { "fake", sizeof(struct fake_conf), fake_keys, NO_LINE };

#define EXECUTORS "native|command|replay|fake|noop"
#define U_(kind, name) K(struct executor_conf, name, name, kind)
static const struct conf_key executor_keys[] = {
    { U_(CONF_CHOICE, use), .fallback = "native", .choices = EXECUTORS, ID, .help = "native: ours; command: your program; replay: recorded numbers" },
    { U_(CONF_TEXTS, command), .help = "your program and its arguments; {out}, {params}, {input:NAME} and others are replaced (docs/config.md)" },
    { U_(CONF_TEXT, directory), .fallback = "", .help = "absolute working directory of your program; default: the attempt's scratch directory" },
    { U_(CONF_SIZE, log_cap), .lo = 0, .hi = 0x1p40, .help = "how much of your program's output is kept; default: 16 MiB" },
    { U_(CONF_FREE, environment), .help = "NAME = \"value\": environment of your program" },
    { U_(CONF_FREE, parameters), ID, .help = "anything more that your program needs to know; part of the identity" },
    { U_(CONF_INT, version), .fallback = "1", .lo = 1, .hi = 1000000, ID, .help = "raise it by hand when your program gives other numbers" },
    { U_(CONF_INT, gpus), .lo = 0, .hi = 64, .help = "whole devices of one node; default by kind" },
    { U_(CONF_SIZE, gpu_memory), .lo = 0, .hi = 0x1p50, .help = "free memory needed on each device; default by kind" },
    { U_(CONF_INT, compute_capability), .fallback = "0", .lo = 0, .hi = 999, .help = "80 = 8.0; 0 = any" },
    { U_(CONF_SIZE, host_memory), .fallback = "0", .lo = 0, .hi = 0x1p50, .help = "main memory needed" },
    { U_(CONF_INT, cpus), .fallback = "1", .lo = 1, .hi = 4096, .help = "processor cores" },
    { U_(CONF_DURATION, time_limit), .fallback = "0", .lo = 0, .hi = 31536000, .help = "kill it after this long; 0 = never" },
    { U_(CONF_INT, priority), .lo = -1000, .hi = 1000, .help = "larger first; default by kind" },
    { U_(CONF_INT, bundle), .lo = 1, .hi = PLAN_BUNDLE_MOST, .help = "tasks that may run as one, native score_c and fake only; 1 = each alone; default: 1024 for native score_c" },
    { U_(CONF_GROUP, fake), .table = &fake_table, ID, .help = "with use = fake: how to behave" },
    { 0 },
};
static const struct conf_table executor_table = { "an executor", sizeof(struct executor_conf), executor_keys,
                                                  CONF_AT(struct executor_conf, line) };

#define W_(name, what_) { K(struct executors_conf, name, name, CONF_GROUP), .table = &executor_table, .help = what_ }
static const struct conf_key executors_keys[] = {
    W_(extract, "features of one encoder on a shard of images"),
    W_(stage1, "connector training of one representation"),
    W_(score_a, "alignment score of one representation on one benchmark"),
    W_(score_c, "correspondence score of one representation on one set"),
    W_(stage2, "fine-tune of one representation"),
    W_(evaluate, "performance of one representation on one benchmark"),
    { 0 },
};
static const struct conf_table executors_table = { "executors", sizeof(struct executors_conf), executors_keys, NO_LINE };

#define Y_(kind, name) K(struct replay_conf, name, name, kind)
static const struct conf_key replay_keys[] = {
    { Y_(CONF_TEXT, table), .help = "CSV file with header representation,c,a:<benchmark>...,perf:<benchmark>..., beside this file" },
    { Y_(CONF_REAL, seconds), .fallback = "0", .lo = 0, .hi = 86400, EX, .help = "time each replayed task pretends to take" },
    { 0 },
};
static const struct conf_table replay_table = { "replay", sizeof(struct replay_conf), replay_keys, NO_LINE };

/* ---- policy, retries, load ------------------------------------------------------------------------------------------- */

static const struct conf_key target_keys[] = {
    { K(struct target_conf, benchmark, benchmark, CONF_TEXT), .required = true, .help = "name of a benchmark" },
    { K(struct target_conf, weight, weight, CONF_REAL), .fallback = "1", .lo = 0.000001, .hi = 1000000, .help = "in the weighted mean" },
    { 0 },
};
static const struct conf_table target_table = { "a target", sizeof(struct target_conf), target_keys,
                                                CONF_AT(struct target_conf, line) };
static const struct conf_key budget_keys[] = {
    { K(struct budget_conf, fine_tunes, fine_tunes, CONF_INT), .fallback = "6", .lo = 0, .hi = 1000000, .help = "stop after so many are measured or failed" },
    { K(struct budget_conf, gpu_hours, gpu_hours, CONF_REAL), .fallback = "0", .lo = 0, .hi = BIG, .help = "stop before so many GPU-hours of stage 2 are exceeded; 0 = no limit" },
    { 0 },
};
static const struct conf_table budget_table = { "policy.budget", sizeof(struct budget_conf), budget_keys, NO_LINE };
#define D_(kind, name) K(struct policy_conf, name, name, kind)
static const struct conf_key policy_keys[] = {
    { D_(CONF_CHOICE, mode), .fallback = "default", .choices = "paper|default|exhaustive", .help = "who chooses what to fine-tune" },
    { D_(CONF_GROUPS, target), .table = &target_table, .help = "what to be good at; default: all benchmarks, equal weight" },
    { D_(CONF_INT, seed), .lo = 0, .hi = 4294967295.0, .help = "of mode paper's draws; default: the sweep's seed" },
    { D_(CONF_INT, batch), .fallback = "1", .lo = 1, .hi = 4096, .help = "representations fine-tuned per round" },
    { D_(CONF_GROUP, budget), .table = &budget_table, .help = "when to stop" },
    { D_(CONF_REAL, direction_prior), .fallback = "1", .lo = 0, .hi = 1, .help = "1 = trust that more A and C is better, 0.8 = hedged, 0 = not at all" },
    { D_(CONF_REAL, stop_confidence), .fallback = "0", .lo = 0, .hi = 1, .help = "stop when P(best is in the list of three) reaches this; 0 = never" },
    { D_(CONF_CHOICE, screen), .fallback = "all", .choices = "all|small_first", .help = "score every representation at once, or the small ones and then those that the policy asks for (mode default)" },
    { D_(CONF_INT, screen_members), .fallback = "2", .lo = 1, .hi = 32, .help = "with small_first: members of the largest that are scored at once; 2 = singles and pairs" },
    { D_(CONF_INT, screen_batch), .fallback = "8", .lo = 1, .hi = 4096, .help = "with small_first: representations whose scores each round asks for" },
    { D_(CONF_CHOICE, rank), .fallback = "measured_first", .choices = "measured_first|paper", .help = "measured ones rank by their value, or all by prediction" },
    { 0 },
};
static const struct conf_table policy_table_ = { "policy", sizeof(struct policy_conf), policy_keys,
                                                 CONF_AT(struct policy_conf, line) };

#define Z_(name, fallback_, what_)                                                                                         \
    { K(struct retries_conf, name, name, CONF_INT), .fallback = fallback_, .lo = -1, .hi = 1000000, .help = what_ }
static const struct conf_key retries_keys[] = {
    Z_(infrastructure, "10", "node, process or link broke; -1 = without limit"),
    Z_(preempted, "-1", "drained, walltime, scancel"),
    Z_(gpu_oom, "2", "out of GPU memory; each retry asks for more"),
    Z_(host_oom, "2", "out of main memory; each retry asks for more"),
    Z_(data, "0", "the inputs are wrong"),
    Z_(code, "1", "the program failed"),
    Z_(timeout, "1", "the time limit passed"),
    { K(struct retries_conf, backoff, backoff, CONF_DURATION), .fallback = "1s", .lo = 0, .hi = 86400, .help = "before the first retry; doubles each time, with jitter" },
    { K(struct retries_conf, backoff_max, backoff_max, CONF_DURATION), .fallback = "5m", .lo = 0, .hi = 86400, .help = "longest backoff" },
    { 0 },
};
static const struct conf_table retries_table = { "retries", sizeof(struct retries_conf), retries_keys,
                                                 CONF_AT(struct retries_conf, line) };

static const struct conf_key load_keys[] = {
    { K(struct load_conf, tasks, tasks, CONF_INT), .fallback = "0", .lo = 0, .hi = 2000000, .help = "tasks in all, for load and fault tests; 0 = none" },
    { K(struct load_conf, depth, depth, CONF_INT), .fallback = "1", .lo = 1, .hi = 1000000, .help = "length of the chains they form" },
    { K(struct load_conf, bundle, bundle, CONF_INT), .fallback = "1", .lo = 1, .hi = PLAN_BUNDLE_MOST, .help = "with executor = fake: tasks that may run as one" },
    { K(struct load_conf, executor, executor, CONF_CHOICE), .fallback = "noop", .choices = "noop|fake", .help = "noop is answered by the worker itself" },
    { K(struct load_conf, fake, fake, CONF_GROUP), .table = &fake_table, .help = "with executor = fake: how to behave" },
    { 0 },
};
static const struct conf_table load_table = { "load", sizeof(struct load_conf), load_keys,
                                              CONF_AT(struct load_conf, line) };

/* ---- the file -------------------------------------------------------------------------------------------------------- */

static const struct conf_key artifacts_keys[] = {
    { K(struct artifacts_conf, store, store, CONF_TEXT), .fallback = "", .help = "directory that all workers see; empty = none" },
    { 0 },
};
static const struct conf_table artifacts_table = { "artifacts", sizeof(struct artifacts_conf), artifacts_keys, NO_LINE };

#define N_(kind, name) K(struct sweep_conf, name, name, kind)
static const struct conf_key sweep_keys[] = {
    { N_(CONF_TEXT, name), .required = true, .help = "name of the sweep" },
    { N_(CONF_TEXT, note), .fallback = "", .help = "what whoever reads the numbers must know; at the head of report and ranking; at most 500 bytes" },
    { N_(CONF_INT, seed), .fallback = "0", .lo = 0, .hi = 4294967295.0, .help = "of everything random that has no seed of its own" },
    { N_(CONF_GROUP, artifacts), .table = &artifacts_table, .help = "where results that are files live" },
    { N_(CONF_GROUPS, checkpoints), .table = &checkpoint_table, .help = "models by name" },
    { N_(CONF_GROUPS, encoders), .table = &encoder_table, .help = "vision models, each at one resolution" },
    { N_(CONF_GROUP, representations), .table = &space_table, .help = "the search space" },
    { N_(CONF_GROUP, llm), .table = &llm_table, .help = "the language model" },
    { N_(CONF_GROUPS, image_sets), .table = &image_set_table, .help = "data by name" },
    { N_(CONF_GROUPS, correspondence_sets), .table = &correspondence_set_table, .help = "key-point pairs for the C score" },
    { N_(CONF_GROUPS, benchmarks), .table = &benchmark_table, .help = "question sets" },
    { N_(CONF_GROUP, scores), .table = &scores_table, .help = "how A and C are computed" },
    { N_(CONF_GROUP, stage1), .table = &stage1_conf_table, .help = "connector training" },
    { N_(CONF_GROUP, stage2), .table = &stage2_conf_table, .help = "fine-tune" },
    { N_(CONF_GROUP, evaluate), .table = &evaluate_conf_table, .help = "measuring performance" },
    { N_(CONF_GROUP, features), .table = &features_table, .help = "extracted features" },
    { N_(CONF_GROUP, executors), .table = &executors_table, .help = "who does the work of each kind of task" },
    { N_(CONF_GROUP, replay), .table = &replay_table, .help = "recorded numbers for executors with use = replay" },
    { N_(CONF_GROUP, policy), .table = &policy_table_, .help = "what is fine-tuned next, and when to stop" },
    { N_(CONF_GROUP, retries), .table = &retries_table, .help = "charged retries per failure class" },
    { N_(CONF_GROUP, load), .table = &load_table, .help = "made-up tasks, for load and fault tests" },
    { 0 },
};
const struct conf_table sweep_conf_table = { "the sweep", sizeof(struct sweep_conf), sweep_keys, NO_LINE };

/* ---- fake ------------------------------------------------------------------------------------------------------------ */

static void set(json_t *o, const char *key, json_t *value)
{
    if (value)
        json_object_set_new(o, key, value);
}

json_t *fake_conf_json(const struct fake_conf *f)
{
    json_t *o = json_object();
    if (!o)
        return NULL;
    if (f->sleep_max_ms > f->sleep_ms)
        set(o, "sleep_ms", json_pack("[f,f]", f->sleep_ms, f->sleep_max_ms));
    else if (f->sleep_ms > 0)
        set(o, "sleep_ms", json_real(f->sleep_ms));
    if (f->outcome.s)
        set(o, "outcome", json_string(f->outcome.s));
    if (f->fail_attempts > 0)
        set(o, "fail_attempts", json_integer(f->fail_attempts));
    if (f->leak_bytes != CONF_UNSET_INT)
        set(o, "leak_bytes", json_integer(f->leak_bytes));
    if (f->seed > 0)
        set(o, "seed", json_integer(f->seed));
    if (f->metrics)
        json_object_set(o, "metrics", f->metrics);
    return o;
}
