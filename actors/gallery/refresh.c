#include "actors/gallery/refresh.h"

#include "core/base/log/log.h"
#include "core/base/metrics.h"

static struct metric calibrated = {.name = "kith_gallery_calibrated",
                                   .help = "1: names are given by KITH_FPIR; 0: by a fixed threshold.",
                                   .kind = METRIC_GAUGE};

void refresh_register_metrics(void)
{
    metric_register(&calibrated);
}

void refresh_start(struct refresh *r)
{
    if (r->state == REFRESH_RUNNING || !r->jobs->model_known || !r->jobs->model.dimension)
        return;
    r->job = gallery_jobs_new(r->jobs, JOB_REFRESH, NULL);
    if (gallery_jobs_run(r->jobs, r->job) == ACTOR_OK)
        r->state = REFRESH_RUNNING;
}

bool refresh_on_job(struct refresh *r, const struct msg_job *job)
{
    bool was = r->calibrated;

    if (r->state != REFRESH_RUNNING || job != r->job)
        return false;
    r->state = REFRESH_IDLE;
    if (job->more) {
        refresh_start(r);
        return false;
    }
    r->calibrated = job->state.calibrated;
    metric_set(&calibrated, r->calibrated);
    if (was != r->calibrated)
        log_event(LOG_INFO, "decision rule changed",
                  LOG_STR("rule", r->calibrated ? "false positive rate" : "fixed threshold"),
                  LOG_INT("cohort", job->state.cohort), LOG_INT("people", job->state.people));
    return job->threshold_lowered;
}
