/* A result of a search. */
#ifndef KITH_CORE_MATCH_HIT_H
#define KITH_CORE_MATCH_HIT_H

#include <stddef.h>
#include <stdint.h>

struct hit { /* a person, found by the nearest of their templates */
    int64_t person;
    size_t slot; /* of that template; valid until the set is changed */
    double distance;
};

#endif
