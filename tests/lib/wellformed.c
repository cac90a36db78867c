#include "tests/lib/wellformed.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 64, NAME_SIZE = 40, ATTRIBUTES_MAX = 24 };

struct reader {
    const char *at;
    char open[DEPTH_MAX][NAME_SIZE];
    int depth;
    bool seen_root;
};

static char complaint[300];

static bool wrong(const struct reader *r, const char *what)
{
    snprintf(complaint, sizeof complaint, "%s near \"%.60s\"", what, r->at);
    return false;
}

/* Not strspn and strncmp, which a sanitizer may check up to the end of the page, for each of its letters. */
static size_t span(const char *at, const char *of)
{
    size_t n = 0;
    while (at[n] && strchr(of, at[n]))
        n++;
    return n;
}

static bool starts(const char *at, const char *with)
{
    while (*with)
        if (*at++ != *with++)
            return false;
    return true;
}

static bool read_name(struct reader *r, char name[NAME_SIZE])
{
    size_t n = span(r->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:");
    if (n == 0 || n >= NAME_SIZE)
        return wrong(r, "no name");
    memcpy(name, r->at, n);
    name[n] = '\0';
    r->at += n;
    return true;
}

/* Text up to one of `stops`, with its entities. */
static bool read_text(struct reader *r, const char *stops)
{
    static const char *const entities[] = { "&lt;", "&gt;", "&amp;", "&quot;", "&#39;" };
    while (*r->at && !strchr(stops, *r->at)) {
        if ((unsigned char)*r->at < 0x20 && !strchr("\t\r\n", *r->at))
            return wrong(r, "a control character");
        if (*r->at == '<' || *r->at == '>')
            return wrong(r, "bare markup in text");
        bool known = *r->at != '&';
        for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
            known |= starts(r->at, entities[i]);
        if (!known)
            return wrong(r, "unknown entity");
        r->at++;
    }
    return true;
}

static bool read_attributes(struct reader *r)
{
    char names[ATTRIBUTES_MAX][NAME_SIZE];
    for (int n = 0;; n++) {
        size_t blanks = span(r->at, " \t\r\n");
        r->at += blanks;
        if (strchr("/>?", *r->at))
            return true;
        if (blanks == 0 || n == ATTRIBUTES_MAX)
            return wrong(r, "malformed tag");
        if (!read_name(r, names[n]))
            return false;
        for (int i = 0; i < n; i++)
            if (!strcmp(names[i], names[n]))
                return wrong(r, "attribute given twice");
        if (!starts(r->at, "=\""))
            return wrong(r, "attribute without a quoted value");
        r->at += 2;
        if (!read_text(r, "\""))
            return false;
        if (*r->at++ != '"')
            return wrong(r, "unterminated attribute");
    }
}

static bool read_tag(struct reader *r)
{
    char name[NAME_SIZE];
    bool closing = r->at[1] == '/';
    r->at += closing ? 2 : 1;
    if (!read_name(r, name))
        return false;
    if (closing) {
        if (r->depth == 0 || strcmp(r->open[r->depth - 1], name))
            return wrong(r, "closes what is not open");
        r->depth--;
        return *r->at++ == '>' || wrong(r, "malformed closing tag");
    }
    if (!read_attributes(r))
        return false;
    if (r->depth == 0 && r->seen_root)
        return wrong(r, "a second root");
    r->seen_root = true;
    if (starts(r->at, "/>")) {
        r->at += 2;
        return true;
    }
    if (*r->at++ != '>' || r->depth == DEPTH_MAX)
        return wrong(r, "unterminated tag or too deep");
    memcpy(r->open[r->depth++], name, NAME_SIZE);
    return true;
}

const char *wellformed(const char *text)
{
    struct reader r = { .at = text };
    if (starts(r.at, "<!DOCTYPE html>"))
        r.at += 15;
    while (*r.at) {
        if (*r.at == '<' ? !read_tag(&r) : !read_text(&r, "<"))
            return complaint;
    }
    if (r.depth > 0) {
        snprintf(complaint, sizeof complaint, "<%s> is never closed", r.open[r.depth - 1]);
        return complaint;
    }
    return r.seen_root ? NULL : "no element at all";
}
