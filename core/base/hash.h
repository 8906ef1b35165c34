/* SHA-256, by OpenSSL. Any thread, each hash in one thread. */
#ifndef KITH_CORE_BASE_HASH_H
#define KITH_CORE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_HEX_BYTES = 65 };

void sha256(const void *data, size_t len, uint8_t sum[static SHA256_BYTES]);
/* Lower-case hex with its NUL. */
void sha256_hex(const void *data, size_t len, char hex[static SHA256_HEX_BYTES]);

#endif
