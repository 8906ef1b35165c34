/* The envelope of a message between nodes: decoding, and the checks that need nothing but the envelope. Pure functions,
 * any thread: test/fuzz/fuzz_envelope.c runs them on arbitrary bytes. */
#ifndef KITH_ACTORS_CLUSTER_ENVELOPE_H
#define KITH_ACTORS_CLUSTER_ENVELOPE_H

#include "core/actor/msg.h"
#include "kith.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

enum { ENVELOPE_FORMAT = 1, ENVELOPE_PARTS_MAX = 4096 };

/* Returns an owned envelope, or NULL: not an envelope of this format, or not a valid sender. Values that an actor must
 * never see are corrected: an unknown status becomes ACTOR_FAILED, a longer deadline ENVELOPE_BUDGET_MAX_MS. */
Kith__V1__Envelope *envelope_decode(const void *data, size_t len);
enum { ENVELOPE_BUDGET_MAX_MS = 3600 * 1000 };
void envelope_free(Kith__V1__Envelope *e); /* accepts NULL */

/* Whether it is a heartbeat, which is sent to all nodes. */
bool envelope_is_presence(const Kith__V1__Envelope *e);

enum envelope_verdict {
    ENVELOPE_ALLOWED,
    ENVELOPE_UNDECODABLE, /* of a type, or for an address, that this version does not know */
    ENVELOPE_REFUSED      /* no peer may send this message to that actor */
};
/* What may be done with an ask or a tell of a peer; `m` is its decoded body or NULL. */
enum envelope_verdict envelope_check_message(const Kith__V1__Envelope *e, const struct msg *m);

/* For the fields of a protobuf message, which are never written to. NULL becomes "". */
char *envelope_text(const char *text);

#endif
