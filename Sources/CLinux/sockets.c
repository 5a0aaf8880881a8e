// SPDX-License-Identifier: Apache-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "CLinux.h"
#include "internal.h"

_Static_assert(sizeof(struct sockaddr_storage) <= 128, "clinux_address holds every family");

#define RETRY(expression)                           \
    ({                                              \
        __typeof__(expression) result_;             \
        do {                                        \
            result_ = (expression);                 \
        } while (result_ < 0 && errno == EINTR);    \
        result_ < 0 ? -errno : result_;             \
    })

static struct sockaddr *raw(const struct clinux_address *address) {
    return (struct sockaddr *)address->bytes;
}

int clinux_address_ipv4(struct clinux_address *address, const uint8_t octets[4], uint16_t port) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&in.sin_addr, octets, 4);
    memcpy(address->bytes, &in, sizeof in);
    address->length = sizeof in;
    return 0;
}

int clinux_address_ipv6(struct clinux_address *address, const uint8_t octets[16], uint16_t port) {
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&in.sin6_addr, octets, 16);
    memcpy(address->bytes, &in, sizeof in);
    address->length = sizeof in;
    return 0;
}

int clinux_address_unix(struct clinux_address *address, const char *path) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof un.sun_path) return -ENAMETOOLONG;
    memcpy(un.sun_path, path, length + 1);
    address->length = (uint32_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    if (path[0] == '@') {
        // The abstract namespace: the name starts with NUL and has no terminator.
        un.sun_path[0] = 0;
        address->length -= 1;
    }
    memcpy(address->bytes, &un, sizeof un);
    return 0;
}

int clinux_address_parts(const struct clinux_address *address, uint8_t octets[16],
                         uint16_t *port) {
    struct sockaddr_storage storage;
    memcpy(&storage, address->bytes, sizeof storage);
    *port = 0;
    memset(octets, 0, 16);
    if (storage.ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &storage, sizeof in);
        memcpy(octets, &in.sin_addr, 4);
        *port = ntohs(in.sin_port);
    } else if (storage.ss_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, &storage, sizeof in);
        memcpy(octets, &in.sin6_addr, 16);
        *port = ntohs(in.sin6_port);
    }
    return storage.ss_family == AF_INET ? 4 : storage.ss_family == AF_INET6 ? 6 : 1;
}

int clinux_parse_ip(const char *text, uint8_t octets[16]) {
    if (inet_pton(AF_INET, text, octets) == 1) return 4;
    if (inet_pton(AF_INET6, text, octets) == 1) return 6;
    return 0;
}

int clinux_format_ip(int family, const uint8_t octets[16], char *text, size_t capacity) {
    int raw_family = family == 4 ? AF_INET : AF_INET6;
    return inet_ntop(raw_family, octets, text, (socklen_t)capacity) ? 0 : -errno;
}

