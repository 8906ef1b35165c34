/* Messages to and from other nodes: addresses with an "@" go to the transport set by actor_system_set_remote. */
#include "core/actor/actor_internal.h"

#include <assert.h>
#include <string.h>

void actor_system_set_remote(struct actor_system *system, const struct actor_remote *remote)
{
    system->remote = *remote;
}

bool system_is_remote(const char *address)
{
    return strchr(address, '@') != NULL;
}

int system_send(struct actor *sender, const char *to, struct msg *m, uint64_t ask, uint64_t timeout_ms)
{
    const struct actor_remote *remote = &sender->system->remote;

    if (remote->send)
        return remote->send(remote->context, sender, to, m, ask, timeout_ms);
    msg_unref(m);
    return ACTOR_GONE;
}

int actor_system_deliver(struct actor_system *system, struct actor *sender, const char *name, struct msg *m,
                         uint64_t ask)
{
    struct actor *to = actor_find(system, name);
    struct envelope e = {.msg = m, .sender = sender, .ask_id = ask, .lane = MAIL_NORMAL};
    struct ask *waits = ask_find(system, ask);
    int status = to ? system_deliver(to, &e) : ACTOR_GONE;

    if (status != ACTOR_OK)
        msg_unref(m);
    else if (waits)
        waits->to = to; /* its failure ends the ask */
    return status;
}

void actor_system_end_ask(struct actor_system *system, uint64_t ask, int status, struct msg *reply)
{
    struct ask *waits = ask_find(system, ask);

    assert(status != ACTOR_OK || reply);
    if (waits)
        ask_send_ending(waits, status, reply);
    else
        msg_unref(reply);
}

bool actor_system_ask_waits(const struct actor_system *system, uint64_t ask)
{
    return ask_find(system, ask) != NULL;
}
