/* Packets of a worker, as its parent receives them. Each packet of an input: kind (1 byte), length (2 bytes), body; a
 * kind of 128 or more takes the header from the body, so that headers are wrong, too. */
#include "actors/messages.h"
#include "core/base/text.h"
#include "plugins/host/worker_internal.h"
#include "test/fuzz/fuzz.h"

#include <math.h>

static struct actor_system *the_system;
static struct actor *owner;

static void fuzz_check_event(const struct worker_event *e)
{
    fuzz_require(text_is_utf8(e->words) && text_is_utf8(e->done.reason));
    fuzz_require(text_is_utf8(e->seen) && text_is_utf8(e->done.sha256));
    fuzz_require(text_is_utf8(e->hello.name) && text_is_utf8(e->hello.version) && text_is_utf8(e->hello.model));
    for (int i = 0; i < e->face_count; i++) {
        const struct face *f = &e->faces[i];

        fuzz_require(isfinite(f->x) && isfinite(f->y));
        fuzz_require(f->width >= 0 && f->height >= 0);
        fuzz_require(f->quality >= 0 && f->quality <= 1);
        fuzz_require(!f->person_name || text_is_utf8(f->person_name));
        for (int n = 0; n < f->dimension; n++)
            fuzz_require(isfinite(f->embedding[n]));
    }
}

static void fuzz_receive(struct actor *self, const struct msg *m)
{
    (void)self;
    fuzz_check_event((const struct worker_event *)m);
}

static uint64_t fuzz_now(void *context)
{
    (void)context;
    return 1000000000;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct actor_ops ops = {.name = "owner", .receive = fuzz_receive};
    struct actor_system_options options = {.now_ns = fuzz_now};
    struct actor_spec spec = {.name = "owner", .ops = &ops};

    (void)argc, (void)argv;
    the_system = actor_system_new(&options);
    owner = actor_spawn(the_system, &spec);
    return 0;
}

static void fuzz_destroy_event(struct msg *m)
{
    arena_free(&((struct worker_event *)m)->arena);
    free(((struct worker_event *)m)->picture);
}

static bool fuzz_send(struct worker *w, struct fuzz_input *in, char *packet)
{
    uint64_t kind = fuzz_number(in, 1), len = fuzz_number(in, 2);
    size_t got;
    const uint8_t *body = fuzz_bytes(in, len, &got);
    struct packet head = {.kind = (uint32_t)kind, .len = (uint32_t)got, .serial = w->serial};

    if (kind >= 128)
        return worker_receive_packet(w, (const char *)body, got);
    memcpy(packet, &head, sizeof head);
    memcpy(packet + sizeof head, body, got);
    return worker_receive_packet(w, packet, sizeof head + got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct worker w = {.options = {.system = the_system, .actor = owner, .max_faces = 20, .max_pixels = 1 << 20},
                       .number = 1,
                       .serial = 7};
    bool valid = true;

    w.event = (struct worker_event *)msg_new(WORKER_DONE, sizeof *w.event);
    w.event->head.destroy = fuzz_destroy_event;
    while (valid && in.len) {
        char *packet = malloc(sizeof(struct packet) + UINT16_MAX); /* exact bounds are checked by length alone */

        if (!packet)
            abort();
        valid = fuzz_send(&w, &in, packet);
        free(packet);
        if (w.serial == 0)
            w.serial = 8; /* the next job */
        while (actor_system_turn(the_system))
            ;
    }
    if (valid) /* else the worker is killed: only the words of WORKER_GONE count */
        fuzz_check_event(w.event);
    fuzz_require(text_is_utf8(w.event->words));
    msg_unref(&w.event->head);
    return 0;
}
