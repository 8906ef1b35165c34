#include "actors/upkeep/janitor.h"

#include "actors/messages.h"
#include "actors/upkeep/spool_files.h"
#include "core/base/clock.h"
#include "core/base/log/log.h"

#include <stdio.h>
#include <string.h>

enum { TIMER_REAP = 1, TIMER_SWEEP, TIMER_PRUNE, TIMER_RETRY, TIMER_LABELS, TIMER_CONTINUE };
enum { REAP_MORE_MS = 1, LABELS_MORE_MS = 1, CONTINUE_MORE_MS = 1, PRUNE_MORE_MS = 50, SWEEP_MORE_MS = 1000 };

struct janitor {
    int folder;               /* of the spool: the next to sweep */
    char after[NAME_MAX + 1]; /* the name behind which that sweep begins; "": at the first */
    int64_t retried;          /* images of the retry batches under way */
    char label[1024];         /* the last label that was resolved or left; "": begin with the first */
    int64_t reaped;           /* the last image of the batch of leases before; 0: begin with the first */
    int64_t started_ms;
};

static bool janitor_succeeded(int status, const struct msg *reply)
{
    return status == ACTOR_OK && ((const struct store_reply *)reply)->status == STORE_OK;
}

/* --- orphan files of the spool --- */

static int janitor_run(struct actor *self, struct msg *job, offload_work_fn work)
{
    const struct janitor_config *config = actor_config(self);

    return offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), job, work);
}

static void janitor_check_next(struct actor *self, struct spool_list *l);

static void janitor_on_in_use(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct janitor_config *config = actor_config(self);
    struct spool_list *l = context;
    const char *path = l->paths[l->next - 1];

    if (janitor_succeeded(status, reply) && ((const struct store_reply *)reply)->changed == 0) {
        log_event(LOG_INFO, "orphan removed", LOG_STR("path", path));
        /* When too many jobs wait, the next sweep of the folder finds the file again. */
        janitor_run(self,
                    &spool_removal_new(MSG_JANITOR_REMOVED, config->thumbs, path, NULL, config->orphan_age_ms)->head,
                    spool_removal_work);
    }
    janitor_check_next(self, l);
}

/* Takes `l`. Asks the store for one file after the other. */
static void janitor_check_next(struct actor *self, struct spool_list *l)
{
    const struct janitor_config *config = actor_config(self);
    bool more = l->more && config->sweep_ms > SWEEP_MORE_MS;
    struct store_text *m;

    if (l->next == l->count) {
        msg_unref(&l->head);
        actor_after(self, more ? SWEEP_MORE_MS : config->sweep_ms, TIMER_SWEEP);
        return;
    }
    m = STORE_MESSAGE(STORE_PATH_IN_USE, store_text);
    m->text = arena_text(&m->m.arena, l->paths[l->next++]);
    actor_ask(self, "store", &m->m.head, config->store_ms, janitor_on_in_use, l);
}

/* The next sweep continues behind the last name of this one, or in the next folder. */
static void janitor_on_listed(struct actor *self, struct spool_list *l)
{
    struct janitor *j = actor_state(self);

    if (l->more) {
        snprintf(j->after, sizeof j->after, "%s", l->last);
    } else {
        j->after[0] = 0;
        j->folder = (l->folder + 1) % SPOOL_FOLDERS;
    }
    msg_ref(&l->head);
    janitor_check_next(self, l);
}

static void janitor_sweep(struct actor *self)
{
    const struct janitor_config *config = actor_config(self);
    struct janitor *j = actor_state(self);
    struct spool_list *l = spool_list_new(MSG_JANITOR_SWEPT);

    l->spool = config->spool;
    l->thumbs = config->thumbs;
    l->age_ms = config->orphan_age_ms;
    l->thumb_age_ms = config->thumb_age_ms;
    l->folder = j->folder;
    snprintf(l->after, sizeof l->after, "%s", j->after);
    if (janitor_run(self, &l->head, spool_list_work) < 0)
        actor_after(self, config->sweep_ms, TIMER_SWEEP);
}

/* --- leases, old rows, retries by policy --- */

static void janitor_on_reaped(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct janitor_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct janitor *j = actor_state(self);
    bool succeeded = janitor_succeeded(status, reply);

    (void)context;
    j->reaped = succeeded ? r->next : 0;
    if (succeeded && r->skipped)
        log_event(LOG_ERROR, "database refused expired leases", LOG_INT("images", r->skipped),
                  LOG_INT("image", r->skipped_id));
    if (succeeded && r->changed) {
        log_event(LOG_WARN, "leases expired", LOG_INT("images", r->changed));
        msg_tell(self, config->processor, MSG_NUDGE);
    }
    actor_after(self, succeeded && r->more ? REAP_MORE_MS : config->reap_ms, TIMER_REAP);
}

static void janitor_reap(struct actor *self)
{
    const struct janitor_config *config = actor_config(self);
    const struct janitor *j = actor_state(self);
    struct store_reap *m = STORE_MESSAGE(STORE_REAP, store_reap);

    m->after = j->reaped;
    m->max_tries = config->tries;
    m->max_crashes = config->crashes;
    actor_ask(self, "store", &m->m.head, config->store_ms, janitor_on_reaped, NULL);
}

static void janitor_on_labels(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct janitor_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct janitor *j = actor_state(self);
    bool succeeded = janitor_succeeded(status, reply), more = succeeded && r->text_count;

    (void)context;
    snprintf(j->label, sizeof j->label, "%s", more ? r->texts[0] : "");
    if (succeeded && r->changed)
        log_event(LOG_INFO, "labels resolved", LOG_INT("faces", r->changed));
    actor_after(self, more ? LABELS_MORE_MS : config->reap_ms, TIMER_LABELS);
}

