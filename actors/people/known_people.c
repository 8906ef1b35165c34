/* Enrols the photos of the folder of known people: `NAME/….jpg`, or flat `name_1.jpg`.
 *
 *   start, a change, or a timer ─▶ STORE_KNOWN_FILES ─▶ STORE_ADOPTED_PHOTOS ─▶ scan on a file thread (known_folder.h)
 *       ─▶ for each photo that needs work, one at a time: ask the enroller ─▶ STORE_KNOWN_FILE ─▶ the next
 *
 * The store records size and time of each file, so a restart enrols no photo again. A refused photo is recorded with
 * its reason and tried again when the file changes. A photo that could not be judged (for example, no worker is ready)
 * is deferred to the next scan. Removing a file does not remove its template; DELETE /v1/people does.
 * A row of person_images without a path (legacy row) overrides the person's name that the file or folder gives.
 */
#include "actors/people/known_people.h"

#include "actors/messages.h"
#include "actors/people/enroller.h"
#include "actors/people/known_folder.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"
#include "core/base/must.h"

#include <stdlib.h>
#include <string.h>

enum { TIMER_SCAN = 1, SETTLE_MS = 500, RETRY_MS = 3000, LEGACY_ROWS_MAX = 10000 };

struct known_people {
    uv_fs_event_t *watch;            /* owned by the loop once closing */
    const struct store_reply *known; /* referenced until the scan takes it */
    struct known_folder_scan *scan;  /* referenced; its photos are being enrolled */
    int next;                        /* index of the next photo of the scan */
    int enrolled, refused, deferred;
    bool scanning;  /* from the first ask to the end of the last photo */
    bool requested; /* scan again when this scan ends */
};

static struct metric photos_seen = {.name = "kith_known_people_photos",
                                    .help = "Photos in the folder of known people at the last scan.",
                                    .kind = METRIC_GAUGE};
static struct metric scans_done = {.name = "kith_known_people_scans_total",
                                   .help = "Scans of the folder of known people."};
static struct metric photos_asked = {.name = "kith_known_people_enrolments_total",
                                     .help = "Photos of known people given to the enroller."};

static void known_people_enrol_next(struct actor *self);
static void known_people_begin_scan(struct actor *self);

/* --- enrolment, one photo at a time --- */

/* `deferred`: scan again soon. */
static void known_people_end(struct actor *self, bool deferred)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);

    msg_unref(k->scan ? &k->scan->head : NULL);
    msg_unref(k->known ? &k->known->m.head : NULL);
    k->scan = NULL;
    k->known = NULL;
    k->scanning = false;
    if (k->requested)
        known_people_begin_scan(self);
    else
        actor_after(self, deferred ? RETRY_MS : config->rescan_ms, TIMER_SCAN);
}

static void known_people_on_recorded(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)context;
    (void)status; /* not recorded: the next scan tries the photo again */
    (void)reply;
    known_people_enrol_next(self);
}

static void known_people_record(struct actor *self, const struct known_photo *f, const struct msg_enrolled *m)
{
    const struct known_people_config *config = actor_config(self);
    struct store_known *s = STORE_MESSAGE(STORE_KNOWN_FILE, store_known);

    s->file = (struct known_file){.path = arena_text(&s->m.arena, f->path),
                                  .person_name = arena_text(&s->m.arena, f->person),
                                  .reason = m->status == ENROLLED_OK ? NULL : arena_text(&s->m.arena, m->reason),
                                  .size = f->size,
                                  .mtime_ns = f->mtime_ns,
                                  .taken = m->status == ENROLLED_OK};
    actor_ask(self, "store", &s->m.head, config->store_ms, known_people_on_recorded, NULL);
}

static void known_people_on_enrolled(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct msg_enrolled *m = (const struct msg_enrolled *)reply;
    struct known_people *k = actor_state(self);
    const struct known_photo *f = &k->scan->photos[k->next - 1];

    (void)context;
    if (status != ACTOR_OK || m->status == ENROLLED_LATER || m->status == ENROLLED_NO_PERSON) {
        if (k->deferred++ == 0)
            log_event(LOG_WARN, "photo enrolment deferred", LOG_STR("photo", f->path),
                      LOG_STR("reason", status == ACTOR_OK ? m->reason : actor_status_name(status)));
        known_people_enrol_next(self);
        return;
    }
    if (m->status == ENROLLED_OK) {
        k->enrolled++;
        log_event(LOG_INFO, "audit", LOG_STR("what", "photo added"), LOG_INT("person", m->person),
                  LOG_INT("photo", m->photo), LOG_STR("name", f->person), LOG_STR("who", "KITH_KNOWN_PEOPLE"),
                  LOG_STR("path", f->path));
        msg_tell_gallery(self);
    } else {
        k->refused++;
        log_event(LOG_WARN, "photo refused", LOG_STR("photo", f->path), LOG_STR("person", f->person),
                  LOG_STR("reason", m->reason));
    }
    known_people_record(self, f, m);
}

