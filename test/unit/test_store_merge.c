/* Merging people and undoing it: what moves, what stays, batches that are cut short, and a random walk that is compared
 * with an oracle. Both readers of the gallery's log, one that follows and one that begins anew, see the same. */
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
static int64_t enrol(int64_t who, const char *sha256)
{
    struct store_photo *m = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo);
    static const float embedding[2] = {1, 0};

    m->person = who;
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
static int64_t face_of(int64_t who)
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

static void deny(int64_t face, int64_t who)
{
    struct store_name_face *m = STORE_MESSAGE(STORE_DENY_FACE, store_name_face);

    m->face = face;
    m->person = who;
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

static int64_t person_of_face(int64_t face)
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
    else if (c->kind == GALLERY_TEMPLATE_REMOVED)
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

static void expect_readers_know_the_templates(void)
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

/* --- what moves --- */

static void test_a_merge_moves_photos_templates_and_faces_and_deletes_the_person(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), machine, hand;

    (void)state;
    enrol(ann, "1");
    enrol(ann, "2");
    enrol(bo, "2");
    machine = face_of(ann);
    hand = face_of(ann);
    name_face(hand, ann);
    read_log(&follower);
    assert_int_equal(merge(ann, bo)->status, STORE_OK);
    assert_int_equal(last->merges[0].faces, 2);
    assert_int_equal(last->merges[0].photos, 1);
    assert_int_equal(last->merges[0].templates, 1);
    assert_int_equal(last->merges[0].duplicates, 1);
    assert_true(last->merges[0].done);
    assert_int_equal(person_of_face(machine), bo);
    assert_int_equal(person_of_face(hand), bo);
    assert_int_equal(number("SELECT COUNT(*) FROM person WHERE id = ?", ann, 0), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM person_images WHERE person_id = ?", bo, 0), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM templates WHERE person_id = ?", bo, 0), 2);
    assert_int_equal(number("SELECT person FROM images WHERE id = 1", 0, 0), bo);
    assert_int_equal(number("SELECT COUNT(*) FROM person_names WHERE person_id = ?", ann, 0), 0);
    expect_readers_know_the_templates();
    expect_status_counts(0, 2, 0, 0, 0);
}

static void test_an_undone_merge_is_as_before(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), machine, later, id;

    (void)state;
    enrol(ann, "1");
    enrol(ann, "2");
    enrol(bo, "2");
    enrol(bo, "3");
    machine = face_of(ann);
    id = merge(ann, bo)->merges[0].id;
    later = face_of(bo);
    assert_int_equal(number("UPDATE faces SET template_id = 1 WHERE id = ?", later, 0), -99);
    read_log(&follower);
    assert_int_equal(undo(id)->status, STORE_OK);
    assert_true(last->merges[0].undone);
    assert_int_equal(person_of_face(machine), ann);
    assert_int_equal(person_of_face(later), ann); /* it got its name through a template that is Ann's again */
    assert_int_equal(number("SELECT COUNT(*) FROM person_images WHERE person_id = ?", ann, 0), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM templates WHERE person_id = ?", ann, 0), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM templates WHERE person_id = ?", bo, 0), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM merge_rows", 0, 0), 0);
    assert_int_equal(person("ann"), ann);
    expect_readers_know_the_templates();
    assert_int_equal(undo(id)->status, STORE_OK); /* again: nothing more */
    assert_int_equal(last->changed, 0);
    assert_int_equal(merge(ann, bo)->status, STORE_OK);
    assert_int_not_equal(last->merges[0].id, id);
}

static void test_a_repeated_merge_answers_the_same(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), id;

    (void)state;
    face_of(ann);
    id = merge(ann, bo)->merges[0].id;
    assert_int_equal(merge(ann, bo)->status, STORE_OK);
    assert_int_equal(last->merges[0].id, id);
    assert_int_equal(last->merges[0].faces, 1);
    assert_int_equal(last->changed, 0);
    assert_int_equal(merge(bo, bo)->status, STORE_CONFLICT);
    assert_int_equal(merge(99, bo)->status, STORE_NOT_FOUND);
    assert_int_equal(merge(bo, 99)->status, STORE_NOT_FOUND);
    assert_int_equal(merge(bo, ann)->status, STORE_NOT_FOUND);
    assert_int_equal(undo(99)->status, STORE_NOT_FOUND);
}

