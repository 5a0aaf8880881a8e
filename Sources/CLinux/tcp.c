// SPDX-License-Identifier: Apache-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "CLinux.h"

// States of a connection whose peer has sent its FIN (include/net/tcp_states.h).
enum { STATE_CLOSE = 7, STATE_CLOSE_WAIT = 8, STATE_LAST_ACK = 9, STATE_LISTEN = 10,
       STATE_CLOSING = 11 };

static int tcp_information(int fd, struct tcp_info *info) {
    int protocol = 0;
    socklen_t length = sizeof protocol;
    if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) < 0) return -errno;
    if (protocol != IPPROTO_TCP) return -EOPNOTSUPP;
    memset(info, 0, sizeof *info);
    length = sizeof *info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &length) < 0 ? -errno : 0;
}

int64_t clinux_tcp_consumed(int fd) {
    struct tcp_info info;
    int result = tcp_information(fd, &info);
    if (result < 0) return result;
    int unread = 0;
    if (ioctl(fd, SIOCINQ, &unread) < 0) return -errno;
    int64_t received = (int64_t)info.tcpi_bytes_received;
    // The FIN takes a sequence number and so counts as a received byte.
    int has_fin = info.tcpi_state == STATE_CLOSE_WAIT || info.tcpi_state == STATE_LAST_ACK ||
                  info.tcpi_state == STATE_CLOSING || info.tcpi_state == STATE_CLOSE;
    if (has_fin && received > 0) received -= 1;
    return received > unread ? received - unread : 0;
}

int64_t clinux_tcp_written(int fd) {
    struct tcp_info info;
    int result = tcp_information(fd, &info);
    if (result < 0) return result;
    int unacknowledged = 0;
    if (ioctl(fd, SIOCOUTQ, &unacknowledged) < 0) return -errno;
    return (int64_t)info.tcpi_bytes_acked + unacknowledged;
}

int clinux_tcp_queue(int fd, uint32_t *waiting, uint32_t *limit) {
    struct tcp_info info;
    int result = tcp_information(fd, &info);
    if (result < 0) return result;
    if (info.tcpi_state != STATE_LISTEN) return -EINVAL;
    *waiting = info.tcpi_unacked;
    *limit = info.tcpi_sacked;
    return 0;
}
