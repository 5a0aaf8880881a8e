// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// How a child process ended.
package enum ProcessExit: Equatable, Sendable {
    case exited(code: Int32)
    case signaled(signal: Int32)
    /// Somebody else has reaped it and knows.
    case unknown
}

/// The signals that the supervisor and the tests use.
///
/// signal(7), x86-64 and arm64 numbers.
package enum Signal: Int32, Sendable, CaseIterable {
    case hangup = 1, interrupt = 2, abort = 6, kill = 9, user1 = 10, user2 = 12, pipe = 13
    case terminate = 15, child = 17, `continue` = 18, stop = 19, ttyIn = 21, ttyOut = 22
}

/// A descriptor that a child receives under a fixed number.
package struct InheritedFD {
    package let source: Int32
    package let target: Int32

    package init(source: Int32, target: Int32) {
        self.source = source
        self.target = target
    }
}

extension Syscalls {
    /// Starts a program with exactly the listed descriptors.
    ///
    /// Returns its process id.
    ///
    /// Signal mask and dispositions of the child are the defaults. With `ownGroup` it leads a new
    /// process group, so that a Ctrl-C in the terminal does not reach it. posix_spawn(3).
    package static func spawn(
        _ path: String,
        arguments: [String],
        environment: [String],
        descriptors: [InheritedFD],
        ownGroup: Bool = false
    ) throws(Errno) -> Int32 {
        let fds = descriptors.map { clinux_spawn_fd(source: $0.source, target: $0.target) }
        // SAFETY: both vectors end with nil and stay alive until the call returns.
        let result = unsafe withCStrings(arguments) { argv in
            unsafe withCStrings(environment) { envp in
                unsafe fds.withUnsafeBufferPointer { list -> Int32 in
                    guard let base = list.baseAddress else { return -Errno.invalid.code }
                    return unsafe clinux_spawn(
                        path,
                        argv,
                        envp,
                        base,
                        list.count,
                        ownGroup ? 1 : 0
                    )
                }
            }
        }
        return try checked(result)
    }

    /// Replaces the program of this process; returns only by throwing.
    ///
    /// Descriptors without close-on-exec stay open under their numbers. execve(2).
    package static func replaceProgram(
        _ path: String,
        arguments: [String],
        environment: [String]
    ) throws(Errno) {
        // SAFETY: both vectors end with nil and stay alive until the call returns, if it does.
        let result = unsafe withCStrings(arguments) { argv in
            unsafe withCStrings(environment) { envp in
                unsafe clinux_replace_program(path, argv, envp)
            }
        }
        _ = try checked(result)
    }

