#include "actors/gallery/face_pages.h"

#include "core/base/log/log.h"
#include "core/base/metrics.h"

#include <assert.h>

static struct metric decided_total = {.name = "kith_gallery_pass_faces_total",
                                      .help = "Stored faces that passes have decided again."};

static void face_pages_read(struct face_pages *p);

void face_pages_register_metrics(void)
{
    metric_register(&decided_total);
}

static void face_pages_end(struct face_pages *p, const char *failed)
{
    p->state = PAGES_IDLE;
    p->job = NULL;
    p->end(p->context, failed);
}

static void face_pages_on_saved(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct face_pages *p = context;

    (void)self;
    if (status != ACTOR_OK || r->status != STORE_OK) {
        face_pages_end(p, "store");
        return;
    }
    p->changed += r->changed;
    face_pages_read(p);
}

/* One line a page at the level info, so that a large pass does not fill the log. */
static void face_pages_log(const struct store_resolve *m)
{
    int renamed = 0;

    for (int i = 0; i < m->count; i++) {
        if (m->faces[i].person == m->faces[i].was)
            continue;
        renamed++;
        log_event(LOG_DEBUG, "face resolved", LOG_INT("image", m->faces[i].image), LOG_INT("face", m->faces[i].face),
                  LOG_INT("was", m->faces[i].was), LOG_INT("person", m->faces[i].person));
    }
    if (renamed)
        log_event(LOG_INFO, "faces resolved", LOG_INT("count", renamed));
}

bool face_pages_on_job(struct face_pages *p, struct msg_job *job)
{
    struct store_resolve *m = job->resolve;

    if (p->state != PAGES_MATCHING || job != p->job)
        return false;
    p->job = NULL;
    metric_add(&decided_total, ((const struct store_reply *)job->source)->face_count);
    if (m->again_count) /* the next page is of another row */
        p->after = 0;
    if (m->count == 0 && !m->again_count) {
        face_pages_read(p);
        return true;
    }
    face_pages_log(m);
    job->resolve = NULL; /* the ask takes it */
    p->state = PAGES_SAVING;
    actor_ask(p->jobs->self, "store", &m->m.head, GALLERY_ASK_MS, face_pages_on_saved, p);
    return true;
}

static void face_pages_on_page(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct face_pages *p = context;

    (void)self;
    if (status != ACTOR_OK || r->status != STORE_OK) {
        face_pages_end(p, "store");
        return;
    }
    if (r->face_count == 0 && r->id == 0) {
        face_pages_end(p, NULL);
        return;
    }
    p->after = r->next;
    p->state = PAGES_MATCHING;
    p->job = gallery_jobs_new(p->jobs, p->kind, reply);
    p->job->person = p->person;
    p->job->added = p->added ? (struct msg_added *)(uintptr_t)msg_ref(&p->added->head) : NULL;
    p->job->resolve = STORE_MESSAGE(STORE_RESOLVE, store_resolve);
    if (gallery_jobs_run(p->jobs, p->job) != ACTOR_OK)
        face_pages_end(p, "search thread");
}

static void face_pages_read(struct face_pages *p)
{
    struct store_list *m = STORE_MESSAGE(p->list, store_list);

    p->state = PAGES_READING;
    m->person = p->person;
    m->after = p->after;
    m->head = p->log ? p->log->cursor : 0;
    m->limit = (int)p->limit;
    actor_ask(p->jobs->self, "store", &m->m.head, GALLERY_ASK_MS, face_pages_on_page, p);
}

void face_pages_run(struct face_pages *p, int64_t person, int64_t after)
{
    assert(p->state == PAGES_IDLE);
    p->person = person;
    p->after = after;
    p->changed = 0;
    face_pages_read(p);
}
