/* File format, "spool": 8 bytes "acspool1", then records of
 *
 *     u32 length of the payload | u32 CRC-32 of type and payload | u8 type ('R' packed Result, 'A' packed Token) | payload
 *
 * in little endian. The file is emptied when nothing is left in it, and rewritten when most of a large file is history. */
#include "worker/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "common/wire.h"
#include "worker/token.h"

#define MAGIC "acspool1"
#define MAGIC_SIZE 8
#define HEAD_SIZE 9
#define BUCKETS 4096
#define EMPTY_ABOVE ((off_t)1 << 16)   /* an all-acknowledged file is emptied from this size on */
#define COMPACT_ABOVE ((off_t)64 << 20)

struct node {
    struct spool_entry entry; /* first, so that an entry is its node */
    struct node *older, *newer, *chain;
    bool committed;
    bool memory_only; /* the disk did not take it; lost if the agent dies before the coordinator has it */
    uint8_t bytes[];
};

struct spool {
    int fd;
    char *dir, *path;
    off_t size;          /* of the file */
    off_t compact_above; /* grows when that failed */
    size_t live_bytes;
    struct node *oldest, *newest;
    size_t count, settled, memory_only;
    bool dirty;
    struct node *buckets[BUCKETS];
};

/* CRC-32 as zlib's, four bits at a time: a table of 16 needs no setting up. */
static uint32_t crc32_of(uint32_t crc, const uint8_t *p, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static void put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}
static uint32_t get_u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static struct node **bucket(const struct spool *s, const Acsweep__Token *t)
{
    uint64_t h = t->task_id * 0x9e3779b97f4a7c15u ^ (t->attempt * 0xbf58476d1ce4e5b9u) ^ t->epoch;
    return (struct node **)&s->buckets[(h >> 32 ^ h) % BUCKETS];
}

static struct node *find(const struct spool *s, const Acsweep__Token *t)
{
    for (struct node *n = *bucket(s, t); n; n = n->chain)
        if (token_equal(&n->entry.token, t))
            return n;
    return NULL;
}

static void link_node(struct spool *s, struct node *n)
{
    struct node **b = bucket(s, &n->entry.token);
    n->chain = *b;
    *b = n;
    n->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = n;
    s->newest = n;
    s->count++;
    s->live_bytes += n->entry.len + HEAD_SIZE;
}

static void drop_node(struct spool *s, struct node *n)
{
    struct node **at = bucket(s, &n->entry.token);
    while (*at != n)
        at = &(*at)->chain;
    *at = n->chain;
    *(n->older ? &n->older->newer : &s->oldest) = n->newer;
    *(n->newer ? &n->newer->older : &s->newest) = n->older;
    s->count--;
    s->settled -= n->entry.settled;
    s->memory_only -= n->memory_only;
    s->live_bytes -= n->entry.len + HEAD_SIZE;
    free(n);
}

