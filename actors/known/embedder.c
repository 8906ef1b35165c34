/* After a change of the recogniser or its model: embeds the photos of people anew, of which the bytes are there.
 *
 *   the model ─▶ STORE_TEMPLATE_COUNTS ─▶ STORE_UNEMBEDDED_PHOTOS, a page ─▶ for each photo: enroller ─▶ the next page
 *       ─▶ STORE_TEMPLATE_COUNTS ─▶ again after a pause
 *
 * Templates of other models stay: to change back costs nothing. A photo of which the model gives no template is marked
 * in the store and not tried again; one whose file cannot be read now is tried by the next run. Several nodes may do
 * the same work: a second template of a photo and a model is not stored.
 */
#include "actors/known/embedder.h"

#include "actors/messages.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"

#include <stdio.h>
#include <string.h>

enum { TIMER_RUN = 1, PAGE = 32, RETRY_MS = 5000 };

struct embedder {
    char model[128];                /* "": not known yet, or one without embeddings */
    const struct store_reply *page; /* referenced; its photos are being embedded */
    int next;                       /* index in the page */
    int64_t after;                  /* the last photo of the page */
    int embedded, refused, failed;  /* photos of this run */
    bool running, told, deferred;
};

static struct metric people_without = {.name = "kith_gallery_people_without_template",
                                       .help = "People who have no template of the model in use: nobody is named so.",
                                       .kind = METRIC_GAUGE};
static struct metric photos_embedded = {.name = "kith_photos_embedded_anew_total",
                                        .help = "Enrolled photos that got a template of the model in use."};
static struct metric photos_not_embedded = {
    .name = "kith_photos_not_embedded_total",
    .help = "Enrolled photos of which the model in use gives no template, or whose file cannot be read."};

static void embedder_next(struct actor *self);

static struct store_list *embedder_list(const struct embedder *e, uint32_t type)
{
    struct store_list *m = STORE_MESSAGE(type, store_list);

    m->model = arena_text(&m->m.arena, e->model);
    m->limit = PAGE;
    return m;
}

/* --- counts --- */

static void embedder_tell_counts(struct actor *self, const struct store_reply *r)
{
    struct embedder *e = actor_state(self);
    struct msg_templates *m = (struct msg_templates *)msg_new(MSG_TEMPLATES, sizeof *m);

    metric_set(&people_without, r->without_template);
    m->people = r->all_people;
    m->without = r->without_template;
    snprintf(m->model, sizeof m->model, "%s", e->model);
    actor_tell_control(self, "health", &m->head);
    if (e->told)
        return;
    e->told = true;
    if (r->without_template)
        log_event(LOG_WARN, "people have no template of the model in use", LOG_INT("people", r->without_template),
                  LOG_INT("of", r->all_people), LOG_STR("model", e->model));
}

static void embedder_on_last_counts(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct embedder_config *config = actor_config(self);
    struct embedder *e = actor_state(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    bool counted = status == ACTOR_OK && r->status == STORE_OK;

    (void)context;
    if (counted)
        embedder_tell_counts(self, r);
    if (e->embedded || e->refused || e->failed)
        log_event(LOG_INFO, "photos embedded anew", LOG_STR("model", e->model), LOG_INT("embedded", e->embedded),
                  LOG_INT("refused", e->refused), LOG_INT("unreadable", e->failed),
                  LOG_INT("people_without_template", counted ? r->without_template : -1));
    e->running = false;
    actor_after(self, e->deferred ? RETRY_MS : config->pause_ms, TIMER_RUN);
}

static void embedder_end(struct actor *self, bool deferred)
{
    const struct embedder_config *config = actor_config(self);
    struct embedder *e = actor_state(self);

    msg_unref(e->page ? &e->page->m.head : NULL);
    e->page = NULL;
    e->deferred = deferred;
    actor_ask(self, "store", &embedder_list(e, STORE_TEMPLATE_COUNTS)->m.head, config->store_ms,
              embedder_on_last_counts, NULL);
}

/* --- photos --- */

static void embedder_on_marked(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)context;
    (void)status; /* not marked: the next run tries the photo again */
    (void)reply;
    embedder_next(self);
}

/* The model gives no template of this photo. */
static void embedder_mark(struct actor *self, const struct photo *photo, const char *reason)
{
    const struct embedder_config *config = actor_config(self);
    struct embedder *e = actor_state(self);
    struct store_text *m = STORE_MESSAGE(STORE_PHOTO_NOT_EMBEDDED, store_text);

    e->refused++;
    log_event(LOG_WARN, "photo not embedded", LOG_INT("person", photo->person), LOG_INT("photo", photo->id),
              LOG_STR("path", photo->path), LOG_STR("model", e->model), LOG_STR("reason", reason));
    m->id = photo->id;
    m->text = arena_text(&m->m.arena, e->model);
    actor_ask(self, "store", &m->m.head, config->store_ms, embedder_on_marked, NULL);
}

