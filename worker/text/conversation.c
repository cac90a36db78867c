#include "worker/text/conversation.h"

#include <string.h>

#include "worker/text/unicode.h"

#define TEXT_MOST ((size_t)256 << 20) /* bytes of a conversation */

/* FastChat's Vicuna v1.1, the variant that ends with "the user's questions." */
static const char system_text[] = "A chat between a curious user and an artificial intelligence assistant. "
                                  "The assistant gives helpful, detailed, and polite answers to the user's questions.";
static const char *const roles[] = { [TURN_HUMAN] = "USER", [TURN_GPT] = "ASSISTANT" };
static const char *const separators[] = { [TURN_HUMAN] = " ", [TURN_GPT] = "</s>" };
static const char answer_mark[] = " ASSISTANT: ";

static const char *const names[] = { [CONVERSATION_PLAIN] = "plain", [CONVERSATION_VICUNA_V1] = "vicuna_v1" };

const char *conversation_template_name(enum conversation_template template)
{
    return names[template];
}

int conversation_template_parse(const char *name, enum conversation_template *out, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum conversation_template)i;
            return 0;
        }
    }
    return FAIL(e, ERR_INPUT, "template '%.40s' is none; there are plain and vicuna_v1", name);
}

const char *conversation_system_text(void)
{
    return system_text;
}

void conversation_tally_add(struct conversation_tally *tally, const struct conversation_info *info)
{
    tally->samples++;
    tally->mismatches += info->mismatch;
    tally->cut += info->cut;
    tally->targets += info->targets;
}

/* ---- the text -----------------------------------------------------------------------------------------------------
 */

static void add(struct buf *out, struct slice s)
{
    buf_add(out, s.text, s.len);
}

static struct slice literal(const char *s)
{
    return (struct slice){ s, strlen(s) };
}

static bool find(struct slice s, const char *what, size_t *at)
{
    const char *hit = s.len ? memmem(s.text, s.len, what, strlen(what)) : NULL;
    if (hit)
        *at = (size_t)(hit - s.text);
    return hit;
}

/* A turn with an image begins with it (preprocess_multimodal). */
static void add_message(struct slice s, bool rewrite, struct buf *out)
{
    size_t at;
    if (!rewrite || !find(s, CONVERSATION_IMAGE, &at)) {
        add(out, s);
        return;
    }
    AUTO(buf_free) struct buf rest = BUF_INIT(TEXT_MOST), whole = BUF_INIT(TEXT_MOST);
    text_replace(s.text, s.len, literal(CONVERSATION_IMAGE), literal(""), &rest);
    buf_puts(&whole, CONVERSATION_IMAGE "\n");
    add(&whole, unicode_strip((struct slice){ buf_text(&rest), rest.len }));
    out->failed |= rest.failed || whole.failed;
    add(out, unicode_strip((struct slice){ buf_text(&whole), whole.len }));
}

/* An empty message has no separator behind it (conversation.py, SeparatorStyle.TWO). */
static void add_turn(enum turn_from from, struct slice text, bool rewrite, struct buf *out)
{
    buf_puts(out, roles[from]);
    buf_puts(out, ":");
    if (!text.len)
        return;
    buf_puts(out, " ");
    add_message(text, rewrite, out);
    buf_puts(out, separators[from]);
}

static int vicuna_text(const struct turn *turns, size_t n, bool rewrite, struct buf *out, struct err *e)
{
    buf_puts(out, system_text);
    buf_puts(out, " ");
    for (size_t i = 0; i < n; i++) {
        if (turns[i].from != (i % 2 ? TURN_GPT : TURN_HUMAN))
            return FAIL(e, ERR_INPUT, "turn %zu is from %s; turns must alternate, human first", i,
                        turns[i].from == TURN_GPT ? "gpt" : "human");
        add_turn(turns[i].from, (struct slice){ turns[i].text, turns[i].len }, rewrite, out);
    }
    return buf_check(out, "a conversation", e);
}

/* ---- ids ----------------------------------------------------------------------------------------------------------
 */

struct encoder {
    const struct tokenizer *t;
    bool images; /* <image> is an image; else it is text */
};