static void known_people_enrol_next(struct actor *self)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    const struct known_photo *f;
    struct msg_enrol *m;

    if (k->next == k->scan->count) {
        if (k->enrolled || k->refused)
            log_event(LOG_INFO, "known people", LOG_STR("folder", config->folder), LOG_INT("photos", k->scan->seen),
                      LOG_INT("enrolled", k->enrolled), LOG_INT("refused", k->refused),
                      LOG_INT("deferred", k->deferred));
        known_people_end(self, k->deferred > 0);
        return;
    }
    f = &k->scan->photos[k->next++];
    m = msg_enrol_new(f->legacy_row ? NULL : f->person, f->legacy_person, f->photo, f->path, NULL, 0);
    m->adopted_photo = f->legacy_row;
    metric_add(&photos_asked, 1);
    actor_ask(self, "enroller", &m->head, config->call_ms, known_people_on_enrolled, NULL);
}

/* --- the scan --- */

static void known_people_on_scanned(struct actor *self, const struct msg *m)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);

    k->scan = (struct known_folder_scan *)msg_ref(m);
    metric_set(&photos_seen, k->scan->seen);
    metric_add(&scans_done, 1);
    if (k->scan->status < 0)
        log_event(LOG_WARN, "known people", LOG_STR("folder", config->folder),
                  LOG_STR("reason", strerror(-k->scan->status)));
    if (k->scan->bad_names)
        log_event(LOG_WARN, "known people", LOG_STR("folder", config->folder),
                  LOG_STR("reason", "names that are not UTF-8 are skipped"), LOG_INT("names", k->scan->bad_names),
                  LOG_STR("path", k->scan->bad_name));
    if (k->scan->too_many)
        log_event(LOG_WARN, "known people", LOG_STR("folder", config->folder), LOG_STR("reason", "too many photos"),
                  LOG_INT("limit", config->max_files));
    known_people_enrol_next(self);
}

static void known_people_on_legacy_rows(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    struct known_folder_scan *scan;

    (void)context;
    if (status != ACTOR_OK || ((const struct store_reply *)reply)->status != STORE_OK) {
        known_people_end(self, true);
        return;
    }
    scan = known_folder_scan_new(MSG_KNOWN_PEOPLE_SCANNED, config->folder, config->max_files, k->known,
                                 (const struct store_reply *)msg_ref(reply));
    k->known = NULL;
    if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &scan->head,
                    known_folder_scan_work) < 0)
        known_people_end(self, true);
}

static void known_people_on_known_files(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    struct store_list *list;

    (void)context;
    if (status != ACTOR_OK || ((const struct store_reply *)reply)->status != STORE_OK) {
        known_people_end(self, true);
        return;
    }
    k->known = (const struct store_reply *)msg_ref(reply);
    list = STORE_MESSAGE(STORE_ADOPTED_PHOTOS, store_list);
    list->limit = LEGACY_ROWS_MAX;
    actor_ask(self, "store", &list->m.head, config->store_ms, known_people_on_legacy_rows, NULL);
}

static void known_people_begin_scan(struct actor *self)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    struct store_list *list;

    k->requested = k->scanning;
    if (k->scanning)
        return;
    k->scanning = true;
    k->next = k->enrolled = k->refused = k->deferred = 0;
    list = STORE_MESSAGE(STORE_KNOWN_FILES, store_list);
    list->limit = config->max_files;
    actor_ask(self, "store", &list->m.head, config->store_ms, known_people_on_known_files, NULL);
}

/* --- watching --- */

static void known_people_on_touched(uv_fs_event_t *watch, const char *name, int events, int status)
{
    struct actor *self = watch->data;

    (void)name;
    (void)events;
    (void)status;
    if (self)
        actor_post(actor_system_of(self), self, msg_new(MSG_KNOWN_PEOPLE_TOUCHED, sizeof(struct msg)));
}

static void known_people_free_watch(uv_handle_t *handle)
{
    free(handle);
}

/* Watches the top folder only. Changes below it are found by the timed rescan. */
static void known_people_watch(struct actor *self)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);

    k->watch = calloc(1, sizeof *k->watch);
    if (!k->watch)
        out_of_memory();
    uv_fs_event_init(config->loop, k->watch);
    uv_unref((uv_handle_t *)k->watch);
    k->watch->data = self;
    uv_fs_event_start(k->watch, known_people_on_touched, config->folder, 0);
}

/* --- the actor --- */

static int known_people_start(struct actor *self)
{
    metric_register(&photos_seen);
    metric_register(&scans_done);
    metric_register(&photos_asked);
    known_people_watch(self);
    known_people_begin_scan(self);
    return 0;
}

static void known_people_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_KNOWN_PEOPLE_SCANNED)
        known_people_on_scanned(self, m);
    else if (m->type == MSG_KNOWN_PEOPLE_TOUCHED)
        actor_after(self, SETTLE_MS, TIMER_SCAN); /* copying many files causes many events */
}

static void known_people_timer(struct actor *self, uint32_t timer)
{
    (void)timer;
    known_people_begin_scan(self);
}

static void known_people_stop(struct actor *self)
{
    struct known_people *k = actor_state(self);

    k->watch->data = NULL;
    uv_close((uv_handle_t *)k->watch, known_people_free_watch);
    msg_unref(k->scan ? &k->scan->head : NULL);
    msg_unref(k->known ? &k->known->m.head : NULL);
}

static const uint32_t known_people_accepts[] = {MSG_KNOWN_PEOPLE_SCANNED, MSG_KNOWN_PEOPLE_TOUCHED, 0};

const struct actor_ops known_people_actor = {
    .name = "known-people",
    .state_size = sizeof(struct known_people),
    .start = known_people_start,
    .accepts = known_people_accepts,
    .receive = known_people_receive,
    .timer = known_people_timer,
    .stop = known_people_stop,
};
