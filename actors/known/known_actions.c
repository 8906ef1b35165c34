/* Carries out the plan of a scan: moves photos, enrols, writes the rows. Part of the actor known-people. */
#include "actors/known/known_people_internal.h"

#include "core/base/log/log.h"
#include "core/base/metrics.h"

#include <string.h>

enum { UPDATE_BATCH = 500, LINES_MAX = 100 };

static struct metric photos_left = {.name = "kith_known_people_left",
                                    .help = "Files of the running scan that are not dealt with yet.",
                                    .kind = METRIC_GAUGE};
static struct metric photos_asked = {.name = "kith_known_people_enrolments_total",
                                     .help = "Photos of known people given to the enroller."};

void known_people_register_actions(void)
{
    metric_register(&photos_left);
    metric_register(&photos_asked);
}

void known_people_set_left(int files)
{
    metric_set(&photos_left, files);
}

static const struct known_photo *known_people_file(const struct known_people *k, const struct known_action *a)
{
    return a->file < 0 ? NULL : &k->scan->photos[a->file];
}

/* The action under way. */
static const struct known_action *known_people_action(const struct known_people *k)
{
    return &k->scan->plan.actions[k->next - 1];
}

static bool known_people_may_log(struct known_people *k)
{
    return k->lines++ < LINES_MAX;
}

/* --- rows --- */

static void known_people_on_recorded(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct known_people *k = actor_state(self);

    (void)context;
    if (status != ACTOR_OK || ((const struct store_reply *)reply)->status != STORE_OK)
        k->deferred++; /* not recorded: the next scan tries it again */
    else
        msg_tell_gallery(self);
    known_people_do_next(self);
}

static void known_people_fill_row(struct store_known *s, const struct known_people *k, const struct known_photo *f)
{
    s->file.path = arena_text(&s->m.arena, f->path);
    s->file.person_name = arena_text(&s->m.arena, f->person);
    s->file.sha256 = f->sha256[0] ? arena_text(&s->m.arena, f->sha256) : NULL;
    s->file.model = k->model[0] ? arena_text(&s->m.arena, k->model) : NULL;
    s->file.size = f->size;
    s->file.mtime_ns = f->mtime_ns;
    s->file.ctime_ns = f->ctime_ns;
    s->file.born_ns = f->born_ns;
}

static bool known_people_had_photo(const struct known_people *k)
{
    const struct known_action *a = known_people_action(k);

    return a->row >= 0 && k->scan->known->files[a->row].photo > 0;
}

/* Writes the row of the file, with `reason` and without a photo. */
static void known_people_record(struct actor *self, const struct known_photo *f, enum known_state state,
                                const char *reason, const struct msg_enrolled *found)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    struct store_known *s = STORE_MESSAGE(STORE_KNOWN_FILE, store_known);

    known_people_fill_row(s, k, f);
    s->file.state = state;
    s->file.reason = arena_text(&s->m.arena, reason);
    if (found && found->faces.len) {
        char *faces = arena_alloc(&s->m.arena, found->faces.len + 1);

        memcpy(faces, found->faces.data, found->faces.len);
        faces[found->faces.len] = 0;
        s->file.faces = faces;
    }
    if (known_people_had_photo(k)) /* of another content: it goes, and perhaps its person */
        k->sweeps = SWEEPS;
    k->state.refused += state == KNOWN_REFUSED;
    k->state.duplicates += state == KNOWN_DUPLICATE;
    if (known_people_may_log(k))
        log_event(LOG_WARN, "photo refused", LOG_STR("photo", f->path), LOG_STR("person", f->person),
                  LOG_STR("reason", reason));
    actor_ask(self, "store", &s->m.head, config->store_ms, known_people_on_recorded, NULL);
}

