#include "actors/people/known_folder.h"

#include "core/base/must.h"
#include "core/base/text.h"
#include "core/image/photo_name.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- lookup by hash --- */

/* Open addressing over keys that the caller owns. A slot holds index + 1; 0: empty. At most half full. */
struct name_index {
    const char **keys;
    int *slots;
    size_t mask;
};

static uint64_t name_index_hash(const char *text) /* FNV-1a, 64 bit: http://www.isthe.com/chongo/tech/comp/fnv/ */
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

/* The slot of `key`, or the empty slot where it belongs. */
static int *name_index_slot(const struct name_index *index, const char *key, uint64_t *comparisons)
{
    size_t at = name_index_hash(key) & index->mask;

    for (; index->slots[at]; at = (at + 1) & index->mask) {
        ++*comparisons;
        if (strcmp(index->keys[index->slots[at] - 1], key) == 0)
            break;
    }
    return &index->slots[at];
}

static void name_index_init(struct name_index *index, int count)
{
    size_t size = 16;

    while (size < (size_t)count * 2)
        size *= 2;
    index->mask = size - 1;
    index->slots = calloc(size, sizeof *index->slots);
    index->keys = calloc((size_t)count + 1, sizeof *index->keys);
    if (!index->slots || !index->keys)
        out_of_memory();
}

/* Of equal keys the first one added stays. */
static void name_index_add(struct name_index *index, const char *key, int number, uint64_t *comparisons)
{
    int *slot = name_index_slot(index, key, comparisons);

    index->keys[number] = key;
    if (*slot == 0)
        *slot = number + 1;
}

/* The number of `key`, or -1. */
static int name_index_find(const struct name_index *index, const char *key, uint64_t *comparisons)
{
    return *name_index_slot(index, key, comparisons) - 1;
}

static void name_index_free(struct name_index *index)
{
    free(index->slots);
    free(index->keys);
}

/* --- the scan --- */

struct walk {
    struct known_folder_scan *scan;
    struct name_index known, legacy; /* known files by path; legacy rows by image_name */
};

static void known_folder_index(struct walk *w)
{
    struct known_folder_scan *scan = w->scan;

    name_index_init(&w->known, scan->known->file_count);
    for (int i = 0; i < scan->known->file_count; i++)
        name_index_add(&w->known, scan->known->files[i].path, i, &scan->comparisons);
    name_index_init(&w->legacy, scan->legacy->photo_count);
    for (int i = 0; i < scan->legacy->photo_count; i++) {
        const char *name = scan->legacy->photos[i].name + strspn(scan->legacy->photos[i].name, "/");

        if (*name)
            name_index_add(&w->legacy, name, i, &scan->comparisons);
    }
}

/* An image_name is the file's name or the end of its path from any slash on. The oldest row wins. */
static const struct photo *known_folder_find_legacy(struct walk *w, const char *path)
{
    struct known_folder_scan *scan = w->scan;
    int best = -1;

    for (const char *slash = strchr(path, '/'); slash && scan->legacy->photo_count; slash = strchr(slash + 1, '/')) {
        int found = name_index_find(&w->legacy, slash + 1, &scan->comparisons);

        if (found >= 0 && (best < 0 || found < best))
            best = found;
    }
    return best < 0 ? NULL : &scan->legacy->photos[best];
}

static bool known_folder_is_photo(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".webp"};
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < sizeof endings / sizeof endings[0]; i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    return false;
}

static void known_folder_append(struct known_folder_scan *scan, const struct known_photo *photo)
{
    if (scan->count == scan->capacity) {
        scan->capacity = scan->capacity ? scan->capacity * 2 : 64;
        scan->photos = realloc(scan->photos, (size_t)scan->capacity * sizeof *scan->photos);
        if (!scan->photos)
            out_of_memory();
    }
    scan->photos[scan->count++] = *photo;
}

/* A known file that did not change needs work only when a legacy row for it was added since. A refused file stays
 * refused until it changes, also with a legacy row. */
static void known_folder_check_file(struct walk *w, const char *path, const char *person, const char *name,
                                    const struct stat *st)
{
    struct known_folder_scan *scan = w->scan;
    int64_t mtime_ns = st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec;
    const struct known_file *known;
    const struct photo *legacy;
    int found;

    if (scan->seen == scan->max_files) {
        scan->too_many = true;
        return;
    }
    scan->seen++;
    found = name_index_find(&w->known, path, &scan->comparisons);
    known = found < 0 ? NULL : &scan->known->files[found];
    if (known && (known->size != st->st_size || known->mtime_ns != mtime_ns))
        known = NULL;
    legacy = known && !known->taken ? NULL : known_folder_find_legacy(w, path);
    if (known && !legacy)
        return;
    known_folder_append(scan, &(struct known_photo){.path = strdup(path),
                                                    .person = person ? strdup(person) : photo_name_person(name),
                                                    .photo = strdup(name),
                                                    .size = st->st_size,
                                                    .mtime_ns = mtime_ns,
                                                    .legacy_row = legacy ? legacy->id : 0,
                                                    .legacy_person = legacy ? legacy->person : 0});
}

static void known_folder_skip_bad_name(struct known_folder_scan *scan, const char *path)
{
    if (scan->bad_names++ == 0)
        scan->bad_name = strdup(path);
}

/* `person`: the name of the folder, NULL for the top folder. Folders are walked one level deep. */
static int known_folder_walk(struct walk *w, const char *folder, const char *person)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    char path[PATH_MAX];
    struct stat st;

    if (!dir)
        return -errno;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.' ||
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path || lstat(path, &st) < 0)
            continue;
        if ((S_ISDIR(st.st_mode) && person) || (S_ISREG(st.st_mode) && !known_folder_is_photo(entry->d_name)))
            continue;
        if (!text_is_utf8(entry->d_name))
            known_folder_skip_bad_name(w->scan, path);
        else if (S_ISDIR(st.st_mode))
            known_folder_walk(w, path, entry->d_name);
        else if (S_ISREG(st.st_mode))
            known_folder_check_file(w, path, person, entry->d_name, &st);
    }
    closedir(dir);
    return 0;
}

static int known_photo_by_path(const void *a, const void *b)
{
    return strcmp(((const struct known_photo *)a)->path, ((const struct known_photo *)b)->path);
}

void known_folder_scan_work(struct msg *job)
{
    struct known_folder_scan *scan = (struct known_folder_scan *)job;
    struct walk w = {.scan = scan};

    known_folder_index(&w);
    scan->status = known_folder_walk(&w, scan->folder, NULL);
    if (scan->count)
        qsort(scan->photos, (size_t)scan->count, sizeof *scan->photos, known_photo_by_path);
    name_index_free(&w.known);
    name_index_free(&w.legacy);
}

static void known_folder_scan_destroy(struct msg *m)
{
    struct known_folder_scan *scan = (struct known_folder_scan *)m;

    for (int i = 0; i < scan->count; i++) {
        free(scan->photos[i].path);
        free(scan->photos[i].person);
        free(scan->photos[i].photo);
    }
    free(scan->photos);
    free(scan->bad_name);
    msg_unref(&scan->known->m.head);
    msg_unref(&scan->legacy->m.head);
}

struct known_folder_scan *known_folder_scan_new(uint32_t type, const char *folder, int max_files,
                                                const struct store_reply *known, const struct store_reply *legacy)
{
    struct known_folder_scan *scan = (struct known_folder_scan *)msg_new(type, sizeof *scan);

    scan->head.destroy = known_folder_scan_destroy;
    scan->folder = folder;
    scan->max_files = max_files;
    scan->known = known;
    scan->legacy = legacy;
    return scan;
}
