/* The gallery actor with a fake store and a fake clock. The search thread and the decider are real. */
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

enum { DIMENSION = 4, PAGE = 64, FACES_MAX = 400, CHANGES_MAX = 1000, HELD_MAX = 16 };

/* --- the fake store --- */

static struct {
    struct gallery_change changes[CHANGES_MAX];
    int change_count;
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
    r->log_last = world.change_count;
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
static const float anna[DIMENSION] = {1, 0, 0, 0}, berta[DIMENSION] = {0, 9, 0, 0};
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

static void turn(void)
{
    while (actor_system_turn(sys))
        ;
}

static void add_change(enum gallery_change_kind kind, int64_t person, const float *embedding)
{
    int n = world.change_count++;

    assert_true(n < CHANGES_MAX);
    world.changes[n] = (struct gallery_change){.kind = kind, .person = person, .name = "a person"};
    world.changes[n].template = (struct template){
        .id = n + 1, .person = person, .model = "made-up", .embedding = embedding, .dimension = DIMENSION};
}

static void add_face(const float *embedding)
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

static void ask_changed(void)
{
    actor_system_tell(sys, "asker", msg_new(MSG_GALLERY_CHANGED, sizeof(struct msg)));
}

static void ask_match(const float *embedding)
{
    struct worker_event *event = (struct worker_event *)msg_new(WORKER_DONE, sizeof *event);
    static struct face face;

    face = (struct face){.quality = 1, .embedding = embedding, .dimension = DIMENSION, .person = PERSON_UNKNOWN};
    event->hello = hello;
    event->faces = &face;
    event->face_count = 1;
    actor_system_tell(sys, "asker", &msg_match_new(event)->head);
    msg_unref(&event->head);
}

static void release(void)
{
    world.hold = 0;
    actor_system_tell(sys, "store", msg_new(STORE_SUBMIT, sizeof(struct msg)));
    turn();
}

static int64_t metric_value(const char *name)
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

static bool is_passing(void)
{
    return metric_value("kith_gallery_pass_running") != 0;
}

static int setup(void **state)
{
    struct actor_system_options options = {.now_ns = fake_clock_now, .clock_context = &fake};
    struct msg_model *model = (struct msg_model *)msg_new(MSG_MODEL, sizeof *model);

    (void)state;
    memset(&world, 0, sizeof world);
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

/* --- tests --- */

static void test_a_pass_names_the_unknown_faces_of_an_enrolled_person(void **state)
{
    (void)state;
    for (int i = 0; i < PAGE + 3; i++) /* more than a page */
        add_face(i % 2 ? anna : berta);
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    assert_int_equal(world.named, (PAGE + 3) / 2);
    for (int i = 0; i < world.face_count; i++)
        assert_int_equal(world.faces[i].person, i % 2 ? 7 : PERSON_UNKNOWN);
}

static void test_a_match_asked_during_a_reading_waits_for_the_next_one(void **state)
{
    (void)state;
    world.hold = STORE_GALLERY_CHANGES;
    ask_changed();
    UNTIL(world.held_count == 1); /* this page may be older than what is committed now */
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    world.held_ask[0].limit = 1;
    world.held_ask[0].after = world.change_count; /* answered from before the commit: nothing new */
    ask_match(anna);
    turn();
    assert_int_equal(heard.matched, 0);
    release();
    UNTIL(heard.matched == 1);
    assert_int_equal(heard.person, 7);
    assert_int_equal(heard.errors, 0);
}

static void test_requests_during_a_reading_share_the_next_one(void **state)
{
    int before;

    (void)state;
    world.hold = STORE_GALLERY_CHANGES;
    ask_changed();
    UNTIL(world.held_count == 1);
    before = world.log_reads;
    for (int i = 0; i < 10; i++)
        ask_match(anna);
    turn();
    release();
    UNTIL(heard.matched == 10 && heard.read == 1);
    assert_int_equal(world.log_reads - before, 2);
}

static void test_a_change_during_a_pass_is_answered_at_once_and_followed_by_another_pass(void **state)
{
    (void)state;
    add_face(anna);
    world.hold = STORE_UNKNOWN_FACES;
    ask_changed();
    UNTIL(world.held_count == 1);
    assert_int_equal(heard.read, 1);
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    ask_changed();
    UNTIL(heard.read == 2);
    ask_match(anna); /* the change is known, the pass has not ended */
    UNTIL(heard.matched == 1);
    assert_int_equal(heard.person, 7);
    assert_int_equal(world.held_count, 1);
    assert_true(is_passing());
    release();
    UNTIL(!is_passing());
    assert_int_equal(world.faces[0].person, 7);
}

static void test_a_change_is_answered_before_the_pass_over_many_unknown_faces(void **state)
{
    int64_t before = metric_value("kith_gallery_pass_faces_total");

    (void)state;
    for (int i = 0; i < FACES_MAX; i++)
        add_face(berta);
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    world.hold = STORE_UNKNOWN_FACES;
    ask_changed();
    UNTIL(heard.read == 1);
    UNTIL(world.held_count == 1);
    for (int page = 0; page * PAGE < FACES_MAX; page++) { /* matches are made between two pages */
        int64_t decided = metric_value("kith_gallery_pass_faces_total") - before;

        assert_int_equal(decided, page * PAGE);
        assert_int_equal(world.held_ask[0].limit, PAGE);
        ask_match(anna);
        UNTIL(heard.matched == page + 1);
        assert_true(is_passing());
        actor_system_tell(sys, "store", msg_new(STORE_SUBMIT, sizeof(struct msg)));
        turn();
        UNTIL(world.held_count == 1);
    }
    release();
    UNTIL(!is_passing());
    assert_int_equal(metric_value("kith_gallery_pass_faces_total") - before, FACES_MAX);
    assert_int_equal(heard.read, 1);
}

static void test_a_change_that_cannot_be_read_is_answered_when_it_is(void **state)
{
    (void)state;
    world.fail = STORE_GALLERY_CHANGES;
    ask_changed();
    UNTIL(world.fail == 0);
    turn();
    assert_int_equal(heard.read, 0);
    fake_clock_advance_ms(&fake, PASS_RETRY_MS);
    UNTIL(heard.read == 1);
    assert_int_equal(heard.errors, 0);
}

static void test_too_many_waiting_changes_are_refused(void **state)
{
    (void)state;
    world.hold = STORE_GALLERY_CHANGES;
    for (int i = 0; i < WAITERS_MAX + 3; i++) {
        ask_changed();
        turn();
    }
    assert_int_equal(heard.errors, 3);
    release();
    UNTIL(heard.read == WAITERS_MAX);
}

static void test_an_unknown_face_of_an_old_generation_during_a_pass_is_followed_by_another_pass(void **state)
{
    struct msg_count *m = (struct msg_count *)msg_new(MSG_FOUND_UNKNOWN, sizeof *m);

    (void)state;
    add_face(anna);
    world.hold = STORE_UNKNOWN_FACES;
    ask_changed();
    UNTIL(world.held_count == 1);
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    m->count = 12345;
    actor_system_tell(sys, "gallery", &m->head);
    turn();
    release();
    UNTIL(world.faces[0].person == 7);
}

static void check_retried(uint32_t type)
{
    add_face(anna);
    add_change(GALLERY_COUNTER_ADDED, 8, berta);
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    world.fail = type;
    ask_changed();
    UNTIL(world.fail == 0);
    turn();
    fake_clock_advance_ms(&fake, PASS_RETRY_MS - 1);
    turn();
    assert_int_equal(world.faces[0].person, PERSON_UNKNOWN);
    fake_clock_advance_ms(&fake, 1);
    UNTIL(!is_passing() && heard.read == 1);
    assert_int_equal(world.faces[0].person, 7);
    assert_int_equal(world.reviewed[world.reviewed_count - 1], 8);
    assert_int_equal(heard.errors, 0);
}

static void test_an_error_of_the_store_while_the_log_is_read_is_retried(void **state)
{
    (void)state;
    check_retried(STORE_GALLERY_CHANGES);
}

static void test_an_error_of_the_store_while_faces_are_read_is_retried(void **state)
{
    (void)state;
    check_retried(STORE_UNKNOWN_FACES);
}

static void test_an_error_of_the_store_while_a_review_reads_is_retried(void **state)
{
    (void)state;
    check_retried(STORE_PERSON_FACES);
}

static void test_an_error_of_the_store_while_results_are_stored_is_retried(void **state)
{
    (void)state;
    check_retried(STORE_RESOLVE);
}

static void test_a_match_is_made_though_the_log_cannot_be_read(void **state)
{
    (void)state;
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    world.hold = STORE_GALLERY_CHANGES;
    ask_changed();
    UNTIL(world.held_count == 1);
    ask_match(anna);
    turn();
    world.hold = 0;
    release();
    world.fail = STORE_GALLERY_CHANGES;
    UNTIL(heard.matched == 1);
    assert_int_equal(heard.person, 7);
}

static void test_reviews_beyond_the_limit_of_the_queue_are_deferred_and_keep_their_order(void **state)
{
    enum { PEOPLE = REVIEWS_MAX + 2 * PAGE + 5 };
    static bool seen[PEOPLE + 1];

    (void)state;
    for (int i = 1; i <= PEOPLE; i++)
        add_change(GALLERY_COUNTER_ADDED, i, berta);
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    assert_true(world.reviewed_count >= PEOPLE);
    for (int i = 0; i < REVIEWS_MAX; i++)
        assert_int_equal(world.reviewed[i], i + 1);
    for (int i = 0; i < world.reviewed_count; i++)
        seen[world.reviewed[i]] = true;
    for (int i = 1; i <= PEOPLE; i++)
        if (!seen[i])
            fail_msg("person %d was not reviewed", i);
}

static void test_new_unknown_faces_are_assigned_after_a_while_without_reading_the_old_ones(void **state)
{
    struct msg_count *m = (struct msg_count *)msg_new(MSG_FOUND_UNKNOWN, sizeof *m);

    (void)state;
    add_face(berta);
    actor_system_tell(sys, "gallery", &m->head); /* generation 0: nothing has been read from the log */
    turn();
    assert_int_equal(world.face_reads, 0);
    fake_clock_advance_ms(&fake, PASS_NEW_FACES_MS);
    UNTIL(world.faces[0].unknown_person == 1);
    assert_int_equal(world.log_reads, 0);
}

/* Anna's template is removed, and the log has lost the removal before the gallery has read it. */
static void lose_a_removal(void)
{
    add_change(GALLERY_TEMPLATE_ADDED, 8, berta);
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    memset(&heard, 0, sizeof heard);
    world.changes[1].kind = 0;
    world.removal = ++world.change_count;
}

static void test_a_gallery_that_a_lost_removal_has_overtaken_is_loaded_anew(void **state)
{
    (void)state;
    lose_a_removal();
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    ask_match(anna);
    UNTIL(heard.matched == 1);
    assert_int_equal(heard.person, PERSON_UNKNOWN);
    ask_match(berta);
    UNTIL(heard.matched == 2);
    assert_int_equal(heard.person, 8);
    world.log_reads = 0;
    add_change(GALLERY_TEMPLATE_ADDED, 9, anna); /* the position is in the log again: it is continued */
    ask_changed();
    UNTIL(!is_passing() && heard.read == 2);
    assert_int_equal(world.log_reads, 1);
}

static void test_a_reading_from_the_start_needs_no_removal_that_the_log_had_lost(void **state)
{
    (void)state;
    world.change_count = 2 * PAGE; /* page 1 ends below the removal */
    world.removal = 2 * PAGE;
    for (int i = 0; i < 2 * PAGE - 1; i++)
        world.changes[i] = (struct gallery_change){
            .kind = GALLERY_PERSON_NAMED, .person = i + 1, .name = "a person", .template = {.id = 0}};
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    assert_int_equal(world.log_reads, 2);
}

static void test_a_match_waits_while_the_gallery_is_loaded_anew(void **state)
{
    (void)state;
    lose_a_removal();
    world.hold = STORE_GALLERY_CHANGES;
    ask_changed();
    UNTIL(world.held_count == 1);
    actor_system_tell(sys, "store", msg_new(STORE_SUBMIT, sizeof(struct msg))); /* the position is lost */
    turn();
    assert_int_equal(world.held_count, 1); /* the reading from the start */
    world.fail = STORE_GALLERY_CHANGES;
    world.fail_always = true;
    ask_match(berta);
    release(); /* the readings fail, and the index is empty */
    world.fail = 0;
    fake_clock_advance_ms(&fake, PASS_RETRY_MS);
    UNTIL(heard.matched == 1);
    assert_int_equal(heard.person, 8);
}

static void test_a_gallery_that_is_ahead_of_a_restored_log_is_loaded_anew(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        add_change(GALLERY_TEMPLATE_ADDED, 7 + i, i == 2 ? anna : berta);
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    world.change_count = 1; /* the backup was made before the other two */
    ask_changed();
    UNTIL(!is_passing() && heard.read == 2);
    ask_match(anna);
    UNTIL(heard.matched == 1);
    assert_int_equal(heard.person, PERSON_UNKNOWN);
}

static void test_every_unknown_face_is_decided_at_the_edges_of_a_page(void **state)
{
    static const int counts[] = {1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE};
    int decided = 0;

    (void)state;
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        int64_t before = metric_value("kith_gallery_pass_faces_total");

        for (int n = 0; n < counts[i]; n++)
            add_face(anna);
        decided += counts[i];
        ask_changed();
        UNTIL(!is_passing() && heard.read == (int)i + 1);
        assert_int_equal(world.named, decided);
        assert_int_equal(metric_value("kith_gallery_pass_faces_total") - before, counts[i]);
    }
}

static void test_every_change_is_read_at_the_edges_of_a_page(void **state)
{
    static const int counts[] = {PAGE - 1, PAGE, PAGE + 1, 2 * PAGE};

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        int pages = counts[i] / PAGE + 1; /* a full page may be followed by another one */

        world.log_reads = 0;
        for (int n = 0; n < counts[i]; n++)
            add_change(GALLERY_TEMPLATE_ADDED, 100 + world.change_count, berta);
        ask_changed();
        UNTIL(!is_passing() && heard.read == (int)i + 1);
        assert_int_equal(world.log_reads, pages);
        UNTIL(metric_value("kith_gallery_templates") == world.change_count);
    }
}

