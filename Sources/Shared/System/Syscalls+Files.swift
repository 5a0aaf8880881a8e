// SPDX-License-Identifier: Apache-2.0
internal import Bytes
internal import CLinux

/// What a descriptor refers to.
package enum FileKind: Int32, Sendable {
    case regular = 1, pipe, socket, characterDevice, directory, other
}

extension Syscalls {
    /// Opens a file for reading, close-on-exec.
    ///
    /// open(2).
    package static func openForReading(_ path: String) throws(Errno) -> OwnedFD {
        OwnedFD(owning: try checked(unsafe clinux_open(path, 0, 0)))
    }

    /// Makes a file that only this user may read and opens it for writing, close-on-exec.
    ///
    /// System call: open(2) with O_WRONLY, O_CREAT and O_EXCL, mode 0600.
    ///
    /// - Throws: `exists` when something of this name is there, whatever it is.
    package static func createForWriting(_ path: String) throws(Errno) -> OwnedFD {
        let writeOnlyCreateExclusive: Int32 = 0x1 | 0x40 | 0x80
        return OwnedFD(
            owning: try checked(unsafe clinux_open(path, writeOnlyCreateExclusive, 0o600))
        )
    }

    /// A new open file description of something that is open already, for writing without
    /// blocking: flags set on it are not shared with other users of the original.
    ///
    /// System call: open(2) of /proc/self/fd/N with O_WRONLY and O_NONBLOCK.
    package static func reopenNonBlocking(_ fd: Int32) throws(Errno) -> OwnedFD {
        let writeOnlyNonBlockingNoTerminal: Int32 = 0x1 | 0x800 | 0x100
        return OwnedFD(
            owning: try checked(
                unsafe clinux_open("/proc/self/fd/\(fd)", writeOnlyNonBlockingNoTerminal, 0)
            )
        )
    }

    /// Makes calls on a descriptor that came from outside return instead of wait.
    ///
    /// The flag belongs to the open file and is shared with every other holder. fcntl(2).
    package static func setNonBlocking(_ fd: Int32) throws(Errno) {
        _ = try checked(clinux_set_nonblocking(fd))
    }

    package static func kind(of fd: Int32) -> FileKind? {
        FileKind(rawValue: clinux_file_kind(fd))
    }

    package static func isTerminal(_ fd: Int32) -> Bool {
        clinux_isatty(fd) == 1
    }

    /// Whether writing up to 4096 bytes to a pipe or terminal returns at once.
    ///
    /// True also for one whose write fails. System call: poll(2) with POLLOUT and no timeout.
    package static func isWritable(_ fd: Int32) -> Bool {
        clinux_is_writable(fd) == 1
    }

    /// The whole contents of a small file.
    ///
    /// - Throws: what open(2) or read(2) said; `invalid` when it is larger than `limit` bytes.
    package static func contents(of path: String, limit: Int) throws(Errno) -> [UInt8] {
        let fd = try openForReading(path)
        return try contents(of: fd.raw, limit: limit)
    }

    /// The whole contents behind a descriptor, from its start.
    package static func contents(of fd: Int32, limit: Int) throws(Errno) -> [UInt8] {
        let buffer = ByteBuffer(capacity: 4096)
        while true {
            var outcome = 0
            let offset = Int64(buffer.count)
            // SAFETY: the kernel writes at most the space given.
            _ = unsafe buffer.withUnsafeSpace(minimum: 4096) { space in
                guard let base = space.baseAddress else { return 0 }
                outcome = unsafe clinux_pread(fd, base, space.count, offset)
                return max(outcome, 0)
            }
            if try checked(outcome) == 0 { return buffer.array }
            if buffer.count > limit { throw .invalid }
        }
    }

    package static func unlink(_ path: String) throws(Errno) {
        _ = try checked(unsafe clinux_unlink(path))
    }

    /// Makes a directory that only this user can enter.
    ///
    /// mkdir(2).
    package static func makeDirectory(_ path: String, mode: Int32 = 0o700) throws(Errno) {
        _ = try checked(unsafe clinux_mkdir(path, mode))
    }

    /// The target of a symbolic link.
    ///
    /// readlink(2).
    package static func linkTarget(_ path: String) throws(Errno) -> String {
        // PATH_MAX of Linux.
        var bytes = [CChar](repeating: 0, count: 4096)
        // SAFETY: the callee writes at most the given number of bytes.
        let result = unsafe bytes.withUnsafeMutableBufferPointer { buffer -> Int in
            guard let base = buffer.baseAddress else { return 0 }
            return unsafe clinux_readlink(path, base, buffer.count)
        }
        let count = try checked(result)
        guard count < bytes.count else { throw .nameTooLong }
        return String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Opens /dev/null under each of the numbers 0, 1 and 2 that is closed, so that no other file
    /// gets one of them and is mistaken for standard output.
    package static func openStandardDescriptors() throws(Errno) {
        let readWrite: Int32 = 2
        while true {
            let fd = OwnedFD(owning: try checked(unsafe clinux_open("/dev/null", readWrite, 0)))
            if fd.raw > 2 { return }
            _ = fd.release()
        }
    }

    package static func isSocket(_ path: String) -> Bool {
        unsafe clinux_is_socket(path) == 1
    }

    /// A sealed anonymous file with the given contents.
    ///
    /// memfd_create(2).
    package static func sealedMemory(
        _ name: String,
        _ bytes: Span<UInt8>
    ) throws(Errno) -> OwnedFD {
        // SAFETY: the callee reads at most the span.
        let result = unsafe bytes.withUnsafeBufferPointer { source -> Int32 in
            guard let base = source.baseAddress else { return -Errno.invalid.code }
            return unsafe clinux_memfd_sealed(name, base, source.count)
        }
        return OwnedFD(owning: try checked(result))
    }

    /// Unpredictable bytes.
    ///
    /// getrandom(2).
    package static func random(_ count: Int) throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        // SAFETY: the callee writes `count` bytes.
        let result = unsafe bytes.withUnsafeMutableBufferPointer { buffer -> Int32 in
            guard let base = buffer.baseAddress else { return 0 }
            return unsafe clinux_random(base, buffer.count)
        }
        _ = try checked(result)
        return bytes
    }
}
