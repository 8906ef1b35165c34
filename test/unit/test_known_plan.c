/* The plan for the known-people folder: rows of the store and files of the folder become actions. */
#include "actors/known/known_plan.h"

#include "test/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 8, TEXT_MAX = 1024 };

/* A file is "NAME/file content", where the content is one letter; "?" is one that cannot be read now, "!" one that is
 * refused. `touched`: its times differ from those of its row. */
struct entry {
    const char *path, *content;
    bool touched, born_again;
};

struct row {
    const char *path, *content;
    enum known_state state;
    int64_t photo, person; /* person 0: the photo was deleted */
    const char *name_now;  /* of the person; NULL: the folder's */
    bool gone;
    const char *model; /* NULL: the one in use */
    bool blocked;
    int64_t newest_photo; /* of a group photo */
};

static const struct plan_case {
    const char *what;
    struct row rows[ENTRIES_MAX];
    struct entry files[ENTRIES_MAX];
    const char *expected;
    bool incomplete, forget;
    const char *unreadable;
} cases[] = {
    {.what = "a new file is enrolled", .files = {{"Ann/1", "a"}}, .expected = "enrol Ann/1"},
    {.what = "an enrolled file stays",
     .rows = {{"Ann/1", "a", KNOWN_ENROLLED, 1, 7}},
     .files = {{"Ann/1", "a"}},
     .expected = ""},
    {.what = "a touched file with the same content only gets its times",
     .rows = {{"Ann/1", "a", KNOWN_ENROLLED, 1, 7}},
     .files = {{"Ann/1", "a", .touched = true}},
     .expected = "update Ann/1 enrolled"},
    {.what = "an overwritten file is enrolled; the photo that it was may be displaced",
     .rows = {{"Ann/1", "a", KNOWN_ENROLLED, 1, 7}},
     .files = {{"Ann/1", "b", .touched = true}},
     .expected = "enrol Ann/1, forget Ann/1"},
    {.what = "a file that moved takes its photo along",
     .rows = {{"Ann/1", "a", KNOWN_ENROLLED, 1, 7}, {"Ann/2", "b", KNOWN_ENROLLED, 2, 7}},
     .files = {{"Ann/2", "b"}, {"Bo/1", "a", .touched = true}},
     .expected = "move Bo/1 from Ann/1"},
    {.what = "a renamed file keeps its person",
     .rows = {{"Ann/1", "a", KNOWN_ENROLLED, 1, 7}},
     .files = {{"Ann/9", "a", .touched = true}},
     .expected = "move Ann/9 from Ann/1 same person"},
    {.what = "a renamed folder renames its person",
     .rows = {{"Barak/1", "a", KNOWN_ENROLLED, 1, 7}, {"Barak/2", "b", KNOWN_ENROLLED, 2, 7}},
     .files = {{"Barack/1", "a", .touched = true}, {"Barack/2", "b", .touched = true}},
     .expected = "move Barack/1 from Barak/1 whole, move Barack/2 from Barak/2 whole"},
    {.what = "a renamed folder of a person who was renamed by hand keeps that name",
     .rows = {{"ann/1", "a", KNOWN_ENROLLED, 1, 7, "Ann Smith"}},
     .files = {{"anna/1", "a", .touched = true}},
     .expected = "move anna/1 from ann/1 same person"},
    {.what = "a folder that was split is no renamed one",
     .rows = {{"Ann/1", "a", KNOWN_ENROLLED, 1, 7}, {"Ann/2", "b", KNOWN_ENROLLED, 2, 7}},
     .files = {{"Bo/1", "a", .touched = true}, {"Cleo/2", "b", .touched = true}},
     .expected = "move Bo/1 from Ann/1, move Cleo/2 from Ann/2"},
    {.what = "a folder that merged into another gives its photos to the person there",
     .rows = {{"Barak/1", "a", KNOWN_ENROLLED, 1, 7}, {"Barack/2", "b", KNOWN_ENROLLED, 2, 8}},
     .files = {{"Barack/1", "a", .touched = true}, {"Barack/2", "b"}},
     .expected = "move Barack/1 from Barak/1 person 8"},
    {.what = "a new file belongs to the person who has the folder's photos",
     .rows = {{"ann/1", "a", KNOWN_ENROLLED, 1, 7, "Ann Smith"}},
     .files = {{"ann/1", "a"}, {"ann/2", "b"}},
     .expected = "enrol ann/2 person 7"},
    {.what = "two files change places",
     .rows = {{"Ann/1", "a", KNOWN_ENROLLED, 1, 7}, {"Bo/1", "b", KNOWN_ENROLLED, 2, 8}},
     .files = {{"Ann/1", "b", .touched = true}, {"Bo/1", "a", .touched = true}},
     .expected = "move Ann/1 from Bo/1, move Bo/1 from Ann/1"},
    {.what = "a copy is a duplicate of the enrolled one, wherever it sorts",
     .rows = {{"Bo/1", "a", KNOWN_ENROLLED, 1, 8}},
     .files = {{"Ann/1", "a"}, {"Bo/1", "a"}},
     .expected = "record Ann/1 duplicate: the same photo as Bo/1"},
    {.what = "of two new copies the first is enrolled",
     .files = {{"Ann/1", "a"}, {"Bo/1", "a"}},
     .expected = "enrol Ann/1, record Bo/1 duplicate: the same photo as Ann/1"},
    {.what = "a duplicate takes over when the first one goes",
     .rows = {{"Ann/1", "a", KNOWN_ENROLLED, 1, 7}, {"Bo/1", "a", KNOWN_DUPLICATE}},
     .files = {{"Bo/1", "a"}},
     .expected = "move Bo/1 from Ann/1 whole"},
    {.what = "a file that went is marked",
     .rows = {{"Ann/1", "a", KNOWN_ENROLLED, 1, 7}, {"Bo/1", "b", KNOWN_ENROLLED, 2, 8}},
     .files = {{"Bo/1", "b"}},
     .expected = "update Ann/1 gone",
     .forget = true},
    {.what = "a file that was gone before is forgotten by the setting",
     .rows = {{"Ann/1", "a", KNOWN_GONE, 1, 7, .gone = true}, {"Bo/1", "b", KNOWN_ENROLLED, 2, 8}},
     .files = {{"Bo/1", "b"}},
     .expected = "forget Ann/1",
     .forget = true},
    {.what = "without the setting it stays listed",
     .rows = {{"Ann/1", "a", KNOWN_GONE, 1, 7, .gone = true}, {"Bo/1", "b", KNOWN_ENROLLED, 2, 8}},
     .files = {{"Bo/1", "b"}},
     .expected = ""},
    {.what = "an empty folder forgets nobody",
     .rows = {{"Ann/1", "a", KNOWN_GONE, 1, 7, .gone = true}},
     .expected = "",
     .forget = true},
    {.what = "a list that was cut short shows nothing as gone",
     .rows = {{"Ann/1", "a", KNOWN_ENROLLED, 1, 7}},
     .files = {{"Bo/1", "b"}},
     .expected = "enrol Bo/1",
     .incomplete = true},
    {.what = "files below a folder that cannot be read are not gone",
     .rows = {{"Ann/1", "a", KNOWN_ENROLLED, 1, 7}, {"Anna/1", "b", KNOWN_ENROLLED, 2, 8}},
     .expected = "update Anna/1 gone",
     .unreadable = "Ann"},
    {.what = "a file that cannot be read now stays enrolled",
     .rows = {{"Ann/1", "a", KNOWN_ENROLLED, 1, 7}},
     .files = {{"Ann/1", "?", .touched = true}},
     .expected = ""},
    {.what = "a file that comes back is enrolled still",
     .rows = {{"Ann/1", "a", KNOWN_GONE, 1, 7, .gone = true}},
     .files = {{"Ann/1", "a"}},
     .expected = "update Ann/1 enrolled"},
    {.what = "the file of a deleted person enrols nobody, nor do its copies",
     .rows = {{"Ann/1", "a", KNOWN_ENROLLED, 1, 0}},
     .files = {{"Ann/1", "a"}, {"Ann/2", "a"}},
     .expected = "record Ann/2 duplicate: the same photo as Ann/1"},
    {.what = "the file of a deleted person that came back enrols again",
     .rows = {{"Ann/1", "a", KNOWN_ENROLLED, 1, 0}},
     .files = {{"Ann/1", "a", .born_again = true}},
     .expected = "enrol Ann/1"},
    {.what = "the file of a deleted person that went leaves no row",
     .rows = {{"Ann/1", "a", KNOWN_ENROLLED, 1, 0}},
     .files = {{"Bo/1", "b"}},
     .expected = "enrol Bo/1, forget Ann/1"},
    {.what = "a refused file is not tried again by the same model",
     .rows = {{"Ann/1", "a", KNOWN_REFUSED}},
     .files = {{"Ann/1", "a"}},
     .expected = ""},
    {.what = "a refused file is tried again by another model",
     .rows = {{"Ann/1", "a", KNOWN_REFUSED, .model = "old"}},
     .files = {{"Ann/1", "a"}},
     .expected = "enrol Ann/1"},
    {.what = "a copy of an uploaded photo is not tried again while that is there",
     .rows = {{"Ann/1", "a", KNOWN_DUPLICATE, .blocked = true}},
     .files = {{"Ann/1", "a"}},
     .expected = ""},
    {.what = "and is enrolled when that is deleted",
     .rows = {{"Ann/1", "a", KNOWN_DUPLICATE}},
     .files = {{"Ann/1", "a"}},
     .expected = "enrol Ann/1"},
    {.what = "a group photo is tried again when its person has a newer photo",
     .rows = {{"Ann/1", "a", KNOWN_REFUSED, .newest_photo = 4}, {"Ann/2", "b", KNOWN_ENROLLED, 5, 7}},
     .files = {{"Ann/1", "a"}, {"Ann/2", "b"}},
     .expected = "enrol Ann/1 person 7"},
    {.what = "and not when it had that photo then",
     .rows = {{"Ann/1", "a", KNOWN_REFUSED, .newest_photo = 5}, {"Ann/2", "b", KNOWN_ENROLLED, 5, 7}},
     .files = {{"Ann/1", "a"}, {"Ann/2", "b"}},
     .expected = ""},
    {.what = "a refused file that went leaves no row",
     .rows = {{"Ann/1", "a", KNOWN_REFUSED}},
     .files = {{"Bo/1", "b"}},
     .expected = "enrol Bo/1, forget Ann/1"},
    {.what = "a file that is refused unread is recorded once",
     .files = {{"Ann/1", "!"}},
     .expected = "record Ann/1 refused: for its name"},
    {.what = "a photo that a crash left aside is forgotten",
     .rows = {{"Ann/1", "a", KNOWN_REPLACED, 1, 7}, {"Ann/1", "b", KNOWN_ENROLLED, 2, 7}},
     .files = {{"Ann/1", "b"}},
     .expected = "forget Ann/1"},
    {.what = "a photo that a crash left aside is found where it is now",
     .rows = {{"Ann/1", "a", KNOWN_REPLACED, 1, 7}, {"Ann/1", "b", KNOWN_ENROLLED, 2, 7}},
     .files = {{"Ann/1", "b"}, {"Ann/2", "a"}},
     .expected = "move Ann/2 from Ann/1 same person"},
    {.what = "a row of another folder is moved when its file is not there",
     .rows = {{"../elsewhere/Ann/1", "a", KNOWN_ENROLLED, 1, 7}, {"../there/Bo/1", "b", KNOWN_ENROLLED, 2, 8}},
     .files = {{"Ann/1", "a"}, {"Bo/1", "b"}},
     .expected = "move Ann/1 from ../elsewhere/Ann/1 same person, enrol Bo/1"},
};

