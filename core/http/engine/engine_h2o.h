/* What the files of the libh2o engine share. */
#ifndef KITH_CORE_HTTP_ENGINE_ENGINE_H2O_H
#define KITH_CORE_HTTP_ENGINE_ENGINE_H2O_H

#include "core/http/engine/engine.h"

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

struct engine_text h2o_engine_find_header(const h2o_req_t *req, const char *name, size_t n);

/* engine_h2o_held.c */
struct engine_held h2o_engine_measure(h2o_context_t *context, h2o_socket_t *sock, void **memo);
void h2o_engine_forget(void *memo);
struct engine_text h2o_engine_unfinished_header(struct engine_socket *socket, void *memo, uint32_t n, const char *name);
bool h2o_engine_discard_newest(struct engine_socket *socket, void *memo, uint32_t keep);
/* Forgets that it was. */
bool h2o_engine_is_discarded(void *memo, h2o_req_t *req);

#endif
