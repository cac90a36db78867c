/* A stack machine for the opcodes that torch.save's pickles of plain tables have (protocols 2 to 4). */
#include "worker/torch/pickle.h"

#include <stdlib.h>
#include <string.h>

enum kind { NOTHING, MARKER, NUMBER, TEXT, LIST, DICT, GLOBAL, STORAGE, TENSOR };
static const char *const kind_names[] = { "nothing", "a mark",      "a number",  "a text",  "a list",
                                          "a dict",  "a reference", "a storage", "a tensor" };

enum global { ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER, STORAGE_TYPE };

struct value {
    enum kind kind;
    union {
        int64_t number;
        const char *text;
        struct { /* LIST: items; DICT: key, value, key, value ... */
            struct value **items;
            size_t n, cap;
        };
        struct {
            enum global global;
            const struct storage_type *type;
        };
        struct {
            const struct storage_type *storage;
            const char *key;
            int64_t elements;
        };
        struct pickle_tensor *tensor;
    };
};

static const struct storage_type {
    const char *class, *name;
    enum th_dtype type;
} storage_types[] = {
    { "FloatStorage", "F32", TH_F32 },  { "DoubleStorage", "F64", TH_F64 },     { "HalfStorage", "F16", TH_F16 },
    { "LongStorage", "I64", TH_I64 },   { "BFloat16Storage", "BF16", TH_BF16 }, { "IntStorage", "I32", TH_I32 },
    { "ShortStorage", "I16", TH_I16 },  { "CharStorage", "I8", TH_I8 },         { "ByteStorage", "U8", TH_U8 },
    { "BoolStorage", "BOOL", TH_BOOL },
};

struct machine {
    const uint8_t *at, *end;
    struct arena *arena;
    struct value list; /* the stack: LIST */
    struct value memo; /* LIST */
    bool done;
};

/* ---- the stack ------------------------------------------------------------------------------------------------------
 */

static int damaged(struct err *e)
{
    return FAIL(e, ERR_INPUT, "its pickle is damaged or cut off");
}

static int append(struct machine *m, struct value *list, struct value *item, struct err *e)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 8;
        struct value **more = arena_array(m->arena, cap, sizeof *more);
        if (!more)
            return FAIL_NOMEM(e);
        if (list->n)
            memcpy(more, list->items, list->n * sizeof *more);
        list->items = more;
        list->cap = cap;
    }
    list->items[list->n++] = item;
    return 0;
}

static struct value *make(struct machine *m, enum kind kind, struct err *e)
{
    struct value *v = arena_alloc(m->arena, sizeof *v);
    if (!v)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    v->kind = kind;
    return v;
}

/* A new value on the stack. */
static struct value *push(struct machine *m, enum kind kind, struct err *e)
{
    struct value *v = make(m, kind, e);
    return v && append(m, &m->list, v, e) == 0 ? v : NULL;
}

static int push_number(struct machine *m, int64_t number, struct err *e)
{
    struct value *v = push(m, NUMBER, e);
    if (!v)
        return -1;
    v->number = number;
    return 0;
}

static struct value *pop(struct machine *m)
{
    return m->list.n ? m->list.items[--m->list.n] : NULL;
}

/* NULL, with an error, when the top is something else. */
static struct value *pop_kind(struct machine *m, enum kind kind, struct err *e)
{
    struct value *v = pop(m);
    if (v && v->kind == kind)
        return v;
    return FAIL_NULL(e, ERR_INPUT, "its pickle has %s where %s belongs", v ? kind_names[v->kind] : "nothing",
                     kind_names[kind]);
}

static struct value *top(struct machine *m, enum kind kind, struct err *e)
{
    struct value *v = pop_kind(m, kind, e);
    m->list.n += v != NULL;
    return v;
}

/* ---- bytes ----------------------------------------------------------------------------------------------------------
 */

static int take(struct machine *m, size_t n, const uint8_t **out, struct err *e)
{
    if ((size_t)(m->end - m->at) < n)
        return damaged(e);
    *out = m->at;
    m->at += n;
    return 0;
}

static int take_number(struct machine *m, int bytes, uint64_t *out, struct err *e)
{
    const uint8_t *p;
    TRY(take(m, (size_t)bytes, &p, e));
    *out = 0;
    for (int i = bytes - 1; i >= 0; i--)
        *out = *out << 8 | p[i];
    return 0;
}