static void test_a_match_waits_for_a_silent_store_until_the_deadline_only(void **state)
{
    (void)state;
    add_change(GALLERY_TEMPLATE_ADDED, 7, anna);
    ask_changed();
    UNTIL(!is_passing() && heard.read == 1);
    world.hold = STORE_GALLERY_CHANGES;
    ask_changed();
    UNTIL(world.held_count == 1);
    ask_match(anna);
    turn();
    world.hold = 0;
    fake_clock_advance_ms(&fake, GALLERY_ASK_MS - 1);
    turn();
    assert_int_equal(heard.matched + heard.errors, 0);
    assert_int_equal(heard.read, 1);
    fake_clock_advance_ms(&fake, 1);
    UNTIL(heard.matched == 1);
    assert_int_equal(heard.person, 7);
    assert_int_equal(heard.errors, 0);
}

static void ask_match_of_label(const char *label)
{
    struct worker_event *event = (struct worker_event *)msg_new(WORKER_DONE, sizeof *event);
    static struct face face;

    face = (struct face){.quality = 1, .person_name = label, .distance = 0.1, .person = PERSON_UNKNOWN};
    event->hello = hello;
    event->faces = &face;
    event->face_count = 1;
    actor_system_tell(sys, "asker", &msg_match_new(event)->head);
    msg_unref(&event->head);
}

