/* One message of each operation that writes, each as it writes most, on the records that fill_records makes
 * (operations.h). */
#ifndef KITH_TEST_UNIT_STORE_OPERATION_MESSAGES_H
#define KITH_TEST_UNIT_STORE_OPERATION_MESSAGES_H

#include "test/unit/store_world.h"

static int64_t ann, face_of_ann, unknown_face, unknown_image, running, failed, processed, photo, key, twin,
    newest_merge;

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

static void *make_upload(const char *filename)
{
    struct store_submit *m = submission("/spool/ab/abc.jpg");

    m->spooled = true;
    m->sha256 = "abc";
    m->filename = filename;
    return m;
}

static void *make_upload_name(void) /* the bytes came without one before */
{
    return make_upload("photo.jpg");
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

static void *make_posted(int64_t image)
{
    struct store_posted *m = STORE_MESSAGE(STORE_POSTED_AGAIN, store_posted);
    struct posted_file *files = arena_alloc(&m->m.arena, sizeof *files);

    *files = (struct posted_file){.id = image, .file = {1, INT64_MAX}};
    m->files = files;
    m->count = 1;
    return m;
}

static void *make_posted_running(void)
{
    return make_posted(running);
}

static void *make_posted_processed(void)
{
    return make_posted(processed);
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

static void *make_claim_embedding(uint32_t type, const char *model)
{
    struct store_claim_embedding *m = store_message_new(type, sizeof *m);

    m->model = model;
    m->lease_ms = 30000;
    return m;
}

static void *make_claim_photo(void)
{
    return make_claim_embedding(STORE_CLAIM_PHOTO, "other model");
}

static void *make_claim_word(void)
{
    return make_claim_embedding(STORE_CLAIM_WORD, "other model");
}

static void *make_embed_word(void) /* that of make_claim_word() */
{
    struct store_embed *m = STORE_MESSAGE(STORE_EMBED_WORD, store_embed);
    static const float embedding[2] = {0, 1};
    static const struct face face = {.model = "other model", .embedding = embedding, .dimension = 2};

    m->face = &face;
    if (!observer) /* only the type is asked for */
        return m;
    m->word = observer_number("SELECT MIN(id) FROM words WHERE embed_claims > 0");
    m->claim = observer_number("SELECT embed_claims FROM words WHERE embed_claims > 0 ORDER BY id LIMIT 1");
    return m;
}

static void *make_not_embedded(void)
{
    struct store_embed *m = STORE_MESSAGE(STORE_NOT_EMBEDDED, store_embed);

    m->model = "other model";
    if (!observer)
        return m;
    m->photo = observer_number("SELECT MIN(id) FROM person_images WHERE embed_until > 0");
    m->claim = observer_number("SELECT MAX(embed_claims) FROM person_images WHERE embed_until > 0");
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

static void *make_continue(void)
{
    struct store_continue *m = STORE_MESSAGE(STORE_CONTINUE, store_continue);

    m->before_ms = INT64_MAX;
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

static void *make_search_column(void)
{
    static const struct search_string string = {.what = "Ann", .bytes = "Ann", .len = 3, .text = true};
    struct store_search *m = STORE_MESSAGE(STORE_SEARCH_COLUMN, store_search);

    m->strings = &string;
    m->count = 1;
    return m;
}

#endif
