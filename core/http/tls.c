/* TLS for the listeners: one SSL_CTX, replaced as a whole. An open connection keeps its context. */
#include "core/http/http_internal.h"

#include "core/base/must.h"
#include "core/base/settings/secret.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>

enum { KEY_FILE_BYTES = 64 << 10 };

static const char *tls_reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    return text ? text : "it cannot be used";
}

/* secret_read refuses a key file that others may read. */
static int tls_use_key(SSL_CTX *context, const char *file, struct error *error)
{
    char text[KEY_FILE_BYTES];
    ssize_t n = secret_read(file, "KITH_TLS_KEY", text, sizeof text, error);
    BIO *bio = n < 0 ? NULL : BIO_new_mem_buf(text, (int)n);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "") : NULL;
    int status = 0;

    if (n < 0)
        status = (int)n;
    else if (!key || SSL_CTX_use_PrivateKey(context, key) != 1)
        status = error_set(error, -EINVAL, "KITH_TLS_KEY: %s: %s", file, tls_reason());
    EVP_PKEY_free(key);
    BIO_free(bio);
    OPENSSL_cleanse(text, sizeof text);
    return status;
}

static int tls_fill(SSL_CTX *context, const char *cert, const char *key, struct error *error)
{
    int status;

    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* HTTP/2 forbids the rest (RFC 7540, 9.2.2); TLS 1.3 has its own list. */
    SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL");
    if (SSL_CTX_use_certificate_chain_file(context, cert) != 1)
        return error_set(error, -EINVAL, "KITH_TLS_CERT: %s: %s", cert, tls_reason());
    if ((status = tls_use_key(context, key, error)) < 0)
        return status;
    if (SSL_CTX_check_private_key(context) != 1)
        return error_set(error, -EINVAL, "KITH_TLS_KEY: %s is not the key of %s", key, cert);
    return 0;
}

int http_server_tls(struct http_server *server, const char *cert, const char *key, struct error *error)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method()), *before = server->tls;
    int status;

    if (!context)
        out_of_memory();
    ERR_clear_error();
    if ((status = tls_fill(context, cert, key, error)) < 0) {
        SSL_CTX_free(context);
        return status;
    }
    server->ops->register_alpn(context);
    server->tls = context;
    server->ops->set_tls(server->engine, context);
    SSL_CTX_free(before); /* reference-counted: open connections still hold it */
    return 0;
}
