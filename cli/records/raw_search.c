#include "cli/records/raw_search.h"
#include "core/base/must.h"
#include "core/base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 32, PIECES = 4, TEXT_MIN = 4, CHUNK = 1 << 20, HEADS = 1 << 16 };

struct needle {
    char *what;
    uint8_t *bytes;
    size_t len;
    bool text;
    bool found; /* in the present file */
    int next;   /* with the same first two bytes, or -1 */
};

struct raw_search {
    struct needle *needles;
    int count;
    size_t longest;
    int heads[HEADS]; /* by the first two bytes */
};

struct raw_search *raw_search_new(void)
{
    struct raw_search *s = calloc(1, sizeof *s);

    if (!s)
        out_of_memory();
    for (int i = 0; i < HEADS; i++)
        s->heads[i] = -1;
    return s;
}

void raw_search_free(struct raw_search *s)
{
    for (int i = 0; i < s->count; i++) {
        free(s->needles[i].what);
        free(s->needles[i].bytes);
    }
    free(s->needles);
    free(s);
}

static unsigned raw_head(const uint8_t *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

static void raw_add(struct raw_search *s, const char *what, const void *bytes, size_t len, bool text)
{
    struct needle *n;

    s->needles = realloc(s->needles, (size_t)(s->count + 1) * sizeof *s->needles);
    if (!s->needles)
        out_of_memory();
    n = &s->needles[s->count];
    *n = (struct needle){.what = strdup(what), .bytes = malloc(len), .len = len, .text = text};
    if (!n->bytes)
        out_of_memory();
    memcpy(n->bytes, bytes, len);
    n->next = s->heads[raw_head(n->bytes)];
    s->heads[raw_head(n->bytes)] = s->count++;
    s->longest = len > s->longest ? len : s->longest;
}

bool raw_search_add_text(struct raw_search *s, const char *what, const char *text)
{
    size_t len = strlen(text);

    if (len < TEXT_MIN)
        return false;
    for (int i = 0; i < s->count; i++)
        if (s->needles[i].text && s->needles[i].len == len && memcmp(s->needles[i].bytes, text, len) == 0)
            return true;
    raw_add(s, what, text, len, true);
    return true;
}

/* Bytes that may stand anywhere, as zeros. */
static bool raw_is_common(const uint8_t *bytes, size_t len)
{
    size_t zeros = 0;

    for (size_t i = 0; i < len; i++)
        zeros += bytes[i] == 0;
    return zeros > len / 2;
}

void raw_search_add_bytes(struct raw_search *s, const char *what, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    size_t piece = len < PIECE ? len : PIECE;

    if (len < PIECE / 2)
        return;
    for (size_t i = 0; i < PIECES; i++) {
        const uint8_t *from = at + (len - piece) * i / (PIECES - 1);

        if (!raw_is_common(from, piece))
            raw_add(s, what, from, piece, false);
    }
}

/* Searches data[from, len). What stands before `from` was searched before. */
static void raw_search_data(struct raw_search *s, const uint8_t *data, size_t from, size_t len, bool last)
{
    for (size_t i = from; i + 1 < len; i++)
        for (int k = s->heads[raw_head(data + i)]; k >= 0; k = s->needles[k].next) {
            struct needle *n = &s->needles[k];

            if (n->found || i + n->len > len || memcmp(data + i, n->bytes, n->len) != 0)
                continue;
            if (n->text && !text_stands_alone(data, len, i, n->len))
                continue;
            if (n->text && i + n->len == len && !last) /* the next piece shows what follows */
                continue;
            n->found = true;
        }
}

/* Each piece begins with the end of the one before, so that no string is divided. */
static void raw_search_contents(struct raw_search *s, int fd)
{
    size_t keep = s->longest + 1, have = 0;
    uint8_t *data = malloc(CHUNK + 2 * keep);
    ssize_t n;

    if (!data)
        out_of_memory();
    while ((n = read(fd, data + have, CHUNK)) > 0) {
        have += (size_t)n;
        raw_search_data(s, data, 0, have, false);
        if (have > keep) {
            memmove(data, data + have - keep, keep);
            have = keep;
        }
    }
    raw_search_data(s, data, 0, have, true);
    free(data);
}

/* Calls `found` once for each string that was found since raw_forget_found(). */
static void raw_report(struct raw_search *s, const char *where, raw_found_fn found, void *context)
{
    for (int i = 0; i < s->count; i++) {
        bool again = false;

        for (int k = 0; k < i && s->needles[i].found; k++)
            again |= s->needles[k].found && strcmp(s->needles[k].what, s->needles[i].what) == 0;
        if (s->needles[i].found && !again)
            found(context, s->needles[i].what, where);
    }
}

static void raw_forget_found(struct raw_search *s)
{
    for (int i = 0; i < s->count; i++)
        s->needles[i].found = false;
}

void raw_search_bytes(struct raw_search *s, const char *where, const void *data, size_t len, raw_found_fn found,
                      void *context)
{
    raw_forget_found(s);
    raw_search_data(s, data, 0, len, true);
    raw_report(s, where, found, context);
}

static void raw_search_file(struct raw_search *s, const char *path, raw_found_fn found, void *context)
{
    const char *name = strrchr(path, '/') + 1;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    raw_forget_found(s);
    raw_search_data(s, (const uint8_t *)name, 0, strlen(name), true);
    if (fd >= 0) {
        raw_search_contents(s, fd);
        close(fd);
    }
    raw_report(s, path, found, context);
}

void raw_search_folder(struct raw_search *s, const char *folder, raw_found_fn found, void *context)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    char path[PATH_MAX];
    struct stat st;

    while (dir && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path || lstat(path, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode))
            raw_search_folder(s, path, found, context);
        else if (S_ISREG(st.st_mode) && s->count)
            raw_search_file(s, path, found, context);
    }
    if (dir)
        closedir(dir);
}