static int push_text(struct machine *m, int length_bytes, struct err *e)
{
    uint64_t len;
    const uint8_t *p;
    TRY(take_number(m, length_bytes, &len, e));
    TRY(take(m, len, &p, e));
    struct value *v = push(m, TEXT, e);
    if (!v || !(v->text = arena_text_n(m->arena, (const char *)p, len)))
        return FAIL_NOMEM(e);
    return 0;
}

/* Little endian, two's complement, of any length up to 8 bytes. */
static int push_long(struct machine *m, struct err *e)
{
    uint64_t len, v;
    TRY(take_number(m, 1, &len, e));
    if (len > 8)
        return damaged(e);
    TRY(take_number(m, (int)len, &v, e));
    unsigned unused = len ? 64 - 8 * (unsigned)len : 0;
    return push_number(m, (int64_t)(v << unused) >> unused, e);
}

/* ---- what is referred to by name ------------------------------------------------------------------------------------
 */

static int name_global(struct value *v, const char *module, const char *name, struct err *e)
{
    static const struct {
        const char *module, *name;
        enum global global;
    } known[] = {
        { "collections", "OrderedDict", ORDERED_DICT },
        { "torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR },
        { "torch._utils", "_rebuild_parameter", REBUILD_PARAMETER },
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i].module, module) == 0 && strcmp(known[i].name, name) == 0) {
            v->global = known[i].global;
            return 0;
        }
    for (size_t i = 0; strcmp(module, "torch") == 0 && i < ARRAY_LEN(storage_types); i++)
        if (strcmp(storage_types[i].class, name) == 0) {
            v->global = STORAGE_TYPE;
            v->type = &storage_types[i];
            return 0;
        }
    return FAIL(e, ERR_INPUT, "it holds a %.60s.%.60s; only plain tables of tensors are read here", module, name);
}

static int take_line(struct machine *m, const char **out, struct err *e)
{
    const uint8_t *end = memchr(m->at, '\n', (size_t)(m->end - m->at));
    if (!end)
        return damaged(e);
    *out = arena_text_n(m->arena, (const char *)m->at, (size_t)(end - m->at));
    m->at = end + 1;
    return *out ? 0 : FAIL_NOMEM(e);
}

static int push_global(struct machine *m, struct err *e)
{
    const char *module, *name;
    TRY(take_line(m, &module, e));
    TRY(take_line(m, &name, e));
    struct value *v = push(m, GLOBAL, e);
    return v ? name_global(v, module, name, e) : -1;
}

static int push_stack_global(struct machine *m, struct err *e)
{
    const struct value *name = pop_kind(m, TEXT, e), *module = name ? pop_kind(m, TEXT, e) : NULL;
    struct value *v = module ? push(m, GLOBAL, e) : NULL;
    return v ? name_global(v, module->text, name->text, e) : -1;
}

/* ("storage", torch.FloatStorage, key, place, elements) */
static int push_storage(struct machine *m, struct err *e)
{
    const struct value *id = pop_kind(m, LIST, e);
    if (!id)
        return -1;
    bool good = id->n == 5 && id->items[0]->kind == TEXT && strcmp(id->items[0]->text, "storage") == 0 &&
                id->items[1]->kind == GLOBAL && id->items[1]->global == STORAGE_TYPE && id->items[2]->kind == TEXT &&
                id->items[4]->kind == NUMBER && id->items[4]->number >= 0;
    if (!good)
        return FAIL(e, ERR_INPUT, "it refers to something that is no storage of a tensor");
    struct value *v = push(m, STORAGE, e);
    if (!v)
        return -1;
    v->storage = id->items[1]->type;
    v->key = id->items[2]->text;
    v->elements = id->items[4]->number;
    return 0;
}

/* ---- the three calls ------------------------------------------------------------------------------------------------
 */

static bool read_sizes(const struct value *list, int64_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (list->items[i]->kind != NUMBER || list->items[i]->number < 0)
            return false;
        out[i] = list->items[i]->number;
    }
    return true;
}

/* (storage, offset, sizes, strides, ...) */
static int push_tensor(struct machine *m, const struct value *args, struct err *e)
{
    struct value *const *a = args->items;
    bool good = args->n >= 4 && a[0]->kind == STORAGE && a[1]->kind == NUMBER && a[1]->number >= 0 &&
                a[2]->kind == LIST && a[3]->kind == LIST && a[2]->n == a[3]->n && a[2]->n <= ST_MAX_RANK;
    struct pickle_tensor *t = arena_alloc(m->arena, sizeof *t);
    if (!t)
        return FAIL_NOMEM(e);
    if (!good || !read_sizes(a[2], t->dims, a[2]->n) || !read_sizes(a[3], t->strides, a[3]->n))
        return FAIL(e, ERR_INPUT, "it holds a tensor whose sizes cannot be");
    t->key = a[0]->key;
    t->type = a[0]->storage->type;
    t->type_name = a[0]->storage->name;
    t->storage = a[0]->elements;
    t->offset = a[1]->number;
    t->rank = (int)a[2]->n;
    struct value *v = push(m, TENSOR, e);
    if (!v)
        return -1;
    v->tensor = t;
    return 0;
}

