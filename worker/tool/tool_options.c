#include "worker/tool/tool_options.h"

/* ---- extract --------------------------------------------------------------------------------------------------------
 */

const char tool_extract_summary[] = "Compute an encoder's features of pictures";

const char tool_extract_details[] =
    "With --image, PATH is one file: a tensor [tokens, channels] for each picture, named by its path as given; further "
    "FILEs are pictures too. With --spair, PATH is a directory, PATH/CATEGORY/PICTURE.safetensors, each with a tensor "
    "'features' [P*P, channels], row by row: what 'acsweep score c' reads. There, files of an earlier run with the same "
    "settings are kept, so an interrupted extraction goes on where it was.\n"
    "\n"
    "  acsweep extract --encoder models/clip-vit-large-patch14 --spair SPair-71k \\\n"
    "      --out features/clip\n"
    "  acsweep extract --encoder models/dinov2-large --image a.jpg b.jpg \\\n"
    "      --layer -1 --final-norm --out ab.safetensors";

const struct opt tool_extract_options[] = {
    { .name = "encoder", .type = OPT_DIR, .value = "DIR", .required = true,
      .help = "checkpoint in Hugging Face layout, with preprocessor_config.json" },
    { .name = "image", .type = OPT_FILE, .value = "FILE", .many = true, .help = "a picture: JPEG, PNG or WebP" },
    { .name = "spair", .type = OPT_DIR, .value = "ROOT", .help = "the pictures of a set in SPair-71k's layout" },
    { .name = "split", .type = OPT_TEXT, .value = "NAME", .fallback = "test", .help = "with --spair: of which pairs" },
    { .name = "out", .letter = 'o', .type = OPT_FILE, .value = "PATH", .required = true,
      .help = "file (--image) or directory (--spair) to write" },
    { .name = "layer", .type = OPT_INT, .value = "N", .fallback = "-2", .lo = -1000, .hi = 1000,
      .help = "hidden state: 0 what goes into the first block, negative from the end" },
    { .name = "final-norm", .type = OPT_FLAG, .help = "put the model's last layer norm on it" },
    { .name = "all-tokens", .type = OPT_FLAG, .help = "class and register tokens too, before the others" },
    { .name = "geometry", .type = OPT_CHOICE, .value = "NAME",
      .choices = "own|letterbox|stretch_mismatch|stretch_both",
      .help = "how a picture becomes a square; without it own, the encoder's preprocessing, and with --spair letterbox" },
    { .name = "resolution", .type = OPT_INT, .value = "PIXELS", .lo = 1, .hi = 8192,
      .help = "edge of the square; without it the encoder's own" },
    { .name = "positions", .type = OPT_CHOICE, .value = "NAME", .choices = "own|offset0.1|size|antialias",
      .fallback = "own", .help = "how positions are stretched to another resolution" },
    { .name = "exif", .type = OPT_FLAG, .help = "turn pictures as their EXIF orientation says" },
    { .name = "dtype", .type = OPT_CHOICE, .choices = "fp32|bf16|fp16", .fallback = "fp32", .help = "type of the features" },
    { .name = "compute", .type = OPT_CHOICE, .choices = "fp32|bf16|fp16", .fallback = "fp32", .help = "type that is computed in" },
    { .name = "device", .type = OPT_TEXT, .value = "cpu|cuda[:N]", .fallback = "cpu", .help = "where to compute" },
    { .name = "batch", .letter = 'b', .type = OPT_INT, .value = "N", .fallback = "8", .lo = 1, .hi = 4096,
      .help = "pictures at a time" },
    { .name = "threads", .letter = 't', .type = OPT_INT, .value = "N", .lo = 1, .hi = 1024,
      .help = "processors to use; without it all there are" },
    { .name = "force", .type = OPT_FLAG, .help = "with --spair: compute what is there already, too" },
    { .name = "json", .letter = 'j', .type = OPT_FLAG, .help = "print the summary as JSON" },
    { 0 },
};

/* ---- generate -------------------------------------------------------------------------------------------------------
 */

const char tool_generate_summary[] = "Let a model answer, with pictures or without";

const char tool_generate_details[] =
    "DIR of --model is a decoder in Hugging Face layout with its tokenizer, or a whole model that has a connector too, as "
    "acsweep and LLaVA write it; what stage 2 made with --lora goes on the decoder of --llm. The connector wants the representation that it was trained with: the same encoders in "
    "the same order, layer and grid. Where <image> stands in the text a picture goes, in the order of --image; without "
    "it they come first, each on a line of its own. Decoding is greedy, and tokens are printed as they come.\n"
    "\n"
    "  acsweep generate --model models/llava-v1.5-7b --image dog.jpg \\\n"
    "      --encoder models/clip-vit-large-patch14-336 --prompt 'What does it do?'\n"
    "  acsweep generate --model models/vicuna-7b-v1.5 --template plain \\\n"
    "      --connector runs/17/mm_projector.bin --image dog.jpg \\\n"
    "      --encoder models/clip-vit-large-patch14,models/dinov2-large";

