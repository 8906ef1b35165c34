/* Reads all messages that the streams of kith hold, for commands that search them. Blocks; not on the loop thread. */
#ifndef KITH_CORE_BUS_STREAM_MESSAGES_H
#define KITH_CORE_BUS_STREAM_MESSAGES_H

#include "core/base/error.h"
#include "core/bus/bus.h"

/* The subject, and the message with its headers, are borrowed for the call. */
typedef void (*stream_message_fn)(void *context, const char *stream, const char *subject, const void *data, size_t len);

/* Calls `each` for each message of each stream whose name begins with “PREFIX_”. The number of streams, or negative
 * errno with `error`: a server that is not reached, or refuses. A server without JetStream has no streams. */
int stream_messages_read(const struct bus_options *options, const char *prefix, stream_message_fn each, void *context,
                         struct error *error);

#endif
