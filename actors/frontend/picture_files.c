#include "actors/frontend/pictures_internal.h"

#include "core/base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int pictures_open(const char *data, char *thumbs, size_t size, struct error *error)
{
    char real[PATH_MAX], path[PATH_MAX + 8];

    if (!realpath(data, real) || snprintf(thumbs, size, "%s/thumbs", real) >= (int)size)
        return error_set(error, -errno, "KITH_DATA: %s: %s", data, strerror(errno));
    snprintf(path, sizeof path, "%.*s/tmp", (int)sizeof path - 8, thumbs);
    if ((mkdir(thumbs, 0750) < 0 && errno != EEXIST) || (mkdir(path, 0750) < 0 && errno != EEXIST))
        return error_set(error, -errno, "KITH_DATA: %s: %s", path, strerror(errno));
    return 0;
}

static void picture_read_destroy(struct msg *m)
{
    free(((struct picture_read *)m)->data);
}

struct picture_read *picture_read_new(const struct pictures_config *config, struct picture_view *view)
{
    struct picture_read *r = (struct picture_read *)msg_new(MSG_PICTURES_READ, sizeof *r);

    r->head.destroy = picture_read_destroy;
    r->config = config;
    r->view = view;
    return r;
}

/* Reads the whole file. 0, or negative errno with the error; nothing is kept then. */
static int picture_read_all(struct picture_read *r, int fd)
{
    size_t capacity = (size_t)64 << 10;
    ssize_t n = 1;
    int code = 0;

    while (n > 0 && r->len <= r->config->max_image) {
        if (!r->data || r->len == capacity) {
            capacity *= 2;
            r->data = realloc(r->data, capacity);
            if (!r->data)
                out_of_memory();
        }
        n = read(fd, r->data + r->len, capacity - r->len);
        code = n < 0 ? errno : 0;
        r->len += n > 0 ? (size_t)n : 0;
    }
    if (n < 0)
        return error_set(&r->error, -code, "cannot read the file: %s", strerror(code));
    if (r->len > r->config->max_image)
        return error_set(&r->error, -EFBIG, "the file has more than %zu bytes (KITH_MAX_IMAGE)", r->config->max_image);
    return 0;
}

static void picture_drop(struct picture_read *r)
{
    free(r->data);
    r->data = NULL;
    r->len = 0;
}

/* By its stamp; by its hash where the stamp tells nothing, or is another one with the same size. */
static bool picture_is_content(struct picture_read *r, int fd)
{
    const struct picture_view *v = r->view;
    const struct file_stamp now = path_stamp(fd);
    const bool known = file_stamp_is_known(v->file);
    char sha256[SHA256_HEX_BYTES];

    if (v->spooled || (known && file_stamp_equal(now, v->file)))
        return true;
    if (!v->sha256[0])
        return !known;
    if ((known && now.size != v->file.size) || picture_read_all(r, fd) < 0)
        return false;
    sha256_hex(r->data, r->len, sha256);
    return strcmp(sha256, v->sha256) == 0;
}

/* Reads the file itself, unless the check has. It may be written at the same time. */
static void picture_read_original(struct picture_read *r, int fd)
{
    const struct file_stamp before = path_stamp(fd);

    if (r->data || picture_read_all(r, fd) < 0)
        return;
    r->changed = !r->view->spooled && !file_stamp_equal(before, path_stamp(fd));
}

static void picture_read_cache(struct picture_read *r)
{
    int fd = r->view->cache ? open(r->view->cache, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;

    picture_drop(r);
    if (fd < 0)
        return;
    if (picture_read_all(r, fd) < 0) {
        picture_drop(r);
        r->error = (struct error){0}; /* it is made again */
    }
    close(fd);
}

void picture_read_work(struct msg *m)
{
    struct picture_read *r = (struct picture_read *)m;
    int fd = path_open(r->config->roots, r->view->path, &r->error);

    if (fd < 0)
        return;
    r->changed = !picture_is_content(r, fd) && !r->error.code;
    if (!r->error.code && !r->changed && !r->view->has_it) {
        if (r->view->side)
            picture_read_cache(r);
        else
            picture_read_original(r, fd);
    }
    close(fd);
}

static void picture_write_destroy(struct msg *m)
{
    struct picture_write *w = (struct picture_write *)m;

    free(w->path);
    msg_unref(&w->event->head);
}

struct picture_write *picture_write_new(const struct pictures_config *config, char *path,
                                        const struct worker_event *event)
{
    struct picture_write *w = (struct picture_write *)msg_new(MSG_PICTURES_WRITTEN, sizeof *w);

    w->head.destroy = picture_write_destroy;
    w->config = config;
    w->path = path;
    msg_ref(&event->head);
    w->event = event;
    return w;
}

void picture_write_work(struct msg *m)
{
    struct picture_write *w = (struct picture_write *)m;
    char folder[PATH_MAX];

    snprintf(folder, sizeof folder, "%s", w->path);
    *strrchr(folder, '/') = 0;
    mkdir(folder, 0750);
    spool_write(w->config->thumbs, w->path, w->event->picture, w->event->picture_len, 0, NULL);
}

static void picture_uncache_destroy(struct msg *m)
{
    free(((struct picture_uncache *)m)->path);
}

struct picture_uncache *picture_uncache_new(char *path)
{
    struct picture_uncache *u = (struct picture_uncache *)msg_new(MSG_PICTURES_UNCACHED, sizeof *u);

    u->head.destroy = picture_uncache_destroy;
    u->path = path;
    return u;
}

void picture_uncache_work(struct msg *m)
{
    unlink(((struct picture_uncache *)m)->path);
}
