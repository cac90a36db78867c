/* Stage 2: conversations, each begun with a question as a benchmark asks it, word for word. */
#include <string.h>

#include "world/ask.h"
#include "world/making.h"

#define PROMPT_MOST 8192
#define TURNS_MOST 4

static int add_turn(json_t *turns, const char *from, const char *value, struct err *e)
{
    return json_array_append_new(turns, json_pack("{s:s, s:s}", "from", from, "value", value)) < 0 ? FAIL_NOMEM(e) : 0;
}

/* The question as the family asks it, and its answer; `image` only for the first of a conversation. */
static int add_question(json_t *turns, enum benchmark_kind kind, const struct asked *a, const char *image,
                        struct err *e)
{
    AUTO(buf_free) struct buf prompt = BUF_INIT(PROMPT_MOST);
    struct ask_view v;
    ask_view(a, image, &v);
    benchmark_prompt(benchmark_family_at(kind), &v.question, &prompt);
    TRY(buf_check(&prompt, "a prompt", e));
    TRY(add_turn(turns, "human", buf_text(&prompt), e));
    return add_turn(turns, "gpt", v.question.answers[0], e);
}

static int add_turns(json_t *turns, enum benchmark_kind kind, const struct item *it, struct random *r,
                     const char *image, struct err *e)
{
    for (size_t k = 0; k < it->n; k++)
        TRY(add_question(turns, kind, &it->asked[k], k == 0 ? image : NULL, e));
    bool clear = it->pictured && it->scene.n && !it->scene.text[0] && !it->scene.dark && !it->scene.blur;
    for (size_t k = clear ? random_below(r, 3) : 0; k; k--) {
        struct asked more;
        ask_more(&it->scene, r, &more);
        TRY(add_question(turns, TEXTVQA, &more, NULL, e));
    }
    return 0;
}

static json_t *make_chat(struct making *m, size_t i, struct err *e)
{
    char file[64], id[16];
    struct item it;
    struct random r = random_for(m->sizes.seed, "stage2", i);
    AUTO(image_free) struct image im = { 0 };
    AUTO(json_decref) json_t *turns = json_array();
    enum benchmark_kind kind = (enum benchmark_kind)(i % BENCHMARK_FAMILIES);
    snprintf(id, sizeof id, "%06zu", i);
    snprintf(file, sizeof file, "stage2/images/%s.png", id);
    ask(kind, &r, i / BENCHMARK_FAMILIES, &it);
    if (it.pictured &&
        (scene_draw(&it.scene, m->art, m->sizes.edge, &r, &im, e) < 0 || making_picture(m, file, &im, e) < 0))
        return NULL;
    const char *image = it.pictured ? file + strlen("stage2/") : NULL;
    if (add_turns(turns, kind, &it, &r, image, e) < 0)
        return NULL;
    return json_pack("{s:s, s:s*, s:O}", "id", id, "image", image, "conversations", turns);
}

int make_stage2(struct making *m, struct err *e)
{
    TRY(making_dir(m, "stage2/images", e));
    AUTO(fclose) FILE *f = making_open(m, "stage2/chat.json", e);
    if (!f)
        return -1;
    fputs("[\n", f); /* whether it was written, making_close() says */
    for (size_t i = 0; i < m->sizes.stage2; i++)
        TRY(making_put(f, make_chat(m, i, e), i + 1 < m->sizes.stage2 ? ",\n" : "\n]\n", e));
    return making_close(m, &f, "stage2/chat.json", e);
}
