#include "actors/intake/path_body.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A refusal counts only when the paths before it are good: it is kept until they are checked. */
static void path_body_refuse(struct path_job *job, int status, const char *slug, const char *detail)
{
    char *text = job->refusal_text;

    if (job->each)
        path_job_add_refused(job, detail);
    if (job->refusal_status)
        return;
    job->refusal_status = status;
    job->refusal_slug = slug;
    if (job->count > job->each)
        snprintf(text, sizeof job->refusal_text, "Path number %d: %s", job->count + !job->each, detail);
    else
        snprintf(text, sizeof job->refusal_text, "%s", detail);
}

/* The original matches names of members without their case, as Go does, when no member has the very name. */
static json_t *path_body_member(const struct path_job *job, json_t *object, const char *name)
{
    json_t *found = json_object_get(object, name), *value;
    const char *key;

    if (found || !job->each)
        return found;
    json_object_foreach(object, key, value) if (!found && strcasecmp(key, name) == 0) found = value;
    return found;
}

static void path_body_add_value(struct path_job *job, json_t *value, size_t max_paths)
{
    if (job->refusal_status && (!job->each || job->refusal_status == 413))
        return;
    if (json_is_object(value))
        value = path_body_member(job, value, "path");
    if (!value) {
        path_body_refuse(job, 400, "missing", "“path” is missing.");
    } else if (!json_is_string(value)) {
        path_body_refuse(job, 400, "wrong-type", "A path must be a string.");
    } else if ((size_t)job->count == max_paths) {
        job->refusal_status = 413;
        job->refusal_slug = "too-many-paths";
        snprintf(job->refusal_text, sizeof job->refusal_text, "More than %zu paths in one request (KITH_MAX_PATHS).",
                 max_paths);
    } else {
        path_job_add(job, json_string_value(value), json_string_length(value));
    }
}

bool path_body_read_object(struct path_job *job, size_t max_paths)
{
    json_t *object = body_object(job->call->request), *paths, *value;
    size_t i;

    if (!object)
        return false;
    paths = path_body_member(job, object, "paths");
    if (paths && !json_is_array(paths) && !(job->each && json_is_null(paths)))
        path_body_refuse(job, 400, "wrong-type", "“paths” must be an array.");
    else if (!job->each && paths && json_array_size(paths) == 0)
        path_body_refuse(job, 400, "missing", "“paths” is empty.");
    else if (!paths)
        path_body_add_value(job, object, max_paths);
    json_array_foreach(paths, i, value) path_body_add_value(job, value, max_paths);
    json_decref(object);
    return true;
}

/* The body has no NUL at its end: only the bytes of the line may be read. */
static bool path_body_is_blank(const char *line, size_t len)
{
    while (len && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
        len--;
    return len == 0;
}

void path_body_read_lines(struct path_job *job, size_t max_paths)
{
    size_t len, n;
    const char *at = http_request_body(job->call->request, &len), *end = at ? at + len : NULL;
    json_error_t error;

    for (; at && at < end && !job->refusal_status; at += n + 1) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        json_t *value;

        n = newline ? (size_t)(newline - at) : (size_t)(end - at);
        if (path_body_is_blank(at, n))
            continue;
        value = json_loadb(at, n, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
        if (value)
            path_body_add_value(job, value, max_paths);
        else
            path_body_refuse(job, 400, "not-json", "A line is not JSON.");
        json_decref(value);
    }
    if (job->count == 0)
        path_body_refuse(job, 400, "no-body", "The request holds no path.");
}