int clinux_socket_stream(const struct clinux_address *address) {
    return RETRY(socket(raw(address)->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int clinux_socket_datagram_unix(void) {
    return RETRY(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int clinux_socketpair_seqpacket(int fds[2]) {
    return RETRY(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
}

int clinux_socketpair_stream(int fds[2]) {
    return RETRY(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
}

int clinux_bind(int fd, const struct clinux_address *address) {
    return RETRY(bind(fd, raw(address), address->length));
}

int clinux_listen(int fd, int backlog) {
    return RETRY(listen(fd, backlog));
}

int clinux_connect(int fd, const struct clinux_address *address) {
    return RETRY(connect(fd, raw(address), address->length));
}

int clinux_accept(int fd, struct clinux_address *peer) {
    CLINUX_FAULT(CLINUX_CALL_ACCEPT);
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    int accepted = RETRY(accept4(fd, (struct sockaddr *)&storage, &length,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted >= 0 && peer) {
        memset(peer, 0, sizeof *peer);
        memcpy(peer->bytes, &storage, length < sizeof storage ? length : sizeof storage);
        peer->length = length;
    }
    return accepted;
}

int clinux_socket_name(int fd, struct clinux_address *address) {
    socklen_t length = sizeof address->bytes;
    memset(address, 0, sizeof *address);
    if (getsockname(fd, raw(address), &length) < 0) return -errno;
    address->length = length;
    return 0;
}

int clinux_peer_name(int fd, struct clinux_address *address) {
    socklen_t length = sizeof address->bytes;
    memset(address, 0, sizeof *address);
    if (getpeername(fd, raw(address), &length) < 0) return -errno;
    address->length = length;
    return 0;
}

int clinux_socket_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return errno;
    return error;
}

ssize_t clinux_recv(int fd, void *buffer, size_t count) {
    CLINUX_FAULT(CLINUX_CALL_RECV);
    return RETRY(recv(fd, buffer, count, MSG_DONTWAIT));
}

ssize_t clinux_recv_peek(int fd) {
    char byte;
    return RETRY(recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK));
}

ssize_t clinux_send(int fd, const void *buffer, size_t count) {
    CLINUX_FAULT(CLINUX_CALL_SEND);
    return RETRY(send(fd, buffer, count, MSG_DONTWAIT | MSG_NOSIGNAL));
}

ssize_t clinux_send_two(int fd, const void *first, size_t first_count, const void *second,
                        size_t second_count) {
    CLINUX_FAULT(CLINUX_CALL_SEND);
    struct iovec parts[2] = {
        {.iov_base = (void *)first, .iov_len = first_count},
        {.iov_base = (void *)second, .iov_len = second_count},
    };
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    return RETRY(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

ssize_t clinux_sendto(int fd, const void *buffer, size_t count,
                      const struct clinux_address *address) {
    return RETRY(sendto(fd, buffer, count, MSG_DONTWAIT | MSG_NOSIGNAL, raw(address),
                        address->length));
}

int clinux_shutdown(int fd, int how) {
    return RETRY(shutdown(fd, how));
}

static int set_option(int fd, int level, int option, int value) {
    return RETRY(setsockopt(fd, level, option, &value, sizeof value));
}

int clinux_set_reuse_address(int fd) {
    return set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

int clinux_set_no_delay(int fd) {
    return set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

int clinux_set_ipv6_only(int fd) {
    return set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
}

int clinux_set_send_buffer(int fd, int bytes) {
    return set_option(fd, SOL_SOCKET, SO_SNDBUF, bytes);
}

int clinux_set_receive_buffer(int fd, int bytes) {
    return set_option(fd, SOL_SOCKET, SO_RCVBUF, bytes);
}

int clinux_set_linger_reset(int fd) {
    struct linger value = {.l_onoff = 1, .l_linger = 0};
    return RETRY(setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, sizeof value));
}

int clinux_is_listening(int fd) {
    int value = 0;
    socklen_t length = sizeof value;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value ? 1 : 0;
}

// The union aligns the control buffer as `struct cmsghdr` asks.
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(CLINUX_FDS_MAX * sizeof(int))];
};

ssize_t clinux_send_fds(int socket, const void *bytes, size_t count, const int *fds,
                        size_t fd_count) {
    CLINUX_FAULT(CLINUX_CALL_SENDMSG);
    if (fd_count > CLINUX_FDS_MAX) return -EINVAL;
    union control control;
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count > 0) {
        size_t size = fd_count * sizeof(int);
        memset(&control, 0, CMSG_SPACE(size));
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(header), fds, size);
    }
    return RETRY(sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

ssize_t clinux_recv_fds(int socket, void *bytes, size_t capacity, int *fds, size_t fd_capacity,
                        size_t *fd_count, int *truncated) {
    CLINUX_FAULT(CLINUX_CALL_RECVMSG);
    union control control;
    struct iovec part = {.iov_base = bytes, .iov_len = capacity};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    *fd_count = 0;
    *truncated = 0;
    ssize_t received = RETRY(recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
    if (received < 0) return received;
    if (message.msg_flags & MSG_CTRUNC) *truncated = 2;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            if (*fd_count < fd_capacity) {
                fds[(*fd_count)++] = fd;
            } else {
                close(fd);
                *truncated = 2;
            }
        }
    }
    if (message.msg_flags & MSG_TRUNC) *truncated = 1;
    return received;
}
