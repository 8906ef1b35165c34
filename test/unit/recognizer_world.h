/* The recogniser with fake workers, files that the test opens, a fake store, a fake breaker and a fake clock. Included
 * by one file. */
#ifndef KITH_TEST_UNIT_RECOGNIZER_WORLD_H
#define KITH_TEST_UNIT_RECOGNIZER_WORLD_H

#include "actors/pipeline/recognizer.h"

#include "test/unit/pipeline_world.h"

#include <errno.h>
#include <fcntl.h>

enum { WORKERS_MAX = 64, OPEN_MS = 1000, WAIT_MS = 3000, RECOGNIZE_MS = 4000, START_MS = 5000 };

/* --- the fake workers, in place of plugins/host --- */

struct worker {
    uint64_t number, serial; /* serial: of its job; 0: it has none */
    struct actor *actor;
    bool killed;
    int quarantined; /* hashes of the last list; -1: it got none */
    uint64_t started_ms;
};

static struct {
    struct worker workers[WORKERS_MAX]; /* in the order of their starts */
    int started, jobs;
    bool refuse_start, last_without_file;
    char last_path[64];
    uint32_t needs; /* of the recogniser */
} host;

struct worker *worker_start(const struct worker_options *options, uint64_t number, struct error *error)
{
    struct worker *w = &host.workers[host.started++];

    assert_true(host.started <= WORKERS_MAX);
    *w = (struct worker){.number = number, .actor = options->actor, .quarantined = -1, .started_ms = fake.ns / 1000000};
    if (host.refuse_start)
        error_set(error, -EAGAIN, "no process");
    return host.refuse_start ? NULL : w;
}

int worker_send(struct worker *w, uint64_t serial, const struct packet_job *job, const char *path, int fd)
{
    (void)job;
    assert_int_equal(w->serial, 0);
    snprintf(host.last_path, sizeof host.last_path, "%s", path);
    host.last_without_file = fd < 0;
    w->serial = serial;
    host.jobs++;
    return 0;
}

void worker_quarantine(struct worker *w, const char *hashes, size_t count)
{
    (void)hashes;
    w->quarantined = (int)count;
}

static struct worker_event *worker_event(const struct worker *w, uint32_t type)
{
    struct worker_event *e = (struct worker_event *)msg_new(type, sizeof *e);

    e->worker = w->number;
    snprintf(e->hello.name, sizeof e->hello.name, "fake");
    snprintf(e->hello.model, sizeof e->hello.model, "m");
    e->hello.needs = host.needs;
    return e;
}

void worker_kill(struct worker *w)
{
    struct worker_event *e = worker_event(w, WORKER_GONE);

    w->killed = true;
    snprintf(e->words, sizeof e->words, "killed");
    actor_post(sys, w->actor, &e->head);
}

void worker_free(struct worker *w)
{
    (void)w;
}

int worker_pid(const struct worker *w)
{
    return (int)w->number;
}

int worker_memory(const void *data, size_t len)
{
    (void)data, (void)len;
    return -ENOMEM;
}

/* --- files: opened at once, or when the test says so --- */

static struct {
    bool hang;
    struct msg *job;
    struct actor *to;
    offload_work_fn work;
} disk;

int offload_run(struct offload *offload, struct actor *to, struct msg *job, offload_work_fn work)
{
    (void)offload;
    disk.job = job;
    disk.to = to;
    disk.work = work;
    if (!disk.hang) {
        work(job);
        actor_post(sys, to, job);
    }
    return ACTOR_OK;
}

