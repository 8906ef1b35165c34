/* What the tests of merges share: requests, and two readers of the gallery's log, one that follows and one that begins
 * anew, which must see the same. Included by one file a program. */
#ifndef KITH_TEST_UNIT_MERGE_WORLD_H
#define KITH_TEST_UNIT_MERGE_WORLD_H

#include "test/unit/store_world.h"

static struct store_reply *merge_once(int64_t from, int64_t into)
{
    struct store_merge *m = STORE_MESSAGE(STORE_MERGE, store_merge);

    m->person = from;
    m->into = into;
    m->said_by = "tester";
    return ask(m);
}

static struct store_reply *merge(int64_t from, int64_t into)
{
    do
        merge_once(from, into);
    while (last->status == STORE_OK && last->more);
    return last;
}

static struct store_reply *undo_once(int64_t id)
{
    struct store_merge *m = STORE_MESSAGE(STORE_MERGE_UNDO, store_merge);

    m->merge = id;
    return ask(m);
}

static struct store_reply *undo(int64_t id)
{
    do
        undo_once(id);
    while (last->status == STORE_OK && last->more);
    return last;
}

/* The photo's id; 0: the person has it. */
__attribute__((unused)) static int64_t enrol(int64_t who, const char *sha256)
{
    struct store_photo *m = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo);
    static const float embedding[2] = {1, 0};

    m->person = who;
    m->chosen = true; /* a photo of two people is meant */
    m->photo_name = "p.jpg";
    m->path = arena_printf(&m->m.arena, "/people/%lld/%s.jpg", (long long)who, sha256);
    m->sha256 = sha256;
    m->model = "m";
    m->embedding = embedding;
    m->dimension = 2;
    assert_int_equal(ask(m)->status, STORE_OK);
    return last->photo_count ? last->photos[0].id : 0;
}

static int images_made;

/* An image with one face that the gallery gave to the person. Returns the face. */
__attribute__((unused)) static int64_t face_of(int64_t who)
{
    char path[32];
    int64_t id;

    snprintf(path, sizeof path, "/image/%d", images_made++);
    id = submit(path);
    assert_int_equal(claim(1), 1);
    assert_int_equal(finish_with_face(id, 1, who, 0.2)->changed, 1);
    return image(id)->faces[0].id;
}

static void name_face(int64_t face, int64_t who)
{
    struct store_name_face *m = STORE_MESSAGE(STORE_NAME_FACE, store_name_face);

    m->face = face;
    m->person = who;
    m->no_template = true;
    assert_int_equal(ask(m)->status, STORE_OK);
}

/* The first column of the first row; -99: no row. A statement has as many parameters as question marks. */
static int64_t number(const char *sql, int64_t a, int64_t b)
{
    struct db_statement *s = db_query(observer, sql);
    const char *first = strchr(sql, '?');
    int64_t value = -99;

    if (first)
        observer->driver->bind_int(s, 1, a);
    if (first && strchr(first + 1, '?'))
        observer->driver->bind_int(s, 2, b);
    if (observer->driver->step(s) == DB_ROW)
        value = observer->driver->column_int(s, 0);
    observer->driver->reset(s);
    return value;
}

__attribute__((unused)) static int64_t person_of_face(int64_t face)
{
    return number("SELECT person FROM faces WHERE id = ?", face, 0);
}

/* --- readers of the gallery's log --- */

enum { TEMPLATES_MAX = 4000 };
struct reader {
    int64_t after, mark;
    int64_t owner[TEMPLATES_MAX]; /* of each template; 0: it is not in the index */
};
static struct reader follower, fresh;

static void read_change(struct reader *r, const struct gallery_change *c)
{
    assert_true(c->template.id < TEMPLATES_MAX);
    if ((c->kind == GALLERY_TEMPLATE_ADDED || c->kind == GALLERY_COUNTER_ADDED) && c->template.embedding &&
        r->owner[c->template.id] == 0) /* as the index: there is one of that id already */
        r->owner[c->template.id] = c->person;
    else if (c->kind == GALLERY_TEMPLATE_REMOVED || c->kind == GALLERY_COUNTER_REMOVED)
        r->owner[c->template.id] = 0;
    else if (c->kind == GALLERY_PERSON_REMOVED)
        for (int i = 0; i < TEMPLATES_MAX; i++)
            if (r->owner[i] == c->person)
                r->owner[i] = 0;
}

static void read_log(struct reader *r)
{
    do {
        struct store_list *m = STORE_MESSAGE(STORE_GALLERY_CHANGES, store_list);

        m->after = r->after;
        m->mark = r->mark;
        m->limit = 50;
        assert_int_equal(ask(m)->status, STORE_OK);
        assert_false(last->rewound);
        for (int i = 0; i < last->change_count; i++)
            read_change(r, &last->changes[i]);
        r->after = last->next;
        r->mark = last->mark;
    } while (last->more);
}

__attribute__((unused)) static void expect_readers_know_the_templates(void)
{
    memset(&fresh, 0, sizeof fresh);
    read_log(&follower);
    read_log(&fresh);
    for (int i = 1; i < TEMPLATES_MAX; i++) {
        int64_t owner = number("SELECT person_id FROM templates WHERE id = ?", i, 0);

        if (owner == -99)
            owner = 0;
        if (follower.owner[i] != owner || fresh.owner[i] != owner)
            fail_msg("template %d is person %d's; the reader that follows has %d, a new one %d", i, (int)owner,
                     (int)follower.owner[i], (int)fresh.owner[i]);
        if (i > number("SELECT COALESCE(MAX(id), 0) FROM templates", 0, 0))
            break;
    }
}

static int setup_merge(void **state)
{
    int result = setup(state);

    memset(&follower, 0, sizeof follower);
    images_made = 0;
    open_observer();
    return result;
}

static int teardown_merge(void **state)
{
    close_observer();
    return teardown(state);
}

#define MERGE_TEST(f) cmocka_unit_test_setup_teardown(f, setup_merge, teardown_merge)

#endif
