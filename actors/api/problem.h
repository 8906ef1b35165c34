/* Problem documents (RFC 9457) for asks that failed. Loop thread. */
#ifndef KITH_ACTORS_API_PROBLEM_H
#define KITH_ACTORS_API_PROBLEM_H

#include "actors/messages.h"

/* Answers the request and returns true when an ask of the store failed; false when it succeeded. */
bool reply_failed(struct http_request *request, int status, const struct msg *reply);
/* The same for an ask of the recogniser. */
bool recognition_failed(struct http_request *request, int status, const struct msg *reply);

#endif
