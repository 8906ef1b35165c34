/* What the kernel knows of a TCP connection. */
#ifndef KITH_CORE_HTTP_GUARD_TCP_INFO_H
#define KITH_CORE_HTTP_GUARD_TCP_INFO_H

#include <stdint.h>

/* Bytes that the peer has acknowledged since the connection began (RFC 4898, tcpEStatsAppHCThruOctetsAcked). 0 when the
 * kernel does not know. */
uint64_t tcp_info_bytes_acknowledged(int fd);

#endif
