/* The name that a client gives to uploaded bytes: the query parameter “filename”, or that of Content-Disposition. It is
 * only shown; it never is a path on disk. */
#ifndef KITH_ACTORS_INTAKE_UPLOAD_NAME_H
#define KITH_ACTORS_INTAKE_UPLOAD_NAME_H

#include "core/http/http.h"

enum { UPLOAD_NAME_BYTES = 256, UPLOAD_HEADER_BYTES = 1025 };

/* Writes the name without its folders, or "" when the client gave none. False: answered with 400. Loop thread. */
bool upload_name_take(struct http_request *request, char name[static UPLOAD_NAME_BYTES]);

/* Reads the parameter filename*, or else filename, of a Content-Disposition (RFC 6266), as the client wrote it: it is
 * neither checked nor cut off its folders. `size`: of `name`, larger than the header. 0; -ENOENT: the header has no
 * such parameter; -EINVAL: it has another syntax, or its character set is not UTF-8. Any thread. */
int upload_name_parse(const char *header, char *name, size_t size);

#endif
