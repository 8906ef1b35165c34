#include "cli/serve/service.h"

#include <string.h>

int roles_parse(const char *text, unsigned *roles)
{
    static const struct {
        const char *name;
        unsigned role;
    } names[] = {{"all", ROLES_ALL},
                 {"receiver", ROLE_RECEIVER},
                 {"processor", ROLE_PROCESSOR},
                 {"recognizer", ROLE_RECOGNIZER},
                 {"frontend", ROLE_FRONTEND}};
    unsigned found = 0;

    while (*text) {
        size_t n = strcspn(text, ","), i = 0;

        while (i < 5 && (strlen(names[i].name) != n || memcmp(names[i].name, text, n) != 0))
            i++;
        if (i == 5)
            return -1;
        found |= names[i].role;
        text += n;
        text += *text == ',';
    }
    *roles = found;
    return found ? 0 : -1;
}
