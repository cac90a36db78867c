/* Log lines: an event name plus typed fields, to stderr, as logfmt or JSON. Never a secret.
 *
 *     log_info("task.leased", KV_I64("task", id), KV_STR("worker", name));
 *
 * The level and the format are the process's own (set once by main); everything else is explicit. */
#ifndef ACSWEEP_COMMON_LOG_H
#define ACSWEEP_COMMON_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_kv {
    const char *key;
    enum { LOG_KV_STR, LOG_KV_I64, LOG_KV_F64 } type;
    union {
        const char *s;
        int64_t i;
        double f;
    } v;
};

#define KV_STR(k, x) ((struct log_kv){ .key = (k), .type = LOG_KV_STR, .v.s = (x) })
#define KV_I64(k, x) ((struct log_kv){ .key = (k), .type = LOG_KV_I64, .v.i = (int64_t)(x) })
#define KV_F64(k, x) ((struct log_kv){ .key = (k), .type = LOG_KV_F64, .v.f = (x) })
#define KV_ERR(e) KV_STR("error", (e)->text)

void log_setup(const char *program, enum log_level level, enum log_format format);
/* Level from "error", "warn", "info", "debug"; -1 when it is none of these. */
int log_level_of(const char *name);
void log_write(enum log_level level, const char *event, const struct log_kv *kv, size_t n);

#define LOG_FIELDS_(...) \
    (const struct log_kv[]){ __VA_ARGS__ }, sizeof((const struct log_kv[]){ __VA_ARGS__ }) / sizeof(struct log_kv)
#define log_error(event, ...) log_write(LOG_ERROR, (event), LOG_FIELDS_(__VA_ARGS__))
#define log_warn(event, ...) log_write(LOG_WARN, (event), LOG_FIELDS_(__VA_ARGS__))
#define log_info(event, ...) log_write(LOG_INFO, (event), LOG_FIELDS_(__VA_ARGS__))
#define log_debug(event, ...) log_write(LOG_DEBUG, (event), LOG_FIELDS_(__VA_ARGS__))

#endif
