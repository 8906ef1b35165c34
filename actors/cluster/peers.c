#include "actors/cluster/peers.h"

#include "core/base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PEERS_MAX = 1024 };

bool peers_name_valid(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n < NODE_BYTES && strspn(name, NODE_LETTERS) == n;
}

struct peer_node *peers_find(const struct peers *peers, const char *name)
{
    struct peer_node *p;

    HASH_FIND_STR(peers->first, name, p);
    return p;
}

struct peer_node *peers_add(struct peers *peers, const char *name, uint64_t boot)
{
    struct peer_node *p = peers_find(peers, name);

    if (!p && peers_count(peers) >= PEERS_MAX)
        return NULL;
    if (!p) {
        p = calloc(1, sizeof *p);
        if (!p)
            out_of_memory();
        snprintf(p->name, sizeof p->name, "%s", name);
        HASH_ADD_STR(peers->first, name, p);
    }
    if (p->boot != boot) {
        p->boot = boot;
        p->last_id = p->last_beat = p->registered_ms = 0;
        p->row_missing = 0;
        p->elsewhere = false;
    }
    return p;
}

void peers_remove(struct peers *peers, struct peer_node *peer)
{
    HASH_DEL(peers->first, peer);
    if (peer->presence)
        kith__v1__presence__free_unpacked(peer->presence, NULL);
    buf_free(&peer->parts.body);
    free(peer);
}

void peers_clear(struct peers *peers)
{
    while (peers->first)
        peers_remove(peers, peers->first);
}

size_t peers_count(const struct peers *peers)
{
    return HASH_COUNT(peers->first);
}

bool peer_has_actor(const struct peer_node *peer, const char *actor)
{
    for (size_t i = 0; peer->presence && i < peer->presence->n_actors; i++)
        if (strcmp(peer->presence->actors[i]->name, actor) == 0)
            return true;
    return false;
}

bool peer_accepts_asks(const struct peer_node *peer, const char *actor)
{
    return peer_has_actor(peer, actor) && !peer->presence->leaving && !peer->elsewhere;
}
