/* The gallery actor with a fake store and a fake clock. The search thread and the decider are real. Included by one
 * file a program. */
#ifndef KITH_TEST_UNIT_GALLERY_WORLD_H
#define KITH_TEST_UNIT_GALLERY_WORLD_H

#include "actors/gallery/gallery.h"
#include "actors/gallery/pass.h"
#include "actors/gallery/reviews.h"
#include "actors/gallery/waiters.h"
#include "actors/messages.h"
#include "core/actor/system.h"
#include "core/base/metrics.h"
#include "core/match/policy.h"
#include "test/unit/fake_clock.h"
#include "test/unit/test.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DIMENSION = 4, PAGE = 64, FACES_MAX = 400, CHANGES_MAX = 5000, HELD_MAX = 16 };

/* --- the fake store --- */

static struct {
    struct gallery_change changes[CHANGES_MAX];
    int change_count;
    int64_t mark;                 /* of the last change; another one: an older database was restored */
    bool early;                   /* the next reading of the log is answered from before the last commit */
    struct face faces[FACES_MAX]; /* ids are 1 + the index */
    int face_count;
    uint32_t hold, fail; /* asks of this type are kept; the next ask of this type fails */
    bool fail_always;    /* not only the next */
    actor_token held[HELD_MAX];
    struct store_list held_ask[HELD_MAX];
    int held_count;
    int log_reads, face_reads; /* asks that were answered */
    int64_t removal;           /* log_removal of the replies; such changes are not in the log: kind 0 */
    int64_t reviewed[CHANGES_MAX];
    int reviewed_count;
    int64_t named; /* faces that got a person by STORE_RESOLVE */
} world;

static void store_list_changes(struct store_reply *r, const struct store_list *m)
{
    r->changes = arena_alloc(&r->m.arena, (size_t)m->limit * sizeof *r->changes);
    r->next = m->after;
    r->mark = world.mark;
    if ((r->rewound = m->after > 0 && m->mark != world.mark))
        return;
    if (world.early) {
        world.early = false;
        return;
    }
    r->log_removal = world.removal;
    for (int64_t i = m->after; i < world.change_count && r->change_count < m->limit; i++) {
        if (world.changes[i].kind == 0)
            continue;
        r->changes[r->change_count++] = world.changes[i];
        r->next = i + 1;
    }
    r->more = r->change_count == m->limit;
    world.log_reads++;
}

static void store_list_faces(struct store_reply *r, const struct store_list *m)
{
    r->faces = arena_alloc(&r->m.arena, (size_t)m->limit * sizeof *r->faces);
    for (int64_t i = m->after; i < world.face_count && r->face_count < m->limit; i++) {
        if (world.faces[i].person != PERSON_UNKNOWN)
            continue;
        r->faces[r->face_count++] = world.faces[i];
        r->next = i + 1;
    }
    world.face_reads++;
}

static void store_resolve_faces(struct store_reply *r, const struct store_resolve *m)
{
    for (int i = 0; i < m->count; i++) {
        world.faces[m->faces[i].face - 1].person = m->faces[i].person;
        world.faces[m->faces[i].face - 1].unknown_person = m->faces[i].unknown_person;
        world.named += m->faces[i].person != PERSON_UNKNOWN;
    }
    r->changed = m->count;
}

static struct store_reply *store_answer(const struct msg *m)
{
    struct store_reply *r = STORE_MESSAGE(STORE_REPLY, store_reply);
    const struct store_list *list = (const struct store_list *)m;

    r->status = world.fail == m->type ? STORE_AWAY : STORE_OK;
    if (world.fail == m->type)
        world.fail = world.fail_always ? world.fail : 0;
    else if (m->type == STORE_GALLERY_CHANGES)
        store_list_changes(r, list);
    else if (m->type == STORE_UNKNOWN_FACES)
        store_list_faces(r, list);
    else if (m->type == STORE_PERSON_FACES)
        world.reviewed[world.reviewed_count++ % CHANGES_MAX] = list->person;
    else if (m->type == STORE_RESOLVE)
        store_resolve_faces(r, (const struct store_resolve *)m);
    return r;
}

static void store_receive(struct actor *self, const struct msg *m)
{
    if (m->type == STORE_SUBMIT) { /* the test says: answer what is held */
        int count = world.held_count;

        world.held_count = 0;
        for (int i = 0; i < count; i++)
            actor_answer(self, world.held[i], &store_answer(&world.held_ask[i].m.head)->m.head);
    } else if (m->type == world.hold) {
        assert_true(world.held_count < HELD_MAX);
        if (m->type != STORE_PHOTO_PERSON) /* a smaller message, which no test answers */
            world.held_ask[world.held_count] = *(const struct store_list *)m;
        world.held[world.held_count++] = actor_defer(self);
    } else {
        actor_reply(self, &store_answer(m)->m.head);
    }
}

static const struct actor_ops fake_store = {.name = "store", .receive = store_receive};

/* --- the asker: passes on what the test gives it --- */

static struct {
    int read, matched, errors; /* read: answers to MSG_GALLERY_CHANGED */
    int64_t person;
} heard;

static void asker_on_answer(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self;
    (void)context;
    if (status != ACTOR_OK) {
        heard.errors++;
    } else if (reply->type == MSG_GALLERY_READ) {
        heard.read++;
    } else {
        heard.matched++;
        heard.person = ((const struct msg_matched *)reply)->faces[0].person;
    }
}

