/* Recognition, stage by stage: the photos in turn, by one worker and then by all of them. */
#include "actors/messages.h"
#include "cli/bench/bench.h"
#include "cli/local_workers.h"
#include "core/actor/driver_uv.h"
#include "core/base/must.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORKERS_MAX = 256, PHOTOS_MAX = 10000, TIMER_END = 1 };

struct figures { /* of one measurement; sums in ms */
    int workers, pictures, faces, bad;
    double decode, stages[KITH_STAGES], cpu, wall;
    uint64_t rss; /* the largest worker's, bytes */
};

struct photos {
    struct worker_options options;
    struct packet_hello model;
    struct figures f;
    char **list;
    int count, next;
    struct worker *workers[WORKERS_MAX];
    int under_way, ready;
    bool warm, over, failed; /* warm: every worker has done one, and the clock runs */
    double begun;
    int64_t seconds;
};

static struct photos *state_of(struct actor *self)
{
    return (struct photos *)(uintptr_t)actor_config(self);
}

static void fail(struct actor *self, const char *words)
{
    struct photos *p = state_of(self);

    if (!p->failed)
        fprintf(stderr, "kith: %s\n", words);
    p->failed = p->over = true;
    uv_stop(p->options.loop);
}

static void give(struct actor *self, uint64_t worker)
{
    struct photos *p = state_of(self);
    const char *path = p->list[p->next++ % p->count];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct packet_job job = {.kind = JOB_RECOGNIZE};
    char words[PATH_MAX + 64];

    if (fd < 0) {
        snprintf(words, sizeof words, "%s: %s", path, strerror(errno));
        fail(self, words);
        return;
    }
    p->under_way++;
    worker_send(p->workers[worker], (uint64_t)p->next, &job, path, fd); /* if it fails, GONE follows */
    close(fd);
}

static void add(struct photos *p, const struct worker_event *e)
{
    struct figures *f = &p->f;

    f->pictures++;
    f->faces += e->face_count;
    f->bad += e->done.status != WORK_OK;
    f->cpu += (double)e->done.cpu_us / 1000;
    f->decode += (double)e->done.decode_ms;
    for (int i = 0; i < KITH_STAGES; i++)
        f->stages[i] += (double)e->done.stage_ms[i];
    f->rss = e->done.rss_bytes > f->rss ? e->done.rss_bytes : f->rss;
}

/* The first picture of each worker is not counted: it fills what is empty. */
static void on_warm(struct actor *self)
{
    struct photos *p = state_of(self);

    p->warm = true;
    p->begun = bench_now_ms();
    actor_after(self, (uint64_t)p->seconds * 1000, TIMER_END);
    for (int i = 0; i < p->f.workers; i++)
        give(self, (uint64_t)i);
}

static void photos_receive(struct actor *self, const struct msg *m)
{
    struct photos *p = state_of(self);
    const struct worker_event *e = (const struct worker_event *)m;

    if (p->failed)
        return;
    if (m->type == WORKER_GONE) {
        fail(self, e->words);
    } else if (m->type == WORKER_READY) {
        p->model = e->hello;
        if (++p->ready == p->f.workers)
            for (int i = 0; i < p->f.workers; i++)
                give(self, (uint64_t)i);
    } else if (e->done.status == WORK_FAILED) {
        fail(self, e->done.reason);
    } else {
        p->under_way--;
        if (p->warm)
            add(p, e);
        if (!p->over && p->warm)
            give(self, e->worker);
        else if (p->under_way == 0 && !p->over)
            on_warm(self);
        else if (p->under_way == 0) {
            p->f.wall = bench_now_ms() - p->begun;
            uv_stop(p->options.loop);
        }
    }
}

static void photos_timer(struct actor *self, uint32_t timer)
{
    (void)timer;
    state_of(self)->over = true; /* what is under way is waited for */
}

static int photos_start(struct actor *self)
{
    struct photos *p = state_of(self);
    struct error error;

    p->options.actor = actor_find(actor_system_of(self), "photos");
    for (int i = 0; i < p->f.workers && !p->failed; i++)
        if (!(p->workers[i] = worker_start(&p->options, (uint64_t)i, &error)))
            fail(self, error.text);
    return 0;
}

static const struct actor_ops photos_actor = {
    .name = "photos", .start = photos_start, .receive = photos_receive, .timer = photos_timer};

/* False: it failed, and that was said. */
static bool measure(struct photos *p, int workers)
{
    struct actor_system_options options = {0};
    struct driver_uv *driver;
    uv_loop_t loop;

    p->f = (struct figures){.workers = workers};
    p->next = p->under_way = p->ready = 0;
    p->warm = p->over = p->failed = false;
    uv_loop_init(&loop);
    driver = driver_uv_new(&loop, &options);
    p->options.loop = &loop;
    p->options.system = driver_uv_system(driver);
    actor_spawn(p->options.system, &(struct actor_spec){.name = "photos", .ops = &photos_actor, .config = p});
    if (!p->failed)
        uv_run(&loop, UV_RUN_DEFAULT);
    for (int i = 0; i < workers; i++)
        worker_free(p->workers[i]);
    driver_uv_free(driver);
    while (uv_run(&loop, UV_RUN_ONCE))
        ;
    uv_loop_close(&loop);
    return !p->failed;
}

/* --- the list --- */

