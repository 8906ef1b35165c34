/* Checks the settings of `kith serve`. Nothing is open yet, so a refused setting leaves nothing behind. */
#include "cli/serve/service.h"

#include "core/base/clock.h"
#include "core/base/must.h"
#include "core/base/settings/secret.h"
#include "plugins/shared/loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static int check_listen_address(const struct settings *s, const char *address, const char *setting)
{
    if (!address[0] || http_address_is_loopback(address) || s->auth[0] || s->api_keys_file[0])
        return 0;
    return cli_refuse(
        "%s=%s can be reached from outside: set KITH_AUTH=keys and create keys (“kith key create”), or set "
        "KITH_AUTH=none to let everyone there use it",
        setting, address);
}

/* A wrong file of API keys is refused before anything listens. */
int check_api_keys(struct service *v)
{
    const struct settings *s = v->s;
    char *text;
    struct error error;
    int code = 0;

    v->auth.log_rate = (struct log_rate){.event = "wrong key", .per_second = (uint32_t)s->log_refused};
    v->auth.keys = api_keys_new((uint32_t)s->auth_failures);
    v->auth.required = strcmp(s->auth, "keys") == 0 || (!s->auth[0] && s->api_keys_file[0]);
    if (!s->api_keys_file[0])
        return 0;
    if (!(text = malloc(API_KEYS_FILE_BYTES)))
        out_of_memory();
    if (secret_read(s->api_keys_file, "KITH_API_KEYS_FILE", text, API_KEYS_FILE_BYTES, &error) < 0)
        code = cli_refuse("%s", error.text);
    else if (api_keys_set_file(v->auth.keys, text, &error) < 0)
        code = cli_refuse("KITH_API_KEYS_FILE: %s: %s", s->api_keys_file, error.text);
    free(text);
    return code;
}

static int check_cluster_settings(const struct service *v)
{
    const struct settings *s = v->s;

    if (s->nats[0] && !v->cluster)
        return cli_refuse(
            "KITH_NATS: nodes of a cluster share one database: KITH_DATABASE must be a mariadb://…, not sqlite");
    if (strchr(s->nats, '@'))
        return cli_refuse(
            "KITH_NATS: addresses only; credentials go into KITH_NATS_USER and KITH_NATS_PASSWORD, KITH_NATS_TOKEN or "
            "KITH_NATS_CREDS");
    if ((v->roles & ROLE_PROCESSOR) && !(v->roles & ROLE_RECOGNIZER) && !s->nats[0])
        return cli_refuse(
            "KITH_ROLES=%s: a processor needs recognisers: its own, or those of other nodes over KITH_NATS", s->roles);
    if (s->nats_prefix[0] == 0 || strspn(s->nats_prefix, NODE_LETTERS) != strlen(s->nats_prefix) ||
        strlen(s->nats_prefix) > 32)
        return cli_refuse("KITH_NATS_PREFIX: “%s” is not a text of 1 to 32 letters, digits, “-” and “_”",
                          s->nats_prefix);
    if (s->node_timeout < 2 * s->node_heartbeat)
        return cli_refuse("KITH_NODE_TIMEOUT must be at least twice KITH_NODE_HEARTBEAT");
    return 0;
}

int check_settings(struct service *v)
{
    const struct settings *s = v->s;
    struct error error;

    if (v->in->count)
        return cli_refuse("serve takes no argument “%s”", v->in->arguments[0]);
    if (!s->tls_cert[0] != !s->tls_key[0])
        return cli_refuse("KITH_TLS_CERT and KITH_TLS_KEY go together: one of them is missing");
    if (roles_parse(s->roles, &v->roles) < 0)
        return cli_refuse("KITH_ROLES=%s: expected all, or some of receiver,processor,recognizer,frontend", s->roles);
    v->cluster = strcmp(s->database, "sqlite") != 0;
    if (check_cluster_settings(v))
        return 2;
    if (s->breaker_timeout > s->breaker_timeout_max)
        return cli_refuse("KITH_BREAKER_TIMEOUT is above KITH_BREAKER_TIMEOUT_MAX");
    if (!(v->trust = http_trust_new(s->trusted_proxies, s->public_url, s->cors_origins, &error)))
        return cli_refuse("%s", error.text);
    if (loader_find(s->recognizer, s->plugins, v->plugin, sizeof v->plugin, &error) < 0)
        return cli_refuse("%s", error.text);
    return check_listen_address(s, s->api_listen, "KITH_API_LISTEN") |
           check_listen_address(s, s->dashboard_listen, "KITH_DASHBOARD_LISTEN");
}

/* Names the node and the owner of its leases. The owner is this run of the process: leases of earlier runs of the node
 * are void. */
int check_node_name(struct service *v)
{
    if (v->s->node[0])
        snprintf(v->node, sizeof v->node, "%s", v->s->node);
    else if (gethostname(v->node, sizeof v->node - 1) < 0)
        snprintf(v->node, sizeof v->node, "kith");
    for (char *c = v->node; !v->s->node[0] && *c; c++)
        if (!strchr(NODE_LETTERS, *c)) /* a host's name may have dots */
            *c = '-';
    if (strlen(v->s->node) >= sizeof v->node || strspn(v->node, NODE_LETTERS) != strlen(v->node))
        return cli_refuse("KITH_NODE: “%s” is not a name of at most %zu letters, digits, “-” and “_”",
                          v->s->node[0] ? v->s->node : v->node, sizeof v->node - 1);
    if (getrandom(&v->boot, sizeof v->boot, 0) < 0)
        v->boot = (uint64_t)clock_wall_ms();
    v->boot &= INT64_MAX;
    snprintf(v->owner_node, sizeof v->owner_node, "%s:", v->node);
    snprintf(v->owner, sizeof v->owner, "%s%d-%llx", v->owner_node, (int)getpid(), (unsigned long long)v->boot);
    return 0;
}
