/* kith retry: failed images back into the queue of a running kith. */
#include "cli/cli.h"
#include "cli/client.h"

#include <stdio.h>

static int retry_one(struct client *c, const char *id)
{
    char path[128];
    json_t *json;
    long status;

    snprintf(path, sizeof path, "/v1/images/%.64s/retry", id);
    status = client_call(c, "POST", path, NULL, NULL, 0, &json);
    if (status == 200)
        printf("image %s: pending again\n", id);
    else if (status)
        fprintf(stderr, "kith: image %s: %s\n", id, client_detail(json));
    json_decref(json);
    return status == 200 ? 0 : 1;
}

static int retry_all(struct client *c)
{
    json_t *json;
    long status = client_call(c, "POST", "/v1/images/retry?status=failed", NULL, NULL, 0, &json);

    if (status == 200)
        printf("%lld images: pending again\n", (long long)json_integer_value(json_object_get(json, "retried")));
    else if (status)
        fprintf(stderr, "kith: %s\n", client_detail(json));
    json_decref(json);
    return status == 200 ? 0 : 1;
}

int cli_retry(const struct invocation *in)
{
    struct client *c = client_new(in->settings->api_listen);
    int code = 0;

    if (!c)
        return 1;
    for (int i = 0; i < in->count; i++)
        code |= retry_one(c, in->arguments[i]);
    if (in->count == 0)
        code = retry_all(c);
    client_free(c);
    return code;
}
