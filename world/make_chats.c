/* Conversations, each begun with a question as a benchmark asks it, word for word: about pictures for stage 2, and about
 * descriptions of pictures for a language model that shall know what such questions mean before it sees. */
#include <string.h>

#include "world/ask.h"
#include "world/making.h"

#define PROMPT_MOST 8192
#define QUIZ_TURNS 6

static int add_turn(json_t *turns, const char *from, const char *value, struct err *e)
{
    return json_array_append_new(turns, json_pack("{s:s, s:s}", "from", from, "value", value)) < 0 ? FAIL_NOMEM(e) : 0;
}

/* What stands for the picture: itself or, where `description` is not NULL, words. */
struct subject {
    const char *image; /* NULL: no picture */
    const char *description;
    enum ask_subjects further; /* what is asked after the first question */
};

/* The prompt with words in the picture's place, which is a line of its own; none: without the line. */
static void describe(const char *prompt, const char *description, struct buf *to)
{
    const char *image = strstr(prompt, BENCHMARK_IMAGE), *end = image ? image : prompt + strlen(prompt);
    buf_add(to, prompt, (size_t)(end - prompt));
    if (!image)
        return;
    const char *rest = image + strlen(BENCHMARK_IMAGE);
    buf_printf(to, "%s%s", description, rest + (!*description && *rest == '\n'));
}

/* The question as the family asks it, and its answer; `about` only for the first of a conversation. */
static int add_question(json_t *turns, enum benchmark_kind kind, const struct asked *a, const struct subject *about,
                        struct err *e)
{
    AUTO(buf_free) struct buf prompt = BUF_INIT(PROMPT_MOST);
    AUTO(buf_free) struct buf described = BUF_INIT(PROMPT_MOST);
    struct ask_view v;
    ask_view(a, about ? about->image : NULL, &v);
    benchmark_prompt(benchmark_family_at(kind), &v.question, &prompt);
    TRY(buf_check(&prompt, "a prompt", e));
    if (!about)
        describe(buf_text(&prompt), "", &described);
    else if (about->description)
        describe(buf_text(&prompt), about->description, &described);
    TRY(buf_check(&described, "a prompt", e));
    TRY(add_turn(turns, "human", buf_text(described.len ? &described : &prompt), e));
    return add_turn(turns, "gpt", v.question.answers[0], e);
}

/* The same question without its options; the answer is the right one's text. */
static int add_open_question(json_t *turns, const struct asked *a, const struct subject *about, struct err *e)
{
    struct asked open = *a;
    const char *image = strchr(a->question, '\n'); /* MMMU's questions say where the picture goes */
    snprintf(open.question, sizeof open.question, "%s", image ? image + 1 : a->question);
    open.n_options = 0;
    open.hint = NULL;
    snprintf(open.answer, sizeof open.answer, "%s", a->options[a->right]);
    return add_question(turns, TEXTVQA, &open, about, e);
}

static int add_more(json_t *turns, const struct scene *s, struct random *r, enum ask_subjects of, enum ask_form form,
                    const struct subject *about, struct err *e)
{
    struct asked more;
    enum benchmark_kind kind = ask_more(s, r, of, form, &more);
    return add_question(turns, kind, &more, about, e);
}

/* One question of the item's, for after the first of MME's two the second would be its opposite, and up to two more. */
static int add_turns(json_t *turns, enum benchmark_kind kind, const struct item *it, struct random *r,
                     const struct subject *about, struct err *e)
{
    const struct asked *a = &it->asked[random_below(r, (uint32_t)it->n)];
    bool first_open = about->description && a->n_options && random_chance(r, 50);
    if (first_open)
        TRY(add_open_question(turns, a, about, e));
    TRY(add_question(turns, kind, a, first_open ? NULL : about, e));
    bool clear = it->pictured && it->scene.n && !it->scene.text[0] && !it->scene.dark && !it->scene.blur;
    for (size_t k = clear ? random_below(r, 3) : 0; k; k--)
        TRY(add_more(turns, &it->scene, r, about->further, (enum ask_form)random_below(r, ASK_FORMS), NULL, e));
    return 0;
}

/* At last what it is, in the words of stage 1: of most pictures names are learned, whatever was asked before. */
static int add_caption(json_t *turns, const struct item *it, struct random *r, struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(PROMPT_MOST);
    if (!it->pictured || it->scene.dark || it->scene.blur || (!it->scene.n && !it->scene.text[0]))
        return 0;
    scene_caption_for_stage1(&it->scene, it->scene.n == 1 && !it->scene.text[0], r, &text);
    TRY(buf_check(&text, "a caption", e));
    TRY(add_turn(turns, "human", caption_please(random_below(r, 3)), e));
    return add_turn(turns, "gpt", buf_text(&text), e);
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
    if (add_turns(turns, kind, &it, &r, &(struct subject){ .image = image, .further = ASK_ALL }, e) < 0 ||
        add_caption(turns, &it, &r, e) < 0)
        return NULL;
    return json_pack("{s:s, s:s*, s:O}", "id", id, "image", image, "conversations", turns);
}