const struct opt tool_generate_options[] = {
    { .name = "model", .letter = 'm', .type = OPT_DIR, .value = "DIR", .required = true,
      .help = "the decoder and its tokenizer, and the connector if it is there" },
    { .name = "llm", .type = OPT_DIR, .value = "DIR", .help = "decoder and tokenizer, where --model has none" },
    { .name = "connector", .type = OPT_FILE, .value = "PATH", .help = "the connector, where DIR has none or another one" },
    { .name = "encoder", .type = OPT_TEXT, .value = "DIR[,DIR...]", .many = true,
      .help = "the encoders of the representation, in order" },
    { .name = "image", .type = OPT_FILE, .value = "FILE", .many = true, .help = "a picture: JPEG, PNG or WebP" },
    { .name = "prompt", .letter = 'p', .type = OPT_TEXT, .value = "TEXT", .fallback = "", .help = "what to ask" },
    { .name = "template", .type = OPT_CHOICE, .value = "NAME", .choices = "vicuna_v1|plain", .fallback = "vicuna_v1",
      .help = "how the text is put to the model; plain as it is, as stage 1 was trained" },
    { .name = "layer", .type = OPT_INT, .value = "N", .fallback = "-2", .lo = -1000, .hi = 1000,
      .help = "hidden state of the encoders, negative from the end" },
    { .name = "resolution", .type = OPT_INT, .value = "PIXELS", .lo = 1, .hi = 8192,
      .help = "edge of the encoders' square; without it each encoder's own" },
    { .name = "pad", .type = OPT_FLAG, .help = "pictures to a square first, instead of the encoder's own crop; as trained" },
    { .name = "grid", .type = OPT_INT, .value = "N", .lo = 1, .hi = 1024,
      .help = "tokens along an edge of the representation; without it the finest encoder's" },
    { .name = "max-tokens", .letter = 'n', .type = OPT_INT, .value = "N", .fallback = "1024", .lo = 1, .hi = 1000000,
      .help = "the longest answer" },
    { .name = "compute", .type = OPT_CHOICE, .choices = "fp32|bf16|fp16", .fallback = "bf16", .help = "type that is computed in" },
    { .name = "device", .type = OPT_TEXT, .value = "cpu|cuda[:N]", .fallback = "cpu", .help = "where to compute" },
    { .name = "threads", .letter = 't', .type = OPT_INT, .value = "N", .lo = 1, .hi = 1024,
      .help = "processors to use; without it all there are" },
    { .name = "json", .letter = 'j', .type = OPT_FLAG, .help = "print the answer, its tokens and how long it took as JSON, at the end" },
    { 0 },
};

/* ---- evaluate -------------------------------------------------------------------------------------------------------
 */

const char tool_evaluate_summary[] = "Ask a model a benchmark's questions, and score its answers";

const char tool_evaluate_details[] =
    "The benchmark is a file of questions (docs/benchmarks.md; 'acsweep convert' makes it from the published ones), whose "
    "pictures lie below its own directory. DIR of --model holds decoder, tokenizer and connector, as 'acsweep train "
    "stage2' and LLaVA write them; what stage 2 made with --lora, or a connector alone, goes on the decoder of --llm. "
    "Decoding is greedy.\n"
    "\n"
    "Answers are kept as they come: an interrupted evaluation goes on where it was. OUT/answers.jsonl has them all, "
    "and 'acsweep score answers' computes the numbers from it again; OUT/result.json has the numbers.\n"
    "\n"
    "  acsweep evaluate --model runs/stage2 --encoder models/clip-vit-large-patch14-336 \\\n"
    "      --benchmark data/mme/questions.jsonl --out results/mme";

const struct opt tool_evaluate_options[] = {
    { .name = "model", .letter = 'm', .type = OPT_DIR, .value = "DIR", .required = true,
      .help = "the model, or what stage 2 made with --lora" },
    { .name = "llm", .type = OPT_DIR, .value = "DIR", .help = "decoder and tokenizer, where --model has none" },
    { .name = "encoder", .type = OPT_TEXT, .value = "DIR[,DIR...]", .many = true,
      .help = "the encoders of the representation, in order" },
    { .name = "benchmark", .type = OPT_FILE, .value = "FILE", .required = true, .help = "its questions, JSONL" },
    { .name = "metric", .type = OPT_TEXT, .value = "NAME",
      .help = "which number is the performance; without it the benchmark's usual one" },
    { .name = "out", .letter = 'o', .type = OPT_FILE, .value = "OUT", .required = true,
      .help = "directory for answers and numbers; made if it is not there" },
    { .name = "unparsed", .type = OPT_CHOICE, .value = "NAME", .choices = "wrong|random", .fallback = "wrong",
      .help = "an answer in which no option is found is wrong, or a letter is drawn as the original programs do" },
    { .name = "layer", .type = OPT_INT, .value = "N", .fallback = "-2", .lo = -1000, .hi = 1000,
      .help = "hidden state of the encoders, negative from the end" },
    { .name = "resolution", .type = OPT_INT, .value = "PIXELS", .lo = 1, .hi = 8192,
      .help = "edge of the encoders' square; without it each encoder's own" },
    { .name = "pad", .type = OPT_FLAG, .help = "pictures to a square first, instead of the encoder's own crop; as trained" },
    { .name = "grid", .type = OPT_INT, .value = "N", .lo = 1, .hi = 1024,
      .help = "tokens along an edge of the representation; without it the finest encoder's" },
    { .name = "max-tokens", .letter = 'n', .type = OPT_INT, .value = "N", .fallback = "1024", .lo = 1, .hi = 1000000,
      .help = "the longest answer, for benchmarks that set none" },
    { .name = "batch", .letter = 'b', .type = OPT_INT, .value = "N", .fallback = "8", .lo = 1, .hi = 4096,
      .help = "questions at a time" },
    { .name = "compute", .type = OPT_CHOICE, .choices = "fp32|bf16|fp16", .fallback = "bf16", .help = "type that is computed in" },
    { .name = "device", .type = OPT_TEXT, .value = "cpu|cuda[:N]", .fallback = "cpu", .help = "where to compute" },
    { .name = "threads", .letter = 't', .type = OPT_INT, .value = "N", .lo = 1, .hi = 1024,
      .help = "processors to use; without it all there are" },
    { .name = "json", .letter = 'j', .type = OPT_FLAG, .help = "print the numbers as JSON" },
    { 0 },
};