static void add_path(struct photos *p, const char *path)
{
    if (p->count < PHOTOS_MAX && !(p->list[p->count++] = strdup(path)))
        out_of_memory();
}

/* The files of a folder and of the folders in it. */
static void add_folder(struct photos *p, const char *folder, int depth)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        struct stat st;

        if (entries[i]->d_name[0] != '.' &&
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name) < (int)sizeof path &&
            stat(path, &st) == 0) {
            if (S_ISREG(st.st_mode))
                add_path(p, path);
            else if (S_ISDIR(st.st_mode) && depth > 0)
                add_folder(p, path, depth - 1);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

static int list_photos(struct photos *p, const struct invocation *in)
{
    static char *samples[] = {"samples"};
    char **from = in->count ? in->arguments : samples;
    int count = in->count ? in->count : 1;
    struct stat st;

    for (int i = 0; i < count; i++) {
        if (stat(from[i], &st) < 0)
            return in->count ? cli_refuse("%s: %s", from[i], strerror(errno)) : 0;
        if (S_ISDIR(st.st_mode))
            add_folder(p, from[i], 1);
        else
            add_path(p, from[i]);
    }
    return p->count || !in->count ? 0 : cli_refuse("%s: there is no photo in it", from[0]);
}

/* --- what is said --- */

static void print(struct bench *b, const struct photos *p, const struct figures *runs, int count)
{
    static const char *const names[KITH_STAGES] = {"detect", "align", "embed"};

    bench_say(b, "%s %s, %s; %d photos, in turn\n\n  %-34s", p->model.name, p->model.version, p->model.model, p->count,
              "milliseconds a picture");
    for (int r = 0; r < count; r++)
        bench_say(b, "%4d worker%s", runs[r].workers, runs[r].workers == 1 ? " " : "s");
    bench_say(b, "\n  %-34s", "decode");
    for (int r = 0; r < count; r++)
        bench_say(b, "%12.2f", runs[r].decode / runs[r].pictures);
    for (int i = 0; i < KITH_STAGES; i++) {
        bench_say(b, "\n  %-34s", names[i]);
        for (int r = 0; r < count; r++)
            bench_say(b, "%12.2f", runs[r].stages[i] / runs[r].pictures);
    }
    bench_say(b, "\n  %-34s", "all, CPU of the worker");
    for (int r = 0; r < count; r++)
        bench_say(b, "%12.2f", runs[r].cpu / runs[r].pictures);
    bench_say(b, "\n  %-34s", "faces a picture");
    for (int r = 0; r < count; r++)
        bench_say(b, "%12.2f", (double)runs[r].faces / runs[r].pictures);
    bench_say(b, "\n  %-34s", "pictures a second");
    for (int r = 0; r < count; r++)
        bench_say(b, "%12.1f", runs[r].pictures / runs[r].wall * 1000);
    bench_say(b, "\n  %-34s", "memory of a worker, MB");
    for (int r = 0; r < count; r++)
        bench_say(b, "%12.0f", (double)runs[r].rss / 1e6);
    bench_say(b, "\n\n");
}

static void write_json(struct bench *b, const struct photos *p, const struct figures *runs, int count)
{
    buf_str(&b->out, ",\"recognizer\":");
    buf_json(&b->out, p->model.name);
    buf_str(&b->out, ",\"model\":");
    buf_json(&b->out, p->model.model);
    buf_printf(&b->out, ",\"photos\":%d,\"recognition\":[", p->count);
    for (int r = 0; r < count; r++) {
        const struct figures *f = &runs[r];
        double n = f->pictures;

        buf_printf(&b->out,
                   "%s{\"workers\":%d,\"pictures\":%d,\"faces\":%d,\"unreadable\":%d,\"decode_ms\":%.3f,"
                   "\"detect_ms\":%.3f,\"align_ms\":%.3f,\"embed_ms\":%.3f,\"cpu_ms\":%.3f,\"per_s\":%.2f,"
                   "\"worker_bytes\":%llu}",
                   r ? "," : "", f->workers, f->pictures, f->faces, f->bad, f->decode / n, f->stages[KITH_DETECT] / n,
                   f->stages[KITH_ALIGN] / n, f->stages[KITH_EMBED] / n, f->cpu / n, n / f->wall * 1000,
                   (unsigned long long)f->rss);
    }
    buf_str(&b->out, "]");
}

int bench_photos(struct bench *b)
{
    static struct photos p; /* large */
    struct figures runs[2];
    int all = local_workers_count(b->in->settings), count = 0, code;

    p = (struct photos){.seconds = b->seconds, .list = calloc(PHOTOS_MAX, sizeof *p.list)};
    if (!p.list)
        out_of_memory();
    if ((code = local_workers_configure(b->in, b->in->settings->recognizer, &p.options)) == 0)
        code = list_photos(&p, b->in);
    if (code == 0 && p.count == 0)
        bench_say(b, "recognition: no photos: name some, or a folder (there is no ./samples here)\n\n");
    for (int i = 0; code == 0 && p.count && i < 2 && (i == 0 || all > 1); i++) {
        code = measure(&p, i == 0 ? 1 : all) ? 0 : 1;
        runs[count++] = p.f;
    }
    if (code == 0 && count) {
        if (b->json)
            write_json(b, &p, runs, count);
        else
            print(b, &p, runs, count);
    }
    for (int i = 0; i < p.count; i++)
        free(p.list[i]);
    free(p.list);
    return code;
}
