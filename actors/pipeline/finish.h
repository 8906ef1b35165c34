/* What is written back for each outcome of a job: the messages STORE_FINISH. They own all that they point to. */
#ifndef KITH_ACTORS_PIPELINE_FINISH_H
#define KITH_ACTORS_PIPELINE_FINISH_H

#include "actors/pipeline/jobs.h"
#include "actors/pipeline/processor.h"

/* For an ask of the recogniser that ended without an answer. */
struct store_finish *finish_without_recognizer(const struct processor_config *config, const struct job *job,
                                               int status);
/* For an ask of the gallery that ended without an answer. */
struct store_finish *finish_without_gallery(const struct processor_config *config, const struct job *job);
/* For an answer of the recogniser without faces. */
struct store_finish *finish_of_recognized(const struct processor_config *config, const struct job *job,
                                          const struct msg_recognized *r);
/* For the people that the gallery found. */
struct store_finish *finish_of_matched(const struct processor_config *config, const struct job *job,
                                       const struct msg_matched *matched);
/* A failure in place of a result that the store refuses for good: no text, hash or face of that result. */
struct store_finish *finish_of_refused(const struct processor_config *config, const struct job *job);

#endif