/* Of another folder: only "there" is there. */
static bool is_absent(const char *path)
{
    return strstr(path, "/there/") == NULL;
}

static const char *in_folder(char *path, size_t size, const char *name)
{
    if (strncmp(name, "../", 3) == 0)
        snprintf(path, size, "/%s", name + 3);
    else
        snprintf(path, size, "/known/%s", name);
    return path;
}

static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *start = path;

    for (const char *at = path; at < slash; at++)
        if (*at == '/')
            start = at + 1;
    return strndup(start, (size_t)(slash - start));
}

static const char *content_sha(const char *content)
{
    return strcmp(content, "a") == 0 ? "aa" : "bb";
}

static void fill_file(struct known_photo *f, const struct entry *e)
{
    char path[128];

    *f = (struct known_photo){.path = strdup(in_folder(path, sizeof path, e->path)),
                              .person = name_of(e->path),
                              .photo = strdup("photo"),
                              .size = 10,
                              .mtime_ns = e->touched ? 2 : 1,
                              .ctime_ns = e->touched || e->born_again ? 2 : 1,
                              .born_ns = e->born_again ? 2 : 1};
    f->unread = *e->content == '?';
    if (*e->content == '!' || f->unread)
        f->refused = strdup("for its name");
    else
        strcpy(f->sha256, content_sha(e->content));
}

