/* GET /v1/people/folder: what has become of the files of the known-people folder. Part of the actor people.
 *
 * The rows come from the store, so every node answers; what is under way is told by the actor known-people of this
 * node. */
#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "actors/people/people.h"
#include "actors/people/people_internal.h"

#include <stdio.h>
#include <string.h>

/* By the bits of store_known_report.states. */
static const char *const folder_states[] = {
    [KNOWN_UNSEEN] = "unseen",       [KNOWN_ENROLLED] = "enrolled", [KNOWN_REFUSED] = "refused",
    [KNOWN_DUPLICATE] = "duplicate", [KNOWN_GONE] = "gone",         [KNOWN_REPLACED] = "replaced",
    [KNOWN_STATES] = "photo_deleted"};
enum { FOLDER_STATES = sizeof folder_states / sizeof folder_states[0], ENROLLED_BIT = 1 << KNOWN_ENROLLED };

static int folder_state_of(const struct known_file *f)
{
    return f->state == KNOWN_ENROLLED && f->person <= 0 ? KNOWN_STATES : (int)f->state;
}

static void folder_write_file(struct buf *out, const struct known_file *f)
{
    buf_str(out, "{\"path\":");
    buf_json(out, f->path);
    buf_printf(out, ",\"state\":\"%s\",\"reason\":", folder_states[folder_state_of(f)]);
    buf_json(out, f->reason);
    buf_str(out, ",\"name\":");
    buf_json(out, f->person_name);
    if (f->person > 0) {
        buf_printf(out, ",\"photo\":%lld,\"person\":{\"id\":%lld,\"name\":", (long long)f->photo, (long long)f->person);
        buf_json(out, f->person_now);
        buf_str(out, "}");
    }
    if (f->gone_ms) {
        buf_str(out, ",\"gone_at\":");
        json_time(out, f->gone_ms);
    }
    if (f->faces) {
        buf_str(out, ",\"faces\":");
        buf_str(out, f->faces);
    }
    buf_str(out, "}");
}

static void folder_write_scan(struct buf *out, const struct msg_folder_state *m)
{
    static const char *const stages[] = {"idle", "listing", "reading", "enrolling"};
    const struct folder_state *s = &m->state;

    buf_str(out, "{\"folder\":");
    buf_json(out, m->folder);
    buf_printf(out, ",\"state\":\"%s\",\"progress\":{\"done\":%d,\"of\":%d}", stages[s->stage], s->done, s->of);
    buf_printf(out, ",\"scan\":{\"number\":%lld,\"started_at\":", (long long)s->scans);
    json_time(out, s->started_ms);
    buf_str(out, ",\"finished_at\":");
    json_time(out, s->finished_ms);
    buf_printf(out,
               ",\"photos\":%d,\"hidden\":%d,\"no_photos\":%d,\"enrolled\":%d,\"refused\":%d,\"duplicates\":%d,"
               "\"moved\":%d,\"gone\":%d,\"forgotten\":%d,\"deferred\":%d}",
               s->photos, s->hidden, s->other, s->enrolled, s->refused, s->duplicates, s->moved, s->gone, s->forgotten,
               s->deferred);
}

static void folder_write_rows(struct buf *out, const struct store_reply *r)
{
    buf_str(out, ",\"counts\":{");
    for (int i = KNOWN_ENROLLED; i < KNOWN_STATES; i++)
        buf_printf(out, "\"%s\":%lld,", folder_states[i], (long long)r->known_counts[i]);
    buf_printf(out, "\"%s\":%lld},\"files\":[", folder_states[KNOWN_STATES], (long long)r->known_forgotten);
    for (int i = 0; i < r->file_count; i++) {
        buf_str(out, i ? "," : "");
        folder_write_file(out, &r->files[i]);
    }
    buf_str(out, "],\"next\":");
    if (r->more) {
        buf_str(out, "\"");
        for (size_t i = 0; i < sizeof r->next_key; i++)
            buf_printf(out, "%02x", r->next_key[i]);
        buf_str(out, "\"}");
    } else {
        buf_str(out, "null}");
    }
}

static void folder_on_rows(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct call *call = context;
    struct buf out = {0};

    (void)self;
    if (!reply_failed(call->request, status, reply)) {
        buf_add(&out, call->name, strlen(call->name));
        folder_write_rows(&out, (const struct store_reply *)reply);
        reply_json(call->request, 200, &out);
    }
    call_free(call);
}

static bool folder_read_cursor(const char *text, uint8_t key[static KNOWN_KEY_BYTES])
{
    if (strlen(text) != (size_t)2 * KNOWN_KEY_BYTES || strspn(text, "0123456789abcdef") != (size_t)2 * KNOWN_KEY_BYTES)
        return false;
    for (int i = 0; i < KNOWN_KEY_BYTES; i++) {
        unsigned byte;

        sscanf(text + 2 * (size_t)i, "%2x", &byte); /* NOLINT(cert-err34-c): only hex digits are there */
        key[i] = (uint8_t)byte;
    }
    return true;
}

/* ?state=: the states that are listed; without it all but the enrolled ones. False: answered. */
static bool folder_read_query(struct http_request *request, int64_t most, struct store_known_report *m)
{
    char state[HTTP_QUERY_MAX], after[HTTP_QUERY_MAX];
    int64_t limit = most < 50 ? most : 50;
    uint8_t *key = arena_alloc(&m->m.arena, KNOWN_KEY_BYTES);

    if (!query_text(request, "state", 64, state) || !query_text(request, "after", 64, after) ||
        !query_number(request, "limit", 1, most, &limit))
        return false;
    m->limit = (int)limit;
    m->states = state[0] ? 0 : (1u << FOLDER_STATES) - 1 - ENROLLED_BIT;
    for (int i = 0; i < FOLDER_STATES; i++)
        if (strcmp(state, folder_states[i]) == 0 || strcmp(state, "all") == 0)
            m->states |= 1u << i;
    if (!m->states) {
        http_problem(request, 400, "wrong-value",
                     "“state” is “%s”: enrolled, refused, duplicate, gone, replaced, photo_deleted or all.", state);
        return false;
    }
    if (after[0] && !folder_read_cursor(after, key)) {
        http_problem(request, 400, "wrong-value", "“after” is no cursor: it is “next” of the page before.");
        return false;
    }
    m->after = after[0] ? key : NULL;
    return true;
}

static void folder_on_state(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct people_config *config = actor_config(self);
    struct store_known_report *m = STORE_MESSAGE(STORE_KNOWN_REPORT, store_known_report);
    struct call *call = context;
    struct buf out = {0};

    if (!folder_read_query(call->request, config->page_limit, m)) {
        msg_unref(&m->m.head);
        call_free(call);
        return;
    }
    if (status == ACTOR_OK)
        folder_write_scan(&out, (const struct msg_folder_state *)reply);
    else /* no such folder here, or another node watches it */
        buf_str(&out, "{\"folder\":null,\"state\":\"off\",\"progress\":null,\"scan\":null");
    buf_add(&out, "", 1);
    call->name = out.data;
    actor_ask(self, "store", &m->m.head, config->store_ms, folder_on_rows, call);
}

void folder_report(struct actor *self, struct http_request *request)
{
    const struct people_config *config = actor_config(self);

    actor_ask(self, "known-people", msg_new(MSG_FOLDER_STATE, sizeof(struct msg)), config->store_ms, folder_on_state,
              call_new(self, request, OP_FOLDER));
}