/* Consecutive rows of which only times and state change are one request. */
static void known_people_update(struct actor *self)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    const struct known_plan *plan = &k->scan->plan;
    struct store_known_update *m = STORE_MESSAGE(STORE_KNOWN_UPDATE, store_known_update);
    struct known_file *files = arena_alloc(&m->m.arena, UPDATE_BATCH * sizeof *files);

    for (k->next--; k->next < plan->count && m->count < UPDATE_BATCH; k->next++) {
        const struct known_action *a = &plan->actions[k->next];
        const struct known_photo *f = known_people_file(k, a);

        if (a->kind != KNOWN_UPDATE)
            break;
        files[m->count] = k->scan->known->files[a->row]; /* its texts live as long as the scan */
        files[m->count].path = arena_text(&m->m.arena, files[m->count].path);
        files[m->count].state = a->state;
        files[m->count].gone_ms = a->state == KNOWN_GONE;
        if (f) {
            files[m->count].size = f->size;
            files[m->count].mtime_ns = f->mtime_ns;
            files[m->count].ctime_ns = f->ctime_ns;
            files[m->count].born_ns = f->born_ns;
        } else {
            k->state.gone++;
            if (known_people_may_log(k))
                log_event(LOG_WARN, "photo gone", LOG_STR("photo", files[m->count].path),
                          LOG_STR("person", files[m->count].person_name ? files[m->count].person_name : ""));
        }
        m->count++;
    }
    m->files = files;
    actor_ask(self, "store", &m->m.head, config->store_ms, known_people_on_recorded, NULL);
}

static void known_people_forget(struct actor *self, const struct known_action *a)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    const struct known_file *row = &k->scan->known->files[a->row];
    struct store_known *s = STORE_MESSAGE(STORE_KNOWN_FORGET, store_known);

    s->file.path = arena_text(&s->m.arena, row->path);
    s->file.photo = row->photo;
    s->file.state = row->state == KNOWN_REPLACED ? KNOWN_REPLACED : a->state;
    if (row->person > 0 && s->file.state != KNOWN_REPLACED) {
        k->state.forgotten++;
        k->sweeps = SWEEPS;
        log_event(LOG_INFO, "audit", LOG_STR("what", "photo deleted"), LOG_INT("person", row->person),
                  LOG_INT("photo", row->photo), LOG_STR("who", "KITH_KNOWN_PEOPLE"), LOG_STR("path", row->path));
    }
    actor_ask(self, "store", &s->m.head, config->store_ms, known_people_on_recorded, NULL);
}

/* --- moves --- */

static void known_people_on_moved(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct known_people *k = actor_state(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    const struct known_action *a = known_people_action(k);
    const struct known_photo *f = known_people_file(k, a);

    (void)context;
    if (status == ACTOR_OK && r->status == STORE_CONFLICT) {
        known_people_record(self, f, KNOWN_DUPLICATE, r->error, NULL);
        return;
    }
    if (status != ACTOR_OK || r->status != STORE_OK) {
        k->deferred++;
    } else {
        k->state.moved++;
        k->sweeps = SWEEPS;
        log_event(LOG_INFO, "audit", LOG_STR("what", "photo moved"), LOG_INT("person", r->id),
                  LOG_INT("photo", k->scan->known->files[a->row].photo), LOG_STR("name", f->person),
                  LOG_STR("who", "KITH_KNOWN_PEOPLE"), LOG_STR("path", f->path));
        msg_tell_gallery(self);
    }
    known_people_do_next(self);
}

static void known_people_move(struct actor *self, const struct known_action *a)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    const struct known_photo *f = known_people_file(k, a);
    struct store_known *s = STORE_MESSAGE(STORE_KNOWN_MOVE, store_known);

    known_people_fill_row(s, k, f);
    if (!s->file.sha256)
        s->file.sha256 = arena_text(&s->m.arena, k->scan->known->files[a->row].sha256);
    s->file.photo = k->scan->known->files[a->row].photo;
    s->photo_name = arena_text(&s->m.arena, f->photo);
    s->photo_path = arena_text(&s->m.arena, f->opened ? f->opened : f->path);
    s->to_person = a->person;
    s->whole_folder = a->whole_folder;
    actor_ask(self, "store", &s->m.head, config->store_ms, known_people_on_moved, NULL);
}

