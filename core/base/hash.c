#include "core/base/hash.h"

#include <openssl/sha.h>

void sha256(const void *data, size_t len, uint8_t sum[static SHA256_BYTES])
{
    SHA256(data, len, sum);
}

void sha256_hex(const void *data, size_t len, char hex[static SHA256_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[SHA256_BYTES];

    SHA256(data, len, sum);
    for (int i = 0; i < SHA256_BYTES; i++) {
        hex[2 * i] = digits[sum[i] >> 4];
        hex[2 * i + 1] = digits[sum[i] & 15];
    }
    hex[SHA256_BYTES * 2] = 0;
}