static int call(struct machine *m, struct err *e)
{
    const struct value *args = pop_kind(m, LIST, e), *f = args ? pop_kind(m, GLOBAL, e) : NULL;
    if (!f)
        return -1;
    if (f->global == ORDERED_DICT && args->n == 0)
        return push(m, DICT, e) ? 0 : -1;
    if (f->global == REBUILD_TENSOR)
        return push_tensor(m, args, e);
    if (f->global == REBUILD_PARAMETER && args->n >= 1 && args->items[0]->kind == TENSOR)
        return append(m, &m->list, args->items[0], e);
    return FAIL(e, ERR_INPUT, "it calls a constructor in a way that tables of tensors do not");
}

/* An object and what to set in it: attributes of a dict (_metadata) say nothing about tensors. */
static int build(struct machine *m, struct err *e)
{
    return pop(m) && m->list.n && top(m, DICT, e) ? 0 : damaged(e);
}

/* ---- lists and dicts ------------------------------------------------------------------------------------------------
 */

/* What is above the last mark, as *items; the mark goes too. */
static int pop_to_mark(struct machine *m, struct value ***items, size_t *n, struct err *e)
{
    size_t at = m->list.n;
    while (at > 0 && m->list.items[at - 1]->kind != MARKER)
        at--;
    if (at == 0)
        return damaged(e);
    *items = m->list.items + at;
    *n = m->list.n - at;
    m->list.n = at - 1;
    return 0;
}

/* The top `n` as a tuple; they are copied, for the stack goes on above them. */
static int push_tuple(struct machine *m, struct value **items, size_t n, struct err *e)
{
    struct value *v = make(m, LIST, e);
    if (!v)
        return -1;
    for (size_t i = 0; i < n; i++)
        TRY(append(m, v, items[i], e));
    return append(m, &m->list, v, e);
}

static int push_small_tuple(struct machine *m, size_t n, struct err *e)
{
    if (m->list.n < n)
        return damaged(e);
    m->list.n -= n;
    return push_tuple(m, m->list.items + m->list.n, n, e);
}

static int push_marked_tuple(struct machine *m, struct err *e)
{
    struct value **items;
    size_t n;
    TRY(pop_to_mark(m, &items, &n, e));
    return push_tuple(m, items, n, e);
}

static int add_marked(struct machine *m, enum kind kind, struct err *e)
{
    struct value **items, *to;
    size_t n;
    TRY(pop_to_mark(m, &items, &n, e));
    if ((kind == DICT && n % 2 != 0) || !(to = top(m, kind, e)))
        return damaged(e);
    for (size_t i = 0; i < n; i++)
        TRY(append(m, to, items[i], e));
    return 0;
}

static int add_top(struct machine *m, enum kind kind, size_t n, struct err *e)
{
    if (m->list.n < n + 1)
        return damaged(e);
    struct value **items = m->list.items + m->list.n - n;
    m->list.n -= n;
    struct value *to = top(m, kind, e);
    for (size_t i = 0; i < n; i++)
        if (!to || append(m, to, items[i], e) < 0)
            return -1;
    return 0;
}

/* ---- remembered values ----------------------------------------------------------------------------------------------
 */

/* Places are handed out one after the other, so the memo grows no faster than the pickle. */
static int put_memo(struct machine *m, uint64_t place, struct err *e)
{
    if (!m->list.n || place > m->memo.n)
        return damaged(e);
    struct value *v = m->list.items[m->list.n - 1];
    if (place == m->memo.n)
        return append(m, &m->memo, v, e);
    m->memo.items[place] = v;
    return 0;
}

static int get_memo(struct machine *m, uint64_t place, struct err *e)
{
    return place < m->memo.n ? append(m, &m->list, m->memo.items[place], e) : damaged(e);
}

static int memo_by_number(struct machine *m, int bytes, int (*f)(struct machine *m, uint64_t place, struct err *e),
                          struct err *e)
{
    uint64_t place;
    TRY(take_number(m, bytes, &place, e));
    return f(m, place, e);
}

/* ---- opcodes --------------------------------------------------------------------------------------------------------
 */

