/* What the kernel knows of a TCP connection. */
#ifndef KITH_CORE_HTTP_GUARD_TCP_INFO_H
#define KITH_CORE_HTTP_GUARD_TCP_INFO_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes that the peer has acknowledged since the connection began (RFC 4898, tcpEStatsAppHCThruOctetsAcked). 0 when the
 * kernel does not know. */
uint64_t tcp_info_bytes_acknowledged(int fd);
/* Whether the peer has closed the connection or its sending side: no byte will come after those already received. */
bool tcp_info_peer_has_closed(int fd);

#endif
