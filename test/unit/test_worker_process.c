/* The parent's side of a worker, against a worker that the test controls: it runs as a thread, in place of the real
 * worker_main(). And the text that a plug-in may return. */
#include "core/actor/driver_uv.h"
#include "plugins/host/worker_internal.h"
#include "plugins/host/worker_text.h"
#include "plugins/worker/worker_main.h"
#include "test/unit/test.h"

#include <math.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HASHES = 1000, JOBS_MAX = 100, DEADLINE_S = 60 };

/* What the worker does next, each after a sem_post of `command`. */
enum step { ANSWER_WITHOUT_READING, ANSWER_WITH_FACE, READ_ALL };

static struct {
    sem_t command, ended;
    atomic_int step;
    atomic_int jobs_read, quarantines_read;
    char first_hash; /* of the latest list */
    struct {         /* what ANSWER_WITH_FACE sends */
        struct packet_face head;
        float landmarks[4], embedding[3];
    } face;
    struct packet_done done;
    struct packet_hello hello;
    int hellos;
} fake;

static void fake_send(int fd, uint32_t kind, uint64_t serial, const void *body, size_t len)
{
    char data[4096];
    struct packet head = {.kind = kind, .len = (uint32_t)len, .serial = serial};

    memcpy(data, &head, sizeof head);
    memcpy(data + sizeof head, body, len);
    assert_int_equal(send(fd, data, sizeof head + len, MSG_NOSIGNAL), sizeof head + len);
}

static void fake_read_all(int fd, char *in, uint64_t answered)
{
    const struct packet_done done = {.status = WORK_OK};
    const struct packet *head = (const struct packet *)(const void *)in;

    while (recv(fd, in, PACKET_MAX, 0) > 0) {
        if (head->kind == PACKET_QUARANTINE) {
            fake.quarantines_read++;
            fake.first_hash = in[sizeof *head];
        } else {
            fake.jobs_read++;
            if (head->serial > answered)
                fake_send(fd, PACKET_DONE, head->serial, &done, sizeof done);
        }
    }
}

int worker_main(int fd)
{
    const struct packet_done done = {.status = WORK_OK};
    char *in = malloc(PACKET_MAX);
    uint64_t answered = 0;

    recv(fd, in, PACKET_MAX, 0); /* CONFIG */
    for (int i = 0; i < fake.hellos; i++)
        fake_send(fd, PACKET_HELLO, 0, &fake.hello, sizeof fake.hello);
    while (sem_wait(&fake.command) == 0 && fake.step != READ_ALL) {
        answered++;
        if (fake.step == ANSWER_WITH_FACE)
            fake_send(fd, PACKET_FACE, answered, &fake.face, sizeof fake.face);
        fake_send(fd, PACKET_DONE, answered, fake.step == ANSWER_WITH_FACE ? &fake.done : &done, sizeof done);
    }
    fake_read_all(fd, in, answered);
    free(in);
    close(fd);
    sem_post(&fake.ended);
    return 0;
}

struct host {
    uv_loop_t loop;
    struct driver_uv *driver;
    struct worker *worker;
    uint64_t serial;
    int ready, done, gone;
    uint32_t status, faces; /* of the latest WORKER_DONE */
    char reason[REASON_BYTES];
    char words[REASON_BYTES]; /* of WORKER_GONE */
};

static void host_receive(struct actor *self, const struct msg *m)
{
    struct host *h = (struct host *)(uintptr_t)actor_config(self);
    const struct worker_event *e = (const struct worker_event *)m;

    h->status = e->done.status;
    h->faces = (uint32_t)e->face_count;
    memcpy(h->reason, e->done.reason, sizeof h->reason);
    memcpy(h->words, e->words, sizeof h->words);
    h->ready += m->type == WORKER_READY;
    h->done += m->type == WORKER_DONE;
    h->gone += m->type == WORKER_GONE;
}

static const struct actor_ops host_actor = {.name = "host", .receive = host_receive};

