#include "actors/known/known_plan.h"

#include "actors/known/plan_index.h"
#include "core/base/must.h"
#include "core/match/face.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what is known of a file --- */

struct planner {
    const struct known_folder_view *view;
    struct known_plan *plan;
    struct plan_index rows;     /* by path */
    struct plan_index files;    /* by path */
    struct plan_index legacy;   /* by image_name */
    struct plan_index contents; /* files by content: the one that is enrolled for it */
    struct plan_index photos;   /* rows by content: photos whose file has moved, or is gone */
    struct plan_index names;    /* rows by the name of their person */
    int *row_of, *moved_to;     /* of each file its row, of each row the file that has its photo now; -1: none */
    int64_t *newest;            /* of each entry of names the newest photo */
    bool *anchored;             /* of each row: its file is where it was, with the same content */
};

static bool planner_is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    return strncmp(path, folder, n) == 0 && path[n] == '/';
}

static bool planner_has_photo(const struct known_file *row)
{
    return row->photo > 0 && row->person > 0;
}

/* Whether size and times are those of the row. A row of an older version has fewer times. */
static bool planner_is_untouched(const struct known_photo *f, const struct known_file *row)
{
    return f->size == row->size && f->mtime_ns == row->mtime_ns && (!row->ctime_ns || f->ctime_ns == row->ctime_ns);
}

/* Refused for its name, its place or its size: another setting may allow it. */
static bool planner_was_not_read(const struct known_file *row)
{
    return row->state == KNOWN_REFUSED && !row->sha256;
}

static const char *planner_content(const struct known_photo *f, const struct known_file *row)
{
    return f->sha256[0] ? f->sha256 : row && planner_is_untouched(f, row) ? row->sha256 : NULL;
}

static bool planner_has_same_content(const struct known_photo *f, const struct known_file *row)
{
    return planner_is_untouched(f, row) || (f->sha256[0] && row->sha256 && strcmp(f->sha256, row->sha256) == 0);
}

/* Whether the file was put there again after the row was written. */
static bool planner_came_back(const struct known_photo *f, const struct known_file *row)
{
    return row->gone_ms || f->size != row->size || f->mtime_ns != row->mtime_ns ||
           (row->born_ns && f->born_ns && f->born_ns != row->born_ns);
}

static const struct known_file *planner_row(const struct planner *p, int file)
{
    return p->row_of[file] < 0 ? NULL : &p->view->rows[p->row_of[file]];
}

static void planner_index_rows(struct planner *p)
{
    const struct known_folder_view *v = p->view;

    plan_index_init(&p->rows, v->row_count, v->comparisons);
    for (int i = 0; i < v->row_count; i++)
        if (v->rows[i].state != KNOWN_REPLACED)
            plan_index_add(&p->rows, v->rows[i].path, i);
    p->row_of = calloc((size_t)v->file_count + 1, sizeof *p->row_of);
    if (!p->row_of)
        out_of_memory();
    for (int i = 0; i < v->file_count; i++)
        p->row_of[i] = plan_index_find(&p->rows, v->files[i].path);
}

int known_plan_unread(const struct known_folder_view *view, bool *wanted)
{
    struct planner p = {.view = view};
    int count = 0;

    planner_index_rows(&p);
    for (int i = 0; i < view->file_count; i++) {
        const struct known_file *row = planner_row(&p, i);

        wanted[i] = !view->files[i].refused &&
                    !(row && planner_is_untouched(&view->files[i], row) && !planner_was_not_read(row));
        count += wanted[i];
    }
    plan_index_free(&p.rows);
    free(p.row_of);
    return count;
}

/* --- actions --- */

static struct known_action *planner_add(struct planner *p, enum known_action_kind kind, int file, int row)
{
    struct known_plan *plan = p->plan;

    if (plan->count == plan->capacity) {
        plan->capacity = plan->capacity ? plan->capacity * 2 : 64;
        plan->actions = realloc(plan->actions, (size_t)plan->capacity * sizeof *plan->actions);
        if (!plan->actions)
            out_of_memory();
    }
    plan->actions[plan->count] = (struct known_action){.kind = kind, .file = file, .row = row};
    return &plan->actions[plan->count++];
}

static void planner_update(struct planner *p, int file, int row, enum known_state state)
{
    planner_add(p, KNOWN_UPDATE, file, row)->state = state;
}

