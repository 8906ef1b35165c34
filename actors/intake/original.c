#include "actors/intake/original.h"

/* A path in a line of text: a control character in it could begin a line of its own. */
static void original_write_path(struct buf *out, const char *path)
{
    for (; *path; path++)
        if ((unsigned char)*path < 0x20 || *path == 0x7f)
            buf_printf(out, "\\x%02x", (unsigned char)*path);
        else
            buf_add(out, path, 1);
}

static void original_write_image(struct buf *out, const struct image *image)
{
    buf_str(out, "got path: ");
    original_write_path(out, image->path);
    if (!image->existing) {
        buf_printf(out, "\nimage saved with id: %lld\nimage sent to queue\n", (long long)image->id);
        return;
    }
    buf_str(out, "\ngot error while saving image: image with path '");
    original_write_path(out, image->path);
    buf_str(out, "' already exists; moving on to next...\nimage ");
    original_write_path(out, image->path);
    buf_printf(out, " already exists with id: %lld\n%s", (long long)image->id,
               image->again ? "image sent to queue\n" : "");
}

static void original_write_refused(struct buf *out, const struct path_job_entry *path)
{
    buf_str(out, "got path: ");
    original_write_path(out, path->text);
    buf_str(out, "\ngot error while saving image: ");
    original_write_path(out, path->refused);
    buf_str(out, "; moving on to next...\n");
}

void original_write_lines(struct buf *out, const struct path_job *job, const struct image *images, int count)
{
    int next = 0;

    for (int i = 0; i < job->count; i++)
        if (job->paths[i].refused)
            original_write_refused(out, &job->paths[i]);
        else if (next < count)
            original_write_image(out, &images[next++]);
}
