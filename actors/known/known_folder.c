#include "actors/known/known_folder.h"

#include "core/base/must.h"
#include "core/base/text.h"
#include "core/image/formats.h"
#include "core/image/photo_name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One part of the reading: about a tenth of a second on a slow disk. */
enum { PART_FILES = 64, PART_BYTES = 16 << 20 };

/* A folder that is being walked. Its parents tell whether a link leads back into one of them. */
struct known_level {
    const struct known_level *parent;
    const char *path;   /* as in the folder */
    const char *person; /* NULL: the top folder */
    dev_t device;
    ino_t inode;
    bool linked; /* it or a parent of it is a symbolic link */
};

static void known_folder_walk(struct known_folder_scan *scan, const struct known_level *level);

static char *known_folder_copy(const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        out_of_memory();
    return copy;
}

/* --- what is a photo --- */

static bool known_folder_is_hidden(const char *name)
{
    static const char *const names[] = {"@eaDir", "Thumbs.db", "desktop.ini", "$RECYCLE.BIN", "lost+found"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return name[0] == '.';
}

static struct known_photo *known_folder_append(struct known_folder_scan *scan)
{
    if (scan->count == scan->capacity) {
        scan->capacity = scan->capacity ? scan->capacity * 2 : 64;
        scan->photos = realloc(scan->photos, (size_t)scan->capacity * sizeof *scan->photos);
        if (!scan->photos)
            out_of_memory();
    }
    scan->photos[scan->count] = (struct known_photo){0};
    return &scan->photos[scan->count++];
}

/* The time of creation: a copy of a deleted file has its old time of change, and a new one of creation. */
static int64_t known_folder_born_ns(const char *path)
{
    struct statx x;

    if (statx(AT_FDCWD, path, 0, STATX_BTIME, &x) < 0 || !(x.stx_mask & STATX_BTIME))
        return 0;
    return x.stx_btime.tv_sec * 1000000000LL + x.stx_btime.tv_nsec;
}

static struct known_photo *known_folder_add_photo(struct known_folder_scan *scan, const struct known_level *level,
                                                  const char *path, const char *name, const struct stat *st)
{
    struct known_photo *f = known_folder_append(scan);

    f->path = known_folder_copy(path);
    f->photo = known_folder_copy(name);
    f->person = level->person ? known_folder_copy(level->person) : NULL;
    f->size = st->st_size;
    f->mtime_ns = st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec;
    f->ctime_ns = st->st_ctim.tv_sec * 1000000000LL + st->st_ctim.tv_nsec;
    f->born_ns = known_folder_born_ns(path);
    if (st->st_size > scan->options->max_file) {
        char text[128];

        snprintf(text, sizeof text, "%lld bytes; the limit is %lld (KITH_MAX_IMAGE)", (long long)st->st_size,
                 (long long)scan->options->max_file);
        f->refused = known_folder_copy(text);
    }
    return f;
}

/* --- symbolic links --- */

static bool known_folder_is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == 0);
}

/* Where a path leads, into `real`; NULL, or why it must not be followed. */
static const char *known_folder_follow(struct known_folder_scan *scan, const char *path, char real[static PATH_MAX])
{
    char below[PATH_MAX + 2], name[PATH_MAX + 2];
    struct error error = {0};

    if (!realpath(path, real))
        return errno == ELOOP ? "the symbolic link leads to itself" : "the symbolic link leads nowhere";
    if (known_folder_is_below(real, scan->options->folder))
        return NULL;
    if (!scan->options->links_to_roots)
        return "the symbolic link leads out of the folder (KITH_KNOWN_PEOPLE_LINKS=roots allows links into "
               "KITH_IMAGE_ROOTS)";
    snprintf(below, sizeof below, "%s/x", real); /* a link may lead to a root itself */
    if (path_resolve_text(scan->options->roots, below, strlen(below), PATH_MAX, name, sizeof name, &error) < 0)
        return "the symbolic link leads to a place outside KITH_IMAGE_ROOTS";
    return NULL;
}

static bool known_folder_is_walked(const struct known_level *level, const struct stat *st)
{
    for (; level; level = level->parent)
        if (level->device == st->st_dev && level->inode == st->st_ino)
            return true;
    return false;
}

static void known_folder_refuse_link(struct known_folder_scan *scan, const struct known_level *level, const char *path,
                                     const char *name, const struct stat *st, const char *reason)
{
    struct known_photo *f = known_folder_add_photo(scan, level, path, name, st);

    free(f->refused);
    f->refused = known_folder_copy(reason);
}

/* --- the walk --- */

