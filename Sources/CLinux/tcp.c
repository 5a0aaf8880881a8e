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

// `*length` is how much of the structure the kernel knows.
static int tcp_information(int fd, struct tcp_info *info, socklen_t *length) {
    int protocol = 0;
    *length = sizeof protocol;
    if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, length) < 0) return -errno;
    if (protocol != IPPROTO_TCP) return -EOPNOTSUPP;
    memset(info, 0, sizeof *info);
    *length = sizeof *info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, length) < 0 ? -errno : 0;
}

// A counter and its queue are two calls, and an ACK or a segment between them makes their sum wrong.
// So the counter is read on both sides of the queue until it stands still. The callers ask about
// connections whose process is gone: nobody fills the queues any more, so a counter moves once per
// ACK or segment under way at most, each microseconds apart, while one try takes less than one.
enum { TRIES_MAX = 64 };

// The parts of tcp_info that are compared.
struct tcp_counters {
    uint64_t acked;
    uint64_t received;
    uint8_t state;
};

// tcpi_bytes_acked and tcpi_bytes_received: Linux 4.1. A kernel without them returns less.
static int tcp_counters(int fd, struct tcp_counters *counters) {
    struct tcp_info info;
    socklen_t length = 0;
    int result = tcp_information(fd, &info, &length);
    if (result < 0) return result;
    if (length < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received) {
        return -EOPNOTSUPP;
    }
    counters->acked = info.tcpi_bytes_acked;
    counters->received = info.tcpi_bytes_received;
    counters->state = info.tcpi_state;
    return 0;
}

int64_t clinux_tcp_consumed(int fd) {
    struct tcp_counters before, after;
    int result = tcp_counters(fd, &before);
    if (result < 0) return result;
    for (int tries = 0; tries < TRIES_MAX; tries++, before = after) {
        int unread = 0;
        if (ioctl(fd, SIOCINQ, &unread) < 0) return -errno;
        result = tcp_counters(fd, &after);
        if (result < 0) return result;
        if (before.received != after.received || before.state != after.state) continue;
        int64_t received = (int64_t)after.received;
        // The FIN takes a sequence number and so counts as a received byte.
        int has_fin = after.state == STATE_CLOSE_WAIT || after.state == STATE_LAST_ACK ||
                      after.state == STATE_CLOSING || after.state == STATE_CLOSE;
        if (has_fin && received > 0) received -= 1;
        return received > unread ? received - unread : 0;
    }
    return -EAGAIN;
}

int64_t clinux_tcp_written(int fd) {
    struct tcp_counters before, after;
    int result = tcp_counters(fd, &before);
    if (result < 0) return result;
    for (int tries = 0; tries < TRIES_MAX; tries++, before = after) {
        int unacknowledged = 0;
        if (ioctl(fd, SIOCOUTQ, &unacknowledged) < 0) return -errno;
        result = tcp_counters(fd, &after);
        if (result < 0) return result;
        if (before.acked == after.acked) return (int64_t)after.acked + unacknowledged;
    }
    return -EAGAIN;
}

int clinux_tcp_queue(int fd, uint32_t *waiting, uint32_t *limit) {
    struct tcp_info info;
    socklen_t length = 0;
    int result = tcp_information(fd, &info, &length);
    if (result < 0) return result;
    if (info.tcpi_state != STATE_LISTEN) return -EINVAL;
    *waiting = info.tcpi_unacked;
    *limit = info.tcpi_sacked;
    return 0;
}