static void test_words_hold_over_a_merge(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), denied, named, of_bo, id;

    (void)state;
    denied = face_of(ann);
    deny(denied, bo); /* the gallery says Ann; it is said not to be Bo */
    named = face_of(bo);
    deny(named, bo);
    name_face(named, ann); /* put right by hand */
    of_bo = face_of(bo);
    deny(of_bo, ann);
    name_face(of_bo, bo);
    id = merge(ann, bo)->merges[0].id;
    assert_int_equal(person_of_face(denied), PERSON_UNKNOWN);
    assert_int_equal(person_of_face(named), bo);
    assert_int_equal(person_of_face(of_bo), bo);
    assert_int_equal(number("SELECT COUNT(*) FROM decide_again WHERE subject = ?", denied, 0), 1);
    /* a counter-example of a face that is Bo's by hand would deny Bo himself */
    assert_int_equal(number("SELECT COUNT(*) FROM templates WHERE person_id = ? AND counter = 1", bo, 0), 1);
    expect_readers_know_the_templates();
    assert_int_equal(undo(id)->status, STORE_OK);
    assert_int_equal(person_of_face(named), ann);
    assert_int_equal(number("SELECT COUNT(*) FROM templates WHERE person_id = ? AND counter = 1", bo, 0), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM templates WHERE person_id = ? AND counter = 1", ann, 0), 1);
    expect_readers_know_the_templates();
}

static void test_what_was_said_after_the_merge_stays(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), cleo = person("Cleo"), a = face_of(ann), b = face_of(ann), id;

    (void)state;
    id = merge(ann, bo)->merges[0].id;
    name_face(a, cleo);
    name_face(b, bo);
    assert_int_equal(undo(id)->status, STORE_OK);
    assert_int_equal(person_of_face(a), cleo);
    assert_int_equal(person_of_face(b), bo);
}

static void test_merges_are_undone_in_the_other_order(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), cleo = person("Cleo"), face = face_of(ann), first, second;

    (void)state;
    first = merge(ann, bo)->merges[0].id;
    second = merge(bo, cleo)->merges[0].id;
    assert_int_equal(undo(first)->status, STORE_CONFLICT);
    assert_non_null(strstr(last->error, "undo merge 2 first"));
    assert_int_equal(undo(second)->status, STORE_OK);
    assert_int_equal(undo(first)->status, STORE_OK);
    assert_int_equal(person_of_face(face), ann);
}

/* --- batches --- */

static void test_a_large_merge_that_is_cut_short_continues_and_counts_truly(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), id;

    (void)state;
    for (int i = 0; i < 230; i++) {
        char sha256[8];

        snprintf(sha256, sizeof sha256, "%d", i);
        enrol(ann, sha256);
    }
    face_of(ann);
    for (int i = 0; i < 11; i++)
        observer_run(
            "INSERT INTO faces(image_id, x, y, width, height, quality, model, person, similarity, template_id) "
            "SELECT image_id, x, y, width, height, quality, model, person, similarity, 5 FROM faces LIMIT "
            "300");
    int64_t faces = number("SELECT COUNT(*) FROM faces", 0, 0);
    assert_true(faces > 1000);
    merge_once(ann, bo);
    assert_true(last->more);
    merge_once(ann, bo);
    assert_true(last->more);
    close_store();
    open_store(); /* the process died between two batches */
    merge_once(bo, person("Cleo"));
    assert_int_equal(last->status, STORE_OK);
    assert_int_equal(merge(ann, bo)->status, STORE_CONFLICT);
    assert_int_equal(undo(number("SELECT MAX(id) FROM merges", 0, 0))->status, STORE_OK);
    assert_int_equal(merge(ann, bo)->status, STORE_OK);
    assert_int_equal(last->merges[0].faces, faces);
    assert_int_equal(last->merges[0].templates, 230);
    assert_int_equal(last->merges[0].photos, 230);
    id = last->merges[0].id;
    assert_int_equal(number("SELECT COUNT(*) FROM faces WHERE person = ?", bo, 0), faces);
    expect_readers_know_the_templates();
    undo_once(id);
    assert_true(last->more);
    close_store();
    open_store();
    assert_int_equal(merge(ann, bo)->status, STORE_CONFLICT);
    assert_int_equal(undo(id)->status, STORE_OK);
    assert_int_equal(number("SELECT COUNT(*) FROM faces WHERE person = ?", ann, 0), faces);
    assert_int_equal(number("SELECT COUNT(*) FROM person_images WHERE person_id = ?", ann, 0), 230);
    expect_readers_know_the_templates();
}

/* Every statement of every batch fails once: the repeated request still does all of it. */
static struct store_reply *with_errors(struct store_reply *(*once)(int64_t a, int64_t b), int64_t a, int64_t b)
{
    bool more = true;

    while (more)
        for (int step = 1;; step++) {
            atomic_store(&db_fault.hits, 0);
            atomic_store(&db_fault.step, step);
            once(a, b);
            atomic_store(&db_fault.step, 0);
            if (atomic_load(&db_fault.hits) == 0) {
                assert_int_equal(last->status, STORE_OK);
                more = last->more;
                break;
            }
            assert_int_not_equal(last->status, STORE_OK);
        }
    return last;
}

