/* What tests of the states of images and of retries share. */
#ifndef KITH_TEST_UNIT_STATES_WORLD_H
#define KITH_TEST_UNIT_STATES_WORLD_H

#include "test/unit/store_world.h"

static inline struct store_reply *finish_as(int64_t id, int64_t attempt, enum outcome outcome, int64_t max_tries)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    m->id = id;
    m->attempt = attempt;
    m->outcome = outcome;
    m->reason = "because";
    m->max_tries = max_tries;
    m->max_crashes = 3;
    return ask(m);
}

static inline struct store_reply *retry_one(int64_t id)
{
    struct store_retry *m = STORE_MESSAGE(STORE_RETRY, store_retry);

    m->id = id;
    return ask(m);
}

struct batch {
    const char *reason;
    int64_t limit, pause_ms, pause_max_ms;
    bool now;
};

/* All pages; the number of images. */
static inline int64_t retry_batch(struct batch b)
{
    struct retry_cursor after = {0};
    int64_t count = 0;

    do {
        struct store_retry *m = STORE_MESSAGE(STORE_RETRY, store_retry);

        m->after = after;
        m->reason = b.reason;
        m->limit = b.limit ? b.limit - count : 0;
        m->pause_ms = b.pause_ms;
        m->pause_max_ms = b.pause_max_ms;
        m->now = b.now;
        assert_int_equal(ask(m)->status, STORE_OK);
        count += last->changed;
        after = last->retry_next;
    } while (last->more);
    return count;
}

static inline int list(int status, int verdict, int retryable)
{
    struct store_list *m = STORE_MESSAGE(STORE_IMAGES, store_list);

    m->status = status;
    m->verdict = verdict;
    m->retryable = retryable;
    m->limit = 400;
    assert_int_equal(ask(m)->status, STORE_OK);
    for (int i = 1; i < last->image_count; i++)
        assert_true(last->images[i - 1].id > last->images[i].id);
    return last->image_count;
}

#endif
