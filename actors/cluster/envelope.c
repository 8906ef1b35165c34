#include "actors/cluster/envelope.h"

#include "actors/cluster/peer_messages.h"
#include "actors/cluster/peers.h"
#include "core/actor/actor.h"

#include <string.h>

char *envelope_text(const char *text)
{
    return (char *)(uintptr_t)(text ? text : "");
}

static bool envelope_status_known(int status)
{
    return status <= ACTOR_OK && status >= ACTOR_REFUSED;
}

Kith__V1__Envelope *envelope_decode(const void *data, size_t len)
{
    Kith__V1__Envelope *e = kith__v1__envelope__unpack(NULL, len, data);

    if (!e || e->version != ENVELOPE_FORMAT || !peers_name_valid(e->node)) {
        envelope_free(e);
        return NULL;
    }
    if (!envelope_status_known(e->status))
        e->status = ACTOR_FAILED;
    if (e->budget_ms > ENVELOPE_BUDGET_MAX_MS)
        e->budget_ms = ENVELOPE_BUDGET_MAX_MS;
    return e;
}

void envelope_free(Kith__V1__Envelope *e)
{
    if (e)
        kith__v1__envelope__free_unpacked(e, NULL);
}

bool envelope_is_presence(const Kith__V1__Envelope *e)
{
    return e->type == KITH__V1__TYPE__TYPE_PRESENCE || e->type == KITH__V1__TYPE__TYPE_LEAVING;
}

enum envelope_verdict envelope_check_message(const Kith__V1__Envelope *e, const struct msg *m)
{
    if (!m || strchr(e->to, '@'))
        return ENVELOPE_UNDECODABLE;
    return peer_message_allowed(e->to, m->type, e->correlation != 0) ? ENVELOPE_ALLOWED : ENVELOPE_REFUSED;
}
