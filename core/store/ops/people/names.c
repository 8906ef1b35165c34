/* Names of people: people with alike names, their keys, and the words by which they are found (core/base/name).
 *
 * name_alike is the key of the alike form; several people may have it. name_key is unique: the first of alike names has
 * the same key there, so that two nodes cannot create the same person at once; each other one has a key of its own. */
#include "core/store/store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIKE_MAX = 10 }; /* people that a refusal lists */

int op_clean_name(struct op *op, const char *name, char stored[static NAME_BYTES])
{
    enum name_flaw flaw = name_clean(name, stored, NULL);

    return flaw == NAME_OK ? 0 : op_refuse(op, STORE_BAD_NAME, "this cannot be a name: %s", name_flaw_text(flaw));
}

const char *op_alike_name(struct op *op, const char *name)
{
    char *alike = name_alike(name);
    const char *copy = arena_text(op->arena, alike ? alike : name);

    free(alike);
    return copy;
}

int op_find_alike(struct op *op, const char *name, int64_t id)
{
    struct store_reply *r = op->reply;
    struct db_statement *s =
        db_query(op->db, "SELECT id, name FROM person WHERE name_alike = ? AND id <> ? ORDER BY id LIMIT 10");
    uint8_t key[PATH_KEY_BYTES];
    int result = DB_DONE;

    op_text_key(op_alike_name(op, name), key);
    op->d->bind_blob(s, 1, key, sizeof key, 0);
    op->d->bind_int(s, 2, id);
    r->alike = arena_alloc(op->arena, ALIKE_MAX * sizeof *r->alike);
    r->alike_count = 0;
    while (r->alike_count < ALIKE_MAX && (result = db_step(op->db, s)) == DB_ROW)
        r->alike[r->alike_count++] = (struct person){.id = op->d->column_int(s, 0), .name = op_text(op, s, 1)};
    op->d->reset(s);
    return result < 0 ? result : r->alike_count;
}

int op_write_name_words(struct op *op, int64_t id, const char *name)
{
    char(*words)[NAME_WORD_BYTES] = arena_alloc(op->arena, NAME_WORDS * sizeof *words);
    int count = name_words(name, words);

    if (op_run_with_id(op, "DELETE FROM person_names WHERE person_id = ?", id) < 0)
        return DB_ERROR;
    for (int i = 0; i < count; i++) {
        struct db_statement *s =
            db_query(op->db, "{INSERT OR IGNORE|INSERT IGNORE} INTO person_names(word, person_id) VALUES(?, ?)");

        db_bind_text(op->db, s, 1, words[i]);
        op->d->bind_int(s, 2, id);
        if (db_finish(op->db, s) < 0)
            return DB_ERROR;
    }
    return 0;
}

/* The key of a person whose name another one has already. */
static void names_own_key(struct op *op, int64_t id, const char *alike, uint8_t key[static PATH_KEY_BYTES])
{
    op_text_key(arena_printf(op->arena, "%lld:%s", (long long)id, alike), key);
}

int op_write_name(struct op *op, int64_t id, const char *name, bool twin)
{
    struct db_statement *s =
        db_query(op->db, "UPDATE person SET name = ?, name_key = ?, name_alike = ?, name_form = 1 WHERE id = ?");
    const char *alike = op_alike_name(op, name);
    uint8_t key[PATH_KEY_BYTES], unique[PATH_KEY_BYTES];

    op_text_key(alike, key);
    op_text_key(alike, unique);
    if (twin)
        names_own_key(op, id, alike, unique);
    db_bind_text(op->db, s, 1, name);
    op->d->bind_blob(s, 2, unique, sizeof unique, 0);
    op->d->bind_blob(s, 3, key, sizeof key, 0);
    op->d->bind_int(s, 4, id);
    return db_finish(op->db, s) < 0 ? DB_ERROR : op_write_name_words(op, id, name);
}

static int names_announce(struct op *op, int64_t id)
{
    int result = op_gallery_log(op, GALLERY_PERSON_NAMED, id, 0);

    return result < 0 ? result : op_event(op, EVENT_PERSON, 0, id);
}

int op_person_make(struct op *op, const char *name, int64_t *id)
{
    struct db_statement *s = db_query(op->db, "INSERT INTO person(name) VALUES(?)");
    int result = op_find_alike(op, name, 0);

    if (result < 0)
        return result;
    db_bind_text(op->db, s, 1, name);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    *id = op->d->last_id(op->db);
    return op_write_name(op, *id, name, result > 0) < 0 ? DB_ERROR : names_announce(op, *id);
}

/* `name` is clean. Sets *id to 0 when another node inserted it at the same time. */
static int names_insert(struct op *op, const char *name, int64_t *id)
{
    struct db_statement *s = db_query(op->db, "{INSERT OR IGNORE|INSERT IGNORE} INTO person(name, name_key, "
                                              "name_alike, name_form) VALUES(?, ?, ?, 1)");
    uint8_t key[PATH_KEY_BYTES];
    int result;

    op_text_key(op_alike_name(op, name), key);
    db_bind_text(op->db, s, 1, name);
    op->d->bind_blob(s, 2, key, sizeof key, 0);
    op->d->bind_blob(s, 3, key, sizeof key, 0);
    if ((result = db_finish(op->db, s)) < 0)
        return result;
    *id = op->d->changes(op->db) ? op->d->last_id(op->db) : 0;
    return *id ? op_write_name_words(op, *id, name) : 0;
}

static int names_refuse_several(struct op *op)
{
    const struct store_reply *r = op->reply;
    char ids[160] = "";
    size_t n = 0;

    for (int i = 0; i < r->alike_count && n + 24 < sizeof ids; i++)
        n += (size_t)snprintf(ids + n, sizeof ids - n, "%s%lld", i ? ", " : "", (long long)r->alike[i].id);
    return op_refuse(op, STORE_CONFLICT, "several people have this name; say which one by its id: %s%s", ids,
                     r->alike_count == ALIKE_MAX ? ", …" : "");
}

int op_person_by_name(struct op *op, const char *name, int64_t *id, bool *made)
{
    char clean[NAME_BYTES];
    int result;

    *made = false;
    if ((result = op_clean_name(op, name, clean)) < 0 || (result = op_adopt_people(op)) < 0 ||
        (result = op_find_alike(op, clean, 0)) < 0)
        return result;
    if (result == 0) {
        if ((result = names_insert(op, clean, id)) < 0)
            return result;
        *made = *id != 0;
        if (*made)
            return names_announce(op, *id);
        if ((result = op_find_alike(op, clean, 0)) <= 0)
            return result < 0 ? result : DB_ERROR;
    }
    if (op->reply->alike_count > 1)
        return names_refuse_several(op);
    *id = op->reply->alike[0].id;
    return 0;
}
