/* The names of a deleted person and of its photos in other tables: the files of the known-people folder, and the labels
 * of faces that were not named yet. The rows of the folder stay, so that a file is not enrolled again; its path may
 * hold the name, and goes when the file is removed. */
#include "core/store/store_internal.h"

static int names_run(struct op *op, const char *sql, int64_t person, int64_t last)
{
    struct db_statement *s = db_query(op->db, sql);

    op->d->bind_int(s, 1, person);
    op->d->bind_int(s, 2, last);
    return db_finish(op->db, s);
}

int op_forget_photo_names(struct op *op, int64_t person, int64_t last)
{
    if (names_run(op,
                  "UPDATE known_files SET person_name = NULL, faces = NULL, reason = 'the person was deleted' WHERE "
                  "photo_id IN (SELECT id FROM person_images WHERE person_id = ? AND id <= ?) AND photo_id > 0",
                  person, last) < 0)
        return DB_ERROR;
    return names_run(op,
                     "UPDATE faces SET label = NULL WHERE person = -1 AND label > '' AND label IN (SELECT image_name "
                     "FROM person_images WHERE person_id = ? AND id <= ?)",
                     person, last);
}

int op_forget_names(struct op *op, int64_t person)
{
    if (names_run(op,
                  "UPDATE known_files SET person_name = NULL, faces = NULL, reason = 'the person was deleted' WHERE "
                  "person_name = (SELECT name FROM person WHERE id = ?) OR person_name IN (SELECT name FROM merges "
                  "WHERE into_id = ? AND state <> 4)",
                  person, person) < 0)
        return DB_ERROR;
    return op_run_with_id(op,
                          "UPDATE faces SET label = NULL WHERE person = -1 AND label = (SELECT name FROM person WHERE "
                          "id = ?)",
                          person);
}