static void fill_row(struct known_file *row, const struct row *r, char *path, size_t size)
{
    char *name = name_of(r->path);

    *row = (struct known_file){.path = in_folder(path, size, r->path),
                               .person_name = name,
                               .sha256 = content_sha(r->content),
                               .model = r->model ? r->model : "m",
                               .reason = r->state == KNOWN_DUPLICATE ? "another" : NULL,
                               .size = 10,
                               .mtime_ns = 1,
                               .ctime_ns = 1,
                               .born_ns = 1,
                               .photo = r->photo,
                               .person = r->person,
                               .person_now = r->name_now ? r->name_now : name,
                               .gone_ms = r->gone,
                               .blocked = r->blocked,
                               .newest_photo = r->newest_photo,
                               .faces = r->newest_photo ? "[]" : NULL,
                               .state = r->state,
                               .taken = r->photo > 0};
}

static const char *below(const char *path)
{
    static char text[4][128];
    static int at;

    at = (at + 1) % 4;
    if (strncmp(path, "/known/", 7) == 0)
        snprintf(text[at], sizeof text[at], "%s", path + 7);
    else
        snprintf(text[at], sizeof text[at], "..%s", path);
    return text[at];
}

static void write_action(const struct known_folder_view *v, const struct known_action *a, char *out, size_t size)
{
    static const char *const states[] = {"unseen", "enrolled", "refused", "duplicate", "gone", "replaced"};
    const char *file = a->file < 0 ? NULL : below(v->files[a->file].path);
    const char *row = a->row < 0 ? NULL : below(v->rows[a->row].path);
    int n = 0;

    if (a->kind == KNOWN_MOVE)
        n = snprintf(out, size, "move %s from %s%s%s", file, row, a->whole_folder ? " whole" : "",
                     a->person == -1 ? " same person" : "");
    else if (a->kind == KNOWN_ENROL)
        n = snprintf(out, size, "enrol %s", file);
    else if (a->kind == KNOWN_RECORD)
        n = strncmp(a->reason, "the same photo as ", 18) == 0
                ? snprintf(out, size, "record %s %s: the same photo as %s", file, states[a->state],
                           below(a->reason + 18))
                : snprintf(out, size, "record %s %s: %s", file, states[a->state], a->reason);
    else if (a->kind == KNOWN_UPDATE)
        n = snprintf(out, size, "update %s %s", row, states[a->state]);
    else
        n = snprintf(out, size, "forget %s", row);
    if (a->person > 0)
        snprintf(out + n, size - (size_t)n, " person %lld", (long long)a->person);
}

