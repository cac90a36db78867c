/* Any text: join_parse refuses it with a reason, or takes it and join_format writes what parses to the same join. */
#include <stdlib.h>
#include <string.h>

#include "common/join.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct join *j)
{
    AUTO(buf_free) struct buf text = BUF_INIT(2 * JOIN_MAX_TEXT);
    struct err e = { 0 };
    struct join again;
    join_format(j, &text);
    if (buf_check(&text, "join", &e) < 0 || join_parse(buf_text(&text), &again, &e) < 0)
        abort();
    if (again.n != j->n || strcmp(again.server_key, j->server_key) != 0)
        abort();
    for (size_t i = 0; i < j->n; i++)
        if (strcmp(again.endpoints[i].text, j->endpoints[i].text) != 0)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    struct join j;
    struct err e = { 0 };
    if (join_parse(text, &j, &e) == 0)
        check_round_trip(&j);
    else if (e.kind != ERR_INPUT || !e.text[0])
        abort();
    free(text);
    return 0;
}
