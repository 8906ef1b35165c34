/* The log of the gallery's changes, as two nodes of one database read it: it stays small, and each reader ends with the
 * gallery that the database holds. The store is real, and so is the reader of actors/gallery. */
#include "test/unit/store_world.h"

#include "actors/gallery/change_log.h"
#include "core/actor/actor.h"
#include "core/base/clock.h"

enum { PAGE = 4, IDS_MAX = 64, NODES = 2 };

/* --- a node: the ids that its gallery holds --- */

struct node {
    struct change_log log;
    bool templates[IDS_MAX], people[IDS_MAX];
    char names[IDS_MAX][16];
    int64_t person_of[IDS_MAX];
    int restarts, endings, failures;
};

static struct node *nodes[NODES];

static void node_apply(struct node *n, const struct gallery_change *c)
{
    assert_true(c->person < IDS_MAX && c->template.id < IDS_MAX);
    n->people[c->person] = c->name != NULL;
    memset(n->names[c->person], 0, sizeof n->names[0]);
    snprintf(n->names[c->person], sizeof n->names[0], "%s", c->name ? c->name : "");
    if ((c->kind == GALLERY_TEMPLATE_ADDED || c->kind == GALLERY_COUNTER_ADDED) && c->template.embedding) {
        n->templates[c->template.id] = true;
        n->person_of[c->template.id] = c->person;
    } else if (c->kind == GALLERY_TEMPLATE_REMOVED) {
        n->templates[c->template.id] = false;
    } else if (c->kind == GALLERY_PERSON_REMOVED) {
        for (int id = 0; id < IDS_MAX; id++)
            n->templates[id] &= n->person_of[id] != c->person;
    }
}

static bool node_on_page(struct actor *self, const struct store_reply *page, int64_t after)
{
    (void)after;
    for (int i = 0; i < page->change_count; i++)
        node_apply(actor_state(self), &page->changes[i]);
    return true;
}

static bool node_on_restart(struct actor *self)
{
    struct node *n = actor_state(self);

    memset(n->templates, 0, sizeof n->templates);
    memset(n->people, 0, sizeof n->people);
    memset(n->names, 0, sizeof n->names);
    n->restarts++;
    return true;
}

static void node_on_end(struct actor *self, uint64_t reading, bool ok, bool found)
{
    struct node *n = actor_state(self);

    (void)reading, (void)found;
    n->endings++;
    n->failures += !ok;
}

static const struct change_log_events node_events = {
    .page = node_on_page, .restart = node_on_restart, .end = node_on_end};

static int node_start(struct actor *self)
{
    struct node *n = actor_state(self);

    n->log = (struct change_log){.self = self, .events = &node_events, .page = PAGE};
    nodes[actor_name(self)[4] - '0'] = n;
    return 0;
}

static void node_receive(struct actor *self, const struct msg *m)
{
    (void)m;
    change_log_request(&((struct node *)actor_state(self))->log);
}

static const struct actor_ops node_ops = {
    .name = "node", .state_size = sizeof(struct node), .start = node_start, .receive = node_receive};

static void read_log(int node)
{
    char name[] = {'n', 'o', 'd', 'e', (char)('0' + node), 0};
    int before = nodes[node]->endings;

    actor_system_tell(sys, name, msg_new(1, sizeof(struct msg)));
    while (nodes[node]->endings == before)
        if (!actor_system_turn(sys) && nodes[node]->endings == before)
            wait_for_work();
    assert_int_equal(nodes[node]->failures, 0);
}

static int setup_nodes(void **state)
{
    setup(state);
    actor_spawn(sys, &(struct actor_spec){.name = "node0", .ops = &node_ops});
    actor_spawn(sys, &(struct actor_spec){.name = "node1", .ops = &node_ops});
    return 0;
}

/* --- the database --- */

static int64_t enrol(const char *name)
{
    static const float embedding[2] = {1, 0};
    struct store_photo *m = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo);

    m->person_name = name;
    m->photo_name = "a.jpg";
    m->path = "/a.jpg";
    m->model = "m";
    m->embedding = embedding;
    m->dimension = 2;
    assert_int_equal(ask(m)->status, STORE_OK);
    return last->photos[0].id;
}

static void drop(uint32_t type, int64_t id)
{
    struct store_id *m = STORE_MESSAGE(type, store_id);

    m->id = id;
    assert_int_equal(ask(m)->status, STORE_OK);
}

static void rename_person(int64_t id, const char *name)
{
    struct store_person *m = STORE_MESSAGE(STORE_PERSON_RENAME, store_person);

    m->id = id;
    m->name = name;
    assert_int_equal(ask(m)->status, STORE_OK);
}

static void compact(int64_t before_ms)
{
    struct store_prune *m = STORE_MESSAGE(STORE_PRUNE, store_prune);

    m->events_keep = 1000000;
    m->gallery_log_before_ms = before_ms;
    assert_int_equal(ask(m)->status, STORE_OK);
}

static int log_rows(void)
{
    struct store_list *m = STORE_MESSAGE(STORE_GALLERY_CHANGES, store_list);

    m->limit = 1000;
    return ask(m)->change_count;
}

