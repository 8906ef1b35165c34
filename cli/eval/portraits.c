#include "cli/eval/portraits.h"

#include "actors/messages.h"
#include "cli/local_workers.h"
#include "core/actor/driver_uv.h"
#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/must.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORKERS_MAX = 256, DEATHS_MAX = 3, TIMER_TICK = 1, TICK_MS = 200 };

/* --- the list --- */

static void add(struct portraits *p, const char *path, const char *person, const char *photo, const struct stat *st)
{
    if ((p->count & (p->count - 1)) == 0) { /* a power of two: full */
        p->list = realloc(p->list, ((size_t)p->count * 2 + 1) * sizeof *p->list);
        if (!p->list)
            out_of_memory();
    }
    p->list[p->count++] = (struct portrait){.path = strdup(path),
                                            .person = strdup(person),
                                            .photo = strdup(photo),
                                            .size = st->st_size,
                                            .mtime_ns = st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec};
}

static void list_person(struct portraits *p, const char *folder, const char *person)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort), before = p->count;

    if (count < 0)
        fprintf(stderr, "kith: %s: left out: %s\n", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        struct stat st;

        if (entries[i]->d_name[0] != '.' &&
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name) < (int)sizeof path &&
            stat(path, &st) == 0 && S_ISREG(st.st_mode))
            add(p, path, person, entries[i]->d_name, &st);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    p->people += p->count > before;
}

