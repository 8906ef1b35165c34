/* Reads the paths of a body into a path job. Loop thread.
 *
 * A body that holds no path, too many, or something else gives the job a refusal, which counts when its paths are good.
 */
#ifndef KITH_ACTORS_INTAKE_PATH_BODY_H
#define KITH_ACTORS_INTAKE_PATH_BODY_H

#include "actors/api/path_job.h"

/* {"path": …} or {"paths": […]}. False: the body is no object, and that is answered. `max_paths`: KITH_MAX_PATHS. */
bool path_body_read_object(struct path_job *job, size_t max_paths);
/* One JSON value a line: a path, or an object with one. */
void path_body_read_lines(struct path_job *job, size_t max_paths);

#endif