/* --- enrolment --- */

static void known_people_record_enrolled(struct actor *self, const struct known_photo *f, const struct msg_enrolled *m)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    struct store_known *s = STORE_MESSAGE(STORE_KNOWN_FILE, store_known);

    known_people_fill_row(s, k, f);
    if (m->sha256[0])
        s->file.sha256 = arena_text(&s->m.arena, m->sha256);
    s->file.photo = m->photo;
    s->file.state = KNOWN_ENROLLED;
    s->file.taken = true;
    k->state.enrolled++;
    if (m->added)
        log_event(LOG_INFO, "audit", LOG_STR("what", "photo added"), LOG_INT("person", m->person),
                  LOG_INT("photo", m->photo), LOG_STR("name", f->person), LOG_STR("who", "KITH_KNOWN_PEOPLE"),
                  LOG_STR("path", f->path));
    msg_tell_gallery(self);
    actor_ask(self, "store", &s->m.head, config->store_ms, known_people_on_recorded, NULL);
}

static void known_people_on_enrolled(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct msg_enrolled *m = (const struct msg_enrolled *)reply;
    struct known_people *k = actor_state(self);
    const struct known_photo *f = known_people_file(k, known_people_action(k));

    (void)context;
    if (status != ACTOR_OK || m->status == ENROLLED_LATER || m->status == ENROLLED_NO_PERSON) {
        if (k->deferred++ == 0)
            log_event(LOG_WARN, "photo enrolment deferred", LOG_STR("photo", f->path),
                      LOG_STR("reason", status == ACTOR_OK ? m->reason : actor_status_name(status)));
        known_people_do_next(self);
    } else if (m->status == ENROLLED_OK) {
        known_people_record_enrolled(self, f, m);
    } else {
        known_people_record(self, f, m->status == ENROLLED_TAKEN ? KNOWN_DUPLICATE : KNOWN_REFUSED, m->reason, m);
    }
}

static void known_people_enrol(struct actor *self, const struct known_action *a)
{
    const struct known_people_config *config = actor_config(self);
    const struct known_photo *f = known_people_file(actor_state(self), a);
    struct msg_enrol *m = msg_enrol_new(a->person > 0 ? NULL : f->person, a->person > 0 ? a->person : 0, f->photo,
                                        f->opened ? f->opened : f->path, NULL, 0);

    m->adopted_photo = a->legacy_row;
    m->from_folder = true;
    metric_add(&photos_asked, 1);
    actor_ask(self, "enroller", &m->head, config->call_ms, known_people_on_enrolled, NULL);
}

/* --- the plan --- */

/* People that the folder made go with their last photo, once their faces were decided again. */
static void known_people_sweep(struct actor *self)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    struct store_known_update *m = STORE_MESSAGE(STORE_KNOWN_UPDATE, store_known_update);

    k->sweeps--;
    m->sweep = true;
    k->state.swept = true;
    actor_ask(self, "store", &m->m.head, config->store_ms, known_people_on_recorded, NULL);
}

void known_people_do_next(struct actor *self)
{
    struct known_people *k = actor_state(self);
    const struct known_action *a;

    known_people_set_left(k->scan->plan.count - k->next);
    k->state.done = k->next;
    if (k->next == k->scan->plan.count) {
        if (k->sweeps && !k->state.swept)
            known_people_sweep(self);
        else
            known_people_end(self);
        return;
    }
    a = &k->scan->plan.actions[k->next++];
    switch (a->kind) {
    case KNOWN_MOVE:
        known_people_move(self, a);
        break;
    case KNOWN_ENROL:
        known_people_enrol(self, a);
        break;
    case KNOWN_RECORD:
        known_people_record(self, known_people_file(k, a), a->state, a->reason, NULL);
        break;
    case KNOWN_UPDATE:
        known_people_update(self);
        break;
    case KNOWN_FORGET:
        known_people_forget(self, a);
        break;
    }
}
