#include "actors/frontend/event_text.h"

#include "actors/api/json_records.h"

void event_text_hello(struct buf *out, int64_t last)
{
    buf_printf(out, "retry: 2000\nid: %lld\nevent: hello\ndata: {}\n\n", (long long)last);
}

static void event_text_event(struct buf *out, const struct event *e, const struct image *image)
{
    static const char *const names[] = {"", "image", "deleted", "person", "person-deleted"};

    buf_printf(out, "id: %lld\nevent: %s\ndata: ", (long long)e->id, names[e->kind]);
    if (e->kind == EVENT_IMAGE)
        json_image(out, image, false);
    else
        buf_printf(out, "{\"id\":%lld}", (long long)(e->image ? e->image : e->person));
    buf_str(out, "\n\n");
}

void event_text_page(struct buf *out, const struct store_reply *page, int64_t *cursor)
{
    bool pruned = page->first_event > *cursor + 1 && *cursor < page->last_event;

    if (pruned || *cursor > page->last_event) {
        *cursor = page->last_event;
        buf_printf(out, "id: %lld\nevent: reset\ndata: {}\n\n", (long long)page->last_event);
        return;
    }
    for (int i = 0; i < page->event_count; i++)
        event_text_event(out, &page->events[i], &page->images[i]);
    *cursor = page->next > *cursor ? page->next : *cursor;
}

void event_text_breaker(struct buf *out, int state)
{
    buf_printf(out, "event: breaker\ndata: {\"state\":\"%s\"}\n\n", breaker_state_name(state));
}
