/* A small HTTP client for the subcommands that talk to a running kith. */
#ifndef KITH_CLI_CLIENT_H
#define KITH_CLI_CLIENT_H

#include "core/base/settings/settings.h"

#include <jansson.h>

struct client;

/* For the address that the settings name. NULL without memory. */
struct client *client_new(const struct settings *settings);
void client_free(struct client *c);

/* The answer's status, or 0 when there was none (one line has been printed). `json` gets the parsed body, owned, or
 * NULL when it is none. */
long client_call(struct client *c, const char *method, const char *path, const char *content_type, const void *body,
                 size_t len, json_t **json);
/* The words of a problem document, or "no answer". */
const char *client_detail(const json_t *json);
/* Escapes a path or query part into `out`. */
void client_escape(struct client *c, const char *text, struct buf *out);

#endif
