/* Messages as bytes: what goes out comes in, and what comes in is checked. */
#include "actors/cluster/wire.h"

#include "actors/cluster/envelope.h"
#include "actors/cluster/peer_messages.h"
#include "actors/cluster/peers.h"
#include "actors/messages.h"
#include "core/image/quality.h"
#include "kith.pb-c.h"
#include "test/unit/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct msg *through(const struct msg *m)
{
    struct buf body = {0};
    uint32_t type = wire_encode(m, &body);
    struct msg *back = wire_decode(type, body.data ? body.data : "", body.len);

    assert_true(type != 0);
    buf_free(&body);
    return back;
}

static void free_event(struct msg *m)
{
    arena_free(&((struct worker_event *)m)->arena);
}

static struct worker_event *an_event(int faces)
{
    struct worker_event *e = (struct worker_event *)msg_new(WORKER_DONE, sizeof *e);
    float numbers[4] = {1, 2, 3, 4};

    e->head.destroy = free_event;
    strcpy(e->hello.name, "example");
    strcpy(e->hello.model, "colours");
    e->hello.metric = KITH_METRIC_L2;
    e->hello.dimension = 4;
    e->hello.threshold = 0.5;
    e->done.width = 640;
    e->done.height = 480;
    e->done.partial = 1;
    strcpy(e->done.sha256, "abc");
    e->faces = arena_alloc(&e->arena, (size_t)faces * sizeof *e->faces + 1);
    e->face_count = faces;
    for (int i = 0; i < faces; i++)
        e->faces[i] = (struct face){.x = (float)i,
                                    .width = 10,
                                    .height = 10,
                                    .quality = 0.5f,
                                    .flaw = FLAW_POSE,
                                    .person = PERSON_UNKNOWN,
                                    .landmark_count = 2,
                                    .landmarks = (float *)(void *)arena_copy(&e->arena, numbers, sizeof numbers),
                                    .embedding = (float *)(void *)arena_copy(&e->arena, numbers, sizeof numbers),
                                    .dimension = 4};
    return e;
}

static void test_a_picture_to_recognize(void **state)
{
    struct msg_recognize *m = msg_recognize_new(JOB_PICTURE, "/a/b.jpg", "bytes", 5), *back;

    (void)state;
    m->urgent = m->enrol = true;
    m->x = 1.5;
    m->side = 128;
    back = (struct msg_recognize *)through(&m->head);
    assert_int_equal(back->head.type, MSG_RECOGNIZE);
    assert_int_equal(back->kind, JOB_PICTURE);
    assert_string_equal(back->path, "/a/b.jpg");
    assert_int_equal(back->len, 5);
    assert_memory_equal(back->bytes, "bytes", 5);
    assert_true(back->urgent && back->enrol && back->x > 1.4 && back->side == 128);
    msg_unref(&m->head);
    msg_unref(&back->head);
}

static void test_a_path_has_no_bytes(void **state)
{
    struct msg_recognize *m = msg_recognize_new(JOB_RECOGNIZE, "/a", NULL, 0), *back;

    (void)state;
    back = (struct msg_recognize *)through(&m->head);
    assert_null(back->bytes);
    msg_unref(&m->head);
    msg_unref(&back->head);
}

static void test_what_was_found(void **state)
{
    struct msg_recognized *m = msg_recognized_new(RECOGNIZED_OK, ""), *back;

    (void)state;
    m->event = an_event(3);
    m->file = (struct file_stamp){5000000000, 1795880000123456789};
    back = (struct msg_recognized *)through(&m->head);
    assert_int_equal(back->outcome, RECOGNIZED_OK);
    assert_true(file_stamp_equal(back->file, m->file));
    assert_int_equal(back->event->face_count, 3);
    assert_int_equal(back->event->done.width, 640);
    assert_int_equal(back->event->done.partial, 1);
    assert_string_equal(back->event->hello.model, "colours");
    assert_int_equal(back->event->faces[2].dimension, 4);
    assert_int_equal(back->event->faces[2].flaw, FLAW_POSE);
    assert_true(fabsf(back->event->faces[2].embedding[3] - 4) < 1e-6f);
    assert_int_equal(back->event->faces[1].landmark_count, 2);
    assert_int_equal(back->event->faces[0].person, PERSON_UNKNOWN);
    msg_unref(&m->head);
    msg_unref(&back->head);
}

static void test_why_nothing_was_found(void **state)
{
    struct msg_recognized *m = msg_recognized_new(RECOGNIZED_BAD_IMAGE, "not an image"), *back;

    (void)state;
    back = (struct msg_recognized *)through(&m->head);
    assert_int_equal(back->outcome, RECOGNIZED_BAD_IMAGE);
    assert_string_equal(back->reason, "not an image");
    assert_false(file_stamp_is_known(back->file));
    assert_null(back->event);
    msg_unref(&m->head);
    msg_unref(&back->head);
}

