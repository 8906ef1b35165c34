/* kith nodes: who belongs to the cluster, what each does and how it fares. */
#include "cli/cli.h"
#include "cli/client.h"

#include <stdio.h>

static const char *text_of(const json_t *node, const char *key)
{
    const char *text = json_string_value(json_object_get(node, key));

    return text && *text ? text : "-";
}

static void print_node(const json_t *node)
{
    const json_t *actors = json_object_get(node, "actors"), *actor;
    long long waiting = 0;
    char workers[32];
    size_t i;

    json_array_foreach(actors, i, actor) waiting += json_integer_value(json_object_get(actor, "mailbox"));
    snprintf(workers, sizeof workers, "%lld/%lld",
             (long long)json_integer_value(json_object_get(node, "workers_ready")),
             (long long)json_integer_value(json_object_get(node, "workers")));
    printf("%-20s %-38s %-9s %-22s %-8s %-8s %8lld%s\n", text_of(node, "name"), text_of(node, "roles"),
           text_of(node, "version"), text_of(node, "api"), workers, text_of(node, "breaker"), waiting,
           json_is_true(json_object_get(node, "self")) ? "  (asked)" : "");
}

int cli_nodes(const struct invocation *in)
{
    struct client *c = client_new(in->settings);
    json_t *json, *node;
    long status;
    size_t i;

    if (!c)
        return 1;
    status = client_call(c, "GET", "/v1/nodes", NULL, NULL, 0, &json);
    client_free(c);
    if (status == 200) {
        printf("%-20s %-38s %-9s %-22s %-8s %-8s %8s\n", "node", "roles", "version", "interface", "workers", "breaker",
               "waiting");
        json_array_foreach(json_object_get(json, "nodes"), i, node) print_node(node);
        printf("bus: %s\n", text_of(json, "bus"));
    } else if (status) {
        fprintf(stderr, "kith: %s\n", client_detail(json));
    }
    json_decref(json);
    return status == 200 ? 0 : 1;
}