/* The stretches between images are tokenized each by itself (tokenizer_image_token). */
static int encode(const struct encoder *c, struct slice s, struct ids *out, struct err *e)
{
    bool bos = tokenizer_adds_bos(c->t);
    for (size_t at; c->images && find(s, CONVERSATION_IMAGE, &at); bos = false) {
        TRY(tokenizer_encode(c->t, s.text, at, bos, out, e));
        TRY(ids_add(out, IMAGE_TOKEN, e));
        s.text += at + strlen(CONVERSATION_IMAGE);
        s.len -= at + strlen(CONVERSATION_IMAGE);
    }
    return tokenizer_encode(c->t, s.text, s.len, bos, out, e);
}

static int count(const struct encoder *c, struct slice s, size_t *n, struct err *e)
{
    AUTO(ids_free) struct ids ids = { 0 };
    TRY(encode(c, s, &ids, e));
    *n = ids.n;
    return 0;
}

static void ignore(struct ids *labels, size_t first, size_t from, size_t to)
{
    for (size_t i = from; i < to && first + i < labels->n; i++)
        labels->v[first + i] = LABEL_IGNORED;
}

/* ---- masks --------------------------------------------------------------------------------------------------------
 */

/* Tokens of a round, and of its part up to the answer. A round's BOS stands for the </s> that ends it; of the part, it
 * and the last space, which with the answer is another token, do not count. *ok false: it is no round. */
static int measure_round(const struct encoder *c, struct slice round, bool one_less, size_t *whole, size_t *part,
                         bool *ok, struct err *e)
{
    size_t at, again, mark = strlen(answer_mark);
    *ok = find(round, answer_mark, &at) &&
          !find((struct slice){ round.text + at + mark, round.len - at - mark }, answer_mark, &again);
    if (!*ok)
        return 0;
    TRY(count(c, round, whole, e));
    TRY(count(c, (struct slice){ round.text, at + mark }, part, e));
    *part = *part > 2 ? *part - 2 : 0;
    if (one_less) {
        *whole -= *whole > 0;
        *part -= *part > 0;
    }
    return 0;
}

/* preprocess_v1: everything but the answers; *counted is where the last of them ends. */
static int mask_rounds(const struct encoder *c, struct slice text, bool one_less, struct ids *labels, size_t first,
                       size_t *counted, struct err *e)
{
    size_t at = 0, whole, part;
    bool ok = true;
    *counted = 1;
    ignore(labels, first, 0, 1);
    for (size_t i = 0; ok; i++) {
        struct slice round = text;
        bool last = !find(text, separators[TURN_GPT], &at);
        if (!last)
            round.len = at;
        if (!round.len)
            break;
        TRY(measure_round(c, round, one_less && i > 0, &whole, &part, &ok, e));
        if (ok) {
            ignore(labels, first, *counted, *counted + part);
            *counted += whole;
        }
        if (last)
            break;
        text.text += at + strlen(separators[TURN_GPT]);
        text.len -= at + strlen(separators[TURN_GPT]);
    }
    ignore(labels, first, *counted, SIZE_MAX - first);
    return 0;
}

static size_t present(const struct tokenizer *t, const struct ids *ids, size_t first)
{
    size_t n = 0;
    for (size_t i = first; i < ids->n; i++)
        n += ids->v[i] != tokenizer_pad(t);
    return n;
}

static void cut(struct ids *ids, size_t first, size_t most, struct conversation_info *info)
{
    if (ids->n - first <= most)
        return;
    ids->n = first + most;
    info->cut = true;
}

/* ---- samples ------------------------------------------------------------------------------------------------------
 */

struct sample {
    struct encoder encoder;
    const struct conversation_rules *rules;
    size_t most, first_id, first_label;
    struct ids *ids, *labels;
    struct conversation_info *info;
};

static int encode_plain(const struct sample *s, const struct turn *turns, size_t n, struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(TEXT_MOST);
    size_t at, prefix;
    if (n != 2 || turns[0].from != TURN_HUMAN || turns[1].from != TURN_GPT)
        return FAIL(e, ERR_INPUT, "the template plain wants two turns, the first from human and the second from gpt");
    if (!s->encoder.images || !find((struct slice){ turns[0].text, turns[0].len }, CONVERSATION_IMAGE, &at))
        return FAIL(e, ERR_INPUT, "the template plain wants a sample with an image, and %s in its first turn",
                    CONVERSATION_IMAGE);
    buf_puts(&text, CONVERSATION_IMAGE);
    add_message((struct slice){ turns[1].text, turns[1].len }, true, &text);
    buf_puts(&text, "\n");
    TRY(buf_check(&text, "a conversation", e));
    TRY(encode(&s->encoder, (struct slice){ text.data, text.len }, s->ids, e));
    TRY(ids_append(s->labels, s->ids->v + s->first_id, s->ids->n - s->first_id, e));
    TRY(count(&s->encoder, literal(CONVERSATION_IMAGE), &prefix, e));
    ignore(s->labels, s->first_label, 0, prefix);
    return 0;
}