static struct store_reply *undo_once_of(int64_t id, int64_t unused)
{
    (void)unused;
    return undo_once(id);
}

static void test_errors_at_every_statement_of_every_batch_lose_nothing(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), a, b, c, id;

    (void)state;
    enrol(ann, "1");
    enrol(ann, "2");
    enrol(bo, "2");
    a = face_of(ann);
    b = face_of(ann);
    name_face(b, ann);
    deny(b, bo);
    name_face(b, ann);
    c = face_of(ann);
    deny(c, bo);
    read_log(&follower);
    id = with_errors(merge_once, ann, bo)->merges[0].id;
    assert_int_equal(person_of_face(a), bo);
    assert_int_equal(person_of_face(b), bo);
    assert_int_equal(person_of_face(c), PERSON_UNKNOWN);
    expect_readers_know_the_templates();
    with_errors(undo_once_of, id, 0);
    assert_int_equal(person_of_face(a), ann);
    assert_int_equal(person_of_face(b), ann);
    expect_readers_know_the_templates();
}

/* --- for how long --- */

static void prune(int64_t before_ms)
{
    do {
        struct store_prune *m = STORE_MESSAGE(STORE_PRUNE, store_prune);

        m->events_keep = 1000;
        m->merges_before_ms = before_ms;
        assert_int_equal(ask(m)->status, STORE_OK);
    } while (last->more);
}

static void test_an_old_merge_keeps_its_name_only(void **state)
{
    int64_t barak = person("Barak"), barack = person("Barack"), id;

    (void)state;
    enrol(barak, "1");
    enrol(barack, "1");
    face_of(barak);
    id = merge(barak, barack)->merges[0].id;
    prune(1);
    assert_int_equal(number("SELECT COUNT(*) FROM merge_rows", 0, 0), 3);
    prune(INT64_MAX);
    assert_int_equal(number("SELECT COUNT(*) FROM merge_rows", 0, 0), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM templates", 0, 0), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM person_images", 0, 0), 1);
    assert_int_equal(undo(id)->status, STORE_CONFLICT);
    assert_non_null(strstr(last->error, "KITH_MERGE_UNDO"));
    assert_int_equal(merge(barak, barack)->status, STORE_OK);
    struct store_photo *p = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo); /* the folder still has the old name */
    p->person_name = "BARAK";
    p->photo_name = "new.jpg";
    assert_int_equal(ask(p)->id, barack);
    assert_int_equal(person("Barak"), 3); /* a client that makes a person means a new one */
}

static void test_a_deleted_person_leaves_no_rows_of_merges(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), id;
    struct store_id *delete = STORE_MESSAGE(STORE_PERSON_DELETE, store_id);

    (void)state;
    enrol(ann, "1");
    enrol(bo, "1");
    id = merge(ann, bo)->merges[0].id;
    delete->id = bo;
    assert_int_equal(ask(delete)->status, STORE_OK);
    assert_int_equal(number("SELECT COUNT(*) FROM templates", 0, 0), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM person_images", 0, 0), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM merges", 0, 0), 0);
    assert_int_equal(undo(id)->status, STORE_NOT_FOUND);
}

/* --- the walk --- */

enum { PEOPLE = 6, FACES = 40, SHAS = 5, MERGES = 200, STEPS = 400 };

struct truth { /* what must be so */
    int64_t person[PEOPLE];
    bool there[PEOPLE];
    int64_t face[FACES];
    int face_of[FACES]; /* index of a person */
    bool by_hand[FACES];
    bool has[PEOPLE][SHAS]; /* the photos of a person */
    struct {
        int64_t id;
        int from, into;
        bool open;                         /* it may be undone */
        bool faces[FACES], by_hand[FACES]; /* that moved */
        bool photos[SHAS], doubles[SHAS];  /* that moved; that both had */
    } merges[MERGES];
    int merge_count, face_count;
};

static struct truth truth;

static void walk_merge(int from, int into)
{
    struct truth *t = &truth;
    int n = t->merge_count++;

    assert_int_equal(merge(t->person[from], t->person[into])->status, STORE_OK);
    memset(&t->merges[n], 0, sizeof t->merges[n]);
    t->merges[n].id = last->merges[0].id;
    t->merges[n].from = from;
    t->merges[n].into = into;
    t->merges[n].open = true;
    for (int i = 0; i < t->face_count; i++)
        if (t->face_of[i] == from) {
            t->merges[n].faces[i] = true;
            t->merges[n].by_hand[i] = t->by_hand[i];
            t->face_of[i] = into;
        }
    for (int i = 0; i < SHAS; i++) {
        t->merges[n].photos[i] = t->has[from][i] && !t->has[into][i];
        t->merges[n].doubles[i] = t->has[from][i] && t->has[into][i];
        t->has[into][i] |= t->has[from][i];
        t->has[from][i] = false;
    }
    t->there[from] = false;
}

