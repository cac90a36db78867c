#include "worker/benchmark/family.h"

#include <string.h>

static const char *const circular[] = { "circular_accuracy", "accuracy", NULL };
static const char *const yes_no[] = { "perception", "cognition", "accuracy", NULL };
static const char *const plain[] = { "accuracy", NULL };
static const char *const soft[] = { "vqa", NULL };
static const char *const with_image[] = { "accuracy", "image_accuracy", "pooled_accuracy", NULL };
static const char *const with_video[] = { "accuracy", "image_accuracy", "video_accuracy", NULL };

static const struct benchmark_family families[BENCHMARK_FAMILIES] = {
    [MMBENCH] = { MMBENCH, "mmbench", "MMBench", 0, circular, true },
    [MME] = { MME, "mme", "MME", 16, yes_no, false },
    [MMMU] = { MMMU, "mmmu", "MMMU", 16, plain, true },
    [OKVQA] = { OKVQA, "okvqa", "OKVQA", 0, soft, false },
    [TEXTVQA] = { TEXTVQA, "textvqa", "TextVQA", 0, soft, false },
    [VIZWIZ] = { VIZWIZ, "vizwiz", "VizWiz", 0, soft, false },
    [SCIENCEQA] = { SCIENCEQA, "scienceqa", "ScienceQA", 16, with_image, true },
    [SEED] = { SEED, "seed", "SEED-Bench", 0, with_video, true },
};

const struct benchmark_family *benchmark_family_at(enum benchmark_kind kind)
{
    return &families[kind];
}

const struct benchmark_family *benchmark_family_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (strcmp(families[i].name, name) == 0)
            return &families[i];
    return NULL;
}

const char *benchmark_family_names(void)
{
    return "mmbench, mme, mmmu, okvqa, textvqa, vizwiz, scienceqa, seed";
}
