/* tokenizer.model: a protocol buffer (ModelProto) with the pieces and how text is prepared. Read here, and not by
 * libsentencepiece, because Debian's brings another version of libprotobuf than libtorch needs, and both in one process
 * take each other's functions. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/own.h"
#include "worker/text/sentencepiece_impl.h"

#define MAX_PIECES ((size_t)1 << 24)

/* ---- the wire format ------------------------------------------------------------------------------------------------
 */

struct wire {
    const uint8_t *at, *end;
    bool bad;
};

struct field {
    unsigned number, type; /* 0 varint, 1 eight bytes, 2 text or message, 5 four bytes */
    uint64_t value;
    struct sp_text text; /* of type 2 */
};

static uint64_t read_varint(struct wire *w)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && w->at < w->end; shift += 7) {
        uint8_t byte = *w->at++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return v;
    }
    w->bad = true;
    return 0;
}

static struct sp_text read_bytes(struct wire *w, uint64_t n)
{
    struct sp_text t = { (const char *)w->at, (size_t)n };
    if (n > (uint64_t)(w->end - w->at)) {
        w->bad = true;
        return (struct sp_text){ "", 0 };
    }
    w->at += n;
    return t;
}

static uint64_t read_fixed(struct wire *w, size_t n)
{
    struct sp_text t = read_bytes(w, n);
    uint64_t v = 0;
    for (size_t i = t.len; i-- > 0;)
        v = v << 8 | (uint8_t)t.text[i];
    return v;
}

/* False at the end, and when the bytes are no fields. */
static bool next_field(struct wire *w, struct field *f)
{
    if (w->bad || w->at == w->end)
        return false;
    uint64_t tag = read_varint(w);
    *f = (struct field){ .number = (unsigned)(tag >> 3), .type = (unsigned)(tag & 7) };
    w->bad |= tag >> 32 != 0 || f->number == 0;
    if (f->type == 0)
        f->value = read_varint(w);
    else if (f->type == 1 || f->type == 5)
        f->value = read_fixed(w, f->type == 1 ? 8 : 4);
    else if (f->type == 2)
        f->text = read_bytes(w, read_varint(w));
    else
        w->bad = true;
    return !w->bad;
}

static struct wire wire_of(struct sp_text t)
{
    return (struct wire){ (const uint8_t *)t.text, (const uint8_t *)t.text + t.len, false };
}

/* ---- the messages ---------------------------------------------------------------------------------------------------
 */

struct reader {
    struct sp_model *m;
    char *why;
    size_t why_size;
    uint64_t model_type; /* 1 unigram, 2 BPE */
    size_t charsmap;     /* bytes of the table of a normaliser */
};