/* In a sentence, or cell by cell. */
static int describe_somehow(const struct scene *s, struct random *r, struct buf *to, struct err *e)
{
    if (random_chance(r, 60))
        scene_spell(s, SCENE_SPELLED, r, to);
    else
        scene_describe(s, to);
    return buf_check(to, "a description", e);
}

/* What a described conversation says for its picture. SEEN: the picture stays, and beside the conversation are the words that
 * a reader of its tokens should find there, cell by cell. */
enum telling { TOLD, SEEN };

static int tell(enum telling how, const struct scene *s, struct random *r, struct buf *description, struct buf *seen,
                struct err *e)
{
    if (how == TOLD)
        return describe_somehow(s, r, description, e);
    buf_puts(description, BENCHMARK_IMAGE);
    scene_spell(s, SCENE_SPELLED, r, seen);
    return buf_check(seen, "a description", e);
}

/* Told pictures, which the first lessons have, are asked of plainly (worker/pretrain/README.md); seen ones of everything. */
static struct subject subject_told(enum telling how, const struct buf *description)
{
    return (struct subject){ .image = "",
                             .description = buf_text(description),
                             .further = how == SEEN ? ASK_ALL : ASK_PLAIN };
}

static json_t *told(const char *id, const struct buf *seen, json_t *turns)
{
    return json_pack("{s:s, s:s*, s:O}", "id", id, "seen", seen->len ? seen->data : NULL, "conversations", turns);
}

static json_t *make_chat_of(enum telling how, struct random r, size_t i, struct err *e)
{
    char id[16];
    struct item it;
    AUTO(buf_free) struct buf description = BUF_INIT(PROMPT_MOST);
    AUTO(buf_free) struct buf seen = BUF_INIT(PROMPT_MOST);
    AUTO(json_decref) json_t *turns = json_array();
    enum benchmark_kind kind = (enum benchmark_kind)(i % BENCHMARK_FAMILIES);
    snprintf(id, sizeof id, "%06zu", i);
    ask(kind, &r, i / BENCHMARK_FAMILIES, &it);
    if (tell(how, &it.scene, &r, &description, &seen, e) < 0)
        return NULL;
    struct subject about = { 0 };
    if (it.pictured)
        about = subject_told(how, &description);
    else
        buf_free(&seen);
    return add_turns(turns, kind, &it, &r, &about, e) < 0 ? NULL : told(id, &seen, turns);
}

/* Many short questions about one told picture, open, with options, and for a yes or no: more answers among as many words
 * than conversations have. */
static json_t *make_quiz_of(enum telling how, struct random r, size_t i, struct err *e)
{
    char id[16];
    struct scene s;
    AUTO(buf_free) struct buf description = BUF_INIT(PROMPT_MOST);
    AUTO(buf_free) struct buf seen = BUF_INIT(PROMPT_MOST);
    AUTO(json_decref) json_t *turns = json_array();
    snprintf(id, sizeof id, "%06zu", i);
    scene_common(&s, &r);
    if (tell(how, &s, &r, &description, &seen, e) < 0)
        return NULL;
    struct subject about = subject_told(how, &description);
    for (size_t k = 0; k < QUIZ_TURNS; k++)
        if (add_more(turns, &s, &r, about.further, (enum ask_form)(k % ASK_FORMS), k ? NULL : &about, e) < 0)
            return NULL;
    return told(id, &seen, turns);
}

static json_t *make_quiz(struct making *m, size_t i, struct err *e)
{
    return make_quiz_of(TOLD, random_for(m->sizes.seed, "pretrain/quiz", i), i, e);
}

static json_t *make_described_chat(struct making *m, size_t i, struct err *e)
{
    return make_chat_of(TOLD, random_for(m->sizes.seed, "pretrain/chat", i), i, e);
}

/* In turns a quiz and a conversation. */
static json_t *make_seen_chat(struct making *m, size_t i, struct err *e)
{
    struct random r = random_for(m->sizes.seed, "pretrain/seen", i);
    return i % 2 ? make_chat_of(SEEN, r, i / 2, e) : make_quiz_of(SEEN, r, i, e);
}

/* One question, in turns a benchmark's and any: so yes or no about colours is learned, which it was not of many turns
 * (worker/pretrain/README.md). */