static void host_wait(struct host *h, const int *counter, int expected)
{
    while (*counter < expected)
        uv_run(&h->loop, UV_RUN_ONCE);
    assert_int_equal(*counter, expected);
}

static const struct packet_hello good_hello = {
    .name = "fake", .version = "1", .model = "fake-3", .metric = KITH_METRIC_L2, .dimension = 3, .threshold = 1};

/* Starts a worker that sends fake.hello. */
static void host_start(struct host *h)
{
    static const struct kith_setting no_settings[] = {{NULL, NULL}};
    struct actor_system_options options = {0};
    struct worker_options w = {
        .plugin_file = "none", .settings = no_settings, .max_faces = 1, .max_pixels = 10000, .thread = 1};
    struct error error;

    memset(h, 0, sizeof *h);
    fake.jobs_read = fake.quarantines_read = 0;
    sem_init(&fake.command, 0, 0);
    sem_init(&fake.ended, 0, 0);
    uv_loop_init(&h->loop);
    h->driver = driver_uv_new(&h->loop, &options);
    w.loop = &h->loop;
    w.system = driver_uv_system(h->driver);
    w.actor = actor_spawn(w.system, &(struct actor_spec){.name = "host", .ops = &host_actor, .config = h});
    h->worker = worker_start(&w, 1, &error);
    assert_non_null(h->worker);
}

static void host_open(struct host *h)
{
    fake.hello = good_hello;
    fake.hellos = 1;
    host_start(h);
    host_wait(h, &h->ready, 1);
}

static void host_close(struct host *h)
{
    worker_free(h->worker);
    driver_uv_free(h->driver);
    while (uv_run(&h->loop, UV_RUN_ONCE))
        ;
    assert_int_equal(uv_loop_close(&h->loop), 0);
    sem_wait(&fake.ended);
}

static void host_send_job(struct host *h)
{
    const struct packet_job job = {.kind = JOB_RECOGNIZE};

    assert_int_equal(worker_send(h->worker, ++h->serial, &job, "a.png", -1), 0);
}

static void host_quarantine(struct host *h, char digit)
{
    static char hashes[HASHES * SHA256_HEX_BYTES];

    memset(hashes, digit, sizeof hashes);
    worker_quarantine(h->worker, hashes, HASHES);
}

static void fake_do(enum step step)
{
    fake.step = (int)step;
    sem_post(&fake.command);
}

static void test_a_busy_worker_gets_the_latest_quarantine_with_its_next_job(void **state)
{
    struct host h;

    (void)state;
    host_open(&h);
    host_send_job(&h);
    for (const char *digit = "0123456789"; *digit; digit++)
        host_quarantine(&h, *digit);
    fake_do(READ_ALL);
    host_wait(&h, &h.done, 1);
    assert_int_equal(fake.quarantines_read, 0);
    host_send_job(&h);
    host_wait(&h, &h.done, 2);
    assert_int_equal(fake.quarantines_read, 1);
    assert_int_equal(fake.first_hash, '9');
    host_quarantine(&h, '9'); /* unchanged: not sent again */
    host_send_job(&h);
    host_wait(&h, &h.done, 3);
    assert_int_equal(fake.quarantines_read, 1);
    host_close(&h);
}

static void test_a_job_waits_until_the_socket_is_writable(void **state)
{
    struct host h;

    (void)state;
    host_open(&h);
    for (int i = 0; i < JOBS_MAX && !h.worker->pending.waiting; i++) {
        host_quarantine(&h, i % 2 ? 'a' : 'b');
        host_send_job(&h);
        if (!h.worker->pending.waiting) {
            fake_do(ANSWER_WITHOUT_READING);
            host_wait(&h, &h.done, (int)h.serial);
        }
    }
    assert_true(h.worker->pending.waiting);
    fake_do(READ_ALL);
    host_wait(&h, &h.done, (int)h.serial);
    assert_int_equal(fake.jobs_read, h.serial);
    assert_int_equal(h.gone, 0);
    host_close(&h);
}