static void test_who_it_is(void **state)
{
    struct worker_event *e = an_event(1);
    struct msg_matched *m = msg_matched_new(e), *back;
    struct candidate c[2] = {{.person = 7, .name = "Ann", .distance = 0.1, .similarity = 0.9},
                             {.person = 8, .name = "Bo"}};

    (void)state;
    m->faces = arena_alloc(&m->arena, sizeof *m->faces);
    m->faces[0] = e->faces[0];
    m->faces[0].person = 7;
    m->faces[0].person_name = "Ann";
    m->faces[0].label = "ann_1.jpg";
    m->faces[0].candidates = c;
    m->faces[0].candidate_count = 2;
    m->face_count = 1;
    m->generation = 42;
    m->threshold = 0.6;
    strcpy(m->unmatched_label, "Cleo");
    back = (struct msg_matched *)through(&m->head);
    assert_int_equal(back->generation, 42);
    assert_string_equal(back->unmatched_label, "Cleo");
    assert_int_equal(back->faces[0].person, 7);
    assert_string_equal(back->faces[0].person_name, "Ann");
    assert_string_equal(back->faces[0].label, "ann_1.jpg");
    assert_int_equal(back->faces[0].candidate_count, 2);
    assert_string_equal(back->faces[0].candidates[1].name, "Bo");
    msg_unref(&e->head);
    msg_unref(&m->head);
    msg_unref(&back->head);
}

static void test_what_may_not_leave_the_process(void **state)
{
    struct msg *m = msg_new(MSG_CAPACITY, sizeof(struct msg_capacity));
    struct buf body = {0};

    (void)state;
    assert_int_equal(wire_encode(m, &body), 0);
    assert_null(wire_decode(0, "", 0));
    assert_null(wire_decode(999999, "", 0));
    msg_unref(m);
}

static void test_numbers_that_are_none_are_refused(void **state)
{
    struct msg_recognized *m = msg_recognized_new(RECOGNIZED_OK, "");
    struct worker_event *e = an_event(1);

    (void)state;
    ((float *)(uintptr_t)e->faces[0].embedding)[1] = NAN;
    m->event = e;
    assert_null(through(&m->head));
    msg_unref(&m->head);
}

/* Every byte changed, every length cut: a message or none. The sanitizer builds detect what a check missed. */
static void test_rubbish_is_a_message_or_none(void **state)
{
    struct msg_recognized *m = msg_recognized_new(RECOGNIZED_OK, "");
    struct buf body = {0};
    uint32_t type;

    (void)state;
    m->event = an_event(2);
    type = wire_encode(&m->head, &body);
    for (size_t i = 0; i < body.len; i++) {
        msg_unref(wire_decode(type, body.data, i));
        for (int bit = 0; bit < 8; bit++) {
            body.data[i] ^= (char)(1 << bit);
            for (uint32_t as = 1; as <= KITH__V1__TYPE__TYPE_NUDGE; as++)
                msg_unref(wire_decode(as, body.data, body.len));
            body.data[i] ^= (char)(1 << bit);
        }
    }
    msg_unref(&m->head);
    buf_free(&body);
}

/* Every message type of the program, as an ask and as a tell, to every actor: only the listed ones pass. */
static void test_a_peer_reaches_only_listed_messages(void **state)
{
    static const char *const actors[] = {"store",    "work_queue",   "processor", "breaker",  "recognizer", "gallery",
                                         "enroller", "known-people", "receiver",  "identify", "people",     "faces",
                                         "frontend", "events",       "pictures",  "keys",     "janitor",    "cluster",
                                         "",         "breaker@node", "GALLERY",   "nobody",   NULL};
    int tells = 0, asks = 0;

    (void)state;
    for (const char *const *a = actors; *a; a++)
        for (uint32_t type = 0; type < 0x8000; type++) {
            bool ask = peer_message_allowed(*a, type, true), tell = peer_message_allowed(*a, type, false);

            asks += ask;
            tells += tell;
            assert_false(ask && tell);
            if (ask)
                assert_true((strcmp(*a, "recognizer") == 0 && type == MSG_RECOGNIZE) ||
                            (strcmp(*a, "gallery") == 0 && (type == MSG_MATCH || type == MSG_GALLERY_CHANGED)));
            if (tell)
                assert_true(strcmp(*a, "processor") == 0 && type == MSG_NUDGE);
        }
    assert_int_equal(asks, 3);
    assert_int_equal(tells, 1);
}

