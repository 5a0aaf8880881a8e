// SPDX-License-Identifier: Apache-2.0
//
// The calls of Linux and glibc that Swift cannot make by itself: GNU-only declarations, variadic
// functions, macros, packed structs, and everything that reports through errno. Every function
// returns 0 or a value >= 0 on success and -errno on failure, so that no Swift code sits between a
// call and the reading of errno. EINTR is retried here where a retry is right. No policy.
#ifndef APUS_CLINUX_H
#define APUS_CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#pragma clang assume_nonnull begin

// MARK: Forced failures (debug builds only)

/// Calls that a test can force to fail.
enum clinux_call {
    CLINUX_CALL_ACCEPT = 0,
    CLINUX_CALL_RECV = 1,
    CLINUX_CALL_SEND = 2,
    CLINUX_CALL_SENDMSG = 3,
    CLINUX_CALL_RECVMSG = 4,
    CLINUX_CALL_EPOLL_CTL = 5,
    CLINUX_CALL_SPAWN = 6,
    CLINUX_CALL_WRITE = 7,
    CLINUX_CALL_PIDFD_OPEN = 8,
    CLINUX_CALL_COUNT = 9,
};

/// Makes the next `count` calls of `call` on this thread fail with `error`; 0 clears it.
/// Thread-local, so that tests which run side by side do not meet. Does nothing in release builds.
void clinux_force_errno(int call, int error, int count);

// MARK: epoll

/// What epoll reports, without the packed union of `struct epoll_event`.
struct clinux_event {
    uint64_t token;
    uint32_t ready;
};

#define CLINUX_EVENTS_MAX 256

int clinux_epoll_create(void);
/// `operation`: 1 add, 2 delete, 3 modify (EPOLL_CTL_*).
int clinux_epoll_ctl(int epoll, int operation, int fd, uint32_t events, uint64_t token);
/// Waits for at most CLINUX_EVENTS_MAX events. A signal counts as "no event" (returns 0).
int clinux_epoll_wait(int epoll, struct clinux_event *events, int capacity, int timeout_ms);

// MARK: Files and pipes

int clinux_open(const char *path, int flags, int mode);
int clinux_close(int fd);
ssize_t clinux_read(int fd, void *buffer, size_t count);
ssize_t clinux_write(int fd, const void *buffer, size_t count);
ssize_t clinux_pread(int fd, void *buffer, size_t count, int64_t offset);
int clinux_pipe(int fds[_Nonnull 2]);
int clinux_dup(int fd);
int clinux_set_nonblocking(int fd);
/// 1 regular file, 2 pipe, 3 socket, 4 character device, 5 directory, 6 anything else.
int clinux_file_kind(int fd);
int clinux_file_size(int fd, int64_t *size);
int clinux_unlink(const char *path);
int clinux_mkdir(const char *path, int mode);
int clinux_isatty(int fd);
/// Rows and columns of a terminal; -ENOTTY for anything else. ioctl is variadic.
int clinux_terminal_size(int fd, int *rows, int *columns);
/// 1 if a write of up to PIPE_BUF bytes would not block or would fail, else 0. poll(2).
int clinux_is_writable(int fd);
/// 1 when `path` names a socket, 0 when it does not exist or is something else.
int clinux_is_socket(const char *path);
/// Target of a symbolic link, without a terminator; a target that fills `capacity` was cut.
ssize_t clinux_readlink(const char *path, char *text, size_t capacity);

// MARK: Sockets

/// A socket address of any family, with room for the longest.
struct clinux_address {
    uint8_t bytes[128];
    uint32_t length;
};

int clinux_address_ipv4(struct clinux_address *address, const uint8_t octets[_Nonnull 4],
                        uint16_t port);
int clinux_address_ipv6(struct clinux_address *address, const uint8_t octets[_Nonnull 16],
                        uint16_t port);
int clinux_address_unix(struct clinux_address *address, const char *path);
/// Family (AF_*), octets and port of an address; a Unix address has neither octets nor port.
int clinux_address_parts(const struct clinux_address *address, uint8_t octets[_Nonnull 16],
                         uint16_t *port);
/// Parses a numeric address: 4 or 6 on success, 0 when `text` is neither.
int clinux_parse_ip(const char *text, uint8_t octets[_Nonnull 16]);
int clinux_format_ip(int family, const uint8_t octets[_Nonnull 16], char *text, size_t capacity);

