/* Bodies of requests, through the actors that read them: receiver, identify, people and faces, with a store that
 * refuses everything. Each body gets exactly one answer. The first byte selects the endpoint. */
#include "actors/intake/identify.h"
#include "actors/intake/receiver.h"
#include "actors/messages.h"
#include "actors/people/faces.h"
#include "actors/people/people.h"
#include "core/actor/driver_uv.h"
#include "core/actor/offload.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/fuzz_server.h"

#include "actors/access/auth.h"
#include "actors/routes.h"

#include <stdio.h>

enum { CALL_MS = 2000, MAX_PATHS = 8, MAX_PATH = 256 };

static uv_loop_t loop;
static struct auth auth; /* without keys */
static struct routes_context route_context = {.auth = &auth};
static struct receiver_config receiver = {
    .waiting = "processor", .store_ms = CALL_MS, .max_paths = MAX_PATHS, .max_path = MAX_PATH, .max_image = 1 << 16};
static struct identify_config identify = {
    .recognizer = "recognizer", .gallery = "gallery", .max_path = MAX_PATH, .call_ms = CALL_MS};
static struct people_config people = {
    .gallery = "gallery", .max_path = MAX_PATH, .page_limit = 500, .store_ms = CALL_MS, .call_ms = CALL_MS};
static struct faces_config faces = {.gallery = "gallery", .page_limit = 500, .call_ms = CALL_MS, .store_ms = CALL_MS};

static void fuzz_check_submit(const struct store_submit *m)
{
    fuzz_require(m->count >= 1 && m->count <= MAX_PATHS);
    for (int i = 0; i < m->count; i++)
        fuzz_require(m->paths[i][0] == '/' && !strstr(m->paths[i], "/../"));
}

/* There is no recognizer, gallery or enroller: an ask to them ends at once. */
static void store_receive(struct actor *self, const struct msg *m)
{
    struct store_reply *r = STORE_MESSAGE(STORE_REPLY, store_reply);

    if (m->type == STORE_SUBMIT)
        fuzz_check_submit((const struct store_submit *)m);
    r->status = STORE_BROKEN;
    snprintf(r->error, sizeof r->error, "refused");
    actor_reply(self, &r->m.head);
}

static const struct actor_ops fake_store = {.name = "store", .receive = store_receive};

static void fuzz_spawn(struct actor_system *system, const char *name, const struct actor_ops *ops, const void *config)
{
    struct actor_spec spec = {.name = name, .ops = ops, .config = config};

    fuzz_require(actor_spawn(system, &spec) != NULL);
}

static void fuzz_on_fatal(void *context, const char *text)
{
    (void)context, (void)text;
    abort();
}

static void fuzz_dispatch(void *context, const struct http_route *route, struct http_request *request)
{
    (void)context;
    routes_dispatch(&route_context, route, request);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char folder[] = "/tmp/kith-fuzz-XXXXXX";
    struct actor_system_options options = {.on_fatal = fuzz_on_fatal};
    struct error error = {0};
    struct driver_uv *driver;
    struct actor_system *system;

    (void)argc, (void)argv;
    fuzz_require(mkdtemp(folder) != NULL);
    uv_loop_init(&loop);
    driver = driver_uv_new(&loop, &options);
    system = driver_uv_system(driver);
    route_context.driver = driver;
    receiver.roots = identify.roots = people.roots = path_roots_open(folder, 0, &error);
    receiver.files = identify.files = people.files = offload_new(system, "files", 1, 16);
    fuzz_require(receiver.roots && receiver.files);
    fuzz_spawn(system, "store", &fake_store, NULL);
    fuzz_spawn(system, "receiver", &receiver_actor, &receiver);
    fuzz_spawn(system, "identify", &identify_actor, &identify);
    fuzz_spawn(system, "people", &people_actor, &people);
    fuzz_spawn(system, "faces", &faces_actor, &faces);
    fuzz_server_start(&loop, routes, fuzz_dispatch);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const endpoints[] = {
        "POST /v1/images HTTP/1.1\r\ncontent-type: application/json",
        "POST /v1/images HTTP/1.1\r\ncontent-type: application/x-ndjson",
        "POST /image/post HTTP/1.1\r\ncontent-type: application/json",
        "POST /v1/images HTTP/1.1\r\ncontent-type: multipart/form-data; boundary=x",
        "POST /v1/identify?explain=1 HTTP/1.1",
        "POST /v1/people HTTP/1.1",
        "PATCH /v1/people/7 HTTP/1.1",
        "POST /v1/people/7/photos?name=a HTTP/1.1",
        "POST /v1/faces/7/person HTTP/1.1",
        "POST /v1/unknown/7/person HTTP/1.1",
    };
    const size_t count = sizeof endpoints / sizeof endpoints[0];
    struct fuzz_input in = {data, size};
    const char *endpoint = endpoints[fuzz_number(&in, 1) % count];
    char *request = malloc(in.len + 512);
    size_t head;
    int status;

    if (!request)
        abort();
    head = (size_t)sprintf(request, "%s\r\nhost: localhost\r\nconnection: close\r\ncontent-length: %zu\r\n\r\n",
                           endpoint, in.len);
    memcpy(request + head, in.data, in.len);
    status = fuzz_server_exchange(request, head + in.len);
    /* The store refuses all; it is not asked about an empty list of the original's endpoint. */
    fuzz_require(status >= 400 || (status == 200 && strncmp(endpoint, "POST /image/post", 16) == 0));
    free(request);
    return 0;
}
