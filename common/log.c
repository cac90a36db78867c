#include "common/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/mono.h"
#include "common/own.h"

static const char *const level_names[] = { "error", "warn", "info", "debug" };

/* The process's own log: set once by main before any thread starts. */
static struct {
    const char *program;
    enum log_level level;
    enum log_format format;
} setup = { "acsweep", LOG_INFO, LOG_LOGFMT };

void log_setup(const char *program, enum log_level level, enum log_format format)
{
    setup.program = program;
    setup.level = level;
    setup.format = format;
}

int log_level_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
        if (strcmp(name, level_names[i]) == 0)
            return (int)i;
    return -1;
}

/* One line is built on the stack and written at once, so that lines of threads never mix. Long values are cut. */
struct line {
    char text[4096];
    size_t len;
};

static void add(struct line *l, const char *s, size_t n)
{
    size_t room = sizeof l->text - 2 - l->len; /* leaves room for '\n' */
    if (n > room)
        n = room;
    memcpy(l->text + l->len, s, n);
    l->len += n;
}

static void add_str(struct line *l, const char *s)
{
    add(l, s, strlen(s));
}

static void add_quoted(struct line *l, const char *s)
{
    add_str(l, "\"");
    for (size_t n = 0; *s && n < 1200; s++, n++) {
        unsigned char c = (unsigned char)*s;
        char hex[8];
        if (c == '"' || c == '\\') {
            add(l, "\\", 1);
            add(l, s, 1);
        } else if (c < 0x20) {
            add(l, hex, (size_t)snprintf(hex, sizeof hex, "\\u%04x", c));
        } else {
            add(l, s, 1);
        }
    }
    add_str(l, "\"");
}

static bool is_plain(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == '"' || *s == '=' || *s == '\\')
            return false;
    return true;
}

static void add_field(struct line *l, const struct log_kv *kv)
{
    char number[40];
    if (setup.format == LOG_JSON) {
        add_str(l, ",");
        add_quoted(l, kv->key);
        add_str(l, ":");
    } else {
        add_str(l, " ");
        add_str(l, kv->key);
        add_str(l, "=");
    }
    switch (kv->type) {
    case LOG_KV_I64:
        add(l, number, (size_t)snprintf(number, sizeof number, "%lld", (long long)kv->v.i));
        break;
    case LOG_KV_F64:
        add(l, number, (size_t)snprintf(number, sizeof number, "%.6g", kv->v.f));
        break;
    case LOG_KV_STR: {
        const char *s = kv->v.s ? kv->v.s : "";
        if (setup.format == LOG_LOGFMT && is_plain(s))
            add_str(l, s);
        else
            add_quoted(l, s);
        break;
    }
    }
}

void log_write(enum log_level level, const char *event, const struct log_kv *kv, size_t n)
{
    if (level > setup.level)
        return;
    int64_t us = wall_now_us();
    time_t seconds = us / 1000000;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char at[64];
    size_t at_len = strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(at + at_len, sizeof at - at_len, ".%03dZ", (int)(us / 1000 % 1000));

    struct line l = { .len = 0 };
    const struct log_kv head[] = { KV_STR("level", level_names[level]), KV_STR("program", setup.program),
                                   KV_STR("event", event) };
    add_str(&l, setup.format == LOG_JSON ? "{\"at\":\"" : "at=");
    add_str(&l, at);
    if (setup.format == LOG_JSON)
        add_str(&l, "\"");
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        add_field(&l, &head[i]);
    for (size_t i = 0; i < n; i++)
        add_field(&l, &kv[i]);
    if (setup.format == LOG_JSON)
        add_str(&l, "}");
    l.text[l.len++] = '\n';
    fwrite(l.text, 1, l.len, stderr);
}
