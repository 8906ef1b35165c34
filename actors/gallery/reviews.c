#include "actors/gallery/reviews.h"

#include "core/base/log/log.h"
#include "core/base/metrics.h"

#include <assert.h>
#include <string.h>

static struct metric deferred_total = {.name = "kith_gallery_reviews_deferred_total",
                                       .help =
                                           "Counter-examples whose review was deferred because the queue was full."};

static void reviews_next(struct reviews *v);

void reviews_register_metrics(void)
{
    metric_register(&deferred_total);
}

static void reviews_end(struct reviews *v, const char *failed)
{
    v->state = REVIEW_IDLE;
    v->end(v->context, failed);
}

/* False: the queue is full. */
static bool reviews_add(struct reviews *v, int64_t person)
{
    for (int i = 0; i < v->count; i++)
        if (v->people[i] == person) {
            v->repeat |= i == 0 && v->state == REVIEW_FACES;
            return true;
        }
    if (v->count == REVIEWS_MAX)
        return false;
    v->people[v->count++] = person;
    return true;
}

void reviews_add_page(struct reviews *v, const struct store_reply *page, int64_t after)
{
    for (int i = 0; i < page->change_count; i++) {
        if (page->changes[i].kind != GALLERY_COUNTER_ADDED || reviews_add(v, page->changes[i].person))
            continue;
        metric_add(&deferred_total, 1);
        if (!v->deferred) {
            v->deferred = true;
            v->rescan_after = after;
            log_event(LOG_WARN, "gallery reviews deferred", LOG_INT("queued", v->count), LOG_INT("max", REVIEWS_MAX));
        }
    }
}

void reviews_on_log_restart(struct reviews *v)
{
    v->deferred = false; /* its position is one of the old log */
}

static void reviews_on_faces_end(void *context, const char *failed)
{
    struct reviews *v = context;

    if (failed) {
        v->repeat = false; /* the next run begins with this person's first face */
        reviews_end(v, failed);
        return;
    }
    if (!v->repeat)
        memmove(v->people, v->people + 1, (size_t)--v->count * sizeof v->people[0]);
    v->repeat = false;
    reviews_next(v);
}

static void reviews_on_log_page(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct reviews *v = context;

    (void)self;
    if (status != ACTOR_OK || r->status != STORE_OK) {
        reviews_end(v, "store");
        return;
    }
    v->deferred = false;
    reviews_add_page(v, r, v->rescan_after);
    if (!v->deferred && r->more) {
        v->deferred = true;
        v->rescan_after = r->next;
    }
    reviews_next(v);
}

/* A page of the log holds at most as many people as the empty queue, so each rescan gets on by at least one page. */
static void reviews_rescan(struct reviews *v)
{
    struct store_list *m = STORE_MESSAGE(STORE_GALLERY_CHANGES, store_list);

    v->state = REVIEW_RESCAN;
    m->after = v->rescan_after;
    m->limit = v->pages.limit < REVIEWS_MAX ? (int)v->pages.limit : REVIEWS_MAX;
    actor_ask(v->pages.jobs->self, "store", &m->m.head, GALLERY_ASK_MS, reviews_on_log_page, v);
}

static void reviews_next(struct reviews *v)
{
    if (v->count) {
        v->state = REVIEW_FACES;
        face_pages_run(&v->pages, v->people[0], 0);
    } else if (v->deferred) {
        reviews_rescan(v);
    } else {
        reviews_end(v, NULL);
    }
}

void reviews_run(struct reviews *v)
{
    assert(v->state == REVIEW_IDLE);
    if (v->pages.jobs->model_known) /* without a model no face can be decided; the queue waits for it */
        reviews_next(v);
    else
        reviews_end(v, NULL);
}

void reviews_init(struct reviews *v, struct gallery_jobs *jobs, uint32_t page,
                  void (*end)(void *context, const char *failed), void *context)
{
    v->pages = (struct face_pages){.jobs = jobs,
                                   .list = STORE_PERSON_FACES,
                                   .kind = JOB_REVIEW,
                                   .limit = page,
                                   .end = reviews_on_faces_end,
                                   .context = v};
    v->end = end;
    v->context = context;
}