static void test_a_label_that_the_store_does_not_look_up_in_time_is_an_error(void **state)
{
    (void)state;
    world.hold = STORE_PHOTO_PERSON;
    ask_match_of_label("a.jpg");
    UNTIL(world.held_count == 1);
    fake_clock_advance_ms(&fake, GALLERY_ASK_MS - 1);
    turn();
    assert_int_equal(heard.errors, 0);
    fake_clock_advance_ms(&fake, 1);
    turn();
    assert_int_equal(heard.errors, 1);
    assert_int_equal(heard.matched, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_a_pass_names_the_unknown_faces_of_an_enrolled_person),
        T(test_a_match_asked_during_a_reading_waits_for_the_next_one),
        T(test_requests_during_a_reading_share_the_next_one),
        T(test_a_change_during_a_pass_is_answered_at_once_and_followed_by_another_pass),
        T(test_a_change_is_answered_before_the_pass_over_many_unknown_faces),
        T(test_a_change_that_cannot_be_read_is_answered_when_it_is),
        T(test_too_many_waiting_changes_are_refused),
        T(test_an_unknown_face_of_an_old_generation_during_a_pass_is_followed_by_another_pass),
        T(test_an_error_of_the_store_while_the_log_is_read_is_retried),
        T(test_an_error_of_the_store_while_faces_are_read_is_retried),
        T(test_an_error_of_the_store_while_a_review_reads_is_retried),
        T(test_an_error_of_the_store_while_results_are_stored_is_retried),
        T(test_a_match_is_made_though_the_log_cannot_be_read),
        T(test_reviews_beyond_the_limit_of_the_queue_are_deferred_and_keep_their_order),
        T(test_new_unknown_faces_are_assigned_after_a_while_without_reading_the_old_ones),
        T(test_every_unknown_face_is_decided_at_the_edges_of_a_page),
        T(test_every_change_is_read_at_the_edges_of_a_page),
        T(test_a_match_waits_for_a_silent_store_until_the_deadline_only),
        T(test_a_label_that_the_store_does_not_look_up_in_time_is_an_error),
        T(test_a_gallery_that_a_lost_removal_has_overtaken_is_loaded_anew),
        T(test_a_reading_from_the_start_needs_no_removal_that_the_log_had_lost),
        T(test_a_match_waits_while_the_gallery_is_loaded_anew),
        T(test_a_gallery_that_is_ahead_of_a_restored_log_is_loaded_anew),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