/* Gives the packet to the parent as if the worker had sent it. */
static bool host_receive_packet(struct host *h, uint32_t kind, const void *body, size_t len)
{
    char data[4096];
    struct packet head = {.kind = kind, .len = (uint32_t)len, .serial = h->serial};

    memcpy(data, &head, sizeof head);
    memcpy(data + sizeof head, body, len);
    return worker_receive_packet(h->worker, data, sizeof head + len);
}

static void test_empty_pictures_and_hashes_that_are_none_violate_the_protocol(void **state)
{
    struct packet_done done = {.status = WORK_OK};
    char hash[SHA256_HEX_BYTES];
    struct host h;

    (void)state;
    host_open(&h);
    host_send_job(&h);
    assert_true(host_receive_packet(&h, PACKET_PICTURE, "x", 1));
    assert_false(host_receive_packet(&h, PACKET_PICTURE, "", 0));
    memset(hash, 0xff, sizeof hash - 1);
    hash[sizeof hash - 1] = 0;
    assert_false(host_receive_packet(&h, PACKET_SEEN, hash, sizeof hash));
    memcpy(done.sha256, hash, sizeof hash);
    assert_false(host_receive_packet(&h, PACKET_DONE, &done, sizeof done));
    memset(hash, 'f', sizeof hash - 1);
    assert_true(host_receive_packet(&h, PACKET_SEEN, hash, sizeof hash));
    fake_do(READ_ALL);
    host_wait(&h, &h.done, 1);
    host_close(&h);
}

static void test_a_worker_that_is_freed_while_a_job_waits_leaks_nothing(void **state)
{
    struct host h;

    (void)state;
    host_open(&h);
    while (!h.worker->pending.waiting) {
        host_quarantine(&h, h.serial % 2 ? 'a' : 'b');
        host_send_job(&h);
        if (!h.worker->pending.waiting) {
            fake_do(ANSWER_WITHOUT_READING);
            host_wait(&h, &h.done, (int)h.serial);
        }
    }
    fake_do(READ_ALL);
    host_close(&h);
}

/* An answer that the parent takes, as the base of those that it refuses. */
static void fake_make_good_answer(void)
{
    memset(&fake.face, 0, sizeof fake.face);
    fake.face.head = (struct packet_face){
        .x = 1, .y = 1, .width = 10, .height = 10, .quality = 0.5f, .landmark_count = 2, .dimension = 3};
    fake.face.embedding[0] = 1;
    fake.done = (struct packet_done){.status = WORK_OK, .face_count = 1, .width = 100, .height = 100};
}

static void fake_spoil_x(void)
{
    fake.face.head.x = NAN;
}

static void fake_spoil_place(void)
{
    fake.face.head.x = 200;
}

static void fake_spoil_width(void)
{
    fake.face.head.width = -1;
}

static void fake_spoil_quality(void)
{
    fake.face.head.quality = NAN;
}

static void fake_spoil_landmark(void)
{
    fake.face.landmarks[3] = NAN;
}

static void fake_spoil_embedding(void)
{
    fake.face.embedding[1] = INFINITY;
}

static void fake_spoil_norm(void)
{
    fake.face.embedding[1] = 1e30f;
}

static void fake_spoil_dimension(void) /* the bytes are the same: one landmark more, two numbers fewer */
{
    fake.face.head.landmark_count = 3;
    fake.face.head.dimension = 1;
}

static void fake_spoil_pixels(void)
{
    fake.done.width = 401;
}