static void free_files(struct known_photo *files, int count)
{
    for (int i = 0; i < count; i++) {
        free(files[i].path);
        free(files[i].person);
        free(files[i].photo);
        free(files[i].refused);
    }
}

static void run_case(const struct plan_case *c, char text[static TEXT_MAX])
{
    struct known_photo files[ENTRIES_MAX];
    struct known_file rows[ENTRIES_MAX];
    char paths[ENTRIES_MAX][128], unreadable[128], *unreadables[] = {unreadable};
    uint64_t comparisons = 0;
    struct known_plan plan = {0};
    struct known_folder_view view = {.folder = "/known",
                                     .files = files,
                                     .rows = rows,
                                     .model = "m",
                                     .complete = !c->incomplete,
                                     .forget = c->forget,
                                     .unreadable = unreadables,
                                     .unreadable_count = c->unreadable != NULL,
                                     .is_absent = is_absent,
                                     .comparisons = &comparisons};

    if (c->unreadable)
        in_folder(unreadable, sizeof unreadable, c->unreadable);
    for (; view.file_count < ENTRIES_MAX && c->files[view.file_count].path; view.file_count++)
        fill_file(&files[view.file_count], &c->files[view.file_count]);
    for (; view.row_count < ENTRIES_MAX && c->rows[view.row_count].path; view.row_count++)
        fill_row(&rows[view.row_count], &c->rows[view.row_count], paths[view.row_count], sizeof paths[0]);
    known_plan_make(&view, &plan);
    text[0] = 0;
    for (int i = 0; i < plan.count; i++) {
        size_t used = strlen(text);

        snprintf(text + used, TEXT_MAX - used, "%s", i ? ", " : "");
        used = strlen(text);
        write_action(&view, &plan.actions[i], text + used, TEXT_MAX - used);
    }
    known_plan_free(&plan);
    free_files(files, view.file_count);
    for (int i = 0; i < view.row_count; i++)
        free((char *)(uintptr_t)rows[i].person_name);
}

static void test_rows_and_files_become_actions(void **state)
{
    char text[TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run_case(&cases[i], text);
        if (strcmp(text, cases[i].expected) != 0)
            fail_msg("%s: “%s” instead of “%s”", cases[i].what, text, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows_and_files_become_actions)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
