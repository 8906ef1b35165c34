/* The bus and those who listen to it: what comes on this run's own inbox is for "work_queue", the rest for "cluster".
 */
#include "cli/serve/serve.h"

#include "core/base/log.h"
#include "core/bus/bus_messages.h"

static void on_message(void *context, const struct bus_message *m)
{
    struct service *v = context;
    const char *to = work_queue_is_for(m->subject, m->reply, v->boot) ? "work_queue" : "cluster";

    actor_system_tell(v->system, to, &msg_bus_new(m)->head); /* a full mailbox loses it, which everybody can bear */
    driver_uv_kick(v->driver);
}

static void on_state(void *context, bool connected, const char *words)
{
    static const char *const listeners[] = {"cluster", "work_queue", NULL};
    struct service *v = context;

    for (const char *const *to = listeners; *to; to++)
        actor_system_tell(v->system, *to, &msg_bus_state_new(connected, words)->head);
    driver_uv_kick(v->driver);
}

void bus_join(struct service *v)
{
    enum { SUBJECTS = 8 };
    static const char *subjects[SUBJECTS];
    const struct settings *s = v->s;
    int count = 0;

    if (!s->nats[0])
        return;
    cluster_subjects(&v->texts, s->nats_prefix, v->node, subjects);
    while (subjects[count])
        count++;
    subjects[count++] = work_queue_inbox(&v->texts, v->boot);
    subjects[count] = NULL;
    v->bus = bus_new(&(struct bus_options){.loop = &v->loop,
                                           .servers = s->nats,
                                           .name = v->node,
                                           .user = s->nats_user,
                                           .password = s->nats_password,
                                           .token = s->nats_token,
                                           .creds_file = s->nats_creds,
                                           .nkey_seed_file = s->nats_nkey,
                                           .ca_file = s->nats_ca,
                                           .subjects = subjects,
                                           .max_queued_bytes = (size_t)s->nats_buffer,
                                           .on_message = on_message,
                                           .on_state = on_state,
                                           .context = v});
}

void bus_leave(struct service *v)
{
    bus_free(v->bus); /* its handle closes with the others' */
    v->bus = NULL;
    arena_free(&v->texts);
}
