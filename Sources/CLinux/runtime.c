// SPDX-License-Identifier: Apache-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "CLinux.h"

int clinux_lock_file(const char *path) {
    // Neither a link that somebody placed nor a pipe that nobody reads may hold the start up.
    int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int fd = open(path, flags, 0600);
    return fd < 0 ? -errno : fd;
}

int clinux_lock(int fd) {
    return flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

int clinux_overwrite(int fd, const void *bytes, size_t count) {
    if (ftruncate(fd, 0) < 0) return -errno;
    ssize_t written = pwrite(fd, bytes, count, 0);
    if (written < 0) return -errno;
    return (size_t)written == count ? 0 : -EIO;
}

int clinux_set_mode(int fd, int mode) {
    return fchmod(fd, (mode_t)mode) < 0 ? -errno : 0;
}

int clinux_set_close_on_exec(int fd, int close_on_exec) {
    return fcntl(fd, F_SETFD, close_on_exec ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int clinux_file_facts(const char *path, int follow, uint32_t *owner, uint32_t *mode) {
    struct stat info;
    int result = follow ? stat(path, &info) : lstat(path, &info);
    if (result < 0) return -errno;
    *owner = info.st_uid;
    *mode = info.st_mode;
    return 0;
}

int clinux_peer_credentials(int fd, int *pid, uint32_t *uid) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -errno;
    *pid = peer.pid;
    *uid = peer.uid;
    return 0;
}
