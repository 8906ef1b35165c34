/* Replies of operations that failed or refused. */
#include "core/store/threads/threads_internal.h"

#include <stdio.h>

/* The same message may be tried again after a failed transaction: its reply starts from nothing. */
void reply_renew(struct request *r)
{
    msg_unref(r->reply ? &r->reply->m.head : NULL);
    r->reply = STORE_MESSAGE(STORE_REPLY, store_reply);
}

void reply_fail(struct store_reply *r, int result, const char *words)
{
    r->status = result == DB_FULL                         ? STORE_NO_SPACE
                : result == DB_GONE || result == DB_AGAIN ? STORE_AWAY
                                                          : STORE_BROKEN;
    r->permanent = false;
    snprintf(r->error, sizeof r->error, "%s", result == DB_FULL ? "the disk of the database is full" : words);
    r->image_count = r->face_count = r->person_count = r->photo_count = r->template_count = 0;
    r->changed = 0;
}

/* A refused request changed nothing: what the operation filled in before it refused does not hold. */
void reply_clear_refused(struct store_reply *r)
{
    r->image_count = r->face_count = r->person_count = r->photo_count = r->template_count = 0;
    r->id = r->changed = 0;
    r->more = false;
}

/* Nobody's write is in: says so to each, with what the database said. */
void reply_fail_all(struct request *first, int result, const char *words)
{
    for (struct request *r = first; r; r = r->next) {
        if (!r->reply)
            reply_renew(r);
        if (r->reply->status == STORE_OK || r->reply->status == STORE_BROKEN || result == DB_GONE)
            reply_fail(r->reply, result, words);
    }
}
