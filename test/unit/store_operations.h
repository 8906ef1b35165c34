/* One message of each operation of the store, on records that fill_records makes; and a hash of all tables. Included by
 * one file a program. */
#ifndef KITH_TEST_UNIT_STORE_OPERATIONS_H
#define KITH_TEST_UNIT_STORE_OPERATIONS_H

#include "test/unit/store_world.h"

/* --- the operations, each as it writes most --- */

static int64_t ann, face_of_ann, unknown_face, unknown_image, running, failed, photo, key, twin, newest_merge;

static void *make_submit(void)
{
    struct store_submit *m = submission("/new");

    m->idempotency_key = "key";
    m->request_hash = "hash";
    m->trace = "trace";
    return m;
}

static void *make_submit_again(void) /* its file was missing */
{
    return submission("/gone");
}

static void *make_claim(void)
{
    struct store_claim *m = STORE_MESSAGE(STORE_CLAIM, store_claim);

    m->max = 10;
    m->owner = "me";
    m->lease_ms = 30000;
    return m;
}

static void *make_finish(void)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    m->id = running;
    m->attempt = 1;
    m->faces = arena_alloc(&m->m.arena, sizeof *m->faces);
    m->face_count = 1;
    m->faces[0] = (struct face){.width = 10, .model = "m", .person = ann, .similarity = 0.9};
    return m;
}

static void *make_renew(void)
{
    struct store_renew *m = STORE_MESSAGE(STORE_RENEW, store_renew);
    static const int64_t attempt = 1;

    m->ids = &running;
    m->attempts = &attempt;
    m->count = 1;
    m->lease_ms = 3600000;
    return m;
}

static void *make_reap(void)
{
    struct store_reap *m = STORE_MESSAGE(STORE_REAP, store_reap);

    m->not_owner = "another process";
    m->max_tries = 5;
    return m;
}

static void *make_retry(void)
{
    struct store_retry *m = STORE_MESSAGE(STORE_RETRY, store_retry);

    m->reason = "because";
    m->after.group = 2;
    return m;
}

static void *make_id(uint32_t type, int64_t id)
{
    struct store_id *m = store_message_new(type, sizeof *m);

    m->id = id;
    return m;
}

static void *make_delete(void)
{
    return make_id(STORE_DELETE, failed);
}

static void *make_key_revoke(void)
{
    return make_id(STORE_KEY_REVOKE, key);
}

static void *make_person_delete(void)
{
    return make_id(STORE_PERSON_DELETE, ann);
}

static void *make_photo_delete(void)
{
    return make_id(STORE_PHOTO_DELETE, photo);
}

static void *make_person_add(void)
{
    struct store_person *m = STORE_MESSAGE(STORE_PERSON_ADD, store_person);

    m->name = "Bo";
    return m;
}

static void *make_person_rename(void)
{
    struct store_person *m = STORE_MESSAGE(STORE_PERSON_RENAME, store_person);

    m->id = ann;
    m->name = "Annabel";
    m->notes = "{}";
    m->choose_portrait = true;
    m->portrait_photo = photo;
    return m;
}

static void *make_merge(void)
{
    struct store_merge *m = STORE_MESSAGE(STORE_MERGE, store_merge);

    m->person = twin;
    m->into = ann;
    m->said_by = "admin";
    return m;
}

static void *make_merge_undo(void)
{
    struct store_merge *m = STORE_MESSAGE(STORE_MERGE_UNDO, store_merge);

    m->merge = newest_merge;
    return m;
}

static void *make_photo_add(void)
{
    struct store_photo *m = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo);
    static const float embedding[2] = {1, 0};

    m->person_name = "Cleo";
    m->photo_name = "cleo.jpg";
    m->path = "/people/cleo.jpg";
    m->sha256 = "new";
    m->model = "m";
    m->embedding = embedding;
    m->dimension = 2;
    return m;
}

static struct store_name_face *make_name(uint32_t type, int64_t face, const char *name)
{
    struct store_name_face *m = store_message_new(type, sizeof *m);

