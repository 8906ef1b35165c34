#include "actors/upkeep/spool_files.h"

#include "core/base/clock.h"
#include "core/base/must.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Milliseconds since the file was written, or -1 when there is none. */
static int64_t spool_file_age_ms(const char *path)
{
    struct stat st;

    return lstat(path, &st) < 0 ? -1 : clock_wall_ms() - (st.st_mtim.tv_sec * 1000LL + st.st_mtim.tv_nsec / 1000000);
}

static void spool_remove_thumbnails(const char *thumbs, const char *folder, const char *prefix, int64_t age_ms)
{
    char path[PATH_MAX];
    DIR *dir;
    struct dirent *entry;

    snprintf(path, sizeof path, "%s/%.2s", thumbs, folder);
    if (!(dir = opendir(path)))
        return;
    while ((entry = readdir(dir))) {
        snprintf(path, sizeof path, "%s/%.2s/%s", thumbs, folder, entry->d_name);
        if (entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
            (age_ms == 0 || spool_file_age_ms(path) >= age_ms))
            unlink(path);
    }
    closedir(dir);
}

void spool_remove_all_thumbnails(const char *thumbs)
{
    char hex[8];

    for (int i = 0; i < 256; i++) {
        snprintf(hex, sizeof hex, "%02x", (unsigned)i);
        spool_remove_thumbnails(thumbs, hex, "", 0);
    }
}

/* The removal must outlast a power failure: the row that asks for it goes next. */
static void spool_sync_parent(const char *path)
{
    char folder[PATH_MAX];
    int fd;

    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = 0;
    if ((fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

int spool_remove_image(const char *thumbs, const char *path, const char *sha256, int64_t age_ms)
{
    if (sha256)
        spool_remove_thumbnails(thumbs, sha256, sha256, 0);
    if (!path || access(path, F_OK) < 0)
        return 0;
    if (spool_file_age_ms(path) < age_ms)
        return -EAGAIN;
    if (unlink(path) < 0 && errno != ENOENT)
        return -errno;
    spool_sync_parent(path);
    return 0;
}

/* Rows name a file below the folder of the spool, or relative to the data folder. */
bool spool_find_file(const struct spool *spool, const char *path, char file[static PATH_MAX])
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = strlen(spool->folder);

    if (path[0] == '/' && (strncmp(path, spool->folder, n) != 0 || path[n] != '/'))
        return false;
    if (strlen(name) < SHA256_HEX_BYTES - 1 || strlen(name) > NAME_MAX)
        return false;
    snprintf(file, PATH_MAX, "%s/%.2s/%s", spool->folder, name, name);
    return true;
}

/* --- listing --- */

struct name_list {
    char **names;
    size_t count, capacity;
};

static void name_list_add(struct name_list *list, const char *name)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 256;
        list->names = realloc(list->names, list->capacity * sizeof *list->names);
        if (!list->names)
            out_of_memory();
    }
    list->names[list->count++] = strdup(name);
}

static int name_list_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void name_list_read(struct name_list *list, const char *folder, const char *after)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    if (!dir)
        return;
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, after) > 0)
            name_list_add(list, entry->d_name);
    closedir(dir);
    if (list->count)
        qsort(list->names, list->count, sizeof *list->names, name_list_order);
}

void spool_list_work(struct msg *job)
{
    struct spool_list *l = (struct spool_list *)job;
    char folder[PATH_MAX], path[PATH_MAX + NAME_MAX + 2], hex[8];
    struct name_list list = {0};

    snprintf(hex, sizeof hex, "%02x", (unsigned)l->folder & 0xff);
    snprintf(folder, sizeof folder, "%s/%s", l->spool->folder, l->folder == SPOOL_FOLDER_TMP ? "tmp" : hex);
    if (l->folder != SPOOL_FOLDER_TMP && !l->after[0])
        spool_remove_thumbnails(l->thumbs, hex, "", l->thumb_age_ms);
    name_list_read(&list, folder, l->after);
    for (size_t i = 0; i < list.count; i++) {
        if (l->count == SPOOL_LIST_MAX) {
            l->more = true;
        } else {
            snprintf(path, sizeof path, "%s/%s", folder, list.names[i]);
            snprintf(l->last, sizeof l->last, "%s", list.names[i]);
            if (spool_file_age_ms(path) >= l->age_ms)
                l->paths[l->count++] = strdup(path);
        }
        free(list.names[i]);
    }
    free(list.names);
}

static void spool_list_destroy(struct msg *m)
{
    struct spool_list *l = (struct spool_list *)m;

    for (int i = 0; i < l->count; i++)
        free(l->paths[i]);
}

struct spool_list *spool_list_new(uint32_t type)
{
    struct spool_list *l = (struct spool_list *)msg_new(type, sizeof *l);

    l->head.destroy = spool_list_destroy;
    return l;
}

/* --- removing --- */

/* The age is checked again: an upload of the same bytes sets the file's time, and the file must stay. */
void spool_removal_work(struct msg *job)
{
    struct spool_removal *r = (struct spool_removal *)job;

    if (r->path[0] && spool_file_age_ms(r->path) >= r->age_ms)
        unlink(r->path);
    if (r->sha256[0])
        spool_remove_thumbnails(r->thumbs, r->sha256, r->sha256, 0);
}

struct spool_removal *spool_removal_new(uint32_t type, const char *thumbs, const char *path, const char *sha256,
                                        int64_t age_ms)
{
    struct spool_removal *r = (struct spool_removal *)msg_new(type, sizeof *r);

    r->thumbs = thumbs;
    r->age_ms = age_ms;
    snprintf(r->path, sizeof r->path, "%s", path ? path : "");
    snprintf(r->sha256, sizeof r->sha256, "%s", sha256 ? sha256 : "");
    return r;
}