/// A non-blocking, close-on-exec stream socket for the family of `address`.
int clinux_socket_stream(const struct clinux_address *address);
int clinux_socket_datagram_unix(void);
int clinux_socketpair_seqpacket(int fds[_Nonnull 2]);
int clinux_socketpair_stream(int fds[_Nonnull 2]);
int clinux_bind(int fd, const struct clinux_address *address);
int clinux_listen(int fd, int backlog);
int clinux_connect(int fd, const struct clinux_address *address);
int clinux_accept(int fd, struct clinux_address *_Nullable peer);
int clinux_socket_name(int fd, struct clinux_address *address);
int clinux_peer_name(int fd, struct clinux_address *address);
int clinux_socket_error(int fd);
ssize_t clinux_recv(int fd, void *buffer, size_t count);
/// MSG_PEEK of one byte: 1 data, 0 end of stream, -EAGAIN nothing.
ssize_t clinux_recv_peek(int fd);
ssize_t clinux_send(int fd, const void *buffer, size_t count);
ssize_t clinux_send_two(int fd, const void *first, size_t first_count, const void *second,
                        size_t second_count);
ssize_t clinux_sendto(int fd, const void *buffer, size_t count,
                      const struct clinux_address *address);
int clinux_shutdown(int fd, int how);
int clinux_set_reuse_address(int fd);
int clinux_set_no_delay(int fd);
int clinux_set_ipv6_only(int fd);
int clinux_set_send_buffer(int fd, int bytes);
int clinux_set_receive_buffer(int fd, int bytes);
int clinux_set_linger_reset(int fd);
/// 1 when `fd` is a listening stream socket, 0 when it is anything else.
int clinux_is_listening(int fd);
/// Bytes that were read from a TCP connection by any holder of it; -EOPNOTSUPP for other sockets and
/// before Linux 4.1, -EAGAIN while so much arrives that no count holds for a moment.
/// Needs the struct tcp_info of the kernel, which glibc's header does not have in full.
int64_t clinux_tcp_consumed(int fd);
/// Bytes that any holder of a TCP connection has written to it: acknowledged ones, and those that the
/// kernel still has; errors as above.
int64_t clinux_tcp_written(int fd);
/// Connections that wait in the queue of a listening TCP socket, and how many may.
int clinux_tcp_queue(int fd, uint32_t *waiting, uint32_t *limit);

// MARK: Descriptor passing

/// Most descriptors in one message: the kernel's SCM_MAX_FD.
#define CLINUX_FDS_MAX 253

/// Sends `count` bytes and `fd_count` descriptors as one message, without blocking or SIGPIPE.
ssize_t clinux_send_fds(int socket, const void *bytes, size_t count, const int *_Nullable fds,
                        size_t fd_count);
/// Receives one message. Descriptors arrive close-on-exec. `*truncated` is 1 when data was cut off,
/// else 2 when descriptors were; descriptors beyond `fd_capacity` are closed and count as cut off.
ssize_t clinux_recv_fds(int socket, void *bytes, size_t capacity, int *fds, size_t fd_capacity,
                        size_t *fd_count, int *truncated);

// MARK: Shared memory

/// An anonymous file of `count` zero bytes whose size is sealed.
int clinux_memfd_sized(const char *name, size_t count);
/// Maps `count` bytes of `fd`, shared and writable; NULL on failure.
void *_Nullable clinux_map_shared(int fd, size_t count);
void clinux_unmap(void *base, size_t count);

// Atomics over memory that another process writes too; Swift's own have no form for raw memory.
// Loads acquire, stores release.