static void test_an_ask_has_one_type_of_answer(void **state)
{
    int allowed = 0;

    (void)state;
    for (uint32_t ask = MSG_HTTP; ask < 0x2200; ask++)
        for (uint32_t reply = 0; reply < 0x8000; reply++)
            allowed += peer_reply_allowed(ask, reply);
    assert_int_equal(allowed, 3);
    assert_true(peer_reply_allowed(MSG_RECOGNIZE, MSG_RECOGNIZED));
    assert_true(peer_reply_allowed(MSG_MATCH, MSG_MATCHED));
    assert_true(peer_reply_allowed(MSG_GALLERY_CHANGED, MSG_GALLERY_READ));
    assert_false(peer_reply_allowed(MSG_NUDGE, 0));
}

/* --- envelopes --- */

static Kith__V1__Envelope an_envelope(uint32_t type, const char *to)
{
    Kith__V1__Envelope e = KITH__V1__ENVELOPE__INIT;

    e.version = ENVELOPE_FORMAT;
    e.type = type;
    e.id = 1;
    e.node = envelope_text("a");
    e.boot = 7;
    e.from = envelope_text("processor");
    e.to = envelope_text(to);
    e.correlation = 9;
    return e;
}

static Kith__V1__Envelope *through_bytes(const Kith__V1__Envelope *e, size_t cut)
{
    size_t len = kith__v1__envelope__get_packed_size(e);
    uint8_t *bytes = malloc(len + 1);
    Kith__V1__Envelope *back;

    assert_non_null(bytes);
    kith__v1__envelope__pack(e, bytes);
    back = envelope_decode(bytes, cut < len ? len - cut : 0);
    free(bytes);
    return back;
}

static void test_a_truncated_envelope_is_none_or_refused(void **state)
{
    struct msg *m = msg_new(MSG_GALLERY_CHANGED, sizeof *m);
    Kith__V1__Envelope e = an_envelope(KITH__V1__TYPE__TYPE_GALLERY_CHANGED, "gallery"), *back;
    size_t len;

    (void)state;
    e.body = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t) "0123456789", .len = 10};
    len = kith__v1__envelope__get_packed_size(&e);
    back = through_bytes(&e, 0);
    assert_int_equal(envelope_check_message(back, m), ENVELOPE_ALLOWED);
    envelope_free(back);
    for (size_t cut = 1; cut <= len; cut++)
        if ((back = through_bytes(&e, cut))) { /* cut between two fields */
            assert_int_not_equal(back->body.len, 10);
            envelope_free(back);
        }
    msg_unref(m);
}

static void test_an_envelope_without_a_valid_sender_or_version_is_refused(void **state)
{
    char long_name[NODE_BYTES + 1];
    const char *const nodes[] = {"", ".", "a.b", "a b", "*", ">", "a\n", "\xff", long_name, NULL};

    (void)state;
    memset(long_name, 'a', NODE_BYTES);
    long_name[NODE_BYTES] = 0;
    for (const char *const *n = nodes; *n; n++) {
        Kith__V1__Envelope e = an_envelope(KITH__V1__TYPE__TYPE_NUDGE, "processor");

        e.node = envelope_text(*n);
        assert_null(through_bytes(&e, 0));
    }
    for (uint32_t version = 0; version < 5; version++) {
        Kith__V1__Envelope e = an_envelope(KITH__V1__TYPE__TYPE_NUDGE, "processor"), *back;

        e.version = version;
        back = through_bytes(&e, 0);
        assert_true((back != NULL) == (version == ENVELOPE_FORMAT));
        envelope_free(back);
    }
}

static void test_values_beyond_their_limits_are_corrected(void **state)
{
    static const int32_t statuses[] = {INT32_MIN, -1000, ACTOR_REFUSED - 1, 1, 1000, INT32_MAX};
    Kith__V1__Envelope e = an_envelope(KITH__V1__TYPE__TYPE_MATCHED, ""), *back;

    (void)state;
    e.budget_ms = UINT64_MAX;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        e.status = statuses[i];
        back = through_bytes(&e, 0);
        assert_int_equal(back->status, ACTOR_FAILED);
        assert_int_equal(back->budget_ms, ENVELOPE_BUDGET_MAX_MS);
        envelope_free(back);
    }
    for (e.status = ACTOR_REFUSED; e.status <= ACTOR_OK; e.status++) {
        back = through_bytes(&e, 0);
        assert_int_equal(back->status, e.status);
        envelope_free(back);
    }
}

