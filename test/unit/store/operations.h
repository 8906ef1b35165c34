/* Lists of all operations of the store, each with a message, and the records they work on. Included by one file a
 * program. */
#ifndef KITH_TEST_UNIT_STORE_OPERATIONS_H
#define KITH_TEST_UNIT_STORE_OPERATIONS_H

#include "test/unit/store/look_again_messages.h"
#include "test/unit/store/operation_messages.h"

/* --- operations that read --- */

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
LIST(make_template_counts, STORE_TEMPLATE_COUNTS)
LIST(make_adopted_photos, STORE_ADOPTED_PHOTOS)
LIST(make_keys, STORE_KEYS)
LIST(make_cluster, STORE_CLUSTER)
LIST(make_merges, STORE_MERGES)

/* --- the lists --- */

static const struct {
    const char *name;
    void *(*make)(void);
    bool reads;
} operations[] = {
    {"submit", make_submit, false},
    {"submit again", make_submit_again, false},
    {"submit the name of an upload", make_upload_name, false},
    {"renew", make_renew, false},
    {"posted again, during its run", make_posted_running, false},
    {"finish", make_finish, false},
    {"posted again", make_posted_processed, false},
    {"claim", make_claim, false},
    {"reap", make_reap, false},
    {"retry", make_retry, false},
    {"delete", make_delete, false},
    {"person add", make_person_add, false},
    {"person rename", make_person_rename, false},
    {"photo add", make_photo_add, false},
    {"claim photo", make_claim_photo, false},
    {"not embedded", make_not_embedded, false},
    {"known move", make_known_move, false},
    {"known update", make_known_update, false},
    {"known forget", make_known_forget, false},
    {"photo delete", make_photo_delete, false},
    {"resolve", make_resolve, false},
    {"draw face", make_draw, false},
    {"word", make_word, false},
    {"claim word", make_claim_word, false},
    {"embed word", make_embed_word, false},
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
    {"continue", make_continue, false},
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
    {"search column", make_search_column, true},
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

/* The deletion of a person that was cut short. */
static void begin_deletion(void)
{
    person("Cut");
    observer_run("INSERT INTO unfinished(scope, subject, kind, batch_at) SELECT 1, id, 1, 1 FROM person WHERE name = "
                 "'Cut'");
}

/* A face with a label, and then the person of that name. */
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
    processed = submit("/processed");
    claim(10);
    finish_gone(gone, 1);
    finish_with_face(known, 1, ann, 0.3);
    face_of_ann = image(known)->faces[0].id;
    finish(failed, 1, OUTCOME_FAILED, false);
    finish(processed, 1, OUTCOME_FACES, false);
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
    begin_deletion();
    twin = twin_of("Ann");
    unknown_again("/unknown");
    running = submit("/running");
    claim(10);
    submit("/waiting");
    assert_int_equal(ask(make_upload(NULL))->status, STORE_OK);
}

#endif