/* Nothing but the times of the file may have changed. */
static void planner_keep(struct planner *p, int file)
{
    const struct known_photo *f = &p->view->files[file];
    const struct known_file *row = planner_row(p, file);
    enum known_state state = row->state == KNOWN_GONE ? KNOWN_ENROLLED : row->state;

    if (!planner_is_untouched(f, row) || row->gone_ms || row->state != state || row->ctime_ns != f->ctime_ns ||
        row->born_ns != f->born_ns)
        planner_update(p, file, p->row_of[file], state);
}

/* Takes `reason`. Writes the row unless it says so already. */
static void planner_record(struct planner *p, int file, enum known_state state, char *reason)
{
    const struct known_photo *f = &p->view->files[file];
    const struct known_file *row = planner_row(p, file);
    struct known_action *action;

    if (row && row->state == state && row->reason && strcmp(row->reason, reason) == 0 && planner_is_untouched(f, row)) {
        free(reason);
        planner_keep(p, file);
        return;
    }
    action = planner_add(p, KNOWN_RECORD, file, p->row_of[file]);
    action->state = state;
    action->reason = reason;
}

/* An image_name is the file's name or the end of its path from any slash on. The oldest row wins. */
static const struct photo *planner_find_legacy(const struct planner *p, const char *path)
{
    int best = -1;

    for (const char *slash = strchr(path, '/'); slash && p->view->legacy_count; slash = strchr(slash + 1, '/')) {
        int found = plan_index_find(&p->legacy, slash + 1);

        if (found >= 0 && (best < 0 || found < best))
            best = found;
    }
    return best < 0 ? NULL : &p->view->legacy[best];
}

/* The person who has the photos of that name: a person may have been renamed, or merged into another one. */
static int64_t planner_person_of(const struct planner *p, const char *name)
{
    int row = plan_index_find(&p->names, name);

    return row < 0 ? 0 : p->view->rows[row].person;
}

static void planner_enrol(struct planner *p, int file)
{
    const struct known_photo *f = &p->view->files[file];
    const struct photo *legacy = planner_find_legacy(p, f->path);
    struct known_action *action = planner_add(p, KNOWN_ENROL, file, p->row_of[file]);

    action->legacy_row = legacy ? legacy->id : 0;
    action->person = legacy ? legacy->person : planner_person_of(p, f->person);
}

static void planner_move(struct planner *p, int file, int row)
{
    const struct known_photo *f = &p->view->files[file];
    const struct known_file *r = &p->view->rows[row];
    struct known_action *action = planner_add(p, KNOWN_MOVE, file, row);

    p->moved_to[row] = file;
    action->person_changes = !r->person_name || strcmp(r->person_name, f->person) != 0;
    action->person = action->person_changes ? planner_person_of(p, f->person) : PERSON_UNKNOWN;
}

/* --- the passes --- */

static void planner_index_legacy(struct planner *p)
{
    const struct known_folder_view *v = p->view;

    plan_index_init(&p->legacy, v->legacy_count, v->comparisons);
    for (int i = 0; i < v->legacy_count; i++) {
        const char *name = v->legacy[i].name + strspn(v->legacy[i].name, "/");

        if (*name)
            plan_index_add(&p->legacy, name, i);
    }
}

/* Photos whose files are where they were, with the same content. */
static void planner_find_anchored(struct planner *p)
{
    const struct known_folder_view *v = p->view;

    plan_index_init(&p->contents, v->file_count, v->comparisons);
    plan_index_init(&p->names, v->row_count, v->comparisons);
    for (int i = 0; i < v->file_count; i++) {
        const struct known_file *row = planner_row(p, i);

        if (!row || !planner_has_photo(row))
            continue;
        if (!v->files[i].unread && (v->files[i].refused || !planner_has_same_content(&v->files[i], row)))
            continue;
        p->anchored[p->row_of[i]] = true;
        if (row->sha256)
            plan_index_add(&p->contents, row->sha256, i);
        if (row->person_name) {
            int name = plan_index_add(&p->names, row->person_name, p->row_of[i]);

            if (row->photo > p->newest[name])
                p->newest[name] = row->photo;
        }
    }
}