static void expect_same(const struct node *a, const struct node *b)
{
    assert_memory_equal(a->templates, b->templates, sizeof a->templates);
    assert_memory_equal(a->people, b->people, sizeof a->people);
    assert_memory_equal(a->names, b->names, sizeof a->names);
}

static int count(const bool *ids)
{
    int n = 0;

    for (int id = 0; id < IDS_MAX; id++)
        n += ids[id];
    return n;
}

/* --- tests --- */

static void test_the_log_is_as_long_as_the_gallery_once_it_is_compacted(void **state)
{
    int64_t ann = person("Ann");

    (void)state;
    for (int i = 0; i < 20; i++) {
        drop(STORE_PHOTO_DELETE, enrol("Ann"));
        rename_person(ann, i % 2 ? "Ann" : "Anna");
        rename_person(ann, "Ann");
        drop(STORE_PERSON_DELETE, person("Bo"));
    }
    enrol("Ann");
    assert_int_equal(log_rows(), 2 + 2 * 20); /* Ann, her template, and the removals */
    compact(1);                               /* no removal is as old as that */
    assert_int_equal(log_rows(), 2 + 2 * 20);
    compact(INT64_MAX);
    assert_int_equal(log_rows(), 2);
    read_log(0); /* as after a restart */
    assert_int_equal(count(nodes[0]->templates), 1);
    assert_int_equal(count(nodes[0]->people), 1);
    assert_string_equal(nodes[0]->names[ann], "Ann");
    assert_int_equal(nodes[0]->restarts, 0);
}

static void test_a_young_removal_stays_in_the_log(void **state)
{
    int64_t now_ms = clock_wall_ms();

    (void)state;
    drop(STORE_PHOTO_DELETE, enrol("Ann"));
    compact(now_ms - 1800000);
    assert_int_equal(log_rows(), 2);
    compact(now_ms + 1800000);
    assert_int_equal(log_rows(), 1);
}

static void test_a_node_that_has_passed_the_removals_reads_on(void **state)
{
    int64_t photo = enrol("Ann");

    (void)state;
    drop(STORE_PHOTO_DELETE, photo);
    read_log(0);
    compact(INT64_MAX);
    read_log(0);
    enrol("Ann");
    read_log(0);
    assert_int_equal(nodes[0]->restarts, 0);
    assert_int_equal(count(nodes[0]->templates), 1);
}

static void test_a_node_behind_a_deleted_removal_loads_the_gallery_anew(void **state)
{
    int64_t first = enrol("Ann"), bo, photo;

    (void)state;
    photo = enrol("Bo");
    bo = last->id;
    read_log(0);
    read_log(1);
    assert_int_equal(count(nodes[1]->templates), 2);
    drop(STORE_PHOTO_DELETE, first);
    drop(STORE_PERSON_DELETE, bo);
    enrol("Cleo");
    read_log(0);
    compact(INT64_MAX);
    enrol("Dora");
    read_log(0);
    read_log(1);
    assert_int_equal(nodes[0]->restarts, 0);
    assert_int_equal(nodes[1]->restarts, 1);
    expect_same(nodes[0], nodes[1]);
    assert_int_equal(count(nodes[0]->templates), 2);
    read_log(1);
    assert_int_equal(nodes[1]->restarts, 1);
    (void)photo;
}

static void test_a_node_whose_first_reading_is_overtaken_begins_again(void **state)
{
    int64_t photos[3 * PAGE];

    (void)state;
    for (int i = 0; i < 3 * PAGE; i++)
        photos[i] = enrol("Ann");
    read_log(0);
    nodes[1]->log.page = PAGE;
    read_log(1);
    nodes[1]->log.cursor = PAGE; /* as if only the first page had been read */
    drop(STORE_PHOTO_DELETE, photos[0]);
    compact(INT64_MAX);
    drop(STORE_PHOTO_DELETE, photos[1]);
    read_log(0);
    read_log(1);
    assert_int_equal(nodes[1]->restarts, 1);
    assert_int_equal(count(nodes[1]->templates), 3 * PAGE - 2);
    assert_int_equal(nodes[0]->restarts, 1);
    expect_same(nodes[0], nodes[1]);
}

static void test_a_long_log_is_compacted_batch_by_batch(void **state)
{
    enum { BATCH = 500 };

    (void)state;
    for (int i = 0; i < BATCH + 1; i++)
        drop(STORE_PERSON_DELETE, person("Bo"));
    enrol("Ann");
    compact(INT64_MAX);
    assert_true(last->more);
    assert_int_equal(log_rows(), 1 + 2);
    compact(INT64_MAX);
    assert_false(last->more);
    assert_int_equal(log_rows(), 2);
    compact(INT64_MAX); /* nothing is left to do */
    assert_int_equal(log_rows(), 2);
}

#undef TEST
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_nodes, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_log_is_as_long_as_the_gallery_once_it_is_compacted),
        TEST(test_a_young_removal_stays_in_the_log),
        TEST(test_a_node_that_has_passed_the_removals_reads_on),
        TEST(test_a_node_behind_a_deleted_removal_loads_the_gallery_anew),
        TEST(test_a_node_whose_first_reading_is_overtaken_begins_again),
        TEST(test_a_long_log_is_compacted_batch_by_batch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
