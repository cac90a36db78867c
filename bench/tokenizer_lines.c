/* For bench/tokenizer.py: many texts in one call, as a data loader's thread would. */
#include <string.h>

#include "worker/text/tokenizer.h"

int tokenize_lines(const struct tokenizer *t, const char *text, const size_t *end, size_t n, struct ids *out,
                   size_t *ids_end, struct err *e);

/* Text i ends at end[i], its ids at ids_end[i]. */
int tokenize_lines(const struct tokenizer *t, const char *text, const size_t *end, size_t n, struct ids *out,
                   size_t *ids_end, struct err *e)
{
    size_t from = 0;
    out->n = 0;
    for (size_t i = 0; i < n; i++) {
        TRY(tokenizer_encode(t, text + from, end[i] - from, false, out, e));
        from = end[i];
        ids_end[i] = out->n;
    }
    return 0;
}