static void asker_receive(struct actor *self, const struct msg *m)
{
    actor_ask(self, "gallery", msg_ref(m), 60000, asker_on_answer, NULL);
}

static const struct actor_ops asker = {.name = "asker", .receive = asker_receive};

/* --- set-up --- */

static struct fake_clock fake;
static struct actor_system *sys;
static struct offload *search;
static struct decider *decider;
static struct gallery_config config;
__attribute__((unused)) static const float anna[DIMENSION] = {1, 0, 0, 0}, berta[DIMENSION] = {0, 9, 0, 0};
static struct packet_hello hello = {.model = "made-up", .metric = METRIC_L2, .dimension = DIMENSION, .threshold = 0.6};

/* Turns the system until `condition`; fails after 10 s. The search thread works meanwhile. */
#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        time_t until_end = time(NULL) + 10;                                                                            \
        while (!(condition)) {                                                                                         \
            if (!actor_system_turn(sys))                                                                               \
                sched_yield();                                                                                         \
            if (time(NULL) > until_end)                                                                                \
                fail_msg("never happened: %s", #condition);                                                            \
        }                                                                                                              \
    } while (0)

__attribute__((unused)) static void turn(void)
{
    while (actor_system_turn(sys))
        ;
}

__attribute__((unused)) static void add_change(enum gallery_change_kind kind, int64_t person, const float *embedding)
{
    int n = world.change_count++;

    assert_true(n < CHANGES_MAX);
    world.changes[n] = (struct gallery_change){.kind = kind, .person = person, .name = "a person"};
    world.changes[n].template = (struct template){
        .id = n + 1, .person = person, .model = "made-up", .embedding = embedding, .dimension = DIMENSION};
}

__attribute__((unused)) static void add_face(const float *embedding)
{
    world.faces[world.face_count] = (struct face){.id = world.face_count + 1,
                                                  .image = 1,
                                                  .quality = 1,
                                                  .model = "made-up",
                                                  .embedding = embedding,
                                                  .dimension = DIMENSION,
                                                  .person = PERSON_UNKNOWN};
    world.face_count++;
}

__attribute__((unused)) static void ask_changed(void)
{
    actor_system_tell(sys, "asker", msg_new(MSG_GALLERY_CHANGED, sizeof(struct msg)));
}

/* `cancel`: of the client that waits; NULL: none. */
static void ask_match_for(const float *embedding, struct cancel *cancel)
{
    struct worker_event *event = (struct worker_event *)msg_new(WORKER_DONE, sizeof *event);
    static struct face face;
    struct msg *m;

    face = (struct face){.quality = 1, .embedding = embedding, .dimension = DIMENSION, .person = PERSON_UNKNOWN};
    event->hello = hello;
    event->faces = &face;
    event->face_count = 1;
    m = &msg_match_new(event)->head;
    m->cancel = cancel_ref(cancel);
    actor_system_tell(sys, "asker", m);
    msg_unref(&event->head);
}

__attribute__((unused)) static void ask_match(const float *embedding)
{
    ask_match_for(embedding, NULL);
}

__attribute__((unused)) static void release(void)
{
    world.hold = 0;
    actor_system_tell(sys, "store", msg_new(STORE_SUBMIT, sizeof(struct msg)));
    turn();
}

__attribute__((unused)) static int64_t metric_value(const char *name)
{
    char line[96];
    struct buf out = {0};
    const char *at;
    int64_t value;

    metrics_write(&out);
    buf_add(&out, "", 1);
    snprintf(line, sizeof line, "\n%s ", name);
    at = strstr(out.data, line);
    assert_non_null(at);
    value = strtoll(at + strlen(line), NULL, 10);
    buf_free(&out);
    return value;
}

__attribute__((unused)) static bool is_passing(void)
{
    return metric_value("kith_gallery_pass_running") != 0;
}

static void start_gallery(void)
{
    struct actor_system_options options = {.now_ns = fake_clock_now, .clock_context = &fake};
    struct msg_model *model = (struct msg_model *)msg_new(MSG_MODEL, sizeof *model);

    memset(&heard, 0, sizeof heard);
    sys = actor_system_new(&options);
    search = offload_new(sys, "search", 1, 1024);
    decider = decider_new(&(struct decider_policy){
        .threshold = 0.5, .candidates = 5, .cohort = 100, .unknown_people = 100, .memory_max = 1 << 20});
    config = (struct gallery_config){.decider = decider, .search = search, .threshold = -1, .page = PAGE};
    actor_spawn(sys, &(struct actor_spec){.name = "asker", .ops = &asker});
    actor_spawn(sys, &(struct actor_spec){.name = "store", .ops = &fake_store});
    actor_spawn(sys, &(struct actor_spec){.name = "gallery", .ops = &gallery_actor, .config = &config});
    model->hello = hello;
    actor_system_tell(sys, "gallery", &model->head);
    ask_changed();
    UNTIL(heard.read == 1 && !is_passing());
    memset(&heard, 0, sizeof heard);
    world.log_reads = world.face_reads = 0;
}

static int setup(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    start_gallery();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    offload_free(search);
    actor_system_free(sys);
    decider_free(decider);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