    m->face = face;
    m->person_name = name;
    return m;
}

static void *make_name_face(void)
{
    return make_name(STORE_NAME_FACE, unknown_face, "Dora");
}

static void *make_name_unknown(void)
{
    return make_name(STORE_NAME_UNKNOWN_PERSON, unknown_face, "Emil");
}

static void *make_word(void)
{
    struct store_word *m = STORE_MESSAGE(STORE_WORD, store_word);

    m->kind = WORD_NOT;
    m->face = face_of_ann;
    m->person = ann;
    m->said_by = "tester";
    return m;
}

static void *make_ignore_unknown(void)
{
    struct store_word *m = STORE_MESSAGE(STORE_IGNORE_UNKNOWN_PERSON, store_word);

    m->kind = WORD_IGNORED;
    m->face = unknown_face;
    return m;
}

static void *make_draw(void)
{
    struct store_draw *m = STORE_MESSAGE(STORE_DRAW_FACE, store_draw);
    struct face *face = arena_alloc(&m->m.arena, sizeof *face);
    float *embedding = arena_alloc(&m->m.arena, 2 * sizeof *embedding);

    *face = (struct face){
        .x = 50, .y = 50, .width = 10, .height = 10, .model = "m", .embedding = embedding, .dimension = 2};
    m->image = unknown_image;
    m->face = face;
    m->named = true;
    m->person_name = "Finn";
    return m;
}

static void *make_resolve(void)
{
    struct store_resolve *m = STORE_MESSAGE(STORE_RESOLVE, store_resolve);
    struct resolved *r = arena_alloc(&m->m.arena, sizeof *r);

    *r = (struct resolved){
        .face = unknown_face, .image = unknown_image, .was = PERSON_UNKNOWN, .person = ann, .distance = 0.2};
    m->faces = r;
    m->count = 1;
    return m;
}

static void *make_known_file(void)
{
    struct store_known *m = STORE_MESSAGE(STORE_KNOWN_FILE, store_known);

    m->file = (struct known_file){.path = "/people/x.jpg", .person_name = "x", .size = 3};
    return m;
}

static struct store_known *make_known(uint32_t type, const char *path)
{
    struct store_known *m = store_message_new(type, sizeof *m);

    m->file = (struct known_file){.path = path, .person_name = "Cleo", .size = 3, .sha256 = "abc", .model = "m"};
    return m;
}

static void *make_known_move(void)
{
    struct store_known *m = make_known(STORE_KNOWN_MOVE, "/people/Cleo/moved.jpg");

    m->file.photo = photo;
    m->photo_name = "moved.jpg";
    return m;
}

static void *make_known_forget(void)
{
    return make_known(STORE_KNOWN_FORGET, "/people/forget.jpg");
}

static void *make_known_update(void)
{
    static const struct known_file file = {.path = "/people/cleo.jpg", .size = 4, .state = KNOWN_GONE, .gone_ms = 1};
    struct store_known_update *m = STORE_MESSAGE(STORE_KNOWN_UPDATE, store_known_update);

    m->files = &file;
    m->count = 1;
    m->sweep = true;
    return m;
}

static void *make_known_report(void)
{
    struct store_known_report *m = STORE_MESSAGE(STORE_KNOWN_REPORT, store_known_report);

    m->states = 0x7f;
    m->limit = 10;
    return m;
}

static void *make_photo_not_embedded(void)
{
    struct store_text *m = STORE_MESSAGE(STORE_PHOTO_NOT_EMBEDDED, store_text);

    m->id = photo;
    m->text = "other model";
    return m;
}

static void *make_quarantine(void)
{
    struct store_text *m = STORE_MESSAGE(STORE_QUARANTINE, store_text);

    m->text = "abc";
    m->for_ms = 1000;
    return m;
}

static void *make_prune(void)
{
    struct store_prune *m = STORE_MESSAGE(STORE_PRUNE, store_prune);

    m->events_keep = 2;
    m->gallery_log_before_ms = INT64_MAX;
    return m;
}