static int refuse(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int refuse(struct reader *r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(r->why, r->why_size, fmt, args);
    va_end(args);
    return -1;
}

static int count_pieces(struct reader *r, struct sp_text bytes, size_t *n)
{
    struct wire w = wire_of(bytes);
    struct field f;
    *n = 0;
    while (next_field(&w, &f))
        *n += f.number == 1 && f.type == 2;
    if (w.bad || *n == 0 || *n > MAX_PIECES)
        return refuse(r, "its bytes are no protocol buffer with pieces");
    return 0;
}

static float float_of(uint64_t bits)
{
    uint32_t b = (uint32_t)bits;
    float f;
    memcpy(&f, &b, sizeof f);
    return f;
}

static int read_piece(struct reader *r, struct sp_text bytes)
{
    struct wire w = wire_of(bytes);
    struct field f;
    struct sp_model *m = r->m;
    struct sp_entry *p = &m->entries[m->n++];
    uint64_t kind = SP_NORMAL;
    while (next_field(&w, &f)) {
        if (f.number == 1 && f.type == 2)
            p->piece = f.text;
        else if (f.number == 2 && f.type == 5)
            p->score = float_of(f.value);
        else if (f.number == 3 && f.type == 0)
            kind = f.value;
    }
    if (w.bad || p->piece.len == 0 || kind < SP_NORMAL || kind > SP_BYTE || p->score != p->score)
        return refuse(r, "piece %zu is damaged or empty", m->n - 1);
    p->kind = (enum sp_kind)kind;
    p->piece.text = arena_text_n(&m->arena, p->piece.text, p->piece.len);
    return p->piece.text ? 0 : refuse(r, "out of memory");
}

static int read_trainer(struct reader *r, struct sp_text bytes)
{
    struct wire w = wire_of(bytes);
    struct field f;
    while (next_field(&w, &f)) {
        if (f.number == 3 && f.type == 0)
            r->model_type = f.value;
        else if (f.number == 24 && f.type == 0)
            r->m->suffix = f.value != 0;
        else if (f.number == 35 && f.type == 0)
            r->m->byte_fallback = f.value != 0;
        else if (f.number == 44 && f.type == 2)
            r->m->unk_surface = (struct sp_text){ arena_text_n(&r->m->arena, f.text.text, f.text.len), f.text.len };
    }
    return w.bad || !r->m->unk_surface.text ? refuse(r, "its trainer_spec is damaged") : 0;
}

static int read_normalizer(struct reader *r, struct sp_text bytes)
{
    struct wire w = wire_of(bytes);
    struct field f;
    while (next_field(&w, &f)) {
        if (f.number == 2 && f.type == 2)
            r->charsmap = f.text.len;
        else if (f.number == 3 && f.type == 0)
            r->m->dummy_prefix = f.value != 0;
        else if (f.number == 4 && f.type == 0)
            r->m->strip = f.value != 0;
        else if (f.number == 5 && f.type == 0)
            r->m->escape = f.value != 0;
    }
    return w.bad ? refuse(r, "its normalizer_spec is damaged") : 0;
}

static int read_model(struct reader *r, struct sp_text bytes)
{
    struct wire w = wire_of(bytes);
    struct field f;
    size_t n;
    if (count_pieces(r, bytes, &n) < 0)
        return -1;
    if (!(r->m->entries = arena_array(&r->m->arena, n, sizeof *r->m->entries)))
        return refuse(r, "out of memory");
    while (next_field(&w, &f)) {
        int rc = 0;
        if (f.number == 1 && f.type == 2)
            rc = read_piece(r, f.text);
        else if (f.number == 2 && f.type == 2)
            rc = read_trainer(r, f.text);
        else if (f.number == 3 && f.type == 2)
            rc = read_normalizer(r, f.text);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* ---- what fits together ---------------------------------------------------------------------------------------------
 */

static bool is_mergeable(enum sp_kind k)
{
    return k == SP_NORMAL || k == SP_USER;
}

static int index_piece(struct reader *r, int32_t id)
{
    struct sp_model *m = r->m;
    struct sp_entry *p = &m->entries[id];
    struct map *map = is_mergeable(p->kind) ? &m->mergeable : &m->reserved;
    if (sp_find(m, &m->mergeable, p->piece) >= 0 || sp_find(m, &m->reserved, p->piece) >= 0)
        return refuse(r, "piece %d, '%.60s', is there twice", id, p->piece.text);
    if (p->kind == SP_UNUSED)
        return refuse(r, "piece %d, '%.60s', is marked as unused, which LLaMA's models do not do", id, p->piece.text);
    if (map_put(map, p->piece.text, p->piece.len, p, NULL) < 0)
        return refuse(r, "out of memory");
    if (p->kind == SP_UNKNOWN && m->unk >= 0)
        return refuse(r, "pieces %d and %d are both the unknown one", m->unk, id);
    if (p->kind == SP_UNKNOWN)
        m->unk = id;
    if (p->kind == SP_USER && p->piece.len > m->longest_user)
        m->longest_user = p->piece.len;
    return 0;
}

/* "<0x00>" to "<0xFF>" */
static int find_bytes(struct reader *r)
{
    struct sp_model *m = r->m;
    for (int i = 0; i < 256; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)i);
        m->bytes[i] = sp_find(m, &m->reserved, (struct sp_text){ name, 6 });
        bool good = m->bytes[i] >= 0 && m->entries[m->bytes[i]].kind == SP_BYTE;
        if (m->byte_fallback && !good)
            return refuse(r, "byte_fallback is set, but there is no piece '%s'", name);
        if (!m->byte_fallback && good)
            return refuse(r, "there is a piece '%s', but byte_fallback is not set", name);
    }
    return 0;
}

static int check_model(struct reader *r)
{
    if (r->model_type != 2)
        return refuse(r, "it is of another type than BPE; only LLaMA's kind of models is read here");
    if (r->charsmap)
        return refuse(r, "it normalises characters (precompiled_charsmap); LLaMA's models do not");
    for (size_t id = 0; id < r->m->n; id++)
        if (index_piece(r, (int32_t)id) < 0)
            return -1;
    if (r->m->unk < 0)
        return refuse(r, "no piece is the unknown one");
    return find_bytes(r);
}

/* ---- the border -----------------------------------------------------------------------------------------------------
 */

struct sp_model *sp_open(const void *bytes, size_t len, char *why, size_t why_size)
{
    struct sp_model *m = calloc(1, sizeof *m);
    struct reader r = { .m = m, .why = why, .why_size = why_size, .model_type = 1 };
    if (!m) {
        refuse(&r, "out of memory");
        return NULL;
    }
    /* what ModelProto's fields are where they are left out */
    *m = (struct sp_model){ .unk = -1, .dummy_prefix = true, .strip = true, .escape = true };
    m->unk_surface = (struct sp_text){ " \xe2\x81\x87 ", 5 };
    if (read_model(&r, (struct sp_text){ bytes, len }) == 0 && check_model(&r) == 0)
        return m;
    sp_close(m);
    return NULL;
}

void sp_close(struct sp_model *m)
{
    if (!m)
        return;
    map_free(&m->mergeable);
    map_free(&m->reserved);
    arena_free(&m->arena);
    free(m);
}

int32_t sp_find(const struct sp_model *m, const struct map *map, struct sp_text piece)
{
    const struct sp_entry *p = map_get(map, piece.text, piece.len);
    return p ? (int32_t)(p - m->entries) : -1;
}

size_t sp_size(const struct sp_model *m)
{
    return m->n;
}

struct sp_text sp_piece(const struct sp_model *m, int32_t id)
{
    return m->entries[id].piece;
}

int32_t sp_id(const struct sp_model *m, const char *piece, size_t len)
{
    struct sp_text text = { piece, len };
    int32_t id = sp_find(m, &m->reserved, text);
    if (id < 0)
        id = sp_find(m, &m->mergeable, text);
    return id < 0 ? m->unk : id;
}

int32_t sp_unk(const struct sp_model *m)
{
    return m->unk;
}

bool sp_is_byte(const struct sp_model *m, int32_t id)
{
    return m->entries[id].kind == SP_BYTE;
}
