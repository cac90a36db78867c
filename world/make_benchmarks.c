/* Eight files of questions. */
#include <string.h>

#include "world/ask.h"
#include "world/making.h"

#define PEOPLE 10            /* whose answers an open question has; all agree */
#define ROTATION_ID 1000000u /* MMBench: rotation k of group g has the id g + k * ROTATION_ID */

static json_t *answers_of(const char *answer)
{
    json_t *list = json_array();
    for (int i = 0; i < PEOPLE; i++)
        json_array_append_new(list, json_string(answer));
    return list;
}

/* The options turned by `k` places; MMBench only. */
static struct asked rotated(const struct asked *a, size_t k)
{
    struct asked b = *a;
    for (size_t i = 0; i < a->n_options; i++)
        memcpy(b.options[i], a->options[(i + k) % a->n_options], sizeof b.options[i]);
    b.right = (a->right + a->n_options - k) % a->n_options;
    return b;
}

static json_t *question_json(const struct benchmark_family *f, const char *id, const char *group, const char *image,
                             const struct asked *a)
{
    struct ask_view v;
    ask_view(a, image, &v);
    json_t *j = json_pack("{s:s, s:s, s:s*, s:s*, s:s*, s:s}", "benchmark", f->name, "id", id, "group", group, "image",
                          image, "hint", a->hint, "question", a->question);
    json_t *options = a->n_options ? json_array() : NULL;
    for (size_t k = 0; k < a->n_options; k++)
        json_array_append_new(options, json_string(a->options[k]));
    if (options)
        json_object_set_new(j, "options", options);
    if (a->n_options || f->kind == MME)
        json_object_set_new(j, "answer", json_string(v.question.answers[0]));
    else
        json_object_set_new(j, "answers", answers_of(a->answer));
    json_object_set_new(j, "category", json_string(a->category));
    return j;
}

int making_question(FILE *f, const struct benchmark_family *family, const char *id, const char *group, const char *image,
                    const struct asked *a, struct err *e)
{
    return making_put(f, question_json(family, id, group, image, a), "\n", e);
}

static int write_item(FILE *f, const struct benchmark_family *family, size_t i, const struct item *it,
                      const char *image, struct err *e)
{
    bool mmbench = family->kind == MMBENCH;
    size_t n = mmbench ? it->asked[0].n_options : it->n;
    char id[40], group[24];
    snprintf(group, sizeof group, "%zu", i);
    for (size_t k = 0; k < n; k++) {
        struct asked a = mmbench ? rotated(&it->asked[0], k) : it->asked[k];
        snprintf(id, sizeof id, "%zu", i + (mmbench ? k * ROTATION_ID : 0));
        if (family->kind == MME)
            snprintf(id, sizeof id, "%zu-%zu", i, k);
        TRY(making_question(f, family, id, n > 1 ? group : NULL, image, &a, e));
    }
    return 0;
}

static int make_benchmark(struct making *m, const struct benchmark_family *family, struct err *e)
{
    char path[80], dir[64];
    snprintf(dir, sizeof dir, "benchmarks/%s/images", family->name);
    TRY(making_dir(m, dir, e));
    snprintf(path, sizeof path, "benchmarks/%s/questions.jsonl", family->name);
    AUTO(fclose) FILE *f = making_open(m, path, e);
    for (size_t i = 0; f && i < m->sizes.questions; i++) {
        char file[96];
        struct item it;
        struct random r = random_for(m->sizes.seed, family->name, i);
        AUTO(image_free) struct image im = { 0 };
        ask(family->kind, &r, i, &it);
        snprintf(file, sizeof file, "%s/%05zu.png", dir, i);
        if (it.pictured) {
            TRY(scene_draw(&it.scene, m->art, m->sizes.edge, &r, &im, e));
            TRY(making_picture(m, file, &im, e));
        }
        TRY(write_item(f, family, i, &it, it.pictured ? strstr(file, "images/") : NULL, e));
    }
    return f ? making_close(m, &f, path, e) : -1;
}

int make_benchmarks(struct making *m, struct err *e)
{
    for (int k = 0; k < BENCHMARK_FAMILIES; k++)
        TRY(make_benchmark(m, benchmark_family_at((enum benchmark_kind)k), e));
    return 0;
}