static void embedder_on_enrolled(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct embedder *e = actor_state(self);
    const struct msg_enrolled *m = (const struct msg_enrolled *)reply;

    (void)context;
    if (status != ACTOR_OK || m->status == ENROLLED_LATER) {
        embedder_end(self, true);
        return;
    }
    if (m->status == ENROLLED_OK) {
        e->embedded += m->added;
        metric_add(&photos_embedded, m->added);
        msg_tell_gallery(self);
        embedder_next(self);
        return;
    }
    metric_add(&photos_not_embedded, 1);
    if (m->status == ENROLLED_NO_PERSON || !m->sha256[0]) { /* deleted meanwhile; or its bytes were not read */
        e->failed++;
        embedder_next(self);
        return;
    }
    embedder_mark(self, &e->page->photos[e->next - 1], m->reason);
}

static void embedder_on_page(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct embedder *e = actor_state(self);
    const struct store_reply *r = (const struct store_reply *)reply;

    (void)context;
    if (status != ACTOR_OK || r->status != STORE_OK || r->photo_count == 0) {
        embedder_end(self, status != ACTOR_OK || r->status != STORE_OK);
        return;
    }
    msg_unref(e->page ? &e->page->m.head : NULL);
    e->page = (const struct store_reply *)msg_ref(reply);
    e->next = 0;
    e->after = r->photos[r->photo_count - 1].id;
    embedder_next(self);
}

static void embedder_next(struct actor *self)
{
    const struct embedder_config *config = actor_config(self);
    struct embedder *e = actor_state(self);
    const struct photo *photo;
    struct store_list *list;
    struct msg_enrol *m;

    if (!e->page || e->next == e->page->photo_count) {
        list = embedder_list(e, STORE_UNEMBEDDED_PHOTOS);
        list->after = e->after;
        actor_ask(self, "store", &list->m.head, config->store_ms, embedder_on_page, NULL);
        return;
    }
    photo = &e->page->photos[e->next++];
    m = msg_enrol_new(NULL, photo->person, photo->name ? photo->name : "", photo->path, NULL, 0);
    m->embedded_photo = photo->id;
    m->face_box = arena_text(&m->arena, photo->face_box);
    actor_ask(self, "enroller", &m->head, config->call_ms, embedder_on_enrolled, NULL);
}

/* --- the actor --- */

static void embedder_on_first_counts(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)context;
    if (status == ACTOR_OK && ((const struct store_reply *)reply)->status == STORE_OK)
        embedder_tell_counts(self, (const struct store_reply *)reply);
    embedder_next(self);
}

static void embedder_begin(struct actor *self)
{
    const struct embedder_config *config = actor_config(self);
    struct embedder *e = actor_state(self);

    if (e->running || !e->model[0])
        return;
    e->running = true;
    e->next = e->embedded = e->refused = e->failed = 0;
    e->after = 0;
    actor_ask(self, "store", &embedder_list(e, STORE_TEMPLATE_COUNTS)->m.head, config->store_ms,
              embedder_on_first_counts, NULL);
}

static int embedder_start(struct actor *self)
{
    metric_register(&people_without);
    metric_register(&photos_embedded);
    metric_register(&photos_not_embedded);
    msg_tell(self, "recognizer", MSG_SEND_STATE);
    return 0;
}

/* A run that is under way goes on with the new model. */
static void embedder_receive(struct actor *self, const struct msg *m)
{
    struct embedder *e = actor_state(self);
    const struct packet_hello *hello = &((const struct msg_model *)m)->hello;

    if (hello->dimension == 0 || strcmp(e->model, hello->model) == 0)
        return;
    snprintf(e->model, sizeof e->model, "%s", hello->model);
    e->told = false;
    embedder_begin(self);
}

static void embedder_timer(struct actor *self, uint32_t timer)
{
    (void)timer;
    embedder_begin(self);
}

static void embedder_stop(struct actor *self)
{
    struct embedder *e = actor_state(self);

    msg_unref(e->page ? &e->page->m.head : NULL);
}

static const uint32_t embedder_accepts[] = {MSG_MODEL, 0};

const struct actor_ops embedder_actor = {
    .name = "embedder",
    .state_size = sizeof(struct embedder),
    .start = embedder_start,
    .accepts = embedder_accepts,
    .receive = embedder_receive,
    .timer = embedder_timer,
    .stop = embedder_stop,
};
