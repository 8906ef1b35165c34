/* The lines of the original interface, /image/post and /images/post. Loop thread. */
#ifndef KITH_ACTORS_INTAKE_ORIGINAL_H
#define KITH_ACTORS_INTAKE_ORIGINAL_H

#include "actors/api/path_job.h"

/* The answer to an empty list of paths. */
#define ORIGINAL_NO_PATHS "got paths: {Paths:[]}\n"

/* Writes the lines of each path of the job: those that it refused, and those of the images, which are the others in
 * their order. */
void original_write_lines(struct buf *out, const struct path_job *job, const struct image *images, int count);

#endif
