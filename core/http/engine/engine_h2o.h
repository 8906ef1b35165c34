/* What the files of the libh2o engine share. */
#ifndef KITH_CORE_HTTP_ENGINE_ENGINE_H2O_H
#define KITH_CORE_HTTP_ENGINE_ENGINE_H2O_H

#include "core/http/engine/engine.h"
#include "core/http/engine/request_chunks.h"
#include "core/http/engine/request_head.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <h2o.h>
#include <h2o/http1.h>
#include <h2o/http2.h>
#include <h2o/http2_internal.h>
#pragma GCC diagnostic pop

/* The internal structs of the library are read: they are those of this version. */
#if H2O_LIBRARY_VERSION_MAJOR != 0 || H2O_LIBRARY_VERSION_MINOR != 13
#error "engine_h2o reads internal structs of libh2o 2.2 (library version 0.13); check them before you use another"
#endif

enum { DISCARDED_MAX = 128 }; /* more than the streams that libh2o allows at once (100) */

enum input_phase { INPUT_HEAD, INPUT_BODY, INPUT_WHOLE };

struct h2o_input_config {
    const struct engine_callbacks *callbacks;
    size_t max_head; /* bytes of an HTTP/1 request head */
};

/* What the engine knows of a connection; the socket's on_close.data. Freed when libh2o closes the socket. */
struct h2o_memo {
    h2o_context_t *context;
    h2o_socket_t *sock;
    void *listener;
    h2o_http2_conn_t *http2;           /* NULL: HTTP/1, or not known yet */
    uint32_t discarded[DISCARDED_MAX]; /* stream ids */
    uint32_t discarded_count;
    /* engine_h2o_input.c, HTTP/1 only */
    const struct h2o_input_config *config;
    h2o_socket_cb read; /* libh2o's */
    size_t seen;        /* bytes of the input that were looked at */
    enum input_phase phase;
    struct request_framing framing; /* INPUT_BODY; the length is what is still to come */
    struct request_chunks chunks;
    char *held; /* bytes behind a whole request, which libh2o gets when that one is answered; owned */
    size_t held_len;
    bool answered; /* in place of libh2o: input is discarded */
    char *answer;  /* being sent */
};

struct engine_text h2o_engine_find_header(const h2o_req_t *req, const char *name, size_t n);

/* engine_h2o_held.c */
struct engine_held h2o_engine_measure(struct engine_socket *socket);
struct engine_text h2o_engine_unfinished_header(struct engine_socket *socket, uint32_t n, const char *name,
                                                size_t line);
bool h2o_engine_discard_newest(struct engine_socket *socket, uint32_t keep);
/* Forgets that it was. */
bool h2o_engine_is_discarded(h2o_req_t *req);

/* engine_h2o_input.c */
/* `config` is borrowed for the connection's life. */
void h2o_input_add(h2o_context_t *context, h2o_socket_t *sock, void *listener, const struct h2o_input_config *config);
/* NULL once libh2o has closed the socket. */
struct h2o_memo *h2o_memo_of(const h2o_socket_t *sock);
/* HTTP/1 begins on a connection: input that has arrived with the end of the TLS handshake is held until the watch. */
void h2o_input_begin(h2o_socket_t *sock);
void h2o_engine_watch(struct engine_socket *socket);
bool h2o_engine_answer_early(struct engine_socket *socket, const char *text, size_t len);

#endif
