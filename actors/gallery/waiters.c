#include "actors/gallery/waiters.h"

#include "actors/messages.h"

#include <assert.h>
#include <string.h>

void waiters_add(struct waiters *w, actor_token token, uint64_t reading)
{
    if (!token)
        return;
    if (w->count == WAITERS_MAX) {
        actor_answer_error(w->self, token, ACTOR_FULL);
        return;
    }
    assert(w->count == 0 || w->list[w->count - 1].reading <= reading);
    w->list[w->count++] = (struct waiter){token, reading};
}

void waiters_on_log_end(struct waiters *w, uint64_t reading)
{
    int served = 0;

    for (; served < w->count && w->list[served].reading <= reading; served++)
        actor_answer(w->self, w->list[served].token, msg_new(MSG_GALLERY_READ, sizeof(struct msg)));
    w->count -= served;
    memmove(w->list, w->list + served, (size_t)w->count * sizeof w->list[0]);
}
