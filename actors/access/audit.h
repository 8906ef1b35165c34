/* The audit trail: stores what the other actors tell (MSG_AUDIT), and lists it at GET /v1/audit.
 *
 * The answer to the change itself does not wait for the row. While the database is away, rows wait here, at most
 * KITH_AUDIT_BACKLOG; the log has a line for each change in any case. */
#ifndef KITH_ACTORS_ACCESS_AUDIT_H
#define KITH_ACTORS_ACCESS_AUDIT_H

#include "core/actor/actor.h"

struct audit_config {
    uint64_t store_ms, read_ms;
    int64_t page_limit;
    int backlog; /* rows that wait for the store at most */
};

extern const struct actor_ops audit_actor;

#endif