    /// Calls `body` with a nil-terminated vector of C strings.
    @unsafe
    private static func withCStrings<Result>(
        _ strings: [String],
        _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        // A first NUL keeps the array from being empty, which would have no address.
        var bytes: [CChar] = [0]
        var offsets: [Int] = []
        for string in strings {
            offsets.append(bytes.count)
            bytes.append(contentsOf: string.utf8CString)
        }
        // SAFETY: every pointer lies in `bytes`, which stays in place for the call; each string
        // ends with its NUL and the vector with nil.
        return unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else {
                preconditionFailure("a program has at least its name as an argument")
            }
            var pointers: [UnsafeMutablePointer<CChar>?] = unsafe offsets.map { unsafe base + $0 }
            unsafe pointers.append(nil)
            return unsafe pointers.withUnsafeBufferPointer { vector in
                guard let first = vector.baseAddress else {
                    preconditionFailure("a vector with its terminator is not empty")
                }
                return unsafe body(first)
            }
        }
    }

    /// A descriptor that becomes readable when the process ends.
    ///
    /// pidfd_open(2).
    package static func pidfd(_ pid: Int32) throws(Errno) -> OwnedFD {
        OwnedFD(owning: try checked(clinux_pidfd_open(pid)))
    }

    /// Signals exactly the process behind `pidfd`, never a later one with its number.
    package static func signal(pidfd: Int32, _ signal: Signal) throws(Errno) {
        _ = try checked(clinux_pidfd_send_signal(pidfd, signal.rawValue))
    }

    package static func signal(process pid: Int32, _ signal: Signal) throws(Errno) {
        _ = try checked(clinux_kill(pid, signal.rawValue))
    }

    /// How the child behind `pidfd` ended, nil while it runs.
    ///
    /// waitid(2) with P_PIDFD.
    package static func reap(pidfd: Int32) throws(Errno) -> ProcessExit? {
        var status = clinux_exit()
        if try checked(unsafe clinux_wait_pidfd(pidfd, &status)) == 0 { return nil }
        return exit(status)
    }

    /// A child that has ended and is not reaped yet; it stays so.
    ///
    /// waitid(2) with WNOWAIT.
    package static func endedChild() throws(Errno) -> Int32? {
        let pid = try checked(clinux_peek_ended())
        return pid > 0 ? pid : nil
    }

    /// Reaps a child that has ended; false while it runs.
    package static func reap(process pid: Int32) throws(Errno) -> Bool {
        var status = clinux_exit()
        return try checked(unsafe clinux_wait_pid(pid, &status)) != 0
    }

    private static func exit(_ status: clinux_exit) -> ProcessExit {
        status.signal != 0 ? .signaled(signal: status.signal) : .exited(code: status.code)
    }

    /// Blocks `signals` and returns a descriptor that reports them.
    ///
    /// signalfd(2).
    package static func signalDescriptor(_ signals: [Signal]) throws(Errno) -> OwnedFD {
        let numbers = signals.map(\.rawValue)
        // SAFETY: the callee reads the array only.
        let result = unsafe numbers.withUnsafeBufferPointer { buffer -> Int32 in
            guard let base = buffer.baseAddress else { return -Errno.invalid.code }
            return unsafe clinux_signalfd(base, buffer.count)
        }
        return OwnedFD(owning: try checked(result))
    }

    /// The next pending signal number, nil when there is none.
    package static func readSignal(_ fd: Int32) throws(Errno) -> Signal? {
        let result = clinux_signalfd_read(fd)
        if result == -Errno.tryAgain.code { return nil }
        return Signal(rawValue: try checked(result))
    }

    package static func ignoreBrokenPipes() { clinux_ignore_sigpipe() }

    /// Has ended children wait to be reaped, whatever the parent of this process has set.
    ///
    /// With SIGCHLD ignored, which execve(2) keeps, the kernel reaps them and how they ended is lost.
    package static func keepEndedChildren() { clinux_keep_ended_children() }

    /// Asks the kernel for `signal` when the thread that started this process ends.
    ///
    /// prctl(2).
    package static func dieWithParent(_ signal: Signal) throws(Errno) {
        _ = try checked(clinux_die_with_parent(signal.rawValue))
    }

    package static var processID: Int32 { clinux_getpid() }
    package static var parentProcessID: Int32 { clinux_getppid() }
    package static var userID: UInt32 { clinux_getuid() }
    /// CPU time used by this process, in nanoseconds.
    package static var processorNanoseconds: UInt64 { clinux_cpu_ns() }

    /// Ends the process at once, without running any cleanup.
    package static func exitNow(_ code: Int32) -> Never { clinux_exit_now(code) }

    /// CPUs that this process may run on.
    ///
    /// sched_getaffinity(2).
    package static func affinityCount() throws(Errno) -> Int {
        Int(try checked(clinux_affinity_count()))
    }

    /// Limit on open descriptors: soft and hard.
    ///
    /// getrlimit(2).
    package static func descriptorLimit() throws(Errno) -> (soft: UInt64, hard: UInt64) {
        var soft: UInt64 = 0
        var hard: UInt64 = 0
        _ = try checked(unsafe clinux_nofile_limit(&soft, &hard))
        return (soft, hard)
    }

    package static func setDescriptorLimit(soft: UInt64) throws(Errno) {
        _ = try checked(clinux_set_nofile_limit(soft))
    }

    /// The environment as `NAME=value` strings.
    package static func environment() -> [String] {
        var result: [String] = []
        // SAFETY: environ is a nil-terminated vector of C strings, and nothing changes it here.
        guard let list = unsafe clinux_environ() else { return [] }
        var index = 0
        while let entry = unsafe list[index] {
            unsafe result.append(String(cString: entry))
            index += 1
        }
        return result
    }

    /// Calls whose failure a test can force on its own thread, in debug builds.
    package enum ForcedCall: Int32 {
        case accept = 0, receive, send, sendMessage, receiveMessage, epollControl, spawn, write
        case pidfdOpen
    }

    /// Makes the next `count` calls of `call` on this thread fail with `errno`.
    package static func forceErrno(_ call: ForcedCall, _ errno: Errno, count: Int32) {
        clinux_force_errno(call.rawValue, errno.code, count)
    }
}