static void test_a_bad_number_fails_the_answer_with_a_reason(void **state)
{
    static const struct {
        void (*spoil)(void);
        const char *words;
    } cases[] = {
        {fake_spoil_x, "its box"},
        {fake_spoil_place, "outside the picture"},
        {fake_spoil_width, "its box"},
        {fake_spoil_quality, "its quality"},
        {fake_spoil_landmark, "its landmark 1 is not finite"},
        {fake_spoil_embedding, "number 1 of its embedding is not finite"},
        {fake_spoil_norm, "a norm of"},
        {fake_spoil_dimension, "has 1 numbers, not 3"},
        {fake_spoil_pixels, "KITH_MAX_PIXELS"},
    };
    struct host h;

    (void)state;
    host_open(&h);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_make_good_answer();
        cases[i].spoil();
        host_send_job(&h);
        fake_do(ANSWER_WITH_FACE);
        host_wait(&h, &h.done, (int)h.serial);
        assert_int_equal(h.status, WORK_FAILED);
        assert_int_equal(h.faces, 0);
        assert_non_null(strstr(h.reason, cases[i].words));
    }
    fake_make_good_answer(); /* the worker lives on */
    host_send_job(&h);
    fake_do(ANSWER_WITH_FACE);
    host_wait(&h, &h.done, (int)h.serial);
    assert_int_equal(h.status, WORK_OK);
    assert_int_equal(h.faces, 1);
    fake_do(READ_ALL);
    host_close(&h);
}

static void test_a_malformed_answer_ends_the_worker(void **state)
{
    struct host h;

    (void)state;
    host_open(&h);
    fake_make_good_answer();
    memset(fake.done.sha256, '"', sizeof fake.done.sha256);
    host_send_job(&h);
    fake_do(ANSWER_WITH_FACE);
    host_wait(&h, &h.gone, 1);
    assert_string_equal(h.words, "the worker violated the protocol");
    fake_do(READ_ALL);
    host_close(&h);
}

static void test_a_hello_is_checked_and_comes_once(void **state)
{
    struct packet_hello bad[4] = {good_hello, good_hello, good_hello, good_hello};

    (void)state;
    bad[0].threshold = (double)NAN;
    bad[1].metric = 77;
    bad[2].dimension = 1U << 30;
    bad[3].model[0] = 0;
    for (int i = 0; i < 5; i++) {
        struct host h;

        fake.hello = i < 4 ? bad[i] : good_hello;
        fake.hellos = i < 4 ? 1 : 2;
        host_start(&h);
        host_wait(&h, &h.gone, 1);
        assert_int_equal(h.ready, i < 4 ? 0 : 1);
        fake_do(READ_ALL);
        host_close(&h);
    }
}

static void test_text_of_a_plugin_becomes_utf8(void **state)
{
    static const struct {
        const char *from, *expected;
        size_t size, limit;
    } cases[] = {
        {"no face", "no face", 32, 0},
        {"café", "café", 32, 0},
        {"caf\xc3", "caf\xef\xbf\xbd", 32, 0},
        {"caf\xc3", "caf", 32, 5}, /* the sender's buffer of 5 bytes cut the é */
        {"caf\xc3", "caf\xef\xbf\xbd", 32, 6},
        {"café", "caf", 5, 0}, /* does not fit */
        {"café", "café", 6, 0},
        {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd", 32, 0},
        {"a\xc0\xaf", "a\xef\xbf\xbd\xef\xbf\xbd", 32, 0},                               /* overlong */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 32, 0},                 /* a surrogate */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 32, 0}, /* above U+10FFFF */
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 32, 0},
        {"\xe2\x82 x", "\xef\xbf\xbd\xef\xbf\xbd x", 32, 0},
        {"", "", 1, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char to[32];

        memset(to, 'x', sizeof to);
        worker_text_copy(to, cases[i].size, cases[i].from, strlen(cases[i].from), cases[i].limit);
        assert_string_equal(to, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_busy_worker_gets_the_latest_quarantine_with_its_next_job),
        cmocka_unit_test(test_a_job_waits_until_the_socket_is_writable),
        cmocka_unit_test(test_empty_pictures_and_hashes_that_are_none_violate_the_protocol),
        cmocka_unit_test(test_a_worker_that_is_freed_while_a_job_waits_leaks_nothing),
        cmocka_unit_test(test_a_bad_number_fails_the_answer_with_a_reason),
        cmocka_unit_test(test_a_malformed_answer_ends_the_worker),
        cmocka_unit_test(test_a_hello_is_checked_and_comes_once),
        cmocka_unit_test(test_text_of_a_plugin_becomes_utf8),
    };

    alarm(DEADLINE_S); /* a test that waits for ever ends by SIGALRM */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
