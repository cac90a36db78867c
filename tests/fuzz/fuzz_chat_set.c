/* Any bytes as a conversation file: refused with its name, or samples that can be read again, each with turns, and
 * whose lengths are never 0. */
#include <stdlib.h>
#include <string.h>

#include "worker/text/chat_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sample(const struct chat_set *s, size_t i)
{
    struct err e = { 0 };
    AUTO(chat_sample_free) struct chat_sample sample = { 0 };
    if (chat_set_read(s, i, &sample, &e) < 0 || sample.n_turns == 0 || !sample.id)
        abort();
    if (sample.image && (sample.image[0] == '/' || sample.image[0] == '\0' || strstr(sample.image, "/../")))
        abort();
    if (chat_set_length(s, i) == 0 || (chat_set_length(s, i) > 0) != (sample.image != NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    AUTO(chat_set_close) struct chat_set *s = chat_set_from((const char *)data, size, "fuzz.json", &e);
    if (!s && (e.kind != ERR_INPUT || strncmp(e.text, "fuzz.json:", 10) != 0))
        abort();
    for (size_t i = 0; s && i < chat_set_count(s); i++)
        check_sample(s, i);
    return 0;
}
