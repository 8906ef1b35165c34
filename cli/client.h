/* A small HTTP client for the subcommands that use a running kith. */
#ifndef KITH_CLI_CLIENT_H
#define KITH_CLI_CLIENT_H

#include "core/base/settings/settings.h"

#include <jansson.h>

struct client;

/* For the address in the settings. NULL: out of memory. */
struct client *client_new(const struct settings *settings);
void client_free(struct client *c);

/* Returns the status of the response, or 0: there was none, and one line on standard error says why. `json` gets the
 * parsed body, owned, or NULL: it is not JSON. */
long client_call(struct client *c, const char *method, const char *path, const char *content_type, const void *body,
                 size_t len, json_t **json);
/* The detail of a problem document, or a text that says that there is none. */
const char *client_detail(const json_t *json);
/* Escapes a path or query part into `out`. */
void client_escape(struct client *c, const char *text, struct buf *out);

#endif
