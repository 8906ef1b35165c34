/* The folder of known people: `NAME/….jpg`, or flat `name_1.jpg`.
 *
 *   start, a change, or a while ─▶ scan on a files' thread ─▶ what is new or changed, one by one:
 *       ask the enroller ─▶ STORE_KNOWN_FILE (taken, or why not) ─▶ the next
 *
 * The store remembers each file by size and time, so a restart looks at no photo again. A photo that is refused is
 * remembered with its reason and looked at again when it changes; one that could not be judged (no worker, say) is
 * tried again at the next scan. A file that is removed forgets nobody: that is what DELETE /v1/people is for.
 * A row of person_images that somebody wrote by hand says whose photo a file is, whatever its name or folder says.
 */
#include "actors/people/known_people.h"

#include "actors/messages.h"
#include "actors/people/enroller.h"
#include "core/base/log.h"
#include "core/image/photo_name.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TIMER_SCAN = 1, SETTLE_MS = 500, LATER_MS = 3000, HAND_ROWS_MAX = 10000 };

struct found {
    char *path, *person, *photo;
    int64_t size, mtime_ns;
};

struct scan { /* the job of a files' thread */
    struct msg head;
    const struct known_people_config *config;
    struct found *files;
    int count, capacity;
    bool too_many;
    int status;
};

struct known_people {
    uv_fs_event_t *watch; /* owned by the loop once closing */
    struct scan *scan;    /* under way: its files are worked off */
    int next;
    int enrolled, refused, later;
    const struct store_reply *known; /* as the store had them when the scan began */
    const struct store_reply *hand;  /* rows somebody wrote by hand: whose photo a file is */
    bool scanning, again;
};

static void work_off(struct actor *self);

static void destroy_scan(struct msg *m)
{
    struct scan *scan = (struct scan *)m;

    for (int i = 0; i < scan->count; i++) {
        free(scan->files[i].path);
        free(scan->files[i].person);
        free(scan->files[i].photo);
    }
    free(scan->files);
}

/* --- on a files' thread --- */

static bool has_ending(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".webp"};
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < sizeof endings / sizeof endings[0]; i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    return false;
}

static void add(struct scan *scan, const char *path, const char *person, const char *photo)
{
    struct stat st;
    struct found *f;

    if (photo[0] == '.' || lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || !has_ending(photo))
        return;
    if (scan->count == scan->config->max_files) {
        scan->too_many = true;
        return;
    }
    if (scan->count == scan->capacity) {
        scan->capacity = scan->capacity ? scan->capacity * 2 : 64;
        scan->files = realloc(scan->files, (size_t)scan->capacity * sizeof *scan->files);
        if (!scan->files)
            abort();
    }
    f = &scan->files[scan->count++];
    *f = (struct found){.path = strdup(path),
                        .person = person ? strdup(person) : photo_name_person(photo),
                        .photo = strdup(photo),
                        .size = st.st_size,
                        .mtime_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec};
}

static int walk(struct scan *scan, const char *folder, const char *person)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    char path[4096];

    if (!dir)
        return -errno;
    while ((entry = readdir(dir))) {
        struct stat st;

        if (entry->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path)
            continue;
        if (!person && lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
            walk(scan, path, entry->d_name);
        else
            add(scan, path, person, entry->d_name);
    }
    closedir(dir);
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct found *)a)->path, ((const struct found *)b)->path);
}

static void scan_folder(struct msg *m)
{
    struct scan *scan = (struct scan *)m;

    scan->status = walk(scan, scan->config->folder, NULL);
    if (scan->count)
        qsort(scan->files, (size_t)scan->count, sizeof *scan->files, by_path);
}

/* --- on the loop --- */

