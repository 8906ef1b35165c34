#include "actors/frontend/event_text.h"

#include "actors/api/json_records.h"
#include "actors/api/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool event_cursor_parse(const char *text, struct event_cursor *cursor)
{
    enum { NUMBER_DIGITS = 19, MARK_DIGITS = 15 };
    size_t digits = strcspn(text, "-"), hex;
    char number[NUMBER_DIGITS + 1];

    *cursor = (struct event_cursor){0};
    snprintf(number, sizeof number, "%.*s", NUMBER_DIGITS, text);
    number[digits < NUMBER_DIGITS ? digits : NUMBER_DIGITS] = 0;
    if (digits > NUMBER_DIGITS || !request_parse_number(number, &cursor->number))
        return false;
    if (text[digits] == 0)
        return true;
    text += digits + 1;
    hex = strspn(text, "0123456789abcdef");
    cursor->mark = strtoll(text, NULL, 16);
    return hex > 0 && hex <= MARK_DIGITS && text[hex] == 0;
}

static void event_text_id(struct buf *out, int64_t number, int64_t mark)
{
    buf_printf(out, "id: %lld-%llx\n", (long long)number, (unsigned long long)mark);
}

void event_text_hello(struct buf *out, struct event_cursor last)
{
    buf_str(out, "retry: 2000\n");
    event_text_id(out, last.number, last.mark);
    buf_str(out, "event: hello\ndata: {}\n\n");
}

static void event_text_event(struct buf *out, const struct event *e, const struct image *image)
{
    static const char *const names[] = {"", "image", "deleted", "person", "person-deleted"};

    event_text_id(out, e->id, e->at_ms);
    buf_printf(out, "event: %s\ndata: ", names[e->kind]);
    if (e->kind == EVENT_IMAGE)
        json_image(out, image, false);
    else
        buf_printf(out, "{\"id\":%lld}", (long long)(e->image ? e->image : e->person));
    buf_str(out, "\n\n");
}

void event_text_page(struct buf *out, const struct store_reply *page, struct event_cursor *cursor)
{
    *cursor = (struct event_cursor){page->next, page->mark};
    if (page->rewound) {
        event_text_id(out, page->next, page->mark);
        buf_str(out, "event: reset\ndata: {}\n\n");
    }
    for (int i = 0; i < page->event_count; i++)
        event_text_event(out, &page->events[i], &page->images[i]);
}

void event_text_breaker(struct buf *out, int state)
{
    buf_printf(out, "event: breaker\ndata: {\"state\":\"%s\"}\n\n", breaker_state_name(state));
}
