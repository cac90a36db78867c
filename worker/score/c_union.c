#include "worker/score/c_union.h"

#include <string.h>

size_t c_union_find(const struct c_union *u, const char *key)
{
    size_t i = 0;
    while (i < u->n && strcmp(u->keys[i], key) != 0)
        i++;
    return i;
}

/* `first` comes before `then`, and so does all that comes before it. False when it is the other way round already. */
static bool put_in_order(struct c_union *u, size_t first, size_t then)
{
    const uint32_t later = u->after[then] | UINT32_C(1) << then;
    if (later >> first & 1)
        return false;
    for (size_t k = 0; k < u->n; k++)
        if (k == first || u->after[k] >> first & 1)
            u->after[k] |= later;
    return true;
}

bool c_union_add(struct c_union *u, const char *const *members, size_t n)
{
    struct c_union next = *u;
    size_t before = 0;
    for (size_t m = 0; m < n; m++) {
        size_t at = c_union_find(&next, members[m]);
        if (at == next.n) {
            if (next.n == C_ENCODERS_MAX)
                return false;
            next.keys[next.n++] = members[m];
        }
        if (m && !put_in_order(&next, before, at))
            return false;
        before = at;
    }
    *u = next;
    return true;
}

void c_union_places(const struct c_union *u, uint8_t place[C_ENCODERS_MAX])
{
    uint32_t placed = 0;
    for (uint8_t p = 0; p < u->n; p++) {
        uint32_t later = 0; /* those that wait for one that is not placed */
        for (size_t i = 0; i < u->n; i++)
            if (!(placed >> i & 1))
                later |= u->after[i];
        for (size_t i = 0; i < u->n; i++)
            if (!(placed >> i & 1) && !(later >> i & 1)) {
                place[i] = p;
                placed |= UINT32_C(1) << i;
                break;
            }
    }
}
