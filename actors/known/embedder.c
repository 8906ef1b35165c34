/* After a change of the recogniser or its model: embeds the photos of people and the faces of words anew, of which the
 * bytes are there.
 *
 *   the model ─▶ STORE_TEMPLATE_COUNTS ─▶ STORE_CLAIM_PHOTO ─▶ enroller ─▶ the next photo … none left
 *       ─▶ STORE_CLAIM_WORD ─▶ enroller ─▶ the next word … none left ─▶ STORE_TEMPLATE_COUNTS ─▶ again after a pause
 *
 * Templates of other models stay: to change back costs nothing. A photo of which the model gives no template is marked
 * in the store and not tried again; one whose file cannot be read now is tried by the next run. Of several nodes each
 * claims other photos and words (core/store/ops/known/embed.c). While others have claims, a run comes back soon: the
 * claims of a node that has died end with their lease.
 */
#include "actors/known/embedder.h"

#include "actors/messages.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"

#include <stdio.h>
#include <string.h>

enum { TIMER_RUN = 1, RETRY_MS = 5000 };
enum embed_phase { EMBED_PHOTOS, EMBED_WORDS };

struct embedder {
    char model[128]; /* "": not known yet, or one without embeddings */
    enum embed_phase phase;
    int64_t after;                 /* the last photo or word that was claimed in this phase */
    int64_t photo, word, claim;    /* what is being embedded; photo or word is 0 */
    int embedded, refused, failed; /* photos and words of this run */
    bool running, told, deferred;
    bool others; /* other nodes have claims */
    bool away;   /* the recogniser or the store cannot be asked now: the run ends */
};

static struct metric people_without = {.name = "kith_gallery_people_without_template",
                                       .help = "People who have no template of the model in use: nobody is named so.",
                                       .kind = METRIC_GAUGE};
static struct metric photos_embedded = {
    .name = "kith_photos_embedded_anew_total",
    .help = "Enrolled photos and faces of words that got a template of the model in use."};
static struct metric photos_not_embedded = {.name = "kith_photos_not_embedded_total",
                                            .help = "Enrolled photos and faces of words of which the model in use "
                                                    "gives no template, or whose file cannot be read."};

static void embedder_claim(struct actor *self);

static struct store_list *embedder_count(const struct embedder *e)
{
    struct store_list *m = STORE_MESSAGE(STORE_TEMPLATE_COUNTS, store_list);

    m->model = arena_text(&m->m.arena, e->model);
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

    e->deferred = deferred;
    actor_ask(self, "store", &embedder_count(e)->m.head, config->store_ms, embedder_on_last_counts, NULL);
}

/* --- photos, then words --- */

static void embedder_on_released(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct embedder *e = actor_state(self);

    (void)context;
    (void)status; /* not stored: the claim ends with its lease */
    (void)reply;
    if (e->away)
        embedder_end(self, true);
    else
        embedder_claim(self);
}

/* Gives the claim back. `refused_by`: this model gives no template of the photo or word; NULL: it is tried again. */
static void embedder_release(struct actor *self, const char *refused_by)
{
    const struct embedder_config *config = actor_config(self);
    struct embedder *e = actor_state(self);
    struct store_embed *m = STORE_MESSAGE(STORE_NOT_EMBEDDED, store_embed);

    m->photo = e->photo;
    m->word = e->word;
    m->claim = e->claim;
    m->model = arena_text(&m->m.arena, refused_by);
    actor_ask(self, "store", &m->m.head, config->store_ms, embedder_on_released, NULL);
}

static void embedder_refuse(struct actor *self, const struct msg_enrolled *m)
{
    struct embedder *e = actor_state(self);

    e->refused++;
    log_event(LOG_WARN, e->photo ? "photo not embedded" : "face of a word not embedded",
              LOG_INT(e->photo ? "photo" : "word", e->photo ? e->photo : e->word), LOG_STR("model", m->model),
              LOG_STR("reason", m->reason));
    embedder_release(self, m->model);
}

static void embedder_on_enrolled(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct embedder *e = actor_state(self);
    const struct msg_enrolled *m = (const struct msg_enrolled *)reply;

    (void)context;
    if (status != ACTOR_OK || m->status == ENROLLED_LATER) {
        e->away = true;
        embedder_release(self, NULL);
        return;
    }
    if (m->status == ENROLLED_OK) {
        e->embedded += m->added;
        metric_add(&photos_embedded, m->added);
        msg_tell_gallery(self);
        embedder_claim(self);
        return;
    }
    if (m->status == ENROLLED_TAKEN) { /* the lease was over, and another node has claimed it */
        embedder_claim(self);
        return;
    }
    metric_add(&photos_not_embedded, 1);
    if (m->status == ENROLLED_NO_PERSON || !m->sha256[0] ||
        !m->model[0]) { /* deleted meanwhile; or its bytes were not read */
        e->failed++;
        embedder_release(self, NULL);
        return;
    }
    embedder_refuse(self, m);
}

