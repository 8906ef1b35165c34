/* Messages of the operations that look at images again, for operations.h. */
#ifndef KITH_TEST_UNIT_STORE_LOOK_AGAIN_MESSAGES_H
#define KITH_TEST_UNIT_STORE_LOOK_AGAIN_MESSAGES_H

#include "test/unit/store/operation_messages.h"

static void *make_look_again(enum look_again_action action)
{
    struct store_look_again *m = STORE_MESSAGE(STORE_LOOK_AGAIN, store_look_again);

    m->action = action;
    m->filter.verdict = -1;
    m->max = 100;
    return m;
}

static void *make_look_again_begin(void)
{
    return make_look_again(LOOK_AGAIN_BEGIN);
}

static void *make_look_again_step(void)
{
    return make_look_again(LOOK_AGAIN_STEP);
}

static void *make_look_again_cancel(void)
{
    return make_look_again(LOOK_AGAIN_CANCEL);
}

static void *make_look_again_count(void)
{
    struct store_look_again *m = STORE_MESSAGE(STORE_LOOK_AGAIN_COUNT, store_look_again);

    m->filter.verdict = VERDICT_UNKNOWN;
    m->filter.not_model = "other";
    return m;
}

static void *make_operation(void)
{
    return make_id(STORE_OPERATION, 0);
}

#endif
