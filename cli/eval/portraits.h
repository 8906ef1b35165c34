/* The faces of a folder of labelled photos, DIR/NAME/photo: found and embedded by workers as `serve` would, or taken
 * from the cache of an earlier run. For `kith eval`. One at a time in a process. */
#ifndef KITH_CLI_EVAL_PORTRAITS_H
#define KITH_CLI_EVAL_PORTRAITS_H

#include "cli/cli.h"
#include "plugins/shared/protocol.h"

struct portrait {
    char *path;   /* on this machine */
    char *person; /* NAME */
    char *photo;  /* the file's name */
    int64_t size, mtime_ns;
    bool looked_at;
    char *reason;     /* why it could not be looked at, or NULL */
    int faces;        /* how many there are in it; `embedding` is of the one that is meant: large and near the middle */
    float quality;    /* of that one */
    float *embedding; /* NULL: no face, or unreadable */
};

struct portraits {
    struct portrait *list; /* ordered by person, then by photo */
    int count, people;
    struct packet_hello model;
    int cached; /* so many needed no look */
    double wall_s;
};

/* The photos of a folder, not looked at yet. 0, or 2 when it cannot be read (it was said). */
int portraits_list(struct portraits *p, const char *folder);
/* Looks at all of them. `cache`: a file that is read and added to as it goes, so that a run which is interrupted goes
 * on where it was; NULL: none. Progress goes to standard error when that is a terminal. 0, 1 or 2. */
int portraits_look(struct portraits *p, const struct invocation *in, const char *cache);
void portraits_free(struct portraits *p);

/* portraits_cache.c: a file of what was found, for one recogniser and its settings. */
struct portraits_cache;
/* Fills those of `p` that are in it unchanged. NULL: it cannot be used (that was said). */
struct portraits_cache *portraits_cache_open(const char *file, const char *fingerprint, struct portraits *p);
void portraits_cache_add(struct portraits_cache *c, const struct portrait *one);
void portraits_cache_close(struct portraits_cache *c);

#endif
