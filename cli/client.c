#include "cli/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_TIMEOUT_S = 120, RESPONSE_MAX = 64 << 20 };

struct client {
    CURL *curl;
    char base[512];
    const char *key, *ca;
};

/* The URL of the kith of these settings. An address of all interfaces becomes 127.0.0.1. */
static void client_write_base_url(const struct settings *s, char *base, size_t size)
{
    const char *colon = strrchr(s->api_listen, ':');
    bool all_interfaces = strncmp(s->api_listen, "0.0.0.0:", 8) == 0 || strncmp(s->api_listen, "[::]:", 5) == 0 ||
                          s->api_listen[0] == ':';

    if (s->api_url[0])
        snprintf(base, size, "%.*s", (int)(strlen(s->api_url) - (s->api_url[strlen(s->api_url) - 1] == '/')),
                 s->api_url);
    else
        snprintf(base, size, "%s://%s%s", s->tls_cert[0] ? "https" : "http", all_interfaces ? "127.0.0.1" : "",
                 all_interfaces ? colon : s->api_listen);
}

struct client *client_new(const struct settings *settings)
{
    struct client *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->curl = curl_easy_init();
    if (!c->curl) {
        free(c);
        return NULL;
    }
    client_write_base_url(settings, c->base, sizeof c->base);
    c->key = settings->api_key;
    c->ca = settings->api_ca;
    return c;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    free(c);
}

static size_t client_on_data(char *data, size_t size, size_t count, void *context)
{
    struct buf *out = context;

    if (out->len + size * count > RESPONSE_MAX)
        return 0;
    buf_add(out, data, size * count);
    return size * count;
}

long client_call(struct client *c, const char *method, const char *path, const char *content_type, const void *body,
                 size_t len, json_t **json)
{
    struct curl_slist *headers = NULL;
    struct buf answer = {0};
    char url[4096], header[512];
    long status = 0;
    CURLcode result;

    *json = NULL;
    snprintf(url, sizeof url, "%s%s", c->base, path);
    snprintf(header, sizeof header, "Content-Type: %s", content_type ? content_type : "application/json");
    headers = curl_slist_append(headers, header);
    headers = curl_slist_append(headers, "Expect:");
    if (c->key[0]) {
        snprintf(header, sizeof header, "Authorization: Bearer %s", c->key);
        headers = curl_slist_append(headers, header);
    }
    curl_easy_reset(c->curl);
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c->curl, CURLOPT_NOPROXY, "*");
    if (c->ca[0])
        curl_easy_setopt(c->curl, CURLOPT_CAINFO, c->ca);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, (long)CALL_TIMEOUT_S);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, client_on_data);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &answer);
    if (body) {
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
    }
    result = curl_easy_perform(c->curl);
    if (result == CURLE_OK)
        curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    else
        fprintf(stderr, "kith: %s: %s (is “kith serve” running? KITH_API_LISTEN or KITH_API_URL names its address)\n",
                c->base, curl_easy_strerror(result));
    if (answer.len)
        *json = json_loadb(answer.data, answer.len, 0, NULL);
    buf_free(&answer);
    curl_slist_free_all(headers);
    return status;
}

const char *client_detail(const json_t *json)
{
    const char *detail = json_string_value(json_object_get(json, "detail"));

    return detail ? detail : "the server gave no reason";
}

void client_escape(struct client *c, const char *text, struct buf *out)
{
    char *escaped = curl_easy_escape(c->curl, text, 0);

    buf_str(out, escaped ? escaped : "");
    curl_free(escaped);
}
