#include "core/match/search/slot_index.h"

#include "core/base/must.h"

#include <stdlib.h>
#include <string.h>

#define FREE UINT32_MAX

struct slot_index {
    int64_t *persons;
    uint32_t *next; /* of each slot: the next one of the same person */
    size_t count, capacity;
    uint32_t *table; /* open addressing: a slot of the person, or FREE; at most half full */
    size_t table_size, people;
};

struct slot_index *slot_index_new(void)
{
    return must(calloc(1, sizeof(struct slot_index)));
}

void slot_index_free(struct slot_index *o)
{
    free(o->persons);
    free(o->next);
    free(o->table);
    free(o);
}

int64_t slot_index_of(const struct slot_index *o, size_t slot)
{
    return o->persons[slot];
}

size_t slot_index_next(const struct slot_index *o, size_t slot)
{
    return o->next[slot];
}

size_t slot_index_people(const struct slot_index *o)
{
    return o->people;
}

size_t slot_index_bytes(const struct slot_index *o)
{
    return o->capacity * (sizeof *o->persons + sizeof *o->next) + o->table_size * sizeof *o->table;
}

/* Fibonacci hashing: consecutive ids are spread over the table (Knuth, TAOCP 3, 6.4). */
static size_t slot_index_hash(const struct slot_index *o, int64_t person)
{
    return (size_t)(((uint64_t)person * 0x9e3779b97f4a7c15u) >> 20) & (o->table_size - 1);
}

/* The entry of the person, or the free entry for them. */
static size_t slot_index_entry(const struct slot_index *o, int64_t person)
{
    size_t e = slot_index_hash(o, person);

    while (o->table[e] != FREE && o->persons[o->table[e]] != person)
        e = (e + 1) & (o->table_size - 1);
    return e;
}

size_t slot_index_find(const struct slot_index *o, int64_t person)
{
    uint32_t slot = o->table_size ? o->table[slot_index_entry(o, person)] : FREE;

    return slot == FREE ? SIZE_MAX : slot;
}

static void slot_index_grow(struct slot_index *o)
{
    uint32_t *before = o->table;
    size_t size = o->table_size;

    o->table_size = size ? size * 2 : 64;
    o->table = must(malloc(o->table_size * sizeof *o->table));
    memset(o->table, 0xff, o->table_size * sizeof *o->table);
    for (size_t i = 0; i < size; i++)
        if (before[i] != FREE)
            o->table[slot_index_entry(o, o->persons[before[i]])] = before[i];
    free(before);
}

void slot_index_add(struct slot_index *o, int64_t person)
{
    uint32_t slot = (uint32_t)o->count, *entry;

    if (o->count >= FREE)
        must_end("more than 2^32 templates"); /* 2^32 templates do not fit into the memory of a node */
    if (o->count == o->capacity) {
        o->capacity += o->capacity / 4 + 64;
        o->persons = must(realloc(o->persons, o->capacity * sizeof *o->persons));
        o->next = must(realloc(o->next, o->capacity * sizeof *o->next));
    }
    if (o->people * 2 >= o->table_size)
        slot_index_grow(o);
    o->persons[o->count++] = person;
    entry = &o->table[slot_index_entry(o, person)];
    if (*entry == FREE) {
        o->people++;
        o->next[slot] = slot;
        *entry = slot;
    } else {
        o->next[slot] = o->next[*entry];
        o->next[*entry] = slot;
    }
}

static uint32_t slot_index_previous(const struct slot_index *o, uint32_t slot)
{
    uint32_t at = slot;

    while (o->next[at] != slot)
        at = o->next[at];
    return at;
}

/* Frees an entry, and inserts the entries behind it again, so that no probe sequence is broken. */
static void slot_index_free_entry(struct slot_index *o, size_t e)
{
    size_t mask = o->table_size - 1;

    o->table[e] = FREE;
    for (size_t i = (e + 1) & mask; o->table[i] != FREE; i = (i + 1) & mask) {
        uint32_t slot = o->table[i];

        o->table[i] = FREE;
        o->table[slot_index_entry(o, o->persons[slot])] = slot;
    }
}

static void slot_index_unlink(struct slot_index *o, uint32_t slot)
{
    size_t e = slot_index_entry(o, o->persons[slot]);

    if (o->next[slot] == slot) {
        slot_index_free_entry(o, e);
        o->people--;
        return;
    }
    o->table[e] = o->next[slot];
    o->next[slot_index_previous(o, slot)] = o->next[slot];
}

void slot_index_move_last(struct slot_index *o, size_t to)
{
    uint32_t slot = (uint32_t)to, last = (uint32_t)o->count - 1;

    slot_index_unlink(o, slot);
    if (slot != last) {
        size_t e = slot_index_entry(o, o->persons[last]);

        o->next[slot] = o->next[last] == last ? slot : o->next[last];
        if (o->next[last] != last)
            o->next[slot_index_previous(o, last)] = slot;
        o->persons[slot] = o->persons[last];
        o->table[e] = slot; /* any slot of the person will do */
    }
    o->count--;
}