static const struct known_file *known_file(const struct known_people *k, const struct found *f)
{
    int low = 0, high = k->known->file_count; /* both lists are sorted by path */

    while (low < high) {
        int middle = (low + high) / 2, order = strcmp(k->known->files[middle].path, f->path);

        if (order == 0)
            return &k->known->files[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* An image_name may be the file's own name or its path below the folder. */
static const struct photo *hand_row(const struct known_people *k, const struct found *f)
{
    size_t len = strlen(f->path);

    for (int i = 0; k->hand && i < k->hand->photo_count; i++) {
        const char *name = k->hand->photos[i].name;
        size_t n = strlen(name);

        while (*name == '/')
            name++, n--;
        if (n && n < len && f->path[len - n - 1] == '/' && strcmp(f->path + len - n, name) == 0)
            return &k->hand->photos[i];
    }
    return NULL;
}

static void begin_scan(struct actor *self);

static void end_scan(struct actor *self)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);

    if (k->enrolled || k->refused)
        log_event(LOG_INFO, "known people", LOG_STR("folder", config->folder), LOG_INT("photos", k->scan->count),
                  LOG_INT("enrolled", k->enrolled), LOG_INT("refused", k->refused), LOG_INT("later", k->later));
    msg_unref(&k->scan->head);
    msg_unref(k->known ? &k->known->m.head : NULL);
    msg_unref(k->hand ? &k->hand->m.head : NULL);
    k->scan = NULL;
    k->known = k->hand = NULL;
    k->scanning = false;
    if (k->again)
        begin_scan(self);
    else
        actor_after(self, k->later ? LATER_MS : config->rescan_ms, TIMER_SCAN);
}

static void on_remembered(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)context;
    (void)status; /* not remembered: looked at again by the next scan */
    (void)reply;
    work_off(self);
}

static void on_enrolled(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct known_people_config *config = actor_config(self);
    const struct msg_enrolled *m = (const struct msg_enrolled *)reply;
    struct known_people *k = actor_state(self);
    const struct found *f = &k->scan->files[k->next - 1];
    struct store_known *s;

    (void)context;
    if (status != ACTOR_OK || m->status == ENROLLED_LATER || m->status == ENROLLED_NO_PERSON) {
        if (k->later++ == 0)
            log_event(LOG_WARN, "photo later", LOG_STR("photo", f->path),
                      LOG_STR("reason", status == ACTOR_OK ? m->reason : actor_status_name(status)));
        work_off(self);
        return;
    }
    if (m->status == ENROLLED_OK) {
        k->enrolled++;
        log_event(LOG_INFO, "audit", LOG_STR("what", "photo added"), LOG_INT("person", m->person),
                  LOG_INT("subject", m->photo), LOG_STR("name", f->person), LOG_STR("who", "KITH_KNOWN_PEOPLE"),
                  LOG_STR("photo", f->path));
        msg_tell_gallery(self);
    } else {
        k->refused++;
        log_event(LOG_WARN, "photo refused", LOG_STR("photo", f->path), LOG_STR("person", f->person),
                  LOG_STR("reason", m->reason));
    }
    s = STORE_MESSAGE(STORE_KNOWN_FILE, store_known);
    s->file = (struct known_file){.path = arena_text(&s->m.arena, f->path),
                                  .person_name = arena_text(&s->m.arena, f->person),
                                  .reason = m->status == ENROLLED_OK ? NULL : arena_text(&s->m.arena, m->reason),
                                  .size = f->size,
                                  .mtime_ns = f->mtime_ns,
                                  .taken = m->status == ENROLLED_OK};
    actor_ask(self, "store", &s->m.head, config->store_ms, on_remembered, NULL);
}

static void work_off(struct actor *self)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);

    while (k->next < k->scan->count) {
        const struct found *f = &k->scan->files[k->next++];
        const struct known_file *known = known_file(k, f);
        const struct photo *hand = hand_row(k, f);
        struct msg_enrol *m;

        if (!hand && known && known->size == f->size && known->mtime_ns == f->mtime_ns)
            continue;
        m = msg_enrol_new(hand ? NULL : f->person, hand ? hand->person : 0, f->photo, f->path, NULL, 0);
        m->hand_row = hand ? hand->id : 0;
        actor_ask(self, "enroller", &m->head, config->call_ms, on_enrolled, NULL);
        return;
    }
    end_scan(self);
}

static void scan_later(struct actor *self)
{
    struct known_people *k = actor_state(self);

    k->later++;
    k->next = k->scan->count;
    end_scan(self);
}

