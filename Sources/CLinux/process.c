// SPDX-License-Identifier: Apache-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "CLinux.h"
#include "internal.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

// posix_spawn wants a child to receive at most this many listed descriptors from us.
#define SPAWN_FDS_MAX 16

int clinux_spawn(const char *path, char *const *argv, char *const *envp,
                 const struct clinux_spawn_fd *fds, size_t fd_count, int own_group) {
    CLINUX_FAULT(CLINUX_CALL_SPAWN);
    if (fd_count > SPAWN_FDS_MAX) return -EINVAL;
    int lifted[SPAWN_FDS_MAX];
    size_t lifted_count = 0;
    int error = 0;
    int first_free = 3;
    for (size_t i = 0; i < fd_count; i++) {
        if (fds[i].target >= first_free) first_free = fds[i].target + 1;
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);

    // Sources are lifted above every target first, so that placing one cannot overwrite another.
    for (size_t i = 0; i < fd_count && error == 0; i++) {
        int copy = fcntl(fds[i].source, F_DUPFD_CLOEXEC, first_free);
        if (copy < 0) {
            error = errno;
            break;
        }
        lifted[lifted_count++] = copy;
        error = posix_spawn_file_actions_adddup2(&actions, copy, fds[i].target);
    }
    if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(&actions, first_free);

    // A mask blocked for signalfd and an ignored SIGPIPE would both survive exec.
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (own_group) {
        posix_spawnattr_setpgroup(&attributes, 0);
        flags |= POSIX_SPAWN_SETPGROUP;
    }
    posix_spawnattr_setflags(&attributes, flags);

    pid_t pid = 0;
    if (error == 0) error = posix_spawn(&pid, path, &actions, &attributes, argv, envp);
    for (size_t i = 0; i < lifted_count; i++) close(lifted[i]);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error != 0 ? -error : pid;
}

int clinux_replace_program(const char *path, char *const *argv, char *const *envp) {
    execve(path, argv, envp);
    return -errno;
}

int clinux_pidfd_open(int pid) {
    CLINUX_FAULT(CLINUX_CALL_PIDFD_OPEN);
    long fd = syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : (int)fd;
}

int clinux_pidfd_send_signal(int pidfd, int signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

static int wait_for(idtype_t type, id_t id, struct clinux_exit *status) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int result;
    do {
        result = waitid(type, id, &info, WEXITED | WNOHANG);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return -errno;
    if (info.si_pid == 0) return 0;
    status->pid = info.si_pid;
    status->code = info.si_code == CLD_EXITED ? info.si_status : 0;
    status->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
    return 1;
}

int clinux_wait_pidfd(int pidfd, struct clinux_exit *status) {
    return wait_for((idtype_t)P_PIDFD, (id_t)pidfd, status);
}

int clinux_peek_ended(void) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int result;
    do {
        result = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return errno == ECHILD ? 0 : -errno;
    return info.si_pid;
}

int clinux_wait_pid(int pid, struct clinux_exit *status) {
    return wait_for(P_PID, (id_t)pid, status);
}

int clinux_signalfd(const int *signals, size_t count) {
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < count; i++) sigaddset(&set, signals[i]);
    int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (error != 0) return -error;
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int clinux_signalfd_read(int fd) {
    struct signalfd_siginfo info;
    ssize_t got = read(fd, &info, sizeof info);
    if (got < 0) return errno == EINTR ? -EAGAIN : -errno;
    return got == sizeof info ? (int)info.ssi_signo : -EIO;
}

void clinux_ignore_sigpipe(void) {
    signal(SIGPIPE, SIG_IGN);
}

void clinux_keep_ended_children(void) {
    signal(SIGCHLD, SIG_DFL);
}

int clinux_die_with_parent(int signal) {
    return prctl(PR_SET_PDEATHSIG, signal) < 0 ? -errno : 0;
}

int clinux_getpid(void) {
    return getpid();
}

int clinux_getppid(void) {
    return getppid();
}

unsigned int clinux_getuid(void) {
    return getuid();
}

int clinux_kill(int pid, int signal) {
    return kill(pid, signal) < 0 ? -errno : 0;
}

void clinux_exit_now(int code) {
    _exit(code);
}

char **clinux_environ(void) {
    return environ;
}

int clinux_page_size(void) {
    return (int)sysconf(_SC_PAGESIZE);
}

int clinux_open_fds(int pid) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    struct stat facts;
    if (stat(path, &facts) < 0) return -errno;
    // Since Linux 6.2 the size of this directory is the number of its entries.
    if (facts.st_size > 0) return (int)facts.st_size;
    DIR *directory = opendir(path);
    if (directory == NULL) return -errno;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] != '.') count++;
    }
    closedir(directory);
    return count;
}
