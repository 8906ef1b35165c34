#include "actors/pipeline/finish.h"

#include "actors/pipeline/processor_internal.h"
#include "core/base/path.h"

#include <stdio.h>
#include <string.h>

enum { TRY_BACKOFF_MAX_MS = 300000, BUSY_MS = 100 };

static struct store_finish *finish_new(const struct processor_config *config, const struct job *job,
                                       enum outcome outcome, const char *reason, const char *sha256)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    m->id = job->id;
    m->attempt = job->attempt;
    m->outcome = outcome;
    m->reason = arena_text(&m->m.arena, reason);
    m->file = job->file;
    m->sha256 = sha256 && sha256[0] ? arena_text(&m->m.arena, sha256) : NULL;
    m->max_tries = config->tries;
    m->max_crashes = config->crashes;
    return m;
}

static int64_t finish_try_backoff_ms(const struct processor_config *config, int64_t tries)
{
    uint64_t ms = config->backoff_ms;

    for (int64_t i = 1; i < tries && ms < TRY_BACKOFF_MAX_MS; i++)
        ms *= 2;
    return (int64_t)(ms < TRY_BACKOFF_MAX_MS ? ms : TRY_BACKOFF_MAX_MS);
}

static struct store_finish *finish_retry(const struct processor_config *config, const struct job *job,
                                         const char *reason, const char *sha256)
{
    struct store_finish *m = finish_new(config, job, OUTCOME_RETRY, reason, sha256);

    m->delay_ms = finish_try_backoff_ms(config, job->tries);
    return m;
}

static struct store_finish *finish_release(const struct processor_config *config, const struct job *job,
                                           const char *reason, int64_t delay_ms)
{
    struct store_finish *m = finish_new(config, job, OUTCOME_RELEASE, reason, NULL);

    m->delay_ms = delay_ms;
    return m;
}

/* No answer in time costs a try: the image may be the cause. A restart or a full mailbox costs none. */
struct store_finish *finish_without_recognizer(const struct processor_config *config, const struct job *job, int status)
{
    if (status == ACTOR_TIMEOUT)
        return finish_retry(config, job, "the recogniser did not answer in time", NULL);
    return finish_release(config, job, actor_status_name(status), BUSY_MS);
}

struct store_finish *finish_without_gallery(const struct processor_config *config, const struct job *job)
{
    return finish_release(config, job, "the gallery does not answer", BUSY_MS);
}

struct store_finish *finish_of_recognized(const struct processor_config *config, const struct job *job,
                                          const struct msg_recognized *r)
{
    struct store_finish *m;

    switch (r->outcome) {
    case RECOGNIZED_OK:
        m = finish_new(config, job, OUTCOME_FACES, NULL, r->sha256);
        m->partial = r->event->done.partial;
        return m;
    case RECOGNIZED_BAD_IMAGE:
        m = finish_new(config, job, OUTCOME_FAILED, r->reason, r->sha256);
        m->gone = strcmp(r->reason, PATH_NO_SUCH_FILE) == 0; /* as text: it may come from another node */
        return m;
    case RECOGNIZED_POISON:
        return finish_new(config, job, OUTCOME_FAILED, "poison: the same bytes have killed recognisers", r->sha256);
    case RECOGNIZED_BUSY:
    case RECOGNIZED_OPEN: /* on another node: its heartbeat has not told it yet */
        return finish_release(config, job, recognized_name(r->outcome), BUSY_MS);
    case RECOGNIZED_STOPPING:
        return finish_release(config, job, recognized_name(r->outcome), 0);
    default:
        m = finish_retry(config, job, r->reason, r->sha256);
        m->crashed = r->outcome == RECOGNIZED_CRASHED;
        return m;
    }
}

/* A deep copy: the answer of the gallery does not outlive the callback. */
static void finish_copy_face(struct arena *arena, struct face *to, const struct face *from)
{
    *to = *from;
    to->model = arena_text(arena, from->model);
    to->label = arena_text(arena, from->label);
    to->landmarks = (const float *)(const void *)arena_copy(arena, from->landmarks,
                                                            (size_t)from->landmark_count * 2 * sizeof(float));
    if (from->embedding)
        to->embedding =
            (const float *)(const void *)arena_copy(arena, from->embedding, (size_t)from->dimension * sizeof(float));
    to->candidates = (const struct candidate *)(const void *)arena_copy(
        arena, from->candidates, (size_t)from->candidate_count * sizeof(struct candidate));
}

struct store_finish *finish_of_matched(const struct processor_config *config, const struct job *job,
                                       const struct msg_matched *matched)
{
    const char *sha256 = matched->event->done.sha256;
    struct store_finish *m = finish_new(config, job, OUTCOME_FACES, NULL, sha256);

    m->faces = arena_alloc(&m->m.arena, (size_t)matched->face_count * sizeof *m->faces + 1);
    m->face_count = matched->face_count;
    m->partial = matched->event->done.partial;
    for (int i = 0; i < m->face_count; i++)
        finish_copy_face(&m->m.arena, &m->faces[i], &matched->faces[i]);
    return m;
}

struct store_finish *finish_of_refused(const struct processor_config *config, const struct job *job)
{
    return finish_new(config, job, OUTCOME_FAILED, "the database refused the result; the log has the reason", NULL);
}
