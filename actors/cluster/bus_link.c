#include "actors/cluster/bus_link.h"

#include "core/actor/system.h"
#include "core/bus/bus_messages.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { SUBJECT_PRESENCE, SUBJECT_NODE, SUBJECT_INBOX };

/* A full mailbox loses the message: every receiver recovers from a lost message. */
static void bus_link_tell(struct bus_link *link, const char *actor, struct msg *m)
{
    actor_system_tell(driver_uv_system(link->config.driver), actor, m);
}

static void bus_link_on_message(void *context, const struct bus_message *m)
{
    struct bus_link *link = context;

    bus_link_tell(link, m->subscription == SUBJECT_INBOX ? link->config.inbox_actor : "cluster", &msg_bus_new(m)->head);
    driver_uv_kick(link->config.driver);
}

static void bus_link_on_state(void *context, bool connected, const char *reason)
{
    struct bus_link *link = context;

    bus_link_tell(link, "cluster", &msg_bus_state_new(connected, reason)->head);
    bus_link_tell(link, link->config.inbox_actor, &msg_bus_state_new(connected, reason)->head);
    driver_uv_kick(link->config.driver);
}

bool bus_link_id_valid(const char *cluster)
{
    size_t n = strlen(cluster);

    return n > 0 && n < CLUSTER_ID_BYTES && strspn(cluster, "0123456789abcdef") == n;
}

void bus_link_open(struct bus_link *link, const char *cluster)
{
    const struct bus_link_config *config = &link->config;
    struct bus_options options = config->bus;

    assert(!link->bus && bus_link_id_valid(cluster));
    snprintf(link->cluster, sizeof link->cluster, "%s", cluster);
    link->subjects[SUBJECT_PRESENCE] = arena_printf(&link->texts, "%s.presence", config->prefix);
    link->subjects[SUBJECT_NODE] = arena_printf(&link->texts, "%s.%s.node.%s", config->prefix, cluster, config->node);
    link->subjects[SUBJECT_INBOX] = config->inbox;
    options.subjects = link->subjects;
    options.on_message = bus_link_on_message;
    options.on_state = bus_link_on_state;
    options.context = link;
    link->bus = bus_new(&options);
}

void bus_link_close(struct bus_link *link)
{
    bus_free(link->bus);
    link->bus = NULL;
    arena_free(&link->texts);
}
