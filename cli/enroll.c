/* kith enroll DIR: enrols the people in a folder with a running kith.
 *
 * DIR/NAME/….jpg, also deeper, or flat DIR/name_1.jpg; names that a camera gives are refused unless --flat says that
 * they are people's names. Each photo is sent. A photo that the server refuses (no face, several faces,
 * no image) is printed with the reason, and the exit status is then 1. A photo that is enrolled already changes
 * nothing.
 */
#include "cli/cli.h"
#include "cli/client.h"
#include "core/base/must.h"
#include "core/image/formats.h"
#include "core/image/photo_name.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct enrolment {
    struct client *client;
    int64_t max_body;
    bool flat; /* KITH_FLAT */
    int enrolled, refused;
};

static int64_t enroll_make_person(struct enrolment *e, const char *name, bool *made)
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
    *made = status == 201;
    json_decref(json);
    buf_free(&body);
    return id;
}

/* A person that was made for a photo which was refused. */
static void enroll_remove_person(struct enrolment *e, int64_t id)
{
    json_t *json = NULL;
    char url[64];

    snprintf(url, sizeof url, "/v1/people/%lld", (long long)id);
    client_call(e->client, "DELETE", url, NULL, NULL, 0, &json);
    json_decref(json);
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
    bool made = false;
    int64_t id = data ? enroll_make_person(e, person, &made) : 0;
    long status = 0;

    if (id) {
        buf_printf(&url, "/v1/people/%lld/photos?name=", (long long)id);
        client_escape(e->client, photo, &url);
        buf_add(&url, "", 1);
        type = image_format(sniff((const uint8_t *)data, len).type)->content_type;
        status = client_call(e->client, "POST", url.data, type ? type : "application/octet-stream", data, len, &json);
        if (status == 201)
            printf("%s: enrolled as %s\n", path, person);
        else if (status)
            fprintf(stderr, "%s: refused: %s\n", path, client_detail(json));
        if (status && status != 201 && made)
            enroll_remove_person(e, id);
    }
    if (status == 201)
        e->enrolled++;
    else
        e->refused++;
    json_decref(json);
    buf_free(&url);
    free(data);
}

static bool enroll_is_hidden(const char *name)
{
    return name[0] == '.' || strcasecmp(name, "Thumbs.db") == 0 || strcmp(name, "@eaDir") == 0 ||
           strcasecmp(name, "desktop.ini") == 0;
}

/* Whether a link leads to a folder that holds it. */
static bool enroll_is_loop(const char *folder, const char *path)
{
    char above[PATH_MAX], there[PATH_MAX];
    size_t n;

    if (!realpath(folder, above) || !realpath(path, there))
        return false;
    n = strlen(there);
    return strncmp(above, there, n) == 0 && (above[n] == '/' || above[n] == 0);
}

static void enroll_refuse(struct enrolment *e, const char *path, const char *reason)
{
    fprintf(stderr, "%s: refused: %s\n", path, reason);
    e->refused++;
}

static void enroll_read_folder(struct enrolment *e, const char *folder, const char *person);

/* `person`: of the folder; NULL: the top one, whose files have names of people. */
static void enroll_read_entry(struct enrolment *e, const char *folder, const char *name, const char *person,
                              const char *of_file)
{
    char path[PATH_MAX];
    struct stat st;

    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        enroll_refuse(e, folder, "a path in it is too long");
    else if (stat(path, &st) < 0)
        enroll_refuse(e, path, strerror(errno));
    else if (S_ISDIR(st.st_mode) && enroll_is_loop(folder, path))
        enroll_refuse(e, path, "the symbolic link leads to a folder that holds it");
    else if (S_ISDIR(st.st_mode))
        enroll_read_folder(e, path, person ? person : name);
    else if (!S_ISREG(st.st_mode))
        enroll_refuse(e, path, "not a regular file");
    else if (!person && !of_file)
        enroll_refuse(e, path, photo_name_advice());
    else
        enroll_send_photo(e, path, person ? person : of_file, name);
}

static void enroll_read_folder(struct enrolment *e, const char *folder, const char *person)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort), files = 0;
    const char **names;
    char **people;

    if (count < 0) {
        enroll_refuse(e, folder, strerror(errno));
        return;
    }
    names = calloc((size_t)count + 1, sizeof *names);
    people = calloc((size_t)count + 1, sizeof *people);
    if (!names || !people)
        out_of_memory();
    for (int i = 0; i < count; i++)
        if (!enroll_is_hidden(entries[i]->d_name))
            names[files++] = entries[i]->d_name;
    photo_names_read(names, files, e->flat, people);
    for (int i = 0; i < files; i++)
        enroll_read_entry(e, folder, names[i], person, people[i]);
    for (int i = 0; i < files; i++)
        free(people[i]);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    free(names);
    free(people);
}

int cli_enroll(const struct invocation *in)
{
    struct enrolment e = {.max_body = in->settings->max_body, .flat = strcmp(in->settings->flat, "on") == 0};
    struct stat st;

    if (in->count != 1)
        return cli_refuse("enroll needs one folder: kith enroll DIR");
    if (stat(in->arguments[0], &st) < 0)
        return cli_refuse("%s: %s", in->arguments[0], strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return cli_refuse("%s: not a folder", in->arguments[0]);
    e.client = client_new(in->settings);
    if (!e.client)
        return 1;
    enroll_read_folder(&e, in->arguments[0], NULL);
    client_free(e.client);
    if (!e.enrolled && !e.refused)
        fprintf(stderr, "kith: %s: no photos found\n", in->arguments[0]);
    printf("%d enrolled, %d refused\n", e.enrolled, e.refused);
    return e.refused || !e.enrolled ? 1 : 0;
}