static void known_folder_enter(struct known_folder_scan *scan, const struct known_level *level, const char *path,
                               const char *name, const struct stat *st, bool linked)
{
    struct known_level next = {.parent = level,
                               .path = path,
                               .person = level->person ? level->person : name,
                               .device = st->st_dev,
                               .inode = st->st_ino,
                               .linked = linked};

    if (known_folder_is_walked(level, st))
        return; /* a link to a folder that holds it: all that is there is seen already */
    scan->folders++;
    known_folder_walk(scan, &next);
}

static void known_folder_visit(struct known_folder_scan *scan, const struct known_level *level, const char *path,
                               const char *name)
{
    char real[PATH_MAX];
    const char *reason;
    struct known_photo *f;
    struct stat st, link;
    bool linked;

    if (lstat(path, &link) < 0)
        return; /* it went while the folder was read */
    st = link;
    linked = level->linked || S_ISLNK(link.st_mode);
    if (S_ISLNK(link.st_mode)) {
        reason = known_folder_follow(scan, path, real);
        if (!reason && stat(path, &st) < 0)
            return;
        if (reason) {
            known_folder_refuse_link(scan, level, path, name, &link, reason);
            return;
        }
    }
    if (S_ISDIR(st.st_mode)) {
        known_folder_enter(scan, level, path, name, &st, linked);
    } else if (!S_ISREG(st.st_mode) || !image_has_ending(name)) {
        scan->other++;
    } else {
        f = known_folder_add_photo(scan, level, path, name, &st);
        /* The worker opens no path with a symbolic link in it. */
        if (linked && realpath(path, real) && strcmp(real, path) != 0)
            f->opened = known_folder_copy(real);
    }
}

static void known_folder_skip_bad_name(struct known_folder_scan *scan, const char *path)
{
    if (scan->bad_names++ == 0)
        scan->bad_name = known_folder_copy(path);
}

static void known_folder_note_unreadable(struct known_folder_scan *scan, const char *path)
{
    scan->unreadable = realloc(scan->unreadable, ((size_t)scan->unreadable_count + 1) * sizeof *scan->unreadable);
    if (!scan->unreadable)
        out_of_memory();
    scan->unreadable[scan->unreadable_count++] = known_folder_copy(path);
}