static void planner_index_photos(struct planner *p)
{
    const struct known_folder_view *v = p->view;

    plan_index_init(&p->photos, v->row_count, v->comparisons);
    for (int i = 0; i < v->row_count; i++)
        if (!p->anchored[i] && planner_has_photo(&v->rows[i]) && v->rows[i].sha256 &&
            (planner_is_below(v->rows[i].path, v->folder) || v->is_absent(v->rows[i].path)))
            plan_index_add(&p->photos, v->rows[i].sha256, i);
}

/* A group photo in which likeness may decide now: its person has a photo more. */
static bool planner_may_be_told_apart(const struct planner *p, int file)
{
    const struct known_file *row = planner_row(p, file);
    int name = row->faces ? plan_index_find(&p->names, p->view->files[file].person) : -1;

    return name >= 0 && p->newest[name] > row->newest_photo;
}

/* A file that has a row with the same content, and no photo. */
static void planner_place_known(struct planner *p, int file, const char *content)
{
    const struct known_folder_view *v = p->view;
    const struct known_file *row = planner_row(p, file);
    bool other_model = row->model && v->model[0] && strcmp(row->model, v->model) != 0;

    if ((row->state == KNOWN_REFUSED && !other_model && !planner_was_not_read(row) &&
         !planner_may_be_told_apart(p, file)) ||
        (row->state == KNOWN_DUPLICATE && row->blocked)) {
        planner_keep(p, file);
    } else if ((row->state == KNOWN_ENROLLED || row->state == KNOWN_GONE) && !planner_came_back(&v->files[file], row) &&
               !planner_find_legacy(p, v->files[file].path)) {
        if (content) /* its photo was deleted by hand: no copy of the file brings it back */
            plan_index_add(&p->contents, content, file);
        planner_keep(p, file);
    } else {
        if (content)
            plan_index_add(&p->contents, content, file);
        planner_enrol(p, file);
    }
}

static char *planner_text(const char *before, const char *text, const char *after)
{
    size_t size = strlen(before) + strlen(text) + strlen(after) + 1;
    char *reason = malloc(size);

    if (!reason)
        out_of_memory();
    snprintf(reason, size, "%s%s%s", before, text, after);
    return reason;
}

static void planner_place(struct planner *p, int file)
{
    const struct known_folder_view *v = p->view;
    const struct known_photo *f = &v->files[file];
    const struct known_file *row = planner_row(p, file);
    const char *content = planner_content(f, row);
    int first, photo;

    if (f->unread && row && p->anchored[p->row_of[file]])
        return;
    if (f->refused) {
        planner_record(p, file, KNOWN_REFUSED, planner_text("", f->refused, ""));
    } else if (row && p->anchored[p->row_of[file]]) {
        if (planner_find_legacy(p, f->path))
            planner_enrol(p, file);
        else
            planner_keep(p, file);
    } else if ((first = plan_index_find(&p->contents, content)) >= 0 && first != file) {
        planner_record(p, file, KNOWN_DUPLICATE, planner_text("the same photo as ", v->files[first].path, ""));
    } else if ((photo = plan_index_find(&p->photos, content)) >= 0) {
        plan_index_add(&p->contents, content, file);
        planner_move(p, file, photo);
    } else if (row && planner_has_same_content(f, row)) {
        planner_place_known(p, file, content);
    } else {
        if (content)
            plan_index_add(&p->contents, content, file);
        planner_enrol(p, file);
    }
}

static bool planner_is_unreadable(const struct planner *p, const char *path)
{
    for (int i = 0; i < p->view->unreadable_count; i++)
        if (planner_is_below(path, p->view->unreadable[i]))
            return true;
    return false;
}

/* A row without its file. */
static void planner_miss(struct planner *p, int i)
{
    const struct known_file *row = &p->view->rows[i];

    if (row->state == KNOWN_REPLACED || !planner_has_photo(row)) {
        planner_add(p, KNOWN_FORGET, -1, i);
    } else if (!row->gone_ms) {
        planner_update(p, -1, i, KNOWN_GONE);
    } else if (p->view->forget && p->view->file_count) { /* an empty folder is more likely one that is not mounted */
        planner_add(p, KNOWN_FORGET, -1, i);
    }
}

