/* What the tests of deletions share: uploads and enrolled photos with files in the spool. Included by one file a
 * program. */
#ifndef KITH_TEST_UNIT_STORE_DELETION_WORLD_H
#define KITH_TEST_UNIT_STORE_DELETION_WORLD_H

#include "test/unit/store_world.h"

static struct store_reply *with_id(uint32_t type, int64_t id)
{
    struct store_id *m = store_message_new(type, sizeof *m);

    m->id = id;
    return ask(m);
}

__attribute__((unused)) static int64_t upload(const char *path, const char *sha256)
{
    struct store_submit *m = submission(path);

    m->spooled = true;
    m->sha256 = sha256;
    m->idempotency_key = path;
    m->request_hash = "hash";
    assert_int_equal(ask(m)->status, STORE_OK);
    return last->images[0].id;
}

/* The photo's name is its path behind the folder. */
__attribute__((unused)) static int64_t enrol(int64_t id, const char *path, const char *sha256, const float *embedding)
{
    struct store_photo *m = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo);

    m->person = id;
    m->photo_name = strrchr(path, '/') + 1;
    m->path = path;
    m->sha256 = sha256;
    m->spooled = m->chosen = true;
    m->model = "m";
    m->embedding = embedding;
    m->dimension = 2;
    assert_int_equal(ask(m)->status, STORE_OK);
    return last->photos[0].id;
}

__attribute__((unused)) static void join_as(const char *node)
{
    struct store_eraser *m = STORE_MESSAGE(STORE_ERASER_JOIN, store_eraser);

    m->node = node;
    assert_int_equal(ask(m)->status, STORE_OK);
}

#endif
