// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// What stat(2) says about a file, as far as trusting it goes.
package struct FileFacts: Equatable, Sendable {
    package let owner: UInt32
    /// Permission bits.
    package let permissions: UInt32
    package let isDirectory: Bool
    package let isLink: Bool
    package let isSocket: Bool

    init(owner: UInt32, mode: UInt32) {
        self.owner = owner
        permissions = mode & 0o7777
        // S_IFMT and its values are macros. inode(7).
        let format = mode & 0o170_000
        isDirectory = format == 0o040_000
        isLink = format == 0o120_000
        isSocket = format == 0o140_000
    }
}

/// Who is behind a Unix socket.
package struct PeerCredentials: Equatable, Sendable {
    /// 0 when the process is in a namespace that cannot be seen from here.
    package let processID: Int32
    package let userID: UInt32
}

extension Syscalls {
    /// Owner and kind of a file; `followsLinks` looks at what a link leads to.
    ///
    /// stat(2), lstat(2).
    package static func facts(
        of path: String,
        followsLinks: Bool = false
    ) throws(Errno) -> FileFacts {
        var owner: UInt32 = 0
        var mode: UInt32 = 0
        _ = try checked(unsafe clinux_file_facts(path, followsLinks ? 1 : 0, &owner, &mode))
        return FileFacts(owner: owner, mode: mode)
    }

    /// Opens a file for locking, close-on-exec, and makes it when it is missing.
    ///
    /// System call: open(2) with O_CREAT and O_NOFOLLOW, mode 0600.
    package static func openLockFile(_ path: String) throws(Errno) -> OwnedFD {
        OwnedFD(owning: try checked(unsafe clinux_lock_file(path)))
    }

    /// Takes the lock of the open file; false when somebody else has it.
    ///
    /// It belongs to the open file: copies of the descriptor hold it too, and an exec that inherits
    /// one keeps it. flock(2).
    package static func lock(_ fd: Int32) throws(Errno) -> Bool {
        let result = clinux_lock(fd)
        if result == -Errno.tryAgain.code { return false }
        _ = try checked(result)
        return true
    }

    /// Replaces the contents of a small file.
    ///
    /// ftruncate(2), pwrite(2).
    package static func overwrite(_ fd: Int32, _ bytes: Span<UInt8>) throws(Errno) {
        // SAFETY: the callee reads at most the span.
        let result = unsafe bytes.withUnsafeBufferPointer { source -> Int32 in
            guard let base = source.baseAddress else { return 0 }
            return unsafe clinux_overwrite(fd, base, source.count)
        }
        _ = try checked(result)
    }

    /// Sets the mode of an open file.
    ///
    /// For a Unix socket before bind: the mode of the file that bind makes, so that there is no
    /// moment in which others could connect. fchmod(2).
    package static func setMode(_ fd: Int32, _ mode: Int32) throws(Errno) {
        _ = try checked(clinux_set_mode(fd, mode))
    }

    /// Whether an exec of this process closes the descriptor.
    ///
    /// fcntl(2) F_SETFD.
    package static func setCloseOnExec(_ fd: Int32, _ closes: Bool) throws(Errno) {
        _ = try checked(clinux_set_close_on_exec(fd, closes ? 1 : 0))
    }

    /// Who is at the other end of a Unix socket, as of connect(2) and listen(2).
    ///
    /// unix(7) SO_PEERCRED.
    package static func peerCredentials(_ fd: Int32) throws(Errno) -> PeerCredentials {
        var pid: Int32 = 0
        var uid: UInt32 = 0
        _ = try checked(unsafe clinux_peer_credentials(fd, &pid, &uid))
        return PeerCredentials(processID: pid, userID: uid)
    }

    /// Sends one datagram with descriptors to a Unix socket; the copies here stay open.
    ///
    /// connect(2), sendmsg(2) with SCM_RIGHTS.
    package static func sendDatagram(
        _ bytes: Span<UInt8>,
        descriptors: [Int32],
        to path: String
    ) throws(Errno) {
        var raw = try SocketAddress.unix(path: path).raw()
        let fd = OwnedFD(owning: try checked(clinux_socket_datagram_unix()))
        _ = try checked(unsafe clinux_connect(fd.raw, &raw))
        switch sendMessage(fd.raw, bytes, descriptors: descriptors) {
        case .bytes: return
        case .wouldBlock: throw .tryAgain
        case .failed(let errno): throw errno
        }
    }
}
