/* Pictures with captions: for encoders (pretrain) and for connectors (stage 1). */
#include <string.h>

#include "world/ask.h"
#include "world/making.h"

#define CAPTION_MOST 4096
/* Captions of connectors' training that name one thing, in per cent: two hundred names take most of it, and in a caption of
 * many words they are a small part of the loss. */
#define STAGE1_NAMED 80
/* Of those the ones that name the background, too. */
#define STAGE1_GROUNDS 40

void scene_captioned(struct scene *s, struct random *r)
{
    size_t n;
    const char *const *words = word_list(&n);
    scene_common(s, r);
    if (s->n == 1 && random_chance(r, 12))
        scene_write(s, r, words[random_below(r, (uint32_t)n)]);
}

bool scene_for_stage1(struct scene *s, struct random *r)
{
    bool named = random_chance(r, STAGE1_NAMED);
    if (named)
        scene_single(s, r);
    else
        scene_captioned(s, r);
    return named;
}

void scene_caption_or_name(const struct scene *s, bool named, struct random *r, struct buf *to)
{
    if (named)
        scene_list(s, to);
    else
        scene_caption(s, r, to);
}

void scene_caption_for_stage1(const struct scene *s, bool named, struct random *r, struct buf *to)
{
    scene_caption_or_name(s, named, r, to);
    if (named && random_chance(r, STAGE1_GROUNDS))
        scene_put_background(s, to);
}

/* Draw number i of `purpose`; its caption goes to `text`, its facts to `s`. */
static int draw_captioned(struct making *m, const char *purpose, size_t i, bool stage1, const char *path,
                          struct scene *s, struct buf *text, struct err *e)
{
    struct random r = random_for(m->sizes.seed, purpose, i);
    AUTO(image_free) struct image im = { 0 };
    bool named = false;
    if (stage1)
        named = scene_for_stage1(s, &r);
    else
        scene_captioned(s, &r);
    TRY(scene_draw(s, m->art, m->sizes.edge, &r, &im, e));
    TRY(making_picture(m, path, &im, e));
    buf_clear(text);
    if (stage1)
        scene_caption_for_stage1(s, named, &r, text);
    else
        scene_caption(s, &r, text);
    return buf_check(text, "a caption", e);
}

/* Each noun once, in the order of the things. */
static json_t *concepts_of(const struct scene *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n; i++) {
        bool before = false;
        for (size_t k = 0; k < i; k++)
            before |= strcmp(s->things[k].noun, s->things[i].noun) == 0;
        if (!before)
            json_array_append_new(list, json_string(s->things[i].noun));
    }
    return list;
}

static int write_pretrain(struct making *m, const char *split, size_t n, struct err *e)
{
    char path[64], purpose[32];
    AUTO(buf_free) struct buf text = BUF_INIT(CAPTION_MOST);
    struct scene s;
    snprintf(path, sizeof path, "pretrain/%s.jsonl", split);
    snprintf(purpose, sizeof purpose, "pretrain/%s", split);
    AUTO(fclose) FILE *f = making_open(m, path, e);
    if (!f)
        return -1;
    for (size_t i = 0; i < n; i++) {
        char file[64];
        snprintf(file, sizeof file, "pretrain/images/%s-%06zu.png", split, i);
        TRY(draw_captioned(m, purpose, i, false, file, &s, &text, e));
        TRY(making_put(f,
                       json_pack("{s:s, s:s, s:o, s:o*}", "image", file + strlen("pretrain/"), "caption",
                                 buf_text(&text), "concepts", concepts_of(&s), "flip",
                                 s.text[0] ? json_false() : NULL),
                       "\n", e));
    }
    return making_close(m, &f, path, e);
}

int make_pretrain(struct making *m, struct err *e)
{
    if (!m->sizes.pretrain)
        return 0;
    TRY(making_dir(m, "pretrain/images", e));
    TRY(write_pretrain(m, "train", m->sizes.pretrain, e));
    return write_pretrain(m, "val", (m->sizes.pretrain + 19) / 20, e);
}

const char *caption_please(size_t i)
{
    static const char *const please[] = { "What is this?", "Describe the picture.", "What do you see?" };
    return please[i % ARRAY_LEN(please)];
}

int make_stage1(struct making *m, struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(CAPTION_MOST);
    struct scene s;
    TRY(making_dir(m, "stage1/images", e));
    AUTO(fclose) FILE *f = making_open(m, "stage1/chat.json", e);
    if (!f)
        return -1;
    fputs("[\n", f); /* whether it was written, making_close() says */
    for (size_t i = 0; i < m->sizes.stage1; i++) {
        char file[64], ask[64], id[16];
        snprintf(id, sizeof id, "%06zu", i);
        snprintf(file, sizeof file, "stage1/images/%s.png", id);
        const char *what = caption_please(i / 2);
        snprintf(ask, sizeof ask, "%s\n%s", i % 2 ? what : BENCHMARK_IMAGE, i % 2 ? BENCHMARK_IMAGE : what);
        TRY(draw_captioned(m, "stage1", i, true, file, &s, &text, e));
        TRY(making_put(f,
                       json_pack("{s:s, s:s, s:[{s:s, s:s}, {s:s, s:s}]}", "id", id, "image", file + strlen("stage1/"),
                                 "conversations", "from", "human", "value", ask, "from", "gpt", "value",
                                 buf_text(&text)),
                       i + 1 < m->sizes.stage1 ? ",\n" : "\n]\n", e));
    }
    return making_close(m, &f, "stage1/chat.json", e);
}
