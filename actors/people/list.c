/* Pages of people: all by id, or those whose name begins with a text. Part of the actor people.
 *
 * The cursor of a search is the last word and the last id of the page: its UTF-8 in hexadecimal, a dot, the id. */
#include "actors/api/json_records.h"
#include "actors/api/page.h"
#include "actors/api/problem.h"
#include "actors/people/people.h"
#include "actors/people/people_internal.h"

#include <stdio.h>
#include <string.h>

static void list_write_cursor(struct buf *out, const char *word, int64_t id)
{
    buf_str(out, "],\"next\":\"");
    for (; *word; word++)
        buf_printf(out, "%02x", (unsigned char)*word);
    buf_printf(out, ".%lld\"}", (long long)id);
}

static int list_hex(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static bool list_read_cursor(const char *text, char word[static NAME_WORD_BYTES], int64_t *id)
{
    size_t n = 0;

    for (; n + 1 < NAME_WORD_BYTES && list_hex(text[0]) >= 0 && list_hex(text[1]) >= 0; text += 2)
        word[n++] = (char)(list_hex(text[0]) * 16 + list_hex(text[1]));
    word[n] = 0;
    return n > 0 && strlen(word) == n && *text == '.' && request_parse_number(text + 1, id);
}

static void list_on_people(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;
    struct buf out = {0};

    (void)self;
    if (!reply_failed(call->request, status, reply)) {
        buf_str(&out, "{\"people\":[");
        for (int i = 0; i < r->person_count; i++) {
            buf_str(&out, i ? "," : "");
            json_person(&out, &r->people[i]);
        }
        if (r->next && r->text_count)
            list_write_cursor(&out, r->texts[0], r->next);
        else
            json_next(&out, r->next);
        reply_json(call->request, 200, &out);
    }
    call_free(call);
}

/* ?name=, ?limit= and ?after= of a search. False: answered. */
static bool list_read_search(struct http_request *request, int64_t most, const char *name, struct store_list *m)
{
    char word[NAME_WORD_BYTES], after[HTTP_QUERY_MAX];
    int64_t limit = m->limit;

    if (!name_search(name, word)) {
        http_problem(request, 400, "wrong-value", "“name” must have a letter or a digit and be UTF-8.");
        return false;
    }
    m->name = arena_text(&m->m.arena, word);
    if (!query_number(request, "limit", 1, most, &limit) || !query_text(request, "after", sizeof after - 1, after))
        return false;
    m->limit = (int)limit;
    if (after[0] && !list_read_cursor(after, word, &m->after)) {
        http_problem(request, 400, "wrong-value", "“after” must be “next” of the page before.");
        return false;
    }
    m->after_word = after[0] ? arena_text(&m->m.arena, word) : NULL;
    return true;
}

void people_list(struct actor *self, struct http_request *request)
{
    enum { LIMIT_DEFAULT = 50 };
    const struct people_config *config = actor_config(self);
    struct store_list *m;
    char name[HTTP_QUERY_MAX];
    bool good;

    if (!query_text(request, "name", HTTP_QUERY_MAX - 1, name))
        return;
    m = STORE_MESSAGE(STORE_PEOPLE, store_list);
    m->limit = config->page_limit < LIMIT_DEFAULT ? (int)config->page_limit : LIMIT_DEFAULT;
    good = name[0] ? list_read_search(request, config->page_limit, name, m)
                   : query_page(request, config->page_limit, &m->limit, &m->after);
    if (good)
        actor_ask(self, "store", &m->m.head, config->store_ms, list_on_people, call_new(self, request, 0));
    else
        msg_unref(&m->m.head);
}
