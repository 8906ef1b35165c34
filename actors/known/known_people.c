/* Keeps the people of the folder KITH_KNOWN_PEOPLE as its files say: `NAME/….jpg`, or flat `name_1.jpg`.
 *
 *   start, a change, or a timer ─▶ STORE_KNOWN_FILES ─▶ STORE_ADOPTED_PHOTOS ─▶ scan on a file thread (known_folder.h)
 *       ─▶ the actions of the plan (known_plan.h), one at a time: STORE_KNOWN_MOVE, enroller, STORE_KNOWN_FILE, … ─▶
 *       STORE_KNOWN_REPORT, for the metrics ─▶ the next scan after a while
 *
 * The store has a row for each file, with its content, so a restart enrols no photo again and a file that has moved
 * keeps its template. A refused photo is recorded with its reason and tried again when the file or the model changes. A
 * photo that could not be judged (for example, no worker is ready) is deferred to the next scan.
 * A row of person_images without a path (legacy row) overrides the person's name that the file or folder gives.
 */
#include "actors/known/known_people.h"

#include "actors/known/known_people_internal.h"
#include "actors/messages.h"
#include "core/base/clock.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"
#include "core/base/must.h"

#include <stdlib.h>
#include <string.h>

enum { TIMER_SCAN = 1, SETTLE_MS = 500, RETRY_MS = 3000, LEGACY_ROWS_MAX = 10000 };

static struct metric photos_seen = {.name = "kith_known_people_photos",
                                    .help = "Photos in the folder of known people at the last scan.",
                                    .kind = METRIC_GAUGE};
static struct metric photos_refused = {.name = "kith_known_people_refused",
                                       .help = "Files of the folder of known people that enrol nobody: refused.",
                                       .kind = METRIC_GAUGE};
static struct metric photos_gone = {.name = "kith_known_people_gone",
                                    .help = "Enrolled photos whose file has gone from the folder of known people.",
                                    .kind = METRIC_GAUGE};
static struct metric scans_done = {.name = "kith_known_people_scans_total",
                                   .help = "Scans of the folder of known people."};

static void known_people_begin_scan(struct actor *self);

/* --- the end of a scan --- */

static void known_people_wait(struct actor *self)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    bool soon = k->deferred > 0 && config->rescan_ms > RETRY_MS;

    msg_unref(k->scan ? &k->scan->head : NULL);
    msg_unref(k->known ? &k->known->m.head : NULL);
    k->scan = NULL;
    k->known = NULL;
    k->scanning = false;
    k->state.stage = FOLDER_IDLE;
    if (k->requested)
        known_people_begin_scan(self);
    else
        actor_after(self, soon ? RETRY_MS : config->rescan_ms, TIMER_SCAN);
}

static void known_people_on_report(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;

    (void)context;
    if (status == ACTOR_OK && r->status == STORE_OK) {
        metric_set(&photos_refused, r->known_counts[KNOWN_REFUSED] + r->known_counts[KNOWN_DUPLICATE]);
        metric_set(&photos_gone, r->known_counts[KNOWN_GONE]);
    }
    known_people_wait(self);
}

static void known_people_log_scan(struct actor *self)
{
    const struct known_people_config *config = actor_config(self);
    const struct known_people *k = actor_state(self);
    const struct folder_state *s = &k->state;

    if (s->scans > 1 && !s->enrolled && !s->refused && !s->duplicates && !s->moved && !s->gone && !s->forgotten)
        return;
    log_event(LOG_INFO, "known people", LOG_STR("folder", config->options.folder), LOG_INT("photos", k->scan->count),
              LOG_INT("enrolled", s->enrolled), LOG_INT("refused", s->refused), LOG_INT("duplicates", s->duplicates),
              LOG_INT("moved", s->moved), LOG_INT("gone", s->gone), LOG_INT("forgotten", s->forgotten),
              LOG_INT("deferred", k->deferred), LOG_INT("hidden", k->scan->hidden),
              LOG_INT("no_photos", k->scan->other));
}

void known_people_end(struct actor *self)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    struct store_known_report *m = STORE_MESSAGE(STORE_KNOWN_REPORT, store_known_report);

    k->state.scans++;
    k->state.finished_ms = clock_wall_ms();
    k->state.deferred = k->deferred;
    known_people_set_left(0);
    metric_add(&scans_done, 1);
    known_people_log_scan(self);
    m->limit = 1;
    actor_ask(self, "store", &m->m.head, config->store_ms, known_people_on_report, NULL);
}

/* --- the scan --- */

static void known_people_fail(struct actor *self)
{
    struct known_people *k = actor_state(self);

    k->deferred++;
    known_people_wait(self);
}

static void known_people_log_problems(struct actor *self)
{
    const struct known_people_config *config = actor_config(self);
    const struct known_people *k = actor_state(self);

    if (k->scan->status < 0)
        log_event(LOG_WARN, "known people", LOG_STR("folder", config->options.folder),
                  LOG_STR("reason", strerror(-k->scan->status)));
    if (k->scan->bad_names)
        log_event(LOG_WARN, "known people", LOG_STR("folder", config->options.folder),
                  LOG_STR("reason", "names that are not UTF-8 are skipped"), LOG_INT("names", k->scan->bad_names),
                  LOG_STR("path", k->scan->bad_name));
    if (k->scan->unreadable_count)
        log_event(LOG_WARN, "known people", LOG_STR("folder", config->options.folder),
                  LOG_STR("reason", "folders that cannot be read"), LOG_INT("folders", k->scan->unreadable_count),
                  LOG_STR("path", k->scan->unreadable[0]));
    if (k->scan->too_many)
        log_event(LOG_WARN, "known people", LOG_STR("folder", config->options.folder),
                  LOG_STR("reason", "too many files (KITH_KNOWN_PEOPLE_FILES)"),
                  LOG_INT("limit", config->options.max_files));
}