/* A face of that label is unknown until Ann's photo of that name is there. */
static void label_again(void);

static void *make_resolve_labels(void)
{
    struct store_text *m = STORE_MESSAGE(STORE_RESOLVE_LABELS, store_text);

    m->text = "";
    return m;
}

static void *make_register_node(void)
{
    struct store_node *m = STORE_MESSAGE(STORE_REGISTER_NODE, store_node);
    static int64_t boot;

    m->node = "one";
    m->boot = boot += 1;
    return m;
}

static void *make_key_add(void)
{
    struct store_key *m = STORE_MESSAGE(STORE_KEY_ADD, store_key);

    m->name = "k";
    m->roles = "read";
    m->hash = "abc";
    return m;
}

static void *make_correct_counts(void)
{
    struct store_counts *m = STORE_MESSAGE(STORE_CORRECT_COUNTS, store_counts);

    m->counts.by_status[IMAGE_FAILED] = 1;
    return m;
}

static void *make_expire(void)
{
    struct store_expire *m = STORE_MESSAGE(STORE_EXPIRE, store_expire);

    m->before_ms = INT64_MAX;
    m->after = unknown_image - 1;
    return m;
}

static void *make_eraser(uint32_t type, const char *node)
{
    enum { IDS = 100 }; /* a rolled back insertion uses up an id in MariaDB */
    struct store_eraser *m = store_message_new(type, sizeof *m);
    int64_t *ids = arena_alloc(&m->m.arena, IDS * sizeof *ids);

    for (int i = 0; i < IDS; i++)
        ids[i] = i + 1;
    m->node = node;
    m->ids = ids;
    m->count = IDS;
    return m;
}

static void *make_forget_unknown(void)
{
    return make_id(STORE_FORGET_UNKNOWN, unknown_face);
}

static void *make_eraser_join(void)
{
    return make_eraser(STORE_ERASER_JOIN, "another");
}

static void *make_erased(void)
{
    return make_eraser(STORE_ERASED, "test");
}

static void *make_erasures(void)
{
    return make_eraser(STORE_ERASURES, "test");
}

static void *make_audit_add(void)
{
    struct store_audit *m = STORE_MESSAGE(STORE_AUDIT_ADD, store_audit);

    m->entry = (struct audit_entry){.who = "key", .action = "face named", .person = ann, .detail = "more"};
    return m;
}

static void *make_audit_list(void)
{
    struct store_audit_list *m = STORE_MESSAGE(STORE_AUDIT, store_audit_list);

    m->limit = 10;
    return m;
}

static void *make_traces(void)
{
    struct store_traces *m = STORE_MESSAGE(STORE_TRACES, store_traces);

    m->image = unknown_image;
    m->person = ann;
    m->text = "Ann";
    m->embedding = "01234567";
    m->embedding_bytes = 8;
    return m;
}

