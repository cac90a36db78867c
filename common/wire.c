#include "common/wire.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common/utf8.h"

/* Strings of proto3 are UTF-8; protobuf-c does not check it, and PostgreSQL and JSON would refuse the rest later. */
static bool strings_ok(const ProtobufCMessage *m);

static bool field_ok(const ProtobufCFieldDescriptor *f, const void *value)
{
    if (f->type == PROTOBUF_C_TYPE_STRING) {
        const char *s = *(char *const *)value;
        return !s || utf8_is_valid(s);
    }
    const ProtobufCMessage *sub = *(ProtobufCMessage *const *)value;
    return !sub || strings_ok(sub);
}

static bool strings_ok(const ProtobufCMessage *m)
{
    const ProtobufCMessageDescriptor *d = m->descriptor;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        const char *base = (const char *)m;
        if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) && *(const uint32_t *)(base + f->quantifier_offset) != f->id)
            continue;
        if (f->label != PROTOBUF_C_LABEL_REPEATED) {
            if (!field_ok(f, base + f->offset))
                return false;
            continue;
        }
        size_t n = *(const size_t *)(base + f->quantifier_offset);
        void *const *list = *(void *const *const *)(base + f->offset);
        for (size_t k = 0; k < n; k++)
            if (!field_ok(f, &list[k]))
                return false;
    }
    return true;
}

envelope *wire_unpack(const void *bytes, size_t len, struct err *e)
{
    if (len == 0 || len > WIRE_MAX_BYTES)
        return FAIL_NULL(e, ERR_PEER, "a message of %zu bytes; 1 to %u are allowed", len, WIRE_MAX_BYTES);
    envelope *m = acsweep__envelope__unpack(NULL, len, bytes);
    if (!m)
        return FAIL_NULL(e, ERR_PEER, "%zu bytes that are no acsweep message", len);
    if (m->version == 0) {
        envelope_free(m);
        return FAIL_NULL(e, ERR_PEER, "a message without a protocol version");
    }
    if (!strings_ok(&m->base)) {
        envelope_free(m);
        return FAIL_NULL(e, ERR_PEER, "a message with text that is not UTF-8");
    }
    return m;
}

void envelope_free(envelope *m)
{
    if (m)
        acsweep__envelope__free_unpacked(m, NULL);
}

int wire_pack(envelope *m, uint8_t **bytes, size_t *len, struct err *e)
{
    if (m->version == 0)
        m->version = WIRE_VERSION;
    *len = acsweep__envelope__get_packed_size(m);
    if (*len > WIRE_MAX_BYTES)
        return FAIL(e, ERR_BUG, "message of %zu bytes is over the limit of %u", *len, WIRE_MAX_BYTES);
    *bytes = malloc(*len ? *len : 1);
    if (!*bytes)
        return FAIL_NOMEM(e);
    acsweep__envelope__pack(m, *bytes);
    return 0;
}

static int write_all(int fd, const uint8_t *p, size_t len, struct err *e)
{
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FAIL(e, ERR_PEER, "cannot write to the other process: %s", strerror(errno));
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

/* 1 = read all, 0 = end of file before the first byte. */
static int read_all(int fd, uint8_t *p, size_t len, struct err *e)
{
    size_t got = 0;
    while (got < len) {
        ssize_t n = read(fd, p + got, len - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FAIL(e, ERR_PEER, "cannot read from the other process: %s", strerror(errno));
        if (n == 0 && got == 0)
            return 0;
        if (n == 0)
            return FAIL(e, ERR_PEER, "the other process ended in the middle of a message");
        got += (size_t)n;
    }
    return 1;
}

int wire_write_fd(int fd, envelope *m, struct err *e)
{
    AUTO(free) uint8_t *bytes = NULL;
    size_t len;
    TRY(wire_pack(m, &bytes, &len, e));
    uint8_t head[4] = { len & 255, len >> 8 & 255, len >> 16 & 255, len >> 24 & 255 };
    TRY(write_all(fd, head, sizeof head, e));
    return write_all(fd, bytes, len, e);
}

int wire_read_fd(int fd, envelope **m, struct err *e)
{
    uint8_t head[4];
    *m = NULL;
    int got = read_all(fd, head, sizeof head, e);
    if (got <= 0)
        return got;
    size_t len = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    if (len == 0 || len > WIRE_MAX_BYTES)
        return FAIL(e, ERR_PEER, "a message of %zu bytes; 1 to %u are allowed", len, WIRE_MAX_BYTES);
    AUTO(free) uint8_t *bytes = malloc(len);
    if (!bytes)
        return FAIL_NOMEM(e);
    got = read_all(fd, bytes, len, e);
    if (got == 0)
        return FAIL(e, ERR_PEER, "the other process ended in the middle of a message");
    if (got < 0)
        return -1;
    *m = wire_unpack(bytes, len, e);
    return *m ? 1 : -1;
}
