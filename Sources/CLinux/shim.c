// SPDX-License-Identifier: Apache-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define RETRY(expression)                           \
    ({                                              \
        __typeof__(expression) result_;             \
        do {                                        \
            result_ = (expression);                 \
        } while (result_ < 0 && errno == EINTR);    \
        result_ < 0 ? -errno : result_;             \
    })

#ifdef APUS_FAULTS
static _Thread_local struct {
    int error;
    int count;
} forced[CLINUX_CALL_COUNT];

int clinux_forced(int call) {
    if (forced[call].count <= 0) return 0;
    forced[call].count -= 1;
    return forced[call].error;
}
#endif

void clinux_force_errno(int call, int error, int count) {
#ifdef APUS_FAULTS
    if (call < 0 || call >= CLINUX_CALL_COUNT) return;
    forced[call].error = error;
    forced[call].count = error == 0 ? 0 : count;
#else
    (void)call;
    (void)error;
    (void)count;
#endif
}

int clinux_epoll_create(void) {
    return RETRY(epoll_create1(EPOLL_CLOEXEC));
}

int clinux_epoll_ctl(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
    CLINUX_FAULT(CLINUX_CALL_EPOLL_CTL);
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    return RETRY(epoll_ctl(epoll, operation, fd, &event));
}

int clinux_epoll_wait(int epoll, struct clinux_event *events, int capacity, int timeout_ms) {
    struct epoll_event raw[CLINUX_EVENTS_MAX];
    if (capacity > CLINUX_EVENTS_MAX) capacity = CLINUX_EVENTS_MAX;
    int count = epoll_wait(epoll, raw, capacity, timeout_ms);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        events[i].token = raw[i].data.u64;
        events[i].ready = raw[i].events;
    }
    return count;
}

int clinux_open(const char *path, int flags, int mode) {
    return RETRY(open(path, flags | O_CLOEXEC, mode));
}

int clinux_close(int fd) {
    // Linux frees the descriptor even when close reports EINTR; a retry could close another one.
    return close(fd) < 0 ? -errno : 0;
}

ssize_t clinux_read(int fd, void *buffer, size_t count) {
    return RETRY(read(fd, buffer, count));
}

ssize_t clinux_write(int fd, const void *buffer, size_t count) {
    CLINUX_FAULT(CLINUX_CALL_WRITE);
    return RETRY(write(fd, buffer, count));
}

ssize_t clinux_pread(int fd, void *buffer, size_t count, int64_t offset) {
    return RETRY(pread(fd, buffer, count, offset));
}

int clinux_pipe(int fds[2]) {
    return RETRY(pipe2(fds, O_CLOEXEC | O_NONBLOCK));
}

int clinux_dup(int fd) {
    return RETRY(fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

int clinux_set_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return -errno;
    return fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int clinux_file_kind(int fd) {
    struct stat info;
    if (fstat(fd, &info) < 0) return -errno;
    if (S_ISREG(info.st_mode)) return 1;
    if (S_ISFIFO(info.st_mode)) return 2;
    if (S_ISSOCK(info.st_mode)) return 3;
    if (S_ISCHR(info.st_mode)) return 4;
    if (S_ISDIR(info.st_mode)) return 5;
    return 6;
}

int clinux_file_size(int fd, int64_t *size) {
    struct stat info;
    if (fstat(fd, &info) < 0) return -errno;
    *size = info.st_size;
    return 0;
}

int clinux_unlink(const char *path) {
    return RETRY(unlink(path));
}

int clinux_mkdir(const char *path, int mode) {
    return RETRY(mkdir(path, (mode_t)mode));
}

int clinux_isatty(int fd) {
    return isatty(fd) ? 1 : 0;
}

int clinux_terminal_size(int fd, int *rows, int *columns) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0) return -errno;
    *rows = size.ws_row;
    *columns = size.ws_col;
    return 0;
}

int clinux_is_writable(int fd) {
    struct pollfd entry = {.fd = fd, .events = POLLOUT};
    return poll(&entry, 1, 0) > 0 ? 1 : 0;
}

int clinux_is_socket(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISSOCK(info.st_mode) ? 1 : 0;
}

ssize_t clinux_readlink(const char *path, char *text, size_t capacity) {
    return RETRY(readlink(path, text, capacity));
}

uint64_t clinux_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void clinux_realtime(int64_t *seconds, uint32_t *nanoseconds) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *seconds = now.tv_sec;
    *nanoseconds = (uint32_t)now.tv_nsec;
}

int clinux_affinity_count(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) < 0) return -errno;
    return CPU_COUNT(&set);
}

int clinux_nofile_limit(uint64_t *soft, uint64_t *hard) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    *soft = limit.rlim_cur;
    *hard = limit.rlim_max;
    return 0;
}

int clinux_set_nofile_limit(uint64_t soft) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    limit.rlim_cur = soft;
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

int clinux_random(void *buffer, size_t count) {
    ssize_t got = RETRY(getrandom(buffer, count, 0));
    if (got < 0) return (int)got;
    return (size_t)got == count ? 0 : -EIO;
}

int clinux_memfd_sealed(const char *name, const void *bytes, size_t count) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -errno;
    size_t written = 0;
    while (written < count) {
        ssize_t n = RETRY(pwrite(fd, (const char *)bytes + written, count - written,
                                 (off_t)written));
        if (n < 0) {
            close(fd);
            return (int)n;
        }
        written += (size_t)n;
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

uint64_t clinux_cpu_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

void clinux_error_text(int error, char *text, size_t capacity) {
    const char *description = strerrordesc_np(error);
    snprintf(text, capacity, "%s", description ? description : "unknown error");
}
