/* Words about one face besides its name, and taking words back. Part of the actor faces. */
#include "actors/api/ops.h"
#include "actors/api/problem.h"
#include "actors/people/faces_internal.h"

static const struct {
    int op, kind; /* kind: enum face_word */
    bool take_back;
    const char *audit;
} face_words[] = {{OP_UNNAME_FACE, WORD_NAMED, true, "face unnamed"},
                  {OP_DENY_FACE, WORD_NOT, false, "face denied"},
                  {OP_UNDENY_FACE, WORD_NOT, true, "face denied no more"},
                  {OP_IGNORE_FACE, WORD_IGNORED, false, "face ignored"},
                  {OP_UNIGNORE_FACE, WORD_IGNORED, true, "face ignored no more"},
                  {OP_NOT_A_FACE, WORD_NOT_A_FACE, false, "not a face"},
                  {OP_A_FACE, WORD_NOT_A_FACE, true, "a face"},
                  {OP_ERASE_FACE, WORD_DRAWN, true, "drawn face erased"}};

static int face_words_find(int op)
{
    int i = 0;

    while (face_words[i].op != op)
        i++;
    return i;
}

static void face_words_on_said(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;

    if (!faces_add_answer(call, status, reply))
        return;
    audit(call->request, face_words[face_words_find(call->op)].audit, r->id, "image", r->images[0].id, NULL);
    faces_ask_gallery(self, call);
}

void face_words_say(struct actor *self, struct http_request *request, int op)
{
    const struct faces_config *config = actor_config(self);
    int row = face_words_find(op);
    int64_t face, person = 0;
    struct store_word *m;
    struct call *call;

    if (!part_number(request, 0, &face) || (face_words[row].kind == WORD_NOT && !part_number(request, 1, &person)))
        return;
    m = STORE_MESSAGE(STORE_WORD, store_word);
    m->kind = face_words[row].kind;
    m->take_back = face_words[row].take_back;
    m->face = face;
    m->person = person;
    m->said_by = request_said_by(request, &m->m.arena);
    call = call_new(self, request, op);
    call->id = face;
    actor_ask(self, "store", &m->m.head, config->store_ms, face_words_on_said, call);
}