static int skip(struct machine *m, size_t n, struct err *e)
{
    const uint8_t *p;
    return take(m, n, &p, e);
}

static int push_unsigned(struct machine *m, int bytes, struct err *e)
{
    uint64_t v;
    TRY(take_number(m, bytes, &v, e));
    return push_number(m, bytes == 4 ? (int32_t)(uint32_t)v : (int64_t)v, e); /* of 4 bytes: signed */
}

static int push_plain(struct machine *m, enum kind kind, struct err *e)
{
    return push(m, kind, e) ? 0 : -1;
}

static int push_float(struct machine *m, struct err *e)
{
    TRY(skip(m, 8, e));
    return push_plain(m, NOTHING, e);
}

static int step(struct machine *m, uint8_t code, struct err *e)
{
    switch (code) {
    case 0x80: /* PROTO */
        return skip(m, 1, e);
    case 0x95: /* FRAME */
        return skip(m, 8, e);
    case '.':
        m->done = true;
        return 0;
    case 'N':
        return push_plain(m, NOTHING, e);
    case '(':
        return push_plain(m, MARKER, e);
    case '}':
        return push_plain(m, DICT, e);
    case ']':
    case ')':
        return push_plain(m, LIST, e);
    case 0x88: /* NEWTRUE */
    case 0x89: /* NEWFALSE */
        return push_number(m, code == 0x88, e);
    case 'K':
        return push_unsigned(m, 1, e);
    case 'M':
        return push_unsigned(m, 2, e);
    case 'J':
        return push_unsigned(m, 4, e);
    case 0x8a: /* LONG1 */
        return push_long(m, e);
    case 'G':
        return push_float(m, e);
    case 'U':
    case 0x8c: /* SHORT_BINUNICODE */
        return push_text(m, 1, e);
    case 'T':
    case 'X':
        return push_text(m, 4, e);
    case 0x8d: /* BINUNICODE8 */
        return push_text(m, 8, e);
    case 'c':
        return push_global(m, e);
    case 0x93: /* STACK_GLOBAL */
        return push_stack_global(m, e);
    case 'Q':
        return push_storage(m, e);
    case 'R':
        return call(m, e);
    case 'b':
        return build(m, e);
    case 't':
        return push_marked_tuple(m, e);
    case 0x85: /* TUPLE1, 2, 3 */
    case 0x86:
    case 0x87:
        return push_small_tuple(m, code - 0x84u, e);
    case 's':
        return add_top(m, DICT, 2, e);
    case 'u':
        return add_marked(m, DICT, e);
    case 'a':
        return add_top(m, LIST, 1, e);
    case 'e':
        return add_marked(m, LIST, e);
    case 'q':
        return memo_by_number(m, 1, put_memo, e);
    case 'r':
        return memo_by_number(m, 4, put_memo, e);
    case 0x94: /* MEMOIZE */
        return put_memo(m, m->memo.n, e);
    case 'h':
        return memo_by_number(m, 1, get_memo, e);
    case 'j':
        return memo_by_number(m, 4, get_memo, e);
    default:
        return FAIL(e, ERR_INPUT, "its pickle has the opcode 0x%02x, which tables of tensors do without", code);
    }
}

/* ---- the table ------------------------------------------------------------------------------------------------------
 */

static int collect(struct machine *m, const struct value *dict, struct pickle_tensor **out, size_t *n, struct err *e)
{
    *out = arena_array(m->arena, dict->n / 2 + 1, sizeof **out);
    if (!*out)
        return FAIL_NOMEM(e);
    *n = 0;
    for (size_t i = 0; i + 1 < dict->n; i += 2) {
        const struct value *key = dict->items[i], *v = dict->items[i + 1];
        if (key->kind != TEXT || v->kind != TENSOR)
            continue;
        (*out)[*n] = *v->tensor; /* one tensor may have two names */
        (*out)[(*n)++].name = key->text;
    }
    return 0;
}

int pickle_read_tensors(const uint8_t *bytes, size_t size, struct arena *arena, struct pickle_tensor **out, size_t *n,
                        struct err *e)
{
    struct machine m = { .at = bytes, .end = bytes + size, .arena = arena };
    if (size > PICKLE_MAX_BYTES)
        return FAIL(e, ERR_INPUT, "its pickle has %zu bytes, over %zu MiB", size, PICKLE_MAX_BYTES >> 20);
    while (!m.done) {
        const uint8_t *code;
        TRY(take(&m, 1, &code, e));
        TRY(step(&m, *code, e));
    }
    const struct value *table = pop_kind(&m, DICT, e);
    return table ? collect(&m, table, out, n, e) : -1;
}
