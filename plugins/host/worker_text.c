#include "plugins/host/worker_text.h"

#include <stdint.h>
#include <string.h>

/* Bytes of a sequence that begins with `first`, with the range of its second byte; 0: no sequence begins so. */
static size_t text_sequence_length(uint8_t first, uint8_t *low, uint8_t *high)
{
    *low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    *high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Bytes of the valid sequence at `s`; 0: there is none. `*cut` is set when the text ends within a sequence. */
static size_t text_valid_length(const uint8_t *s, size_t len, size_t *cut)
{
    uint8_t low, high;
    size_t need = text_sequence_length(s[0], &low, &high), have = 1;

    while (have < need && have < len && s[have] >= (have == 1 ? low : 0x80) && s[have] <= (have == 1 ? high : 0xbf))
        have++;
    *cut = have < need && have == len;
    return need && have == need ? need : 0;
}

void worker_text_copy(char *to, size_t size, const char *from, size_t from_len, size_t limit)
{
    static const char replacement[] = "\xef\xbf\xbd";
    const uint8_t *s = (const uint8_t *)from;
    size_t len = strnlen(from, from_len), out = 0;

    for (size_t i = 0; i < len;) {
        size_t cut, valid = text_valid_length(s + i, len - i, &cut), add = valid ? valid : sizeof replacement - 1;

        if (out + add >= size || (!valid && cut && limit && len + 1 >= limit))
            break;
        memcpy(to + out, valid ? from + i : replacement, add);
        out += add;
        i += valid ? valid : 1;
    }
    to[out] = 0;
}
