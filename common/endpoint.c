/* Addresses: host, port and loopback are decided here and nowhere else, because whether keys are needed hangs on it. */
#include "common/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/parse.h"

#define HOST_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

static bool ipv4_is_loopback(const char *host)
{
    struct in_addr a;
    return inet_pton(AF_INET, host, &a) == 1 && (ntohl(a.s_addr) >> 24) == 127;
}

static bool ipv6_is_loopback(const char *host)
{
    struct in6_addr a;
    return inet_pton(AF_INET6, host, &a) == 1 && IN6_IS_ADDR_LOOPBACK(&a);
}

/* Take the host and leave `rest` at what follows it. */
static int take_host(const char *text, struct endpoint *out, const char **rest, struct err *e)
{
    out->ipv6 = *text == '[';
    const char *start = text + out->ipv6;
    const char *end = out->ipv6 ? strchr(start, ']') : strrchr(start, ':');
    if (!end)
        return out->ipv6 ? FAIL(e, ERR_INPUT, "'%s': no ']' after the IPv6 address", text)
                         : FAIL(e, ERR_INPUT, "'%s': no port; write HOST:PORT, e.g. 10.0.0.5:7400", text);
    size_t len = (size_t)(end - start);
    if (len == 0 || len >= sizeof out->host)
        return FAIL(e, ERR_INPUT, "'%s': the host has %zu characters; it needs 1 to %zu", text, len,
                    sizeof out->host - 1);
    memcpy(out->host, start, len);
    out->host[len] = '\0';
    *rest = end + out->ipv6;
    return 0;
}

static int check_host(const char *text, enum endpoint_use use, struct endpoint *out, struct err *e)
{
    struct in6_addr a6;
    if (out->ipv6) {
        if (inet_pton(AF_INET6, out->host, &a6) != 1)
            return FAIL(e, ERR_INPUT, "'%s': '%s' is not an IPv6 address", text, out->host);
        out->loopback = ipv6_is_loopback(out->host);
        return 0;
    }
    if (strchr(out->host, ':'))
        return FAIL(e, ERR_INPUT, "'%s': write an IPv6 address in brackets: [%s]:PORT", text, out->host);
    if (use == ENDPOINT_BIND && strcmp(out->host, "*") == 0)
        return 0;
    if (out->host[strspn(out->host, HOST_CHARS)] != '\0')
        return FAIL(e, ERR_INPUT, "'%s': character '%c' cannot stand in a host name", text,
                    out->host[strspn(out->host, HOST_CHARS)]);
    if (strcmp(out->host, "localhost") == 0)
        snprintf(out->host, sizeof out->host, "127.0.0.1"); /* also where a resolver would say ::1: both ends agree */
    out->loopback = ipv4_is_loopback(out->host);
    return 0;
}

static int take_port(const char *text, const char *rest, enum endpoint_use use, struct endpoint *out, struct err *e)
{
    if (*rest != ':')
        return FAIL(e, ERR_INPUT, "'%s': no port; write HOST:PORT, e.g. 10.0.0.5:7400", text);
    if (use == ENDPOINT_BIND && strcmp(rest + 1, "*") == 0)
        return 0;
    int64_t port;
    if (parse_i64(rest + 1, 1, UINT16_MAX, &port, e) < 0)
        return err_wrap(e, "'%s': port", text);
    out->port = (uint16_t)port;
    return 0;
}

int endpoint_parse_host_port(const char *text, size_t len, enum endpoint_use use, struct endpoint *out, struct err *e)
{
    char part[ENDPOINT_SIZE - 8];
    if (len >= sizeof part)
        return FAIL(e, ERR_INPUT, "address of %zu characters; at most %zu", len, sizeof part - 1);
    memcpy(part, text, len);
    part[len] = '\0';
    *out = (struct endpoint){ 0 };
    const char *rest = part;
    TRY(take_host(part, out, &rest, e));
    TRY(take_port(part, rest, use, out, e));
    TRY(check_host(part, use, out, e));
    char port[8] = "*";
    if (out->port)
        snprintf(port, sizeof port, "%u", out->port);
    snprintf(out->text, sizeof out->text, out->ipv6 ? "tcp://[%s]:%s" : "tcp://%s:%s", out->host, port);
    return 0;
}

static int parse_ipc(const char *path, struct endpoint *out, struct err *e)
{
    size_t len = strlen(path);
    if (len == 0)
        return FAIL(e, ERR_INPUT, "'ipc://': no path after it");
    if (len > ENDPOINT_PATH_MAX)
        return FAIL(e, ERR_INPUT, "ipc path of %zu characters, at most %d: '%s'; use a shorter directory", len,
                    ENDPOINT_PATH_MAX, path);
    *out = (struct endpoint){ .ipc = true, .loopback = true };
    snprintf(out->text, sizeof out->text, "ipc://%s", path);
    return 0;
}

int endpoint_parse(const char *text, enum endpoint_use use, struct endpoint *out, struct err *e)
{
    if (strncmp(text, "ipc://", 6) == 0)
        return parse_ipc(text + 6, out, e);
    if (strncmp(text, "tcp://", 6) == 0)
        return endpoint_parse_host_port(text + 6, strlen(text + 6), use, out, e);
    return FAIL(e, ERR_INPUT, "'%.200s' is no address; write tcp://HOST:PORT or ipc://PATH", text);
}