static void planner_find_missing(struct planner *p)
{
    const struct known_folder_view *v = p->view;

    for (int i = 0; i < v->row_count; i++) {
        const struct known_file *row = &v->rows[i];
        int file = plan_index_find(&p->files, row->path);

        if (p->moved_to[i] >= 0 || !planner_is_below(row->path, v->folder))
            continue;
        if (row->state == KNOWN_REPLACED || (file < 0 && v->complete && !planner_is_unreadable(p, row->path)))
            planner_miss(p, i);
        else if (file >= 0 && !p->anchored[i] && planner_has_photo(row) && p->moved_to[i] < 0)
            planner_add(p, KNOWN_FORGET, file, i)->state = KNOWN_REPLACED; /* when a move has displaced it */
    }
}

/* A folder that was renamed: all photos of the old name have one new name, and no file has the old one. */
static void planner_find_renamed(struct planner *p)
{
    const struct known_folder_view *v = p->view;
    struct plan_index old;
    int *new_name = calloc((size_t)v->row_count + 1, sizeof *new_name); /* of each old name the file; -1: several */

    if (!new_name)
        out_of_memory();
    plan_index_init(&old, v->row_count, v->comparisons);
    for (int i = 0; i < v->row_count; i++) {
        const struct known_file *row = &v->rows[i];
        int name, to = p->moved_to[i];

        if (!row->person_name || !planner_has_photo(row) || !planner_is_below(row->path, v->folder) ||
            (row->gone_ms && to < 0)) /* it went earlier, and goes with the person */
            continue;
        name = plan_index_add(&old, row->person_name, i);
        if (name == i)
            new_name[i] = to;
        else if (to < 0 || new_name[name] < 0 || strcmp(v->files[to].person, v->files[new_name[name]].person) != 0)
            new_name[name] = -1;
    }
    for (int i = 0; i < v->file_count; i++) {
        int name = plan_index_find(&old, v->files[i].person);

        if (name >= 0)
            new_name[name] = -1;
    }
    for (int i = 0; i < p->plan->count; i++) {
        struct known_action *a = &p->plan->actions[i];
        const struct known_file *row = a->row < 0 ? NULL : &v->rows[a->row];
        int name = row && a->kind == KNOWN_MOVE ? plan_index_find(&old, row->person_name) : -1;

        if (name < 0 || new_name[name] < 0 || !a->person_changes || a->person > 0)
            continue;
        if (row->person_now && strcmp(row->person_now, row->person_name) == 0)
            a->whole_folder = true;
        else
            a->person = PERSON_UNKNOWN; /* the person was given another name by hand: it stays */
    }
    plan_index_free(&old);
    free(new_name);
}

static int planner_compare(const void *a, const void *b)
{
    const struct known_action *x = a, *y = b;

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->file != y->file ? (x->file < y->file ? -1 : 1) : (x->row > y->row) - (x->row < y->row);
}

void known_plan_make(const struct known_folder_view *view, struct known_plan *plan)
{
    struct planner p = {.view = view, .plan = plan};

    planner_index_rows(&p);
    planner_index_legacy(&p);
    plan_index_init(&p.files, view->file_count, view->comparisons);
    for (int i = 0; i < view->file_count; i++)
        plan_index_add(&p.files, view->files[i].path, i);
    p.anchored = calloc((size_t)view->row_count + 1, sizeof *p.anchored);
    p.moved_to = calloc((size_t)view->row_count + 1, sizeof *p.moved_to);
    p.newest = calloc((size_t)view->row_count + 1, sizeof *p.newest);
    if (!p.anchored || !p.moved_to || !p.newest)
        out_of_memory();
    for (int i = 0; i < view->row_count; i++)
        p.moved_to[i] = -1;
    planner_find_anchored(&p);
    planner_index_photos(&p);
    for (int i = 0; i < view->file_count; i++)
        planner_place(&p, i);
    planner_find_missing(&p);
    planner_find_renamed(&p);
    if (plan->count)
        qsort(plan->actions, (size_t)plan->count, sizeof *plan->actions, planner_compare);
    plan_index_free(&p.rows);
    plan_index_free(&p.files);
    plan_index_free(&p.legacy);
    plan_index_free(&p.contents);
    plan_index_free(&p.photos);
    plan_index_free(&p.names);
    free(p.row_of);
    free(p.anchored);
    free(p.newest);
    free(p.moved_to);
}

void known_plan_free(struct known_plan *plan)
{
    for (int i = 0; i < plan->count; i++)
        free(plan->actions[i].reason);
    free(plan->actions);
    *plan = (struct known_plan){0};
}