static inline uint32_t clinux_load32(const void *base, size_t offset) {
    return __atomic_load_n((const uint32_t *)((const char *)base + offset), __ATOMIC_ACQUIRE);
}
static inline uint64_t clinux_load64(const void *base, size_t offset) {
    return __atomic_load_n((const uint64_t *)((const char *)base + offset), __ATOMIC_ACQUIRE);
}
static inline void clinux_store32(void *base, size_t offset, uint32_t value) {
    __atomic_store_n((uint32_t *)((char *)base + offset), value, __ATOMIC_RELEASE);
}
static inline void clinux_store64(void *base, size_t offset, uint64_t value) {
    __atomic_store_n((uint64_t *)((char *)base + offset), value, __ATOMIC_RELEASE);
}
/// 1 when the value was `expected` and is `desired` now.
static inline int clinux_exchange32(void *base, size_t offset, uint32_t expected,
                                    uint32_t desired) {
    return __atomic_compare_exchange_n((uint32_t *)((char *)base + offset), &expected, desired, 0,
                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

// MARK: Crashes

/// Frames of a backtrace that a crash note keeps.
#define CLINUX_CRASH_FRAMES 24
/// Bytes of a crash note.
#define CLINUX_CRASH_BYTES (40 + 8 * CLINUX_CRASH_FRAMES)

/// On SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP and SIGABRT, writes what happened to `note` and lets
/// the process die of the signal. Layout of the note, native byte order: u32 1 when written, i32
/// signal, u64 address that could not be accessed, u64 where the program is loaded, u64 where it
/// ends, u32 frame count, u32 0, frames (u64 each, the crashed instruction first). In C because only
/// async-signal-safe code may run in a handler, and because it must run on a stack of its own.
int clinux_crash_notes(void *note);

// MARK: Processes and signals

struct clinux_spawn_fd {
    int source;
    int target;
};

/// Starts `path` with the listed descriptors and nothing else, default signal dispositions, and an
/// empty signal mask; `own_group` makes it the leader of a new process group. Returns the pid.
/// posix_spawn: no Swift code runs between fork and exec.
int clinux_spawn(const char *path, char *const _Nullable *_Nonnull argv,
                 char *const _Nullable *_Nonnull envp, const struct clinux_spawn_fd *fds,
                 size_t fd_count, int own_group);
/// Replaces the program of this process; returns only on failure. execve(2).
int clinux_replace_program(const char *path, char *const _Nullable *_Nonnull argv,
                           char *const _Nullable *_Nonnull envp);
int clinux_pidfd_open(int pid);
int clinux_pidfd_send_signal(int pidfd, int signal);

struct clinux_exit {
    int pid;
    /// Exit code, or 0 when a signal ended the process.
    int code;
    /// Signal number, or 0 when the process exited by itself.
    int signal;
};

/// Reaps the child behind `pidfd` without waiting: 1 reaped, 0 still running.
int clinux_wait_pidfd(int pidfd, struct clinux_exit *status);
/// The pid of an ended child that is left unreaped, 0 when there is none.
int clinux_peek_ended(void);
/// Reaps the ended child with the pid without waiting: 1 reaped, 0 still running.
int clinux_wait_pid(int pid, struct clinux_exit *status);
/// Blocks the signals on this thread and returns a descriptor that reports them.
int clinux_signalfd(const int *signals, size_t count);
int clinux_signalfd_read(int fd);
/// Ignores SIGPIPE for the process: libraries write to sockets without MSG_NOSIGNAL.
void clinux_ignore_sigpipe(void);
/// Has the kernel keep ended children until they are reaped: SIGCHLD may come ignored from the parent.
void clinux_keep_ended_children(void);
int clinux_die_with_parent(int signal);
int clinux_getpid(void);
int clinux_getppid(void);
unsigned int clinux_getuid(void);
int clinux_kill(int pid, int signal);
_Noreturn void clinux_exit_now(int code);
char *_Nullable *_Nullable clinux_environ(void);

// MARK: Runtime files

/// Opens a file for locking and makes it (mode 0600) when it is missing; follows no link.
int clinux_lock_file(const char *path);
/// Takes the whole-file lock of the open file without waiting: -EWOULDBLOCK when another has it.
/// It lasts as long as the open file, an exec that inherits the descriptor included.
int clinux_lock(int fd);
/// Replaces the contents of a small file.
int clinux_overwrite(int fd, const void *bytes, size_t count);
/// Mode of an open file; of a Unix socket before bind, the mode of the file that bind makes.
int clinux_set_mode(int fd, int mode);
int clinux_set_close_on_exec(int fd, int close_on_exec);
/// Owner and st_mode of a file, with `follow` of what a link leads to.
int clinux_file_facts(const char *path, int follow, uint32_t *owner, uint32_t *mode);
/// Who connected, or for the one who connected: who listens.
int clinux_peer_credentials(int fd, int *pid, uint32_t *uid);

// MARK: Machine

uint64_t clinux_monotonic_ns(void);
/// Seconds and nanoseconds since 1970, UTC.
void clinux_realtime(int64_t *seconds, uint32_t *nanoseconds);
int clinux_affinity_count(void);
int clinux_page_size(void);
/// Open descriptors of a process. Before Linux 6.2 they have to be listed, with the readdir that
/// Swift sees as another type per C library.
int clinux_open_fds(int pid);
int clinux_nofile_limit(uint64_t *soft, uint64_t *hard);
int clinux_set_nofile_limit(uint64_t soft);
int clinux_random(void *buffer, size_t count);
/// An anonymous file of the given bytes, sealed against every change.
int clinux_memfd_sealed(const char *name, const void *bytes, size_t count);
/// User and system CPU time of this process, in nanoseconds.
uint64_t clinux_cpu_ns(void);
/// Text of an error number, in `text`.
void clinux_error_text(int error, char *text, size_t capacity);

#pragma clang assume_nonnull end
#endif