static json_t *make_drill(struct making *m, size_t i, struct err *e)
{
    char id[16];
    struct item it;
    struct random r = random_for(m->sizes.seed, "pretrain/drill", i);
    AUTO(buf_free) struct buf seen = BUF_INIT(PROMPT_MOST);
    AUTO(buf_free) struct buf description = BUF_INIT(PROMPT_MOST);
    AUTO(json_decref) json_t *turns = json_array();
    enum benchmark_kind kind = (enum benchmark_kind)(i / 2 % BENCHMARK_FAMILIES);
    snprintf(id, sizeof id, "%06zu", i);
    if (i % 2)
        ask(kind, &r, i / 2 / BENCHMARK_FAMILIES, &it);
    else
        kind = ask_drill(&r, i / 2, &it);
    if (tell(SEEN, &it.scene, &r, &description, &seen, e) < 0)
        return NULL;
    struct subject about = it.pictured ? subject_told(SEEN, &description) : (struct subject){ 0 };
    if (!it.pictured)
        buf_free(&seen);
    const struct asked *a = &it.asked[random_below(&r, (uint32_t)it.n)];
    return add_question(turns, kind, a, &about, e) < 0 ? NULL : told(id, &seen, turns);
}

typedef json_t *chat_maker(struct making *m, size_t i, struct err *e);

static int write_chats(struct making *m, const char *path, size_t n, chat_maker *make, struct err *e)
{
    AUTO(fclose) FILE *f = making_open(m, path, e);
    if (!f)
        return -1;
    fputs("[\n", f); /* whether it was written, making_close() says */
    for (size_t i = 0; i < n; i++)
        TRY(making_put(f, make(m, i, e), i + 1 < n ? ",\n" : "\n]\n", e));
    return making_close(m, &f, path, e);
}

int make_stage2(struct making *m, struct err *e)
{
    TRY(making_dir(m, "stage2/images", e));
    return write_chats(m, "stage2/chat.json", m->sizes.stage2, make_chat, e);
}

/* A picture spelled cell by cell, and after it its caption or the cells again: to read a picture token by token. */
static json_t *make_spelled(struct making *m, size_t i, struct err *e)
{
    struct scene s;
    struct random r = random_for(m->sizes.seed, "pretrain/spelled", i);
    AUTO(buf_free) struct buf cells = BUF_INIT(PROMPT_MOST);
    AUTO(buf_free) struct buf text = BUF_INIT(PROMPT_MOST);
    scene_captioned(&s, &r);
    scene_spell(&s, SCENE_SPELLED, &r, &cells);
    if (i % 2)
        buf_puts(&text, buf_text(&cells));
    else
        scene_caption(&s, &r, &text);
    if (buf_check(&cells, "a description", e) < 0 || buf_check(&text, "a caption", e) < 0)
        return NULL;
    return json_pack("{s:s, s:s}", "given", buf_text(&cells), "text", buf_text(&text));
}

/* What is in a picture, in no order, and its caption, as stage 1 has them: to read what cannot be heard clearly. */
static json_t *make_mentioned(struct making *m, size_t i, struct err *e)
{
    struct scene s;
    struct random r = random_for(m->sizes.seed, "pretrain/mentioned", i);
    AUTO(buf_free) struct buf words = BUF_INIT(PROMPT_MOST);
    AUTO(buf_free) struct buf text = BUF_INIT(PROMPT_MOST);
    bool named = scene_for_stage1(&s, &r);
    scene_mention(&s, SCENE_SPELLED * SCENE_SPELLED, &r, &words);
    scene_caption_or_name(&s, named, &r, &text);
    if (buf_check(&words, "a description", e) < 0 || buf_check(&text, "a caption", e) < 0)
        return NULL;
    return json_pack("{s:s, s:s}", "given", buf_text(&words), "text", buf_text(&text));
}

static int write_lines(struct making *m, const char *path, json_t *(*make)(struct making *, size_t, struct err *),
                       struct err *e)
{
    AUTO(fclose) FILE *f = making_open(m, path, e);
    if (!f)
        return -1;
    for (size_t i = 0; i < m->sizes.pretrain; i++)
        TRY(making_put(f, make(m, i, e), "\n", e));
    return making_close(m, &f, path, e);
}

int make_described(struct making *m, struct err *e)
{
    if (!m->sizes.pretrain)
        return 0;
    TRY(making_dir(m, "pretrain", e));
    TRY(write_lines(m, "pretrain/spelled.jsonl", make_spelled, e));
    TRY(write_lines(m, "pretrain/mentioned.jsonl", make_mentioned, e));
    TRY(write_chats(m, "pretrain/quiz.json", m->sizes.pretrain, make_quiz, e));
    TRY(write_chats(m, "pretrain/drill.json", 2 * m->sizes.pretrain, make_drill, e));
    TRY(write_chats(m, "pretrain/seen.json", m->sizes.pretrain, make_seen_chat, e));
    return write_chats(m, "pretrain/chat.json", m->sizes.pretrain, make_described_chat, e);
}