int path_open(const struct path_roots *roots, const char *name, struct error *error)
{
    (void)roots;
    if (strcmp(name, "/missing") == 0)
        return error_set(error, -ENOENT, "no such file");
    if (strcmp(name, "/link") == 0)
        return error_set(error, -ELOOP, "a symbolic link");
    if (strcmp(name, "/stale") == 0)
        return error_set(error, -ESTALE, "Stale file handle");
    if (strcmp(name, "/many") == 0)
        return error_set(error, -EMFILE, "Too many open files");
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

struct file_stamp path_stamp(int fd)
{
    (void)fd;
    return (struct file_stamp){1, 2};
}

/* --- the neighbours --- */

static struct {
    int quarantined; /* hashes that the store has */
    struct msg_outcome outcomes[64];
    int told, state_asked;
    int answers, last_outcome;
    char last_reason[REASON_BYTES];
} world;

static inline void store_receive(struct actor *self, const struct msg *m)
{
    struct store_reply *r = STORE_MESSAGE(STORE_REPLY, store_reply);
    const char **texts = arena_alloc(&r->m.arena, 8 * sizeof *texts);

    assert_int_equal(m->type, STORE_QUARANTINED);
    for (int i = 0; i < world.quarantined; i++)
        texts[i] = "00";
    r->texts = texts;
    r->text_count = world.quarantined;
    actor_reply(self, &r->m.head);
}

static inline void breaker_receive(struct actor *self, const struct msg *m)
{
    (void)self;
    if (m->type == MSG_OUTCOME)
        world.outcomes[world.told++] = *(const struct msg_outcome *)m;
    else
        world.state_asked += m->type == MSG_SEND_STATE;
}

static inline void asker_on_answer(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct msg_recognized *r = (const struct msg_recognized *)reply;

    (void)self, (void)context;
    if (status != ACTOR_OK)
        return; /* the test has ended */
    world.answers++;
    world.last_outcome = r->outcome;
    snprintf(world.last_reason, sizeof world.last_reason, "%s", r->reason);
}

static inline void asker_receive(struct actor *self, const struct msg *m)
{
    actor_ask(self, "recognizer", msg_ref(m), 600000, asker_on_answer, NULL);
}

static const struct actor_ops fake_store = {.name = "store", .receive = store_receive};
static const struct actor_ops fake_breaker = {.name = "breaker", .receive = breaker_receive};
static const struct actor_ops asker = {.name = "asker", .receive = asker_receive};

/* --- what a test does --- */

static inline void ask_for(int kind, const char *path)
{
    actor_system_tell(sys, "asker", &msg_recognize_new(kind, path, NULL, 0)->head);
    settle();
}

static inline void ask_to_enrol(const char *path)
{
    struct msg_recognize *m = msg_recognize_new(JOB_RECOGNIZE, path, NULL, 0);

    m->enrol = true;
    actor_system_tell(sys, "asker", &m->head);
    settle();
}

static inline void ask(void)
{
    ask_for(JOB_RECOGNIZE, "/a");
}

static inline void post_event(const struct worker *w, struct worker_event *e)
{
    actor_post(sys, w->actor, &e->head);
    settle();
}

static inline void be_ready(int i)
{
    post_event(&host.workers[i], worker_event(&host.workers[i], WORKER_READY));
}

static inline void finish_job(int i, uint32_t status)
{
    struct worker *w = &host.workers[i];
    struct worker_event *e = worker_event(w, WORKER_DONE);

    assert_int_not_equal(w->serial, 0);
    e->serial = w->serial;
    e->done.status = status;
    w->serial = 0;
    post_event(w, e);
}

static inline void tell_breaker_state(int state, uint32_t generation)
{
    struct msg_breaker *m = (struct msg_breaker *)msg_new(MSG_BREAKER, sizeof *m);

    m->state = state;
    m->generation = generation;
    snprintf(m->reason, sizeof m->reason, "it crashed");
    actor_system_tell(sys, "recognizer", &m->head);
    settle();
}

static struct recognizer_config config = {.workers = 1,
                                          .queue_max = 4,
                                          .quarantine_max = 100,
                                          .open_ms = OPEN_MS,
                                          .wait_ms = WAIT_MS,
                                          .recognize_ms = RECOGNIZE_MS,
                                          .start_ms = START_MS,
                                          .images_max = 1000,
                                          .memory_max = 1 << 30};

static int setup(void **state)
{
    (void)state;
    memset(&host, 0, sizeof host);
    memset(&disk, 0, sizeof disk);
    memset(&world, 0, sizeof world);
    new_system();
    spawn(&fake_store, NULL);
    spawn(&fake_breaker, NULL);
    spawn(&recognizer_actor, &config);
    spawn(&asker, NULL);
    settle();
    return 0;
}

#endif