int portraits_list(struct portraits *p, const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);

    if (count < 0)
        return cli_refuse("%s: %s", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        struct stat st;

        if (entries[i]->d_name[0] != '.' &&
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name) < (int)sizeof path &&
            stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            list_person(p, path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return p->count ? 0 : cli_refuse("%s: there is no photo in it; photos are looked for as DIR/NAME/photo", folder);
}

void portraits_free(struct portraits *p)
{
    for (int i = 0; i < p->count; i++) {
        free(p->list[i].path);
        free(p->list[i].person);
        free(p->list[i].photo);
        free(p->list[i].reason);
        free(p->list[i].embedding);
    }
    free(p->list);
    *p = (struct portraits){0};
}

/* --- the look --- */

struct hand { /* a worker and what it is at */
    struct worker *worker;
    int at, deaths; /* at: -1: nothing */
    uint64_t since_ms;
    bool ready;
};

struct look {
    struct portraits *p;
    const struct invocation *in;
    struct worker_options options;
    struct portraits_cache *cache;
    const char *cache_file;
    struct hand hands[WORKERS_MAX];
    int workers, next, done, code;
    bool known, ended, terminal;
    uint64_t begun_ms, limit_ms;
};

static void end(struct actor *self, int code, const char *words)
{
    struct look *l = (struct look *)(uintptr_t)actor_config(self);

    if (words)
        fprintf(stderr, "kith: %s\n", words);
    l->code = code;
    l->ended = true;
    uv_stop(l->options.loop);
}

static void show_progress(struct look *l, bool last)
{
    double s = (double)(uv_now(l->options.loop) - l->begun_ms) / 1000;

    if (l->terminal)
        fprintf(stderr, "\r%d of %d photos, %.0f a second%s", l->done + l->p->cached, l->p->count,
                s > 0 ? l->done / s : 0, last ? "\n" : "");
}

static void settle(struct actor *self, struct portrait *one)
{
    struct look *l = (struct look *)(uintptr_t)actor_config(self);

    one->looked_at = true;
    l->done++;
    if (l->cache)
        portraits_cache_add(l->cache, one);
    if (l->done + l->p->cached == l->p->count)
        end(self, 0, NULL);
}

static void give(struct actor *self, struct hand *h)
{
    struct look *l = (struct look *)(uintptr_t)actor_config(self);
    struct packet_job job = {.kind = JOB_RECOGNIZE};

    while (l->next < l->p->count && !l->ended) {
        struct portrait *one = &l->p->list[l->next];
        int fd;

        if (one->looked_at) {
            l->next++;
            continue;
        }
        fd = open(one->path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            one->reason = strdup(strerror(errno));
            l->next++;
            settle(self, one);
            continue;
        }
        h->at = l->next++;
        h->since_ms = actor_now_ms(self);
        worker_send(h->worker, (uint64_t)h->at + 1, &job, one->path, fd); /* if it fails, GONE follows */
        close(fd);
        return;
    }
}

static void start(struct actor *self, int n)
{
    struct look *l = (struct look *)(uintptr_t)actor_config(self);
    struct error error;

    l->hands[n].at = -1;
    l->hands[n].ready = false;
    l->hands[n].worker = worker_start(&l->options, (uint64_t)n, &error);
    if (!l->hands[n].worker)
        end(self, 1, error.text);
}

/* The face that is meant: large, and not far from the middle. */
static const struct face *meant(const struct worker_event *e)
{
    const struct face *best = NULL;
    double most = -1;

    for (int i = 0; i < e->face_count; i++) {
        const struct face *f = &e->faces[i];
        double dx = ((double)f->x + (double)f->width / 2) / e->done.width - 0.5;
        double dy = ((double)f->y + (double)f->height / 2) / e->done.height - 0.5;
        double worth = (double)f->width * exp(-4 * (dx * dx + dy * dy) / 0.25);

        if (worth > most) {
            most = worth;
            best = f;
        }
    }
    return best;
}

static void on_done(struct actor *self, struct hand *h, const struct worker_event *e)
{
    struct look *l = (struct look *)(uintptr_t)actor_config(self);
    struct portrait *one = &l->p->list[h->at];
    const struct face *f = e->done.status == WORK_OK ? meant(e) : NULL;

    if (e->done.status == WORK_FAILED) {
        end(self, 1, e->done.reason);
        return;
    }
    h->at = -1;
    h->deaths = 0;
    one->faces = e->face_count;
    if (e->done.status != WORK_OK)
        one->reason = strdup(e->done.reason);
    if (f && f->embedding) {
        size_t bytes = (size_t)f->dimension * sizeof(float);

        one->embedding = malloc(bytes);
        if (!one->embedding)
            out_of_memory();
        memcpy(one->embedding, f->embedding, bytes);
        one->quality = f->quality;
    }
    settle(self, one);
    give(self, h);
}

/* What makes embeddings differ: the model, the settings that the plug-in may go by, and the plug-in itself: another
 * build of it may find other faces. */
static void fingerprint_of(const struct look *l, char hex[SHA256_HEX_BYTES])
{
    static const char *const names[] = {"inference",  "flip_augment", "detector",       "min_face",
                                        "detect_cpu", "lbph_cascade", "enroll_jitters", "max_pixels",
                                        "max_image",  "max_faces",    "recognizer",     "grpc_address"};
    struct buf text = {0};
    struct stat file = {0};

    buf_str(&text, l->p->model.version);
    if (stat(l->options.plugin_file, &file) == 0)
        buf_printf(&text, "\n%lld bytes of %lld.%09ld", (long long)file.st_size, (long long)file.st_mtim.tv_sec,
                   file.st_mtim.tv_nsec);
    for (const struct kith_setting *s = l->options.settings; s->name; s++)
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (strcmp(s->name, names[i]) == 0)
                buf_printf(&text, "\n%s=%s", s->name, s->value);
    sha256_hex(text.data, text.len, hex);
    buf_free(&text);
}

static void on_ready(struct actor *self, struct hand *h, const struct worker_event *e)
{
    struct look *l = (struct look *)(uintptr_t)actor_config(self);
    char fingerprint[SHA256_HEX_BYTES];

    h->ready = true;
    if (!l->known) {
        l->known = true;
        l->p->model = e->hello;
        if (e->hello.dimension == 0) {
            end(self, 2, "this recogniser compares by itself: it gives no embeddings that could be measured");
            return;
        }
        fingerprint_of(l, fingerprint);
        if (l->cache_file)
            l->cache = portraits_cache_open(l->cache_file, fingerprint, l->p);
        l->begun_ms = uv_now(l->options.loop);
        if (l->p->cached == l->p->count)
            end(self, 0, NULL);
    }
    give(self, h);
}

/* One that dies of a photo costs that photo; one that dies of nothing costs the run. */
static void on_gone(struct actor *self, int n, const struct worker_event *e)
{
    struct look *l = (struct look *)(uintptr_t)actor_config(self);
    struct hand *h = &l->hands[n];
    int at = h->at;

    worker_free(h->worker);
    h->worker = NULL;
    if (at < 0 && (!h->ready || ++h->deaths == DEATHS_MAX)) {
        end(self, l->known ? 1 : 2, e->words);
        return;
    }
    if (at >= 0) {
        l->p->list[at].reason = strdup(e->words[0] ? e->words : "it killed its worker");
        settle(self, &l->p->list[at]);
    }
    if (!l->ended)
        start(self, n);
}

static int look_start(struct actor *self)
{
    struct look *l = (struct look *)(uintptr_t)actor_config(self);

    l->options.actor = actor_find(actor_system_of(self), "look");
    for (int i = 0; i < l->workers; i++)
        start(self, i);
    actor_after(self, TICK_MS, TIMER_TICK);
    return 0;
}

static void look_receive(struct actor *self, const struct msg *m)
{
    struct look *l = (struct look *)(uintptr_t)actor_config(self);
    const struct worker_event *e = (const struct worker_event *)m;

    if (l->ended)
        return;
    if (m->type == WORKER_GONE)
        on_gone(self, (int)e->worker, e);
    else if (m->type == WORKER_READY)
        on_ready(self, &l->hands[e->worker], e);
    else
        on_done(self, &l->hands[e->worker], e);
}

static void look_timer(struct actor *self, uint32_t timer)
{
    struct look *l = (struct look *)(uintptr_t)actor_config(self);

    (void)timer;
    for (int i = 0; i < l->workers; i++)
        if (l->hands[i].worker && l->hands[i].at >= 0 && actor_now_ms(self) - l->hands[i].since_ms > l->limit_ms)
            worker_kill(l->hands[i].worker);
    if (l->known)
        show_progress(l, false);
    actor_after(self, TICK_MS, TIMER_TICK);
}

static const struct actor_ops look_actor = {
    .name = "look", .start = look_start, .receive = look_receive, .timer = look_timer};

static int run(struct look *l)
{
    struct actor_system_options options = {0};
    uv_loop_t loop;
    struct driver_uv *driver;

    uv_loop_init(&loop);
    driver = driver_uv_new(&loop, &options);
    l->options.loop = &loop;
    l->options.system = driver_uv_system(driver);
    l->begun_ms = uv_now(&loop);
    actor_spawn(l->options.system, &(struct actor_spec){.name = "look", .ops = &look_actor, .config = l});
    if (!l->ended)
        uv_run(&loop, UV_RUN_DEFAULT);
    if (l->known)
        show_progress(l, true);
    l->p->wall_s = (double)(uv_now(&loop) - l->begun_ms) / 1000;
    portraits_cache_close(l->cache);
    for (int i = 0; i < l->workers; i++)
        worker_free(l->hands[i].worker);
    driver_uv_free(driver);
    while (uv_run(&loop, UV_RUN_ONCE))
        ;
    uv_loop_close(&loop);
    return l->code;
}

int portraits_look(struct portraits *p, const struct invocation *in, const char *cache)
{
    static struct look look; /* large */
    const struct settings *s = in->settings;

    look = (struct look){.p = p,
                         .in = in,
                         .cache_file = cache,
                         .workers = local_workers_count(s),
                         .terminal = isatty(STDERR_FILENO),
                         .limit_ms = (uint64_t)s->recognize_timeout};
    if (local_workers_configure(in, s->recognizer, &look.options))
        return 2;
    return run(&look);
}
