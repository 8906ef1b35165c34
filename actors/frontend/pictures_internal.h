/* Reads pictures and writes the cache of thumbnails and face crops: jobs for the file threads. */
#ifndef KITH_ACTORS_FRONTEND_PICTURES_INTERNAL_H
#define KITH_ACTORS_FRONTEND_PICTURES_INTERNAL_H

#include "actors/api/request.h"
#include "actors/frontend/pictures.h"

struct picture_view {                 /* one requested picture */
    struct picture_view *prev, *next; /* while it waits for a read */
    struct call *call;
    char *path;                    /* owned; of the image's file */
    char sha256[SHA256_HEX_BYTES]; /* of the content to show; "": not known */
    struct file_stamp file;        /* of the file with that content */
    bool spooled;                  /* the name of the file is its hash */
    bool has_it;                   /* the client has this picture: its If-None-Match says so */
    char etag[SHA256_HEX_BYTES + 64];
    uint32_t side;              /* pixels of the longer side; 0: the file itself */
    double x, y, width, height; /* the part to show, in pixels; width 0: all */
    char *cache;                /* owned; its file in the cache; NULL: it is not cached */
};

struct picture_read { /* a job: MSG_PICTURES_READ */
    struct msg head;
    const struct pictures_config *config;
    struct picture_view *view;
    /* the result */
    uint8_t
        *data; /* owned; the file itself, or the picture of the cache; NULL: the client or the cache has it, or not */
    size_t len;
    bool changed;       /* the file has another content than was looked at */
    struct error error; /* of the file itself */
};

struct picture_write { /* a job: MSG_PICTURES_WRITTEN */
    struct msg head;
    const struct pictures_config *config;
    char *path; /* owned */
    int64_t image;
    const struct worker_event *event;
};

struct picture_uncache { /* a job: MSG_PICTURES_UNCACHED */
    struct msg head;
    char *path; /* owned */
};

/* The caller owns the job. `config` and `view` are borrowed for its life. Loop thread. */
struct picture_read *picture_read_new(const struct pictures_config *config, struct picture_view *view);
/* Takes `path`, and a reference to `event`. Loop thread. */
struct picture_write *picture_write_new(const struct pictures_config *config, char *path,
                                        const struct worker_event *event);
/* A file of the cache whose image was deleted while it was written. Takes `path`. Loop thread. */
struct picture_uncache *picture_uncache_new(char *path);
/* File thread. */
void picture_uncache_work(struct msg *job);

/* File thread. Checks that the file has the content to show, then reads it, or the picture in the cache.
 * `error.code` is 0, or negative: -ENOENT when the file is not there. */
void picture_read_work(struct msg *job);
/* File thread. A failure is ignored: a picture that is not cached is made again. */
void picture_write_work(struct msg *job);

#endif
