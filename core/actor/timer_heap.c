#include "core/actor/timer_heap.h"

#include "core/base/must.h"

#include <assert.h>
#include <stdlib.h>

static void heap_put(struct timer_heap *heap, uint32_t place, struct timer_node *node)
{
    heap->nodes[place - 1] = node;
    node->place = place;
}

static void heap_sift_up(struct timer_heap *heap, uint32_t place)
{
    struct timer_node *node = heap->nodes[place - 1];

    while (place > 1 && heap->nodes[place / 2 - 1]->due_ms > node->due_ms) {
        heap_put(heap, place, heap->nodes[place / 2 - 1]);
        place /= 2;
    }
    heap_put(heap, place, node);
}

static void heap_sift_down(struct timer_heap *heap, uint32_t place)
{
    struct timer_node *node = heap->nodes[place - 1];

    for (;;) {
        uint32_t child = place * 2;

        if (child > heap->count)
            break;
        if (child < heap->count && heap->nodes[child]->due_ms < heap->nodes[child - 1]->due_ms)
            child++;
        if (heap->nodes[child - 1]->due_ms >= node->due_ms)
            break;
        heap_put(heap, place, heap->nodes[child - 1]);
        place = child;
    }
    heap_put(heap, place, node);
}

void timer_heap_add(struct timer_heap *heap, struct timer_node *node)
{
    assert(node->place == 0);
    if (heap->count == heap->capacity) {
        uint32_t capacity = heap->capacity ? heap->capacity * 2 : 64;
        struct timer_node **nodes = realloc(heap->nodes, capacity * sizeof(struct timer_node *));

        if (!nodes)
            out_of_memory();
        heap->nodes = nodes;
        heap->capacity = capacity;
    }
    heap_put(heap, ++heap->count, node);
    heap_sift_up(heap, heap->count);
}

void timer_heap_remove(struct timer_heap *heap, struct timer_node *node)
{
    uint32_t place = node->place;
    struct timer_node *last;

    if (place == 0)
        return;
    last = heap->nodes[--heap->count];
    node->place = 0;
    if (last == node)
        return;
    heap_put(heap, place, last);
    heap_sift_up(heap, place);
    heap_sift_down(heap, last->place);
}

struct timer_node *timer_heap_first(const struct timer_heap *heap)
{
    return heap->count ? heap->nodes[0] : NULL;
}

void timer_heap_free(struct timer_heap *heap)
{
    free(heap->nodes);
    *heap = (struct timer_heap){0};
}