static void known_people_on_scanned(struct actor *self, const struct msg *m)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    struct known_folder_scan *scan = (struct known_folder_scan *)m;

    if (scan->stage != KNOWN_SCAN_DONE) {
        k->state.stage = scan->stage == KNOWN_SCAN_READ ? FOLDER_READING : FOLDER_LISTING;
        k->state.done = scan->read;
        k->state.of = scan->unread;
        known_people_set_left(scan->unread - scan->read);
        if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)),
                        (struct msg *)(uintptr_t)msg_ref(m), known_folder_scan_work) < 0)
            known_people_fail(self);
        return;
    }
    k->scan = (struct known_folder_scan *)msg_ref(m);
    k->state.stage = FOLDER_ENROLLING;
    k->state.of = scan->plan.count;
    k->state.photos = scan->count;
    k->state.hidden = scan->hidden;
    k->state.other = scan->other;
    metric_set(&photos_seen, scan->count);
    known_people_log_problems(self);
    known_people_do_next(self);
}

static void known_people_on_legacy_rows(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    struct known_folder_scan *scan;

    (void)context;
    if (status != ACTOR_OK || ((const struct store_reply *)reply)->status != STORE_OK) {
        known_people_fail(self);
        return;
    }
    scan = known_folder_scan_new(MSG_KNOWN_PEOPLE_SCANNED, &config->options, k->model, k->known,
                                 (const struct store_reply *)msg_ref(reply));
    k->known = NULL;
    if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &scan->head,
                    known_folder_scan_work) < 0)
        known_people_fail(self);
}

static void known_people_on_known_files(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    struct store_list *list;

    (void)context;
    if (status != ACTOR_OK || ((const struct store_reply *)reply)->status != STORE_OK) {
        known_people_fail(self);
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
    k->next = k->deferred = k->lines = 0;
    k->state = (struct folder_state){.stage = FOLDER_LISTING,
                                     .scans = k->state.scans,
                                     .started_ms = clock_wall_ms(),
                                     .finished_ms = k->state.finished_ms,
                                     .photos = k->state.photos};
    list = STORE_MESSAGE(STORE_KNOWN_FILES, store_list);
    list->limit = 2 * config->options.max_files; /* those that have gone are listed too */
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
    uv_fs_event_start(k->watch, known_people_on_touched, config->options.folder, 0);
}

/* --- the actor --- */

/* The first scan waits for the model for a while: of another model refused photos are tried again. */
static int known_people_start(struct actor *self)
{
    struct known_people *k = actor_state(self);

    metric_register(&photos_seen);
    metric_register(&photos_refused);
    metric_register(&photos_gone);
    metric_register(&scans_done);
    known_people_register_actions();
    k->sweeps = 1;
    known_people_watch(self);
    msg_tell(self, "recognizer", MSG_SEND_STATE);
    actor_after(self, RETRY_MS, TIMER_SCAN);
    return 0;
}

static void known_people_on_model(struct actor *self, const struct msg_model *m)
{
    struct known_people *k = actor_state(self);

    if (strcmp(k->model, m->hello.model) == 0)
        return;
    snprintf(k->model, sizeof k->model, "%s", m->hello.model);
    known_people_begin_scan(self);
}

static void known_people_tell_state(struct actor *self, const struct msg *m)
{
    const struct known_people_config *config = actor_config(self);
    const struct known_people *k = actor_state(self);
    struct msg_folder_state *told = (struct msg_folder_state *)msg_new(MSG_FOLDER_STATE_TOLD, sizeof *told);

    told->state = k->state;
    snprintf(told->folder, sizeof told->folder, "%s", config->options.folder);
    actor_reply(self, &told->head);
    (void)m;
}

static void known_people_receive(struct actor *self, const struct msg *m)
{
    switch (m->type) {
    case MSG_KNOWN_PEOPLE_SCANNED:
        known_people_on_scanned(self, m);
        break;
    case MSG_KNOWN_PEOPLE_TOUCHED:
        actor_after(self, SETTLE_MS, TIMER_SCAN); /* copying many files causes many events */
        break;
    case MSG_MODEL:
        known_people_on_model(self, (const struct msg_model *)m);
        break;
    case MSG_FOLDER_STATE:
        known_people_tell_state(self, m);
        break;
    }
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

static const uint32_t known_people_accepts[] = {MSG_KNOWN_PEOPLE_SCANNED, MSG_KNOWN_PEOPLE_TOUCHED, MSG_MODEL,
                                                MSG_FOLDER_STATE, 0};

const struct actor_ops known_people_actor = {
    .name = "known-people",
    .state_size = sizeof(struct known_people),
    .start = known_people_start,
    .accepts = known_people_accepts,
    .receive = known_people_receive,
    .timer = known_people_timer,
    .stop = known_people_stop,
};
