/* kith enroll DIR: enrols the people in a folder with a running kith.
 *
 * DIR/NAME/….jpg, or flat DIR/name_1.jpg. Each photo is sent. A photo that the server refuses (no face, several faces,
 * no image) is printed with the reason, and the exit status is then 1. A photo that is enrolled already changes
 * nothing.
 */
#include "cli/cli.h"
#include "cli/client.h"
#include "core/image/photo_name.h"
#include "core/image/sniff.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct enrolment {
    struct client *client;
    int64_t max_body;
    int enrolled, refused;
};

static int64_t enroll_make_person(struct enrolment *e, const char *name)
{
    struct buf body = {0};
    json_t *json;
    long status;
    int64_t id = 0;

    buf_str(&body, "{\"name\":");
    buf_json(&body, name);
    buf_str(&body, "}");
    status = client_call(e->client, "POST", "/v1/people", NULL, body.data, body.len, &json);
    if (status == 200 || status == 201)
        id = json_integer_value(json_object_get(json, "id"));
    else if (status)
        fprintf(stderr, "kith: %s: %s\n", name, client_detail(json));
    json_decref(json);
    buf_free(&body);
    return id;
}

static char *enroll_read_file(const char *path, int64_t max, size_t *len)
{
    FILE *file = fopen(path, "rbe");
    struct stat st;
    char *data = NULL;

    if (!file || fstat(fileno(file), &st) < 0 || !S_ISREG(st.st_mode)) {
        fprintf(stderr, "%s: refused: %s\n", path, file ? "not a regular file" : strerror(errno));
    } else if (st.st_size > max) {
        fprintf(stderr, "%s: refused: %lld bytes; the limit is %lld (KITH_MAX_BODY)\n", path, (long long)st.st_size,
                (long long)max);
    } else if ((data = malloc((size_t)st.st_size + 1))) {
        *len = fread(data, 1, (size_t)st.st_size, file);
    }
    if (file)
        fclose(file);
    return data;
}

static void enroll_send_photo(struct enrolment *e, const char *path, const char *person, const char *photo)
{
    struct buf url = {0};
    json_t *json = NULL;
    const char *type;
    size_t len = 0;
    char *data = enroll_read_file(path, e->max_body, &len);
    int64_t id = data ? enroll_make_person(e, person) : 0;
    long status = 0;

    if (id) {
        buf_printf(&url, "/v1/people/%lld/photos?name=", (long long)id);
        client_escape(e->client, photo, &url);
        buf_add(&url, "", 1);
        type = sniff_content_type(sniff((const uint8_t *)data, len).type);
        status = client_call(e->client, "POST", url.data, type ? type : "application/octet-stream", data, len, &json);
        if (status == 201)
            printf("%s: enrolled as %s\n", path, person);
        else if (status)
            fprintf(stderr, "%s: refused: %s\n", path, client_detail(json));
    }
    if (status == 201)
        e->enrolled++;
    else
        e->refused++;
    json_decref(json);
    buf_free(&url);
    free(data);
}

static int enroll_read_folder(struct enrolment *e, const char *folder, const char *person)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);

    if (count < 0)
        return cli_refuse("%s: %s", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        char path[4096], *name = entries[i]->d_name, *own = NULL;
        struct stat st;

        if (name[0] != '.' && snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path &&
            stat(path, &st) == 0) {
            if (S_ISDIR(st.st_mode) && !person)
                enroll_read_folder(e, path, name);
            else if (S_ISREG(st.st_mode))
                enroll_send_photo(e, path, person ? person : (own = photo_name_person(name)), name);
        }
        free(own);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

int cli_enroll(const struct invocation *in)
{
    struct enrolment e = {.max_body = in->settings->max_body};
    int code;

    if (in->count != 1)
        return cli_refuse("enroll needs one folder: kith enroll DIR");
    e.client = client_new(in->settings);
    if (!e.client)
        return 1;
    code = enroll_read_folder(&e, in->arguments[0], NULL);
    client_free(e.client);
    if (code)
        return code;
    printf("%d enrolled, %d refused\n", e.enrolled, e.refused);
    return e.refused || !e.enrolled ? 1 : 0;
}
