/* Replies of operations that failed or refused. */
#include "core/store/threads/threads_internal.h"

#include <stdio.h>

/* The same message may run again after a failed transaction: its reply starts empty. */
void reply_renew(struct request *r)
{
    r->cause[0] = 0;
    msg_unref(r->reply ? &r->reply->m.head : NULL);
    r->reply = STORE_MESSAGE(STORE_REPLY, store_reply);
}

static const char *reply_text(int result, bool outcome_unknown)
{
    if (outcome_unknown)
        return "the database did not confirm the request; repeat it: nothing is stored twice";
    switch (result) {
    case DB_DAMAGED:
        return "the database is damaged; see the log";
    case DB_FULL:
        return "the disk of the database is full";
    case DB_GONE:
        return "the database (KITH_DATABASE) cannot be reached; repeat the request";
    case DB_CONFLICT:
        return "the database is busy; repeat the request";
    case DB_INVALID:
        return "the database refuses a value of the request; see the log";
    default:
        return "the database could not execute the request; see the log";
    }
}

void reply_fail(struct store_reply *r, int result, bool outcome_unknown)
{
    r->status = result == DB_FULL                            ? STORE_NO_SPACE
                : result == DB_GONE || result == DB_CONFLICT ? STORE_AWAY
                                                             : STORE_BROKEN;
    r->permanent = result == DB_INVALID;
    snprintf(r->error, sizeof r->error, "%s", reply_text(result, outcome_unknown));
    r->image_count = r->face_count = r->person_count = r->photo_count = r->template_count = r->merge_count = 0;
    r->node_count = 0;
    r->changed = 0;
}

/* A refused request changed nothing: clears what the operation filled in before it refused. */
void reply_clear_refused(struct store_reply *r)
{
    r->image_count = r->face_count = r->person_count = r->photo_count = r->template_count = r->merge_count = 0;
    r->node_count = 0;
    r->id = r->changed = 0;
    r->more = false;
}

/* Requests that were refused or that failed alone keep their answer, unless the connection is lost. */
void reply_fail_all(struct request *first, int result, bool outcome_unknown)
{
    for (struct request *r = first; r; r = r->next) {
        if (!r->reply)
            reply_renew(r);
        if (r->reply->status == STORE_OK || r->reply->status == STORE_BROKEN || result == DB_GONE)
            reply_fail(r->reply, result, outcome_unknown);
    }
}