static void embedder_set(struct embedder *e, int64_t photo, int64_t word, int64_t claim)
{
    e->photo = photo;
    e->word = word;
    e->claim = claim;
    e->after = photo ? photo : word;
}

static struct msg_enrol *embedder_enrol_photo(const struct photo *photo)
{
    struct msg_enrol *m = msg_enrol_new(NULL, photo->person, photo->name ? photo->name : "", photo->path, NULL, 0);

    m->embedded_photo = photo->id;
    m->face_box = arena_text(&m->arena, photo->face_box);
    return m;
}

static struct msg_enrol *embedder_enrol_word(const struct word *w, const struct image *image)
{
    struct msg_enrol *m = msg_enrol_new(NULL, 0, "", image->path, NULL, 0);

    m->embedded_word = w->id;
    m->x = w->x;
    m->y = w->y;
    m->width = w->width;
    m->height = w->height;
    return m;
}

/* There is nothing left to claim of this kind. */
static void embedder_end_phase(struct actor *self, bool others)
{
    struct embedder *e = actor_state(self);

    e->others |= others;
    if (e->phase == EMBED_WORDS) {
        embedder_end(self, e->others);
        return;
    }
    e->phase = EMBED_WORDS;
    e->after = 0;
    embedder_claim(self);
}

static void embedder_on_claimed(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct embedder_config *config = actor_config(self);
    struct embedder *e = actor_state(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct msg_enrol *m;

    (void)context;
    if (status != ACTOR_OK || r->status != STORE_OK) {
        embedder_end(self, true);
        return;
    }
    if (r->word_count)
        embedder_set(e, 0, r->words[0].id, r->words[0].claim);
    else if (r->photo_count)
        embedder_set(e, r->photos[0].id, 0, r->photos[0].claim);
    if (r->word_count && !r->image_count) { /* its image was deleted just now */
        embedder_release(self, NULL);
        return;
    }
    if (!r->photo_count && !r->word_count) {
        embedder_end_phase(self, r->more);
        return;
    }
    m = r->photo_count ? embedder_enrol_photo(r->photos) : embedder_enrol_word(r->words, r->images);
    m->claim = e->claim;
    actor_ask(self, "enroller", &m->head, config->call_ms, embedder_on_enrolled, NULL);
}

static void embedder_claim(struct actor *self)
{
    const struct embedder_config *config = actor_config(self);
    struct embedder *e = actor_state(self);
    struct store_claim_embedding *m =
        STORE_MESSAGE(e->phase == EMBED_PHOTOS ? STORE_CLAIM_PHOTO : STORE_CLAIM_WORD, store_claim_embedding);

    m->model = arena_text(&m->m.arena, e->model);
    m->after = e->after;
    m->lease_ms = (int64_t)(config->call_ms + config->store_ms);
    actor_ask(self, "store", &m->m.head, config->store_ms, embedder_on_claimed, NULL);
}

/* --- the actor --- */

static void embedder_on_first_counts(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)context;
    if (status == ACTOR_OK && ((const struct store_reply *)reply)->status == STORE_OK)
        embedder_tell_counts(self, (const struct store_reply *)reply);
    embedder_claim(self);
}

static void embedder_begin(struct actor *self)
{
    const struct embedder_config *config = actor_config(self);
    struct embedder *e = actor_state(self);

    if (e->running || !e->model[0])
        return;
    e->running = true;
    e->embedded = e->refused = e->failed = 0;
    e->others = e->away = false;
    e->phase = EMBED_PHOTOS;
    e->after = 0;
    actor_ask(self, "store", &embedder_count(e)->m.head, config->store_ms, embedder_on_first_counts, NULL);
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

static const uint32_t embedder_accepts[] = {MSG_MODEL, 0};

const struct actor_ops embedder_actor = {
    .name = "embedder",
    .state_size = sizeof(struct embedder),
    .start = embedder_start,
    .accepts = embedder_accepts,
    .receive = embedder_receive,
    .timer = embedder_timer,
};
