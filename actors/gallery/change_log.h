/* Reads the store's log of gallery changes, page by page.
 *
 *              request               request
 *   LOG_IDLE ──────────▶ LOG_READING ────────▶ LOG_REREAD
 *      ▲                      │                    │
 *      └────── log's end ─────┘      log's end: LOG_READING again
 *
 * Readings are numbered from 1. A request names the reading that serves it: the one that begins now, or, while a
 * reading is under way, the next one, because the page that is being read may be older than the request. All requests
 * made during one reading share the next.
 *
 * A page counts as read only when its receiver has accepted it; a reading that failed is repeated from that page by the
 * next request.
 *
 * The reading begins again from the start of the log, which `restart` reports, in two cases: the store has deleted a
 * removal that comes after the cursor, or the last change that was read is not in the database any more (an older copy
 * was restored; the store reports `rewound`). Loop thread.
 */
#ifndef KITH_ACTORS_GALLERY_CHANGE_LOG_H
#define KITH_ACTORS_GALLERY_CHANGE_LOG_H

#include "core/store/store.h"

struct actor;

enum change_log_state { LOG_IDLE, LOG_READING, LOG_REREAD };

struct change_log_events {
    /* A page with at least one change; `after` is the cursor before it. False: not accepted, the reading fails. */
    bool (*page)(struct actor *self, const struct store_reply *page, int64_t after);
    /* The pages that follow are those of the whole log: everything that was learnt from it is void. False: not
     * accepted, the reading fails. */
    bool (*restart)(struct actor *self);
    /* A reading has ended. `ok`: at the end of the log; `found`: at least one page was accepted. May request again. */
    void (*end)(struct actor *self, uint64_t reading, bool ok, bool found);
};

struct change_log {
    struct actor *self;
    const struct change_log_events *events;
    uint32_t page; /* changes in a page */
    enum change_log_state state;
    int64_t cursor;      /* number of the last change that was accepted */
    int64_t mark;        /* its mark in the database */
    int64_t removal;     /* the last removal that the log had lost when it was read from its start */
    uint64_t reading;    /* number of the current or last reading */
    uint64_t generation; /* pages accepted so far */
    bool found;          /* the current reading has accepted a page */
};

void change_log_register_metrics(void);

/* Requests a reading that begins after this call. Returns its number. */
uint64_t change_log_request(struct change_log *log);

#endif
