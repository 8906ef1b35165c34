/* Sending: into a mailbox of this node, and from other threads. */
#include "core/actor/actor_internal.h"

#include "core/base/must.h"

#include <stdlib.h>

struct msg *system_pass_encoded(const struct actor_system *system, struct msg *m)
{
    struct cancel *cancel = cancel_ref(m->cancel);
    bool skip = m->skip_cancelled;

    m = system->remote.as_if_remote(m);
    if (m && !m->cancel) {
        m->cancel = cancel;
        m->skip_cancelled = skip;
    } else {
        cancel_unref(cancel);
    }
    return m;
}

static int send_tell(struct actor *sender, struct actor *to, struct msg *m, enum mail_lane lane)
{
    struct envelope e = {.sender = sender, .lane = (uint32_t)lane};
    int status;

    if (to)
        m = system_pass(to->system, m);
    e.msg = m;
    status = to ? system_deliver(to, &e) : ACTOR_GONE;

    if (status != ACTOR_OK)
        msg_unref(m);
    return status;
}

int actor_tell(struct actor *self, const char *to, struct msg *m)
{
    if (system_is_remote(to))
        return system_send(self, to, m, 0, 0);
    return send_tell(self, actor_find(self->system, to), m, MAIL_NORMAL);
}

int actor_tell_control(struct actor *self, const char *to, struct msg *m)
{
    if (system_is_remote(to))
        return system_send(self, to, m, 0, 0);
    return send_tell(self, actor_find(self->system, to), m, MAIL_CONTROL);
}

int actor_tell_to(struct actor *self, struct actor *to, struct msg *m)
{
    return send_tell(self, to, m, MAIL_NORMAL);
}

int actor_system_tell(struct actor_system *system, const char *to, struct msg *m)
{
    return send_tell(NULL, actor_find(system, to), m, MAIL_NORMAL);
}

void actor_post(struct actor_system *system, struct actor *to, struct msg *m)
{
    bool first;

    pthread_mutex_lock(&system->post_lock);
    if (system->posted_count == system->posted_capacity) {
        uint32_t capacity = system->posted_capacity ? system->posted_capacity * 2 : 64;
        struct posted *posted = realloc(system->posted, capacity * sizeof *posted);

        if (!posted)
            out_of_memory();
        system->posted = posted;
        system->posted_capacity = capacity;
    }
    first = system->posted_count == 0;
    system->posted[system->posted_count++] = (struct posted){to, m};
    pthread_mutex_unlock(&system->post_lock);
    if (first && system->o.wake)
        system->o.wake(system->o.wake_context);
}

bool system_take_posted(struct actor_system *system)
{
    struct posted *posted;
    uint32_t count;

    pthread_mutex_lock(&system->post_lock);
    posted = system->posted;
    count = system->posted_count;
    system->posted = NULL;
    system->posted_count = system->posted_capacity = 0;
    pthread_mutex_unlock(&system->post_lock);
    for (uint32_t i = 0; i < count; i++) {
        /* The actor waits for it as for a reply, so the mailbox must not refuse it. */
        struct envelope e = {.msg = posted[i].msg, .lane = MAIL_REPLY};

        if (system_deliver(posted[i].to, &e) != ACTOR_OK)
            msg_unref(posted[i].msg);
    }
    free(posted);
    return count > 0;
}