static void known_folder_walk(struct known_folder_scan *scan, const struct known_level *level)
{
    DIR *dir = opendir(level->path);
    struct dirent *entry;
    char path[PATH_MAX];

    if (!dir) {
        if (!level->parent)
            scan->status = -errno;
        else if (errno != ENOENT)
            known_folder_note_unreadable(scan, level->path);
        return;
    }
    while (errno = 0, (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (scan->count + scan->folders >= scan->options->max_files) {
            scan->too_many = true;
            break;
        }
        if (known_folder_is_hidden(entry->d_name))
            scan->hidden++;
        else if (snprintf(path, sizeof path, "%s/%s", level->path, entry->d_name) >= (int)sizeof path)
            scan->other++;
        else if (text_is_utf8(entry->d_name))
            known_folder_visit(scan, level, path, entry->d_name);
        else if (image_has_ending(entry->d_name) || entry->d_type == DT_DIR)
            known_folder_skip_bad_name(scan, path);
        else
            scan->other++;
    }
    if (!entry && errno)
        known_folder_note_unreadable(scan, level->path);
    closedir(dir);
}

/* The people of the files in the folder itself. */
static void known_folder_name_flat(struct known_folder_scan *scan)
{
    const char **names = calloc((size_t)scan->count + 1, sizeof *names);
    char **people = calloc((size_t)scan->count + 1, sizeof *people);
    int *of = calloc((size_t)scan->count + 1, sizeof *of), count = 0;

    if (!names || !people || !of)
        out_of_memory();
    for (int i = 0; i < scan->count; i++)
        if (!scan->photos[i].person) {
            of[count] = i;
            names[count++] = scan->photos[i].photo;
        }
    photo_names_read(names, count, scan->options->flat, people);
    for (int i = 0; i < count; i++) {
        struct known_photo *f = &scan->photos[of[i]];

        f->person = people[i] ? people[i] : known_folder_copy("");
        if (!people[i] && !f->refused)
            f->refused = known_folder_copy(photo_name_advice());
    }
    free(names);
    free(people);
    free(of);
}

static int known_photo_by_path(const void *a, const void *b)
{
    return strcmp(((const struct known_photo *)a)->path, ((const struct known_photo *)b)->path);
}

static bool known_folder_is_absent(const char *path)
{
    struct stat st;

    return lstat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

static struct known_folder_view known_folder_view(struct known_folder_scan *scan)
{
    return (struct known_folder_view){.folder = scan->options->folder,
                                      .files = scan->photos,
                                      .file_count = scan->count,
                                      .rows = scan->known->files,
                                      .row_count = scan->known->file_count,
                                      .legacy = scan->legacy->photos,
                                      .legacy_count = scan->legacy->photo_count,
                                      .model = scan->model,
                                      .complete = !scan->too_many,
                                      .forget = scan->options->forget,
                                      .unreadable = scan->unreadable,
                                      .unreadable_count = scan->unreadable_count,
                                      .is_absent = known_folder_is_absent,
                                      .comparisons = &scan->comparisons};
}

static void known_folder_list(struct known_folder_scan *scan)
{
    struct known_level top = {.path = scan->options->folder};
    struct known_folder_view view;
    struct stat st;

    if (stat(scan->options->folder, &st) == 0) {
        top.device = st.st_dev;
        top.inode = st.st_ino;
    }
    known_folder_walk(scan, &top);
    if (scan->count)
        qsort(scan->photos, (size_t)scan->count, sizeof *scan->photos, known_photo_by_path);
    known_folder_name_flat(scan);
    scan->wanted = calloc((size_t)scan->count + 1, sizeof *scan->wanted);
    if (!scan->wanted)
        out_of_memory();
    view = known_folder_view(scan);
    scan->unread = known_plan_unread(&view, scan->wanted);
    scan->stage = scan->status < 0 ? KNOWN_SCAN_DONE : scan->unread ? KNOWN_SCAN_READ : KNOWN_SCAN_PLAN;
}

/* --- content --- */

static void known_folder_read_file(struct known_folder_scan *scan, struct known_photo *f)
{
    struct error error = {0};
    int fd = path_open(scan->options->roots, f->opened ? f->opened : f->path, &error);
    size_t len = 0, size = (size_t)f->size + 1;
    uint8_t *bytes = fd < 0 ? NULL : malloc(size);
    ssize_t got = bytes ? 1 : -1;

    while (got > 0 && len < size) {
        got = read(fd, bytes + len, size - len);
        len += got > 0 ? (size_t)got : 0;
    }
    if (got >= 0) {
        sha256_hex(bytes, len, f->sha256);
    } else {
        f->unread = true;
        if (!f->refused)
            f->refused = known_folder_copy(error.text[0] ? error.text : "the file cannot be read");
    }
    free(bytes);
    if (fd >= 0)
        close(fd);
}

static void known_folder_read(struct known_folder_scan *scan)
{
    int64_t bytes = 0;

    for (int files = 0; scan->next < scan->count && files < PART_FILES && bytes < PART_BYTES; scan->next++) {
        struct known_photo *f = &scan->photos[scan->next];

        if (!scan->wanted[scan->next])
            continue;
        known_folder_read_file(scan, f);
        bytes += f->size;
        files++;
        scan->read++;
    }
    if (scan->next == scan->count)
        scan->stage = KNOWN_SCAN_PLAN;
}

/* --- the job --- */

void known_folder_scan_work(struct msg *job)
{
    struct known_folder_scan *scan = (struct known_folder_scan *)job;
    struct known_folder_view view;

    if (scan->stage == KNOWN_SCAN_LIST) {
        known_folder_list(scan);
    } else if (scan->stage == KNOWN_SCAN_READ) {
        known_folder_read(scan);
    } else if (scan->stage == KNOWN_SCAN_PLAN) {
        view = known_folder_view(scan);
        known_plan_make(&view, &scan->plan);
        scan->stage = KNOWN_SCAN_DONE;
    }
}

static void known_folder_scan_destroy(struct msg *m)
{
    struct known_folder_scan *scan = (struct known_folder_scan *)m;

    for (int i = 0; i < scan->count; i++) {
        free(scan->photos[i].path);
        free(scan->photos[i].person);
        free(scan->photos[i].photo);
        free(scan->photos[i].opened);
        free(scan->photos[i].refused);
    }
    for (int i = 0; i < scan->unreadable_count; i++)
        free(scan->unreadable[i]);
    free(scan->unreadable);
    free(scan->photos);
    free(scan->wanted);
    free(scan->bad_name);
    known_plan_free(&scan->plan);
    msg_unref(&scan->known->m.head);
    msg_unref(&scan->legacy->m.head);
}

struct known_folder_scan *known_folder_scan_new(uint32_t type, const struct known_folder_options *options,
                                                const char *model, const struct store_reply *known,
                                                const struct store_reply *legacy)
{
    struct known_folder_scan *scan = (struct known_folder_scan *)msg_new(type, sizeof *scan);

    scan->head.destroy = known_folder_scan_destroy;
    scan->options = options;
    snprintf(scan->model, sizeof scan->model, "%s", model);
    scan->known = known;
    scan->legacy = legacy;
    return scan;
}