static void *make_look_again(enum look_again_action action)
{
    struct store_look_again *m = STORE_MESSAGE(STORE_LOOK_AGAIN, store_look_again);

    m->action = action;
    m->filter.verdict = -1;
    m->max = 10;
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

static void *make_list(uint32_t type)
{
    struct store_list *m = store_message_new(type, sizeof *m);

    m->status = m->verdict = -1;
    m->limit = 10;
    return m;
}

static void *make_image(void)
{
    return make_id(STORE_IMAGE, unknown_image);
}

static void *make_face(void)
{
    return make_id(STORE_FACE, unknown_face);
}

static void *make_photos(void)
{
    return make_id(STORE_PHOTOS, ann);
}

static void *make_portrait(void)
{
    return make_id(STORE_PORTRAIT, ann);
}

static void *make_person_faces(void)
{
    struct store_list *m = make_list(STORE_PERSON_FACES);

    m->person = ann;
    return m;
}

static void *make_again_faces(void)
{
    return make_list(STORE_AGAIN_FACES);
}

static void *make_photo_person(void)
{
    struct store_text *m = STORE_MESSAGE(STORE_PHOTO_PERSON, store_text);

    m->text = "cleo.jpg";
    return m;
}

static void *make_path_in_use(void)
{
    struct store_text *m = STORE_MESSAGE(STORE_PATH_IN_USE, store_text);

    m->text = "/nowhere";
    return m;
}

#define LIST(name, type)                                                                                               \
    static void *name(void)                                                                                            \
    {                                                                                                                  \
        return make_list(type);                                                                                        \
    }
LIST(make_known_photo, STORE_KNOWN_PHOTO)
LIST(make_images, STORE_IMAGES)
LIST(make_events, STORE_EVENTS)
LIST(make_status_counts, STORE_STATUS_COUNTS)
LIST(make_recount, STORE_RECOUNT)
LIST(make_people, STORE_PEOPLE)
LIST(make_changes, STORE_GALLERY_CHANGES)
LIST(make_unknown_faces, STORE_UNKNOWN_FACES)
LIST(make_unknown_people, STORE_UNKNOWN_PEOPLE)
LIST(make_known_files, STORE_KNOWN_FILES)
LIST(make_quarantined, STORE_QUARANTINED)
LIST(make_unembedded_photos, STORE_UNEMBEDDED_PHOTOS)
LIST(make_template_counts, STORE_TEMPLATE_COUNTS)
LIST(make_adopted_photos, STORE_ADOPTED_PHOTOS)
LIST(make_keys, STORE_KEYS)
LIST(make_cluster, STORE_CLUSTER)
LIST(make_merges, STORE_MERGES)

static const struct {
    const char *name;
    void *(*make)(void);
    bool reads;
} operations[] = {
    {"submit", make_submit, false},
    {"submit again", make_submit_again, false},
    {"renew", make_renew, false},
    {"finish", make_finish, false},
    {"claim", make_claim, false},
    {"reap", make_reap, false},
    {"retry", make_retry, false},
    {"delete", make_delete, false},
    {"person add", make_person_add, false},
    {"person rename", make_person_rename, false},
    {"photo add", make_photo_add, false},
    {"photo not embedded", make_photo_not_embedded, false},
    {"known move", make_known_move, false},
    {"known update", make_known_update, false},
    {"known forget", make_known_forget, false},
    {"photo delete", make_photo_delete, false},
    {"resolve", make_resolve, false},
    {"draw face", make_draw, false},
    {"word", make_word, false},
    {"known file", make_known_file, false},
    {"quarantine", make_quarantine, false},
    {"key add", make_key_add, false},
    {"key revoke", make_key_revoke, false},
    {"correct counts", make_correct_counts, false},
    {"eraser join", make_eraser_join, false},
    {"erased", make_erased, false},
    {"audit add", make_audit_add, false},
    {"look again: begin", make_look_again_begin, false},
    {"look again: cancel", make_look_again_cancel, false},
    {"look again: begin another", make_look_again_begin, false},
    {"look again: step", make_look_again_step, false},
    {"look again: count", make_look_again_count, true},
    {"operation", make_operation, true},
    {"register node", make_register_node, false},
    {"resolve labels", make_resolve_labels, false},
    {"image", make_image, true},
    {"face", make_face, true},
    {"photos", make_photos, true},
    {"images", make_images, true},
    {"events", make_events, true},
    {"status counts", make_status_counts, true},
    {"people", make_people, true},
    {"gallery changes", make_changes, true},
    {"unknown faces", make_unknown_faces, true},
    {"unknown people", make_unknown_people, true},
    {"known files", make_known_files, true},
    {"known report", make_known_report, true},
    {"unembedded photos", make_unembedded_photos, true},
    {"template counts", make_template_counts, true},
    {"quarantined", make_quarantined, true},
    {"path in use", make_path_in_use, true},
    {"recount", make_recount, true},
    {"person faces", make_person_faces, true},
    {"faces to decide again", make_again_faces, true},
    {"adopted photos", make_adopted_photos, true},
    {"photo person", make_photo_person, true},
    {"known photo", make_known_photo, true},
    {"keys", make_keys, true},
    {"cluster", make_cluster, true},
    {"merges", make_merges, true},
    {"portrait", make_portrait, true},
    {"erasures", make_erasures, true},
    {"audit", make_audit_list, true},
    {"traces", make_traces, true},
};

/* Two operations each need an unknown face of their own. */
static const struct {
    const char *name;
    void *(*make)(void);
} last_operations[] = {
    {"name face", make_name_face},
    {"name unknown person", make_name_unknown},
    {"merge", make_merge},
    {"merge undo", make_merge_undo},
    {"ignore unknown person", make_ignore_unknown},
    {"person delete", make_person_delete},
    {"forget unknown", make_forget_unknown},
    {"expire", make_expire},
    {"prune", make_prune},
};

static void unknown_again(const char *path)
{
    struct store_resolve *m = STORE_MESSAGE(STORE_RESOLVE, store_resolve);
    struct resolved *r = arena_alloc(&m->m.arena, sizeof *r);

    unknown_image = submit(path);
    claim(10);
    assert_int_equal(finish_with_face(unknown_image, 1, PERSON_UNKNOWN, 0)->changed, 1);
    unknown_face = image(unknown_image)->faces[0].id;
    *r = (struct resolved){.face = unknown_face,
                           .image = unknown_image,
                           .was = PERSON_UNKNOWN,
                           .person = PERSON_UNKNOWN,
                           .unknown_person = unknown_face};
    m->faces = r;
    m->count = 1;
    assert_int_equal(ask(m)->status, STORE_OK);
    ask(make_merges());
    newest_merge = last->merge_count ? last->merges[0].id : 0;
}

static int64_t twin_of(const char *name)
{
    struct store_person *m = STORE_MESSAGE(STORE_PERSON_ADD, store_person);

    m->name = name;
    m->another = true;
    return ask(m)->id;
}

static void label_again(void)
{
    int64_t id = submit("/labelled");

    claim(10);
    assert_int_equal(finish_with_label(id, "Bob")->changed, 1);
    person("Bob");
}

static void fill_records(void)
{
    int64_t known = submit("/ann"), gone;
    struct store_photo *p = make_photo_add();

    assert_int_equal(ask(make_eraser(STORE_ERASER_JOIN, "test"))->status, STORE_OK);
    label_again();
    key = ask(make_key_add())->id;
    ann = person("Ann");
    failed = submit("/failed");
    gone = submit("/gone");
    claim(10);
    finish_gone(gone, 1);
    finish_with_face(known, 1, ann, 0.3);
    face_of_ann = image(known)->faces[0].id;
    finish(failed, 1, OUTCOME_FAILED, false);
    p->person_name = NULL;
    p->person = ann;
    p->sha256 = "abc";
    p->chosen = true;
    photo = ask(p)->photos[0].id;
    for (int i = 0; i < 3; i++) { /* a file that stands for that photo, one that is forgotten, an empty person */
        struct store_known *k = make_known(STORE_KNOWN_FILE, i == 0 ? "/people/cleo.jpg" : "/people/forget.jpg");

        p = make_photo_add();
        p->sha256 = i == 0 ? "ghi" : "def";
        p->person_name = i == 2 ? "Nobody" : "Forgotten";
        p->chosen = p->from_folder = true;
        k->file.photo = i == 0 ? photo : ask(p)->photos[0].id;
        k->file.state = KNOWN_ENROLLED;
        if (i == 2)
            ask(make_id(STORE_PHOTO_DELETE, k->file.photo));
        else
            ask(k);
        if (i == 0)
            msg_unref(&p->m.head);
        if (i == 2)
            msg_unref(&k->m.head);
    }
    twin = twin_of("Ann");
    unknown_again("/unknown");
    running = submit("/running");
    claim(10);
    submit("/waiting");
}

#endif