static void walk_undo(int n)
{
    struct truth *t = &truth;
    int from = t->merges[n].from, into = t->merges[n].into;
    int status = undo(t->merges[n].id)->status;

    if (!t->there[into]) {
        assert_int_equal(status, STORE_CONFLICT);
        return;
    }
    assert_int_equal(status, STORE_OK);
    t->merges[n].open = false;
    t->there[from] = true;
    for (int i = 0; i < t->face_count; i++)
        if (t->merges[n].faces[i] && t->face_of[i] == into && t->by_hand[i] == t->merges[n].by_hand[i])
            t->face_of[i] = from;
    for (int i = 0; i < SHAS; i++) {
        t->has[from][i] = t->merges[n].photos[i] || t->merges[n].doubles[i];
        if (t->merges[n].photos[i])
            t->has[into][i] = false;
    }
}

static void walk_expect(int step)
{
    const struct truth *t = &truth;

    for (int i = 0; i < PEOPLE; i++) {
        assert_int_equal(number("SELECT COUNT(*) FROM person WHERE id = ?", t->person[i], 0), t->there[i]);
        for (int s = 0; s < SHAS; s++) {
            int64_t rows = number("SELECT COUNT(*) FROM person_images pi JOIN templates t ON t.photo_id = pi.id AND "
                                  "t.person_id = pi.person_id WHERE pi.person_id = ? AND pi.sha256 = ?",
                                  t->person[i], s);

            if (rows != t->has[i][s])
                fail_msg("step %d: person %d has photo %d %d times", step, i, s, (int)rows);
        }
    }
    for (int i = 0; i < t->face_count; i++)
        if (person_of_face(t->face[i]) != t->person[t->face_of[i]])
            fail_msg("step %d: face %d is person %d's", step, i, (int)person_of_face(t->face[i]));
    expect_readers_know_the_templates();
}

static void walk_step(int step)
{
    static const char *const shas[SHAS] = {"0", "1", "2", "3", "4"};
    struct truth *t = &truth;
    int a = (int)(random() % PEOPLE), b = (int)(random() % PEOPLE), n = (int)(random() % SHAS);

    switch (random() % 6) {
    case 0:
        if (t->there[a] && t->face_count < FACES) {
            t->face_of[t->face_count] = a;
            t->by_hand[t->face_count] = false;
            t->face[t->face_count++] = face_of(t->person[a]);
        }
        break;
    case 1:
        if (t->there[a] && t->face_count) {
            int f = (int)(random() % t->face_count);

            name_face(t->face[f], t->person[a]);
            t->face_of[f] = a;
            t->by_hand[f] = true;
        }
        break;
    case 2:
        if (t->there[a] && !t->has[a][n]) {
            assert_true(enrol(t->person[a], shas[n]) > 0);
            t->has[a][n] = true;
        }
        break;
    case 3:
    case 4:
        if (a != b && t->there[a] && t->there[b] && t->merge_count < MERGES)
            walk_merge(a, b);
        break;
    default:
        for (n = t->merge_count - 1; n >= 0; n--)
            if (t->merges[n].open && random() % 2) {
                walk_undo(n);
                break;
            }
    }
    walk_expect(step);
}

static void test_a_random_walk_of_merges_and_undoings(void **state)
{
    const char *seed = getenv("KITH_TEST_SEED"), *steps = getenv("KITH_TEST_STEPS");

    (void)state;
    srandom(seed ? (unsigned)atoi(seed) : 1);
    memset(&truth, 0, sizeof truth);
    for (int i = 0; i < PEOPLE; i++) {
        char name[] = {(char)('A' + i), 0};

        truth.person[i] = person(name);
        truth.there[i] = true;
    }
    for (int i = 0; i < (steps ? atoi(steps) : STEPS); i++)
        walk_step(i);
}

#define MERGE_TEST(f) cmocka_unit_test_setup_teardown(f, setup_merge, teardown_merge)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MERGE_TEST(test_a_merge_moves_photos_templates_and_faces_and_deletes_the_person),
        MERGE_TEST(test_an_undone_merge_is_as_before),
        MERGE_TEST(test_a_repeated_merge_answers_the_same),
        MERGE_TEST(test_words_hold_over_a_merge),
        MERGE_TEST(test_what_was_said_after_the_merge_stays),
        MERGE_TEST(test_merges_are_undone_in_the_other_order),
        MERGE_TEST(test_a_large_merge_that_is_cut_short_continues_and_counts_truly),
        MERGE_TEST(test_errors_at_every_statement_of_every_batch_lose_nothing),
        MERGE_TEST(test_an_old_merge_keeps_its_name_only),
        MERGE_TEST(test_a_deleted_person_leaves_no_rows_of_merges),
        MERGE_TEST(test_a_random_walk_of_merges_and_undoings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