static struct node *node_make(const Acsweep__Token *t, size_t len, struct err *e)
{
    struct node *n = calloc(1, sizeof *n + len);
    if (!n)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    n->entry.token = token_copy(t);
    n->entry.bytes = n->bytes;
    n->entry.len = len;
    return n;
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

static int write_at(int fd, const uint8_t *p, size_t len, off_t at)
{
    while (len) {
        ssize_t n = pwrite(fd, p, len, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* A record that does not fit on the disk leaves no trace: the size is only moved on after a whole write. */
static int write_record(struct spool *s, char type, const uint8_t *payload, size_t len, struct err *e)
{
    AUTO(free) uint8_t *rec = malloc(HEAD_SIZE + len);
    if (!rec)
        return FAIL_NOMEM(e);
    rec[8] = (uint8_t)type;
    if (len)
        memcpy(rec + HEAD_SIZE, payload, len);
    put_u32(rec, (uint32_t)len);
    put_u32(rec + 4, crc32_of(0, rec + 8, len + 1));
    if (write_at(s->fd, rec, HEAD_SIZE + len, s->size) < 0) {
        int why = errno;
        if (ftruncate(s->fd, s->size) < 0)
            log_error("spool.truncate", KV_STR("path", s->path));
        return FAIL(e, ERR_ENV, "%s: cannot keep a result: %s", s->path, strerror(why));
    }
    s->size += (off_t)(HEAD_SIZE + len);
    return 0;
}

int spool_add(struct spool *s, const Acsweep__Result *r, struct err *e)
{
    if (find(s, r->token))
        return 0;
    size_t len = acsweep__result__get_packed_size(r);
    if (len > SPOOL_MAX_BYTES)
        return FAIL(e, ERR_BUG, "a result of %zu bytes", len);
    struct node *n = node_make(r->token, len, e);
    if (!n)
        return -1;
    acsweep__result__pack(r, n->bytes);
    n->entry.leaves = r->identity[0] != '\0';
    struct err full = { 0 };
    n->memory_only = write_record(s, 'R', n->bytes, len, &full) < 0;
    s->memory_only += n->memory_only;
    if (n->memory_only)
        log_error("spool.add", KV_ERR(&full), KV_STR("action", "the result is kept in memory and sent from there"));
    link_node(s, n);
    s->dirty = true;
    return 0;
}

void spool_retry(struct spool *s)
{
    struct err full = { 0 };
    size_t before = s->memory_only;
    for (struct node *n = s->oldest; s->memory_only && n; n = n->newer) {
        if (!n->memory_only)
            continue;
        if (write_record(s, 'R', n->bytes, n->entry.len, &full) < 0)
            break;
        n->memory_only = false;
        s->memory_only--;
        s->dirty = true;
    }
    if (s->memory_only < before)
        log_info("spool.written", KV_I64("results", before - s->memory_only), KV_I64("left", s->memory_only));
}

void spool_commit(struct spool *s)
{
    if (!s->dirty)
        return;
    if (fdatasync(s->fd) < 0)
        log_error("spool.sync", KV_STR("path", s->path), KV_STR("error", strerror(errno)),
                  KV_STR("action", "the results are sent all the same"));
    for (struct node *n = s->newest; n && !n->committed; n = n->older)
        n->committed = true;
    s->dirty = false;
}

static int start_file(int fd, struct spool *s, struct err *e)
{
    if (ftruncate(fd, 0) < 0 || write_at(fd, (const uint8_t *)MAGIC, MAGIC_SIZE, 0) < 0)
        return FAIL(e, ERR_ENV, "%s: %s", s->path, strerror(errno));
    s->size = MAGIC_SIZE;
    return 0;
}

static int sync_dir(const char *dir, struct err *e)
{
    AUTO(close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return FAIL(e, ERR_ENV, "%s: %s", dir, strerror(errno));
    return 0;
}

/* The live records into a new file that then takes the old one's place. */
static int compact(struct spool *s, struct err *e)
{
    AUTO(free) char *temp = NULL;
    if (asprintf(&temp, "%s.new", s->path) < 0)
        return FAIL_NOMEM(e);
    int fd = open(temp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return FAIL(e, ERR_ENV, "%s: %s", temp, strerror(errno));
    struct spool fresh = { .fd = fd, .path = temp };
    int failed = start_file(fd, &fresh, e);
    for (const struct node *n = s->oldest; !failed && n; n = n->newer)
        failed = write_record(&fresh, 'R', n->bytes, n->entry.len, e);
    if (!failed && (fdatasync(fd) < 0 || rename(temp, s->path) < 0))
        failed = FAIL(e, ERR_ENV, "%s: %s", temp, strerror(errno));
    if (failed) {
        close(fd);
        unlink(temp);
        return -1;
    }
    close(s->fd);
    s->fd = fd;
    s->size = fresh.size;
    s->dirty = true; /* the next commit marks them all, and nothing is lost meanwhile */
    s->memory_only = 0;
    for (struct node *n = s->oldest; n; n = n->newer)
        n->memory_only = false;
    return sync_dir(s->dir, e);
}

static int empty(struct spool *s, struct err *e)
{
    if (ftruncate(s->fd, MAGIC_SIZE) < 0)
        return FAIL(e, ERR_ENV, "%s: %s", s->path, strerror(errno));
    s->size = MAGIC_SIZE;
    return 0;
}

/* A file that stays longer than it need be harms nobody; try again when it has grown. */
static void tidy(struct spool *s)
{
    struct err why = { 0 };
    bool all_gone = s->count == 0 && s->size > EMPTY_ABOVE;
    bool mostly = s->size > s->compact_above && (off_t)s->live_bytes < s->size / 4;
    if (!all_gone && !mostly)
        return;
    if ((all_gone ? empty(s, &why) : compact(s, &why)) == 0) {
        s->compact_above = COMPACT_ABOVE;
        return;
    }
    s->compact_above = s->size + COMPACT_ABOVE;
    log_warn("spool.tidy", KV_ERR(&why));
}

void spool_settle(struct spool *s, struct spool_entry *x)
{
    s->settled += !x->settled;
    x->settled = true;
}

void spool_ack(struct spool *s, const Acsweep__Token *t)
{
    struct node *n = find(s, t);
    bool written = n && !n->memory_only;
    if (n)
        drop_node(s, n);
    if (!written)
        return;
    Acsweep__Token plain = token_copy(t);
    uint8_t bytes[64];
    size_t len = acsweep__token__pack(&plain, bytes);
    struct err full = { 0 };
    if (write_record(s, 'A', bytes, len, &full) < 0) /* it will be sent again after a restart, and be fenced: no harm */
        log_warn("spool.ack", KV_ERR(&full));
    tidy(s);
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static int take_result(struct spool *s, const uint8_t *p, size_t len, struct err *e)
{
    Acsweep__Result *r = acsweep__result__unpack(NULL, len, p);
    if (!r || !r->token) {
        if (r)
            acsweep__result__free_unpacked(r, NULL);
        return FAIL(e, ERR_ENV, "%s: a record is whole but holds no result; move the file away", s->path);
    }
    bool known = find(s, r->token) != NULL, leaves = r->identity[0] != '\0';
    struct node *n = known ? NULL : node_make(r->token, len, e);
    acsweep__result__free_unpacked(r, NULL);
    if (!n)
        return known ? 0 : -1;
    memcpy(n->bytes, p, len);
    n->entry.leaves = leaves;
    n->committed = true;
    link_node(s, n);
    return 0;
}

static int take_record(struct spool *s, char type, const uint8_t *p, size_t len, struct err *e)
{
    if (type == 'R')
        return take_result(s, p, len, e);
    Acsweep__Token *t = type == 'A' ? acsweep__token__unpack(NULL, len, p) : NULL;
    if (!t)
        return FAIL(e, ERR_ENV, "%s: a record of unknown type %d; was it written by a newer version?", s->path, type);
    struct node *n = find(s, t);
    if (n)
        drop_node(s, n);
    acsweep__token__free_unpacked(t, NULL);
    return 0;
}

/* *whole is where the last good record ends. */
static int take_all(struct spool *s, const uint8_t *p, size_t size, size_t *whole, struct err *e)
{
    size_t at = MAGIC_SIZE;
    while (size - at >= HEAD_SIZE) {
        size_t len = get_u32(p + at);
        if (len > WIRE_MAX_BYTES || len > size - at - HEAD_SIZE ||
            crc32_of(0, p + at + 8, len + 1) != get_u32(p + at + 4))
            break;
        TRY(take_record(s, (char)p[at + 8], p + at + HEAD_SIZE, len, e));
        at += HEAD_SIZE + len;
    }
    *whole = at;
    return 0;
}

static int read_all(int fd, uint8_t *p, size_t size, const char *path, struct err *e)
{
    size_t at = 0;
    while (at < size) {
        ssize_t n = pread(fd, p + at, size - at, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return FAIL(e, ERR_ENV, "%s: cannot read: %s", path, n < 0 ? strerror(errno) : "it shrank");
        at += (size_t)n;
    }
    return 0;
}

static int load(struct spool *s, struct err *e)
{
    struct stat st;
    if (fstat(s->fd, &st) < 0)
        return FAIL(e, ERR_ENV, "%s: %s", s->path, strerror(errno));
    if (st.st_size < MAGIC_SIZE)
        return start_file(s->fd, s, e);
    AUTO(free) uint8_t *p = malloc((size_t)st.st_size);
    if (!p)
        return FAIL_NOMEM(e);
    TRY(read_all(s->fd, p, (size_t)st.st_size, s->path, e));
    if (memcmp(p, MAGIC, MAGIC_SIZE) != 0)
        return FAIL(e, ERR_ENV, "%s is no spool of this version; move it away", s->path);
    size_t whole;
    TRY(take_all(s, p, (size_t)st.st_size, &whole, e));
    if (whole < (size_t)st.st_size)
        log_warn("spool.torn", KV_STR("path", s->path), KV_I64("bytes_dropped", st.st_size - (off_t)whole));
    s->size = (off_t)whole;
    if (ftruncate(s->fd, s->size) < 0)
        return FAIL(e, ERR_ENV, "%s: %s", s->path, strerror(errno));
    return 0;
}

struct spool *spool_open(const char *dir, struct err *e)
{
    AUTO(spool_close) struct spool *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    s->fd = -1;
    s->compact_above = COMPACT_ABOVE;
    s->dir = strdup(dir);
    if (!s->dir || asprintf(&s->path, "%s/spool", dir) < 0)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    s->fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->fd < 0)
        return FAIL_NULL(e, ERR_ENV, "%s: %s", s->path, strerror(errno));
    if (load(s, e) < 0 || sync_dir(dir, e) < 0)
        return NULL;
    return TAKE(s);
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    while (s->oldest)
        drop_node(s, s->oldest);
    if (s->fd >= 0)
        close(s->fd);
    free(s->path);
    free(s->dir);
    free(s);
}

struct spool_entry *spool_find(const struct spool *s, const Acsweep__Token *t)
{
    struct node *n = find(s, t);
    return n ? &n->entry : NULL;
}

size_t spool_count(const struct spool *s)
{
    return s->count - s->settled;
}

struct spool_entry *spool_next(const struct spool *s, const struct spool_entry *after)
{
    struct node *n = after ? ((const struct node *)(const void *)after)->newer : s->oldest;
    while (n && n->committed && n->entry.settled)
        n = n->newer;
    return n && n->committed ? &n->entry : NULL;
}
