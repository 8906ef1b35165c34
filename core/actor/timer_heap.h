/* Deadlines in order: a binary heap of nodes that live inside their owners (a timer, an ask).
 * A node knows its place, so that taking one out early is O(log n) and leaves nothing behind. Loop thread only. */
#ifndef KITH_CORE_ACTOR_TIMER_HEAP_H
#define KITH_CORE_ACTOR_TIMER_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct timer_node {
    uint64_t due_ms; /* monotonic */
    uint32_t place;  /* 1-based place in the heap; 0 while not in it */
    uint32_t kind;   /* for the owner: what this node is part of */
};

struct timer_heap {
    struct timer_node **nodes;
    uint32_t count, capacity;
};

void timer_heap_add(struct timer_heap *heap, struct timer_node *node);

/* Does nothing when the node is not in the heap. */
void timer_heap_remove(struct timer_heap *heap, struct timer_node *node);

/* The earliest node, or NULL. It stays in the heap. */
struct timer_node *timer_heap_first(const struct timer_heap *heap);

void timer_heap_free(struct timer_heap *heap);

#endif
