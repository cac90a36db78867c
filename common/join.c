/* The join string: scheme, addresses, key; every error says at which character. */
#include "common/join.h"

#include <string.h>
#include <zmq.h>

#include "common/parse.h"

#define SCHEME "acsweep://"
#define KEY_FIELD "?key="

/* Context for an error at `at`: the position, 1-based, within `text`. */
static int at_position(const char *text, const char *at, struct err *e)
{
    return err_wrap(e, "join string, character %td", at - text + 1);
}

static int take_addresses(const char *text, const char *at, const char *end, struct join *j, struct err *e)
{
    for (;;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t len = (size_t)((comma ? comma : end) - at);
        if (j->n == JOIN_MAX_ENDPOINTS) {
            FAIL(e, ERR_INPUT, "more than %d addresses", JOIN_MAX_ENDPOINTS);
            return at_position(text, at, e);
        }
        if (endpoint_parse_host_port(at, len, ENDPOINT_CONNECT, &j->endpoints[j->n], e) < 0)
            return at_position(text, at, e);
        j->n++;
        if (!comma)
            return 0;
        at = comma + 1;
    }
}

/* Z85 may hold '?', '&' and '%', so the key is all that is left, and nothing in it is decoded. */
static int take_key(const char *text, const char *at, struct join *j, struct err *e)
{
    uint8_t raw[KEY_BYTES];
    size_t len = strlen(at);
    if (len == 2 * KEY_BYTES) {
        if (hex_decode(at, raw, sizeof raw, e) < 0)
            return at_position(text, at, e);
        zmq_z85_encode(j->server_key, raw, sizeof raw);
        return 0;
    }
    if (len != KEY_TEXT_SIZE - 1 || !key_is_valid(at)) {
        FAIL(e, ERR_INPUT,
             "the key has %zu characters; it must be %d hex digits, as the coordinator prints it, or %d "
             "characters of Z85, as in its .pub file",
             len, 2 * KEY_BYTES, KEY_TEXT_SIZE - 1);
        return at_position(text, at, e);
    }
    memcpy(j->server_key, at, KEY_TEXT_SIZE);
    return 0;
}

static int check_key_given(const struct join *j, struct err *e)
{
    for (size_t i = 0; i < j->n; i++)
        if (!j->endpoints[i].loopback && !j->server_key[0])
            return FAIL(e, ERR_INPUT,
                        "join string: %s is on another machine, so the coordinator's key is needed: "
                        "acsweep://HOST:PORT?key=SERVERKEY (the coordinator prints the whole line when it starts)",
                        j->endpoints[i].text);
    return 0;
}

int join_parse(const char *text, struct join *j, struct err *e)
{
    *j = (struct join){ 0 };
    size_t len = strnlen(text, JOIN_MAX_TEXT + 1);
    if (len > JOIN_MAX_TEXT)
        return FAIL(e, ERR_INPUT, "join string: longer than %d characters", JOIN_MAX_TEXT);
    if (strncmp(text, "ipc://", 6) == 0) {
        j->n = 1;
        return endpoint_parse(text, ENDPOINT_CONNECT, &j->endpoints[0], e) < 0 ? at_position(text, text, e) : 0;
    }
    if (strncmp(text, SCHEME, strlen(SCHEME)) != 0)
        return FAIL(e, ERR_INPUT,
                    "join string, character 1: it must look like acsweep://HOST:PORT?key=SERVERKEY, not "
                    "'%.80s'",
                    text);
    const char *hosts = text + strlen(SCHEME);
    const char *question = strchrnul(hosts, '?');
    TRY(take_addresses(text, hosts, question, j, e));
    if (*question && strncmp(question, KEY_FIELD, strlen(KEY_FIELD)) != 0) {
        FAIL(e, ERR_INPUT, "after the addresses only ?key=SERVERKEY may follow");
        return at_position(text, question, e);
    }
    if (*question)
        TRY(take_key(text, question + strlen(KEY_FIELD), j, e));
    return check_key_given(j, e);
}

void join_format(const struct join *j, struct buf *out)
{
    if (j->n == 1 && j->endpoints[0].ipc) {
        buf_puts(out, j->endpoints[0].text);
        return;
    }
    buf_puts(out, SCHEME);
    for (size_t i = 0; i < j->n; i++)
        buf_printf(out, "%s%s", i ? "," : "", j->endpoints[i].text + strlen("tcp://"));
    uint8_t raw[KEY_BYTES];
    char hex[2 * KEY_BYTES + 1];
    if (!j->server_key[0] || !zmq_z85_decode(raw, j->server_key))
        return;
    hex_encode(raw, sizeof raw, hex);
    buf_printf(out, KEY_FIELD "%s", hex);
}