static int encode_vicuna(const struct sample *s, const struct turn *turns, size_t n, struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(TEXT_MOST);
    enum conversation_masks masks = s->rules->masks;
    bool one_less =
        masks == CONVERSATION_MASKS_NEW || (masks == CONVERSATION_MASKS_AUTO && !tokenizer_is_legacy(s->encoder.t));
    if (n && turns[0].from == TURN_GPT) {
        turns++;
        n--;
    }
    TRY(vicuna_text(turns, n, s->encoder.images, &text, e));
    struct slice whole = { text.data, text.len };
    TRY(encode(&s->encoder, whole, s->ids, e));
    if (!s->encoder.images) /* LLaVA's tokenizer cuts text-only samples itself, before anything is counted */
        cut(s->ids, s->first_id, s->most, s->info);
    TRY(ids_append(s->labels, s->ids->v + s->first_id, s->ids->n - s->first_id, e));
    TRY(mask_rounds(&s->encoder, whole, one_less, s->labels, s->first_label, &s->info->counted, e));
    s->info->present = present(s->encoder.t, s->ids, s->first_id);
    s->info->mismatch = s->info->counted < s->most && s->info->counted != s->info->present;
    if (s->info->mismatch)
        ignore(s->labels, s->first_label, 0, SIZE_MAX - s->first_label);
    return 0;
}

static void finish(const struct sample *s)
{
    cut(s->ids, s->first_id, s->most, s->info);
    s->labels->n = s->first_label + (s->ids->n - s->first_id);
    for (size_t i = s->first_id; i < s->ids->n; i++)
        s->info->images += s->ids->v[i] == IMAGE_TOKEN;
    for (size_t i = s->first_label; i < s->labels->n; i++) {
        /* An image has no label, wherever it stands. */
        if (s->labels->v[i] == IMAGE_TOKEN)
            s->labels->v[i] = LABEL_IGNORED;
        s->info->targets += s->labels->v[i] != LABEL_IGNORED;
    }
}

int conversation_encode(const struct tokenizer *t, const struct conversation_rules *rules, const struct turn *turns,
                        size_t n, bool has_image, struct ids *ids, struct ids *labels, struct conversation_info *info,
                        struct err *e)
{
    struct sample s = {
        .encoder = { t, has_image },
        .rules = rules,
        .most = rules->max_length ? rules->max_length : CONVERSATION_MAX,
        .first_id = ids->n,
        .first_label = labels->n,
        .ids = ids,
        .labels = labels,
        .info = info,
    };
    *info = (struct conversation_info){ 0 };
    if (n == 0)
        return FAIL(e, ERR_INPUT, "a conversation without turns");
    int rc = rules->template == CONVERSATION_PLAIN ? encode_plain(&s, turns, n, e) : encode_vicuna(&s, turns, n, e);
    if (rc < 0) {
        ids->n = s.first_id;
        labels->n = s.first_label;
        return -1;
    }
    finish(&s);
    return 0;
}

int conversation_prompt(const struct tokenizer *t, enum conversation_template template, const struct turn *turns,
                        size_t n, struct ids *ids, struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(TEXT_MOST);
    struct encoder encoder = { t, true };
    size_t before = ids->n;
    if (n == 0 || turns[n - 1].from != TURN_HUMAN)
        return FAIL(e, ERR_INPUT, "a prompt's last turn must be from human");
    if (template == CONVERSATION_VICUNA_V1) {
        TRY(vicuna_text(turns, n, false, &text, e));
        add_turn(TURN_GPT, (struct slice){ "", 0 }, false, &text);
    }
    for (size_t i = 0; template == CONVERSATION_PLAIN && i < n; i++)
        add(&text, (struct slice){ turns[i].text, turns[i].len });
    TRY(buf_check(&text, "a conversation", e));
    if (encode(&encoder, (struct slice){ buf_text(&text), text.len }, ids, e) < 0) {
        ids->n = before;
        return -1;
    }
    return 0;
}