static void on_hand_photos(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct known_people *k = actor_state(self);

    (void)context;
    if (status != ACTOR_OK || ((const struct store_reply *)reply)->status != STORE_OK) {
        scan_later(self);
        return;
    }
    k->hand = (const struct store_reply *)msg_ref(reply);
    work_off(self);
}

static void on_known(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    struct store_list *list;

    (void)context;
    if (status != ACTOR_OK || ((const struct store_reply *)reply)->status != STORE_OK) {
        scan_later(self);
        return;
    }
    k->known = (const struct store_reply *)msg_ref(reply);
    list = STORE_MESSAGE(STORE_HAND_PHOTOS, store_list);
    list->limit = HAND_ROWS_MAX;
    actor_ask(self, "store", &list->m.head, config->store_ms, on_hand_photos, NULL);
}

static void on_scanned(struct actor *self, const struct msg *m)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    struct store_list *list = STORE_MESSAGE(STORE_KNOWN_FILES, store_list);

    k->scan = (struct scan *)msg_ref(m);
    if (k->scan->status < 0)
        log_event(LOG_WARN, "known people", LOG_STR("folder", config->folder),
                  LOG_STR("reason", strerror(-k->scan->status)));
    if (k->scan->too_many)
        log_event(LOG_WARN, "known people", LOG_STR("folder", config->folder), LOG_STR("reason", "too many photos"),
                  LOG_INT("limit", config->max_files));
    list->limit = config->max_files;
    actor_ask(self, "store", &list->m.head, config->store_ms, on_known, NULL);
}

static void begin_scan(struct actor *self)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);
    struct scan *scan;

    k->again = true;
    if (k->scanning)
        return;
    scan = (struct scan *)msg_new(MSG_KNOWN_PEOPLE_SCANNED, sizeof *scan);
    scan->head.destroy = destroy_scan;
    scan->config = config;
    k->again = false;
    k->next = k->enrolled = k->refused = k->later = 0;
    if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &scan->head, scan_folder) < 0)
        actor_after(self, LATER_MS, TIMER_SCAN);
    else
        k->scanning = true;
}

/* --- watching --- */

static void on_touched(uv_fs_event_t *watch, const char *name, int events, int status)
{
    struct actor *self = watch->data;

    (void)name;
    (void)events;
    (void)status;
    if (self)
        actor_post(actor_system_of(self), self, msg_new(MSG_KNOWN_PEOPLE_TOUCHED, sizeof(struct msg)));
}

static void free_watch(uv_handle_t *handle)
{
    free(handle);
}

/* The folder itself; what changes deeper inside is found by the rescan. */
static void watch(struct actor *self)
{
    const struct known_people_config *config = actor_config(self);
    struct known_people *k = actor_state(self);

    k->watch = calloc(1, sizeof *k->watch);
    if (!k->watch)
        abort();
    uv_fs_event_init(config->loop, k->watch);
    uv_unref((uv_handle_t *)k->watch);
    k->watch->data = self;
    uv_fs_event_start(k->watch, on_touched, config->folder, 0);
}

/* --- the actor --- */

static int known_people_start(struct actor *self)
{
    watch(self);
    begin_scan(self);
    return 0;
}

static void known_people_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_KNOWN_PEOPLE_SCANNED)
        on_scanned(self, m);
    else if (m->type == MSG_KNOWN_PEOPLE_TOUCHED)
        actor_after(self, SETTLE_MS, TIMER_SCAN); /* a copy of many files touches many times */
}

static void known_people_timer(struct actor *self, uint32_t timer)
{
    (void)timer;
    begin_scan(self);
}

static void known_people_stop(struct actor *self)
{
    struct known_people *k = actor_state(self);

    k->watch->data = NULL;
    uv_close((uv_handle_t *)k->watch, free_watch);
    msg_unref(k->scan ? &k->scan->head : NULL);
    msg_unref(k->known ? &k->known->m.head : NULL);
    msg_unref(k->hand ? &k->hand->m.head : NULL);
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