/* The body is a valid one of another type. */
static void test_a_body_of_the_wrong_type_is_a_message_of_the_named_type_or_none(void **state)
{
    struct msg_recognize *recognize = msg_recognize_new(JOB_RECOGNIZE, "/a/b.jpg", "bytes", 5);
    struct msg_recognized *recognized = msg_recognized_new(RECOGNIZED_OK, "");
    const struct msg *const list[] = {&recognize->head, &recognized->head};

    (void)state;
    recognized->event = an_event(2);
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct buf body = {0};

        wire_encode(list[i], &body);
        for (uint32_t as = 0; as < 64; as++) {
            struct msg *m = wire_decode(as, body.data, body.len);
            Kith__V1__Envelope e = an_envelope(as, "gallery");

            if (!m)
                assert_int_equal(envelope_check_message(&e, m), ENVELOPE_UNDECODABLE);
            else if (m->type != MSG_MATCH && m->type != MSG_GALLERY_CHANGED)
                assert_int_equal(envelope_check_message(&e, m), ENVELOPE_REFUSED);
            msg_unref(m);
        }
        buf_free(&body);
    }
    msg_unref(&recognize->head);
    msg_unref(&recognized->head);
}

static void test_an_address_of_other_nodes_is_refused(void **state)
{
    static const char *const addresses[] = {"processor@*", "processor@**", "processor@b", "@", NULL};
    struct msg *m = msg_new(MSG_NUDGE, sizeof *m);

    (void)state;
    for (const char *const *to = addresses; *to; to++) {
        Kith__V1__Envelope e = an_envelope(KITH__V1__TYPE__TYPE_NUDGE, *to);

        assert_int_equal(envelope_check_message(&e, m), ENVELOPE_UNDECODABLE);
    }
    msg_unref(m);
}

/* Each case changes one value of a message that is accepted otherwise. */
static void check_found(void (*change)(struct worker_event *e), const char *name)
{
    struct msg_recognized *m = msg_recognized_new(RECOGNIZED_OK, "");
    struct worker_event *e = an_event(2);
    struct msg *back;

    m->event = e;
    if (change)
        change(e);
    back = through(&m->head);
    if ((back != NULL) != (change == NULL))
        fail_msg("%s is %s", name, back ? "accepted" : "refused");
    msg_unref(back);
    msg_unref(&m->head);
}

static void nan_quality(struct worker_event *e)
{
    e->faces[1].quality = NAN;
}

static void infinite_distance(struct worker_event *e)
{
    e->faces[0].distance = INFINITY;
}

static void nan_box(struct worker_event *e)
{
    e->faces[0].width = NAN;
}

static void unknown_flaw(struct worker_event *e)
{
    e->faces[1].flaw = FLAWS;
}

static void unknown_metric(struct worker_event *e)
{
    e->hello.metric = 99;
}

static void nan_threshold(struct worker_event *e)
{
    e->hello.threshold = NAN;
}

static void oversized_dimension(struct worker_event *e)
{
    e->hello.dimension = UINT32_MAX;
}

static void oversized_embedding(struct worker_event *e)
{
    e->faces[0].dimension = 65537;
    e->faces[0].embedding = arena_alloc(&e->arena, 65537 * sizeof(float));
}

static void too_many_faces(struct worker_event *e)
{
    struct face *faces = arena_alloc(&e->arena, 201 * sizeof *faces);

    for (int i = 0; i < 201; i++)
        faces[i] = e->faces[0];
    e->faces = faces;
    e->face_count = 201;
}

static void test_a_result_with_one_wrong_value_is_refused(void **state)
{
    static const struct {
        const char *name;
        void (*change)(struct worker_event *e);
    } cases[] = {{"no change", NULL},
                 {"a quality that is no number", nan_quality},
                 {"an infinite distance", infinite_distance},
                 {"a box that is no number", nan_box},
                 {"an unknown flaw", unknown_flaw},
                 {"an unknown metric", unknown_metric},
                 {"a threshold that is no number", nan_threshold},
                 {"a dimension above the limit", oversized_dimension},
                 {"an embedding above the limit", oversized_embedding},
                 {"too many faces", too_many_faces}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_found(cases[i].change, cases[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_picture_to_recognize),
        cmocka_unit_test(test_a_path_has_no_bytes),
        cmocka_unit_test(test_what_was_found),
        cmocka_unit_test(test_why_nothing_was_found),
        cmocka_unit_test(test_who_it_is),
        cmocka_unit_test(test_what_may_not_leave_the_process),
        cmocka_unit_test(test_numbers_that_are_none_are_refused),
        cmocka_unit_test(test_rubbish_is_a_message_or_none),
        cmocka_unit_test(test_a_peer_reaches_only_listed_messages),
        cmocka_unit_test(test_an_ask_has_one_type_of_answer),
        cmocka_unit_test(test_a_truncated_envelope_is_none_or_refused),
        cmocka_unit_test(test_an_envelope_without_a_valid_sender_or_version_is_refused),
        cmocka_unit_test(test_values_beyond_their_limits_are_corrected),
        cmocka_unit_test(test_a_body_of_the_wrong_type_is_a_message_of_the_named_type_or_none),
        cmocka_unit_test(test_an_address_of_other_nodes_is_refused),
        cmocka_unit_test(test_a_result_with_one_wrong_value_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
