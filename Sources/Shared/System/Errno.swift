// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// An error number of the kernel or libc, as a value.
///
/// errno(3).
package struct Errno: Error, Equatable, Hashable, Sendable {
    package let code: Int32

    @inlinable package init(code: Int32) {
        self.code = code
    }

    package static let notPermitted = Errno(code: 1)
    package static let noEntry = Errno(code: 2)
    package static let interrupted = Errno(code: 4)
    package static let badDescriptor = Errno(code: 9)
    package static let noChild = Errno(code: 10)
    package static let tryAgain = Errno(code: 11)
    package static let noMemory = Errno(code: 12)
    package static let accessDenied = Errno(code: 13)
    package static let exists = Errno(code: 17)
    package static let notDirectory = Errno(code: 20)
    package static let invalid = Errno(code: 22)
    package static let fileTableFull = Errno(code: 23)
    package static let tooManyOpenFiles = Errno(code: 24)
    package static let noSpace = Errno(code: 28)
    package static let brokenPipe = Errno(code: 32)
    package static let nameTooLong = Errno(code: 36)
    package static let tooManyLinks = Errno(code: 40)
    package static let tooManyReferences = Errno(code: 109)
    package static let notSocket = Errno(code: 88)
    package static let addressInUse = Errno(code: 98)
    package static let addressNotAvailable = Errno(code: 99)
    package static let connectionAborted = Errno(code: 103)
    package static let connectionReset = Errno(code: 104)
    package static let noBufferSpace = Errno(code: 105)
    package static let notConnected = Errno(code: 107)
    package static let connectionRefused = Errno(code: 111)
    package static let inProgress = Errno(code: 115)

    /// The system's description of the error, in English.
    package var text: String {
        var bytes: InlineArray<128, CChar> = .init(repeating: 0)
        var span = bytes.mutableSpan
        // SAFETY: the callee writes at most the given number of bytes and ends them with NUL.
        return unsafe span.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return "" }
            unsafe clinux_error_text(code, base, buffer.count)
            return unsafe String(cString: base)
        }
    }
}

extension Errno: CustomStringConvertible {
    package var description: String { "\(text) (errno \(code))" }
}

/// A system call that failed in a way the caller reports.
package struct SystemError: Error, Equatable, CustomStringConvertible, Sendable {
    /// The call, as its manual page names it.
    package let call: StaticCallName
    package let errno: Errno

    package init(_ call: StaticCallName, _ errno: Errno) {
        self.call = call
        self.errno = errno
    }

    package var description: String { "\(call.rawValue): \(errno)" }
}

/// The calls whose failure is reported by name.
package enum StaticCallName: String, Sendable {
    case accept, bind, connect, epollCreate = "epoll_create1", epollControl = "epoll_ctl"
    case listen, memfd = "memfd_create", open, pidfdOpen = "pidfd_open", pipe, read
    case receive = "recvmsg", send = "sendmsg", signalfd, socket, socketpair, spawn = "posix_spawn"
    case write, mkdir, flock
}
