#include "actors/cluster/peer_messages.h"

#include "actors/messages.h"

#include <string.h>

struct peer_message {
    const char *actor;
    uint32_t type;
    uint32_t reply; /* the type of the answer to an ask; 0: the message is told */
};

static const struct peer_message peer_messages[] = {
    {"recognizer", MSG_RECOGNIZE, MSG_RECOGNIZED},
    {"gallery", MSG_MATCH, MSG_MATCHED},
    {"gallery", MSG_GALLERY_CHANGED, MSG_GALLERY_READ},
    {"processor", MSG_NUDGE, 0},
};

enum { PEER_MESSAGES = sizeof peer_messages / sizeof *peer_messages };

bool peer_message_allowed(const char *actor, uint32_t type, bool ask)
{
    for (int i = 0; i < PEER_MESSAGES; i++) {
        const struct peer_message *m = &peer_messages[i];

        if (m->type == type && (m->reply != 0) == ask && strcmp(m->actor, actor) == 0)
            return true;
    }
    return false;
}

bool peer_reply_allowed(uint32_t ask_type, uint32_t reply_type)
{
    for (int i = 0; i < PEER_MESSAGES; i++)
        if (peer_messages[i].type == ask_type && peer_messages[i].reply && peer_messages[i].reply == reply_type)
            return true;
    return false;
}