static void janitor_resolve_labels(struct actor *self)
{
    const struct janitor_config *config = actor_config(self);
    const struct janitor *j = actor_state(self);
    struct store_text *m = STORE_MESSAGE(STORE_RESOLVE_LABELS, store_text);

    m->text = arena_text(&m->m.arena, j->label);
    actor_ask(self, "store", &m->m.head, config->store_ms, janitor_on_labels, NULL);
}

/* --- operations that were cut short --- */

static void janitor_on_continued(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct janitor_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    bool changed = janitor_succeeded(status, reply) && r->changed;

    (void)context;
    if (changed && r->text_count) {
        log_event(LOG_INFO, "operation finished that was cut short", LOG_STR("what", r->texts[0]),
                  LOG_INT("subject", r->id));
        msg_tell(self, "eraser", MSG_ERASE);
        msg_tell_gallery(self);
    }
    actor_after(self, changed ? CONTINUE_MORE_MS : config->reap_ms, TIMER_CONTINUE);
}

/* An operation that had no batch for KITH_LEASE has no caller any more. An embedded database has one process: what is
 * unfinished when that starts has none either. */
static void janitor_continue(struct actor *self)
{
    const struct janitor_config *config = actor_config(self);
    const struct janitor *j = actor_state(self);
    struct store_continue *m = STORE_MESSAGE(STORE_CONTINUE, store_continue);

    m->before_ms = clock_wall_ms() - config->lease_ms;
    if (config->alone && m->before_ms < j->started_ms)
        m->before_ms = j->started_ms;
    actor_ask(self, "store", &m->m.head, config->store_ms, janitor_on_continued, NULL);
}

static void janitor_on_pruned(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct janitor_config *config = actor_config(self);
    bool more = status == ACTOR_OK && ((const struct store_reply *)reply)->more;

    (void)context;
    actor_after(self, more ? PRUNE_MORE_MS : config->prune_ms, TIMER_PRUNE);
}

static void janitor_prune(struct actor *self)
{
    const struct janitor_config *config = actor_config(self);
    struct store_prune *m = STORE_MESSAGE(STORE_PRUNE, store_prune);

    m->events_keep = config->events_keep;
    m->idempotency_before_ms = clock_wall_ms() - config->idempotency_ms;
    if (config->keep_events_ms)
        m->events_before_ms = clock_wall_ms() - config->keep_events_ms;
    if (config->keep_audit_ms)
        m->audit_before_ms = clock_wall_ms() - config->keep_audit_ms;
    m->erasers_before_ms = clock_wall_ms() - config->erase_age_ms;
    m->gallery_log_before_ms = clock_wall_ms() - config->gallery_log_ms;
    m->merges_before_ms = clock_wall_ms() - config->merge_undo_ms;
    actor_ask(self, "store", &m->m.head, config->store_ms, janitor_on_pruned, NULL);
}

static void janitor_on_retried(struct actor *self, void *context, int status, const struct msg *reply);

static void janitor_retry(struct actor *self, struct retry_cursor after)
{
    const struct janitor_config *config = actor_config(self);
    struct store_retry *m = STORE_MESSAGE(STORE_RETRY, store_retry);

    m->after = after;
    m->pause_ms = config->pause_ms;
    m->pause_max_ms = config->pause_max_ms;
    actor_ask(self, "store", &m->m.head, config->store_ms, janitor_on_retried, NULL);
}

static void janitor_on_retried(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct janitor_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct janitor *j = actor_state(self);

    (void)context;
    if (janitor_succeeded(status, reply)) {
        j->retried += r->changed;
        if (r->changed)
            msg_tell(self, config->processor, MSG_NUDGE);
        if (r->more) {
            janitor_retry(self, r->retry_next);
            return;
        }
    }
    if (j->retried)
        log_event(LOG_INFO, "retried", LOG_INT("images", j->retried));
    j->retried = 0;
    actor_after(self, config->retry_ms, TIMER_RETRY);
}

/* --- the actor --- */

static int janitor_start(struct actor *self)
{
    const struct janitor_config *config = actor_config(self);

    ((struct janitor *)actor_state(self))->started_ms = clock_wall_ms();
    actor_after(self, 0, TIMER_CONTINUE);
    actor_after(self, config->reap_ms, TIMER_REAP);
    actor_after(self, config->sweep_ms, TIMER_SWEEP);
    actor_after(self, config->prune_ms, TIMER_PRUNE);
    actor_after(self, config->reap_ms, TIMER_LABELS);
    if (config->retry_ms)
        actor_after(self, config->retry_ms, TIMER_RETRY);
    return 0;
}

static void janitor_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_JANITOR_SWEPT)
        janitor_on_listed(self, (struct spool_list *)m);
}

static void janitor_timer(struct actor *self, uint32_t timer)
{
    if (timer == TIMER_REAP)
        janitor_reap(self);
    else if (timer == TIMER_SWEEP)
        janitor_sweep(self);
    else if (timer == TIMER_PRUNE)
        janitor_prune(self);
    else if (timer == TIMER_LABELS)
        janitor_resolve_labels(self);
    else if (timer == TIMER_CONTINUE)
        janitor_continue(self);
    else
        janitor_retry(self, (struct retry_cursor){0});
}

static const uint32_t janitor_accepts[] = {MSG_JANITOR_SWEPT, MSG_JANITOR_REMOVED, 0};

const struct actor_ops janitor_actor = {
    .name = "janitor",
    .state_size = sizeof(struct janitor),
    .start = janitor_start,
    .accepts = janitor_accepts,
    .receive = janitor_receive,
    .timer = janitor_timer,
};
