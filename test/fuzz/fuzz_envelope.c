/* Arbitrary bytes as a bus message: decoding of the envelope, decoding of its body, and the check of what a peer may
 * send. A message that passes is encoded and decoded again. libFuzzer; the corpus is made by make_envelopes.py. */
#include "actors/cluster/envelope.h"
#include "actors/cluster/peer_messages.h"
#include "actors/cluster/wire.h"
#include "core/actor/actor.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was decoded can be encoded, and what was encoded can be decoded. */
static void check_round_trip(const struct msg *m)
{
    struct buf body = {0};
    uint32_t type = wire_encode(m, &body);
    struct msg *back = wire_decode(type, body.data ? body.data : "", body.len);

    assert(type != 0 && back && back->type == m->type);
    msg_unref(back);
    buf_free(&body);
}

static void check_presence(const Kith__V1__Envelope *e)
{
    Kith__V1__Presence *p = kith__v1__presence__unpack(NULL, e->body.len, e->body.data);

    if (p)
        kith__v1__presence__free_unpacked(p, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Kith__V1__Envelope *e = envelope_decode(data, size);
    struct msg *m;

    if (!e)
        return 0;
    assert(e->status <= ACTOR_OK && e->status >= ACTOR_REFUSED && e->budget_ms <= ENVELOPE_BUDGET_MAX_MS);
    if (envelope_is_presence(e))
        check_presence(e);
    m = wire_decode(e->type, e->body.data, e->body.len);
    if (envelope_check_message(e, m) == ENVELOPE_ALLOWED)
        assert(m && peer_message_allowed(e->to, m->type, e->correlation != 0));
    if (m)
        check_round_trip(m);
    msg_unref(m);
    envelope_free(e);
    return 0;
}
