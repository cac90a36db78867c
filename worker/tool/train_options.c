#include "worker/tool/tool_options.h"

const char tool_train_summary[] = "Train a connector, and a decoder with it";
const char tool_stage1_summary[] = "Train the connector of a representation; decoder and encoders are frozen";
const char tool_stage2_summary[] = "Fine-tune connector and decoder on instructions; encoders are frozen";

const char tool_train_details[] =
    "Settings that are not given are those of the LLaVA-1.5 recipe; docs/training.md has them in a table. What decides the "
    "numbers is the recipe alone: --device-batch, --processes, --device and --threads only share the work. Interrupt it and "
    "run it again: it goes on from the last checkpoint in OUT/checkpoints, to the same result.\n"
    "\n"
    "  acsweep train stage1 --llm models/vicuna-7b-v1.5 \\\n"
    "      --encoder models/clip-vit-large-patch14-336 \\\n"
    "      --data blip_laion_cc_sbu_558k.json --images images --out connectors/clip\n"
    "  acsweep train stage2 --llm models/vicuna-7b-v1.5 \\\n"
    "      --encoder models/clip-vit-large-patch14-336 --connector connectors/clip \\\n"
    "      --data llava_v1_5_mix665k.json --images data --lora 128 --out llava-clip";

const struct opt tool_train_options[] = {
    { .name = "llm", .type = OPT_DIR, .value = "DIR", .required = true,
      .help = "decoder and its tokenizer, in Hugging Face layout" },
    { .name = "encoder", .type = OPT_TEXT, .value = "DIR[,DIR...]", .many = true, .required = true,
      .help = "the encoders of the representation, in order" },
    { .name = "features", .type = OPT_DIR, .value = "PATH", .many = true,
      .help = "feature files kept by 'acsweep extract --image', instead of computing: one PATH for each encoder" },
    { .name = "data", .type = OPT_FILE, .value = "FILE", .required = true, .help = "conversations, in LLaVA's JSON format" },
    { .name = "images", .type = OPT_DIR, .value = "DIR", .help = "where the pictures that they name are" },
    { .name = "connector", .type = OPT_FILE, .value = "PATH", .help = "connector to begin with; without it one at random" },
    { .name = "out", .letter = 'o', .type = OPT_DIR, .value = "DIR", .required = true,
      .help = "for the result, and for checkpoints meanwhile" },
    { .name = "grid", .type = OPT_INT, .value = "N", .lo = 1, .hi = 512,
      .help = "N x N tokens of a picture; without it as many as the finest encoder has" },
    { .name = "layer", .type = OPT_INT, .value = "N", .fallback = "-2", .lo = -1000, .hi = 1000,
      .help = "hidden state of the encoders" },
    { .name = "pad", .type = OPT_FLAG, .help = "pictures to a square first, instead of the encoder's own crop" },
    { .name = "samples", .type = OPT_INT, .value = "N", .lo = 1, .hi = 1000000000, .help = "of the data, the first ones; without it all" },
    { .name = "epochs", .type = OPT_REAL, .value = "N", .lo = 0, .hi = 1000, .help = "passes over them (1)" },
    { .name = "batch", .letter = 'b', .type = OPT_INT, .value = "N", .lo = 1, .hi = 1048576,
      .help = "samples of a step (stage1 256, stage2 128)" },
    { .name = "chunks", .type = OPT_INT, .value = "N", .lo = 1, .hi = 1048576,
      .help = "parts of a batch whose losses are averaged, as on N devices (8)" },
    { .name = "lr", .type = OPT_REAL, .value = "RATE", .lo = 0, .hi = 10, .help = "peak learning rate (stage1 1e-3, stage2 2e-5)" },
    { .name = "warmup", .type = OPT_REAL, .value = "RATIO", .lo = 0, .hi = 1, .help = "part of the steps (0.03)" },
    { .name = "schedule", .type = OPT_CHOICE, .choices = "cosine|linear|constant", .fallback = "cosine", .help = "after the warm-up" },
    { .name = "weight-decay", .type = OPT_REAL, .value = "W", .lo = 0, .hi = 10, .help = "of matrices (0)" },
    { .name = "clip", .type = OPT_REAL, .value = "NORM", .lo = 0, .hi = 1000000000, .help = "largest norm of the gradient (0: none)" },
    { .name = "max-length", .type = OPT_INT, .value = "N", .lo = 16, .hi = 1048576, .help = "tokens of a sample, pictures among them (2048)" },
    { .name = "sampler", .type = OPT_CHOICE, .choices = "random|grouped",
      .help = "order of the samples (stage1 random, stage2 grouped by kind and length)" },
    { .name = "precision", .type = OPT_CHOICE, .choices = "bf16|fp32", .fallback = "bf16", .help = "of connector and decoder" },
    { .name = "dtype", .type = OPT_CHOICE, .choices = "bf16|fp16|fp32", .fallback = "bf16", .help = "that features are rounded to" },
    { .name = "seed", .letter = 's', .type = OPT_INT, .value = "N", .lo = 0, .hi = 4294967295, .help = "of initial values and order (42)" },
    { .name = "device-batch", .type = OPT_INT, .value = "N", .lo = 1, .hi = 1048576,
      .help = "samples computed at a time; without it a chunk of the batch" },
    { .name = "device", .type = OPT_TEXT, .value = "cpu|cuda[:N]", .many = true,
      .help = "where to compute; again for each, then a process for each (cpu)" },
    { .name = "processes", .letter = 'p', .type = OPT_INT, .value = "N", .lo = 1, .hi = 16, .help = "with --device cpu: processes (1)" },
    { .name = "threads", .letter = 't', .type = OPT_INT, .value = "N", .lo = 1, .hi = 1024,
      .help = "of each process; without it the processors there are, shared out" },
    { .name = "keep-activations", .type = OPT_FLAG, .help = "do not compute blocks again: faster, with much more memory" },
    { .name = "max-steps", .type = OPT_INT, .value = "N", .lo = 1, .hi = 1000000000, .help = "stop after so many, and save what there is" },
    { .name = "save-every", .type = OPT_DURATION, .value = "TIME", .fallback = "30m", .help = "between checkpoints" },
    { .name = "restart", .type = OPT_FLAG, .help = "do not go on from checkpoints that are there: remove them" },
    { .name = "json", .letter = 'j', .type = OPT_FLAG, .help = "print each step as a line of JSON" },
    { 0 },
};

const struct opt tool_stage2_options[] = {
    { .name = "connector-lr", .type = OPT_REAL, .value = "RATE", .lo = 0, .hi = 10,
      .help = "peak learning rate of the connector; 0 or without it: --lr" },
    { .name = "lora", .type = OPT_INT, .value = "RANK", .lo = 1, .hi = 65536,
      .help = "train factors of low rank on the decoder's layers; without it all weights" },
    { .name = "lora-alpha", .type = OPT_REAL, .value = "A", .lo = 0, .hi = 1000000, .help = "with --lora: their scale times RANK (2 RANK)" },
    { .name = "freeze-llm", .type = OPT_FLAG, .help = "train the connector alone" },
    { 0 },
};
