// SPDX-License-Identifier: Apache-2.0
import Bytes
import Glibc
import System

/// The receiving end of sd_notify(3), in place of systemd.
package final class NotifySocket {
    /// What goes into `NOTIFY_SOCKET`.
    package let path: String
    private let descriptor: Int32
    private var lines: [String] = []

    /// A socket in the directory, or one with an abstract name when that begins with `@`.
    ///
    /// - Throws: `TestFailure` when the socket cannot be made.
    package init(in directory: PrivateDirectory, name: String = "notify.sock") throws {
        let isAbstract = name.hasPrefix("@")
        path = isAbstract ? name : "\(directory.path)/\(name)"
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | 0o2004000, 0)
        guard descriptor >= 0 else { throw TestFailure("no datagram socket") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = isAbstract ? [0] + Array(path.utf8.dropFirst()) : Array(path.utf8)
        // SAFETY: the path is shorter than the field, which is zero otherwise.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
            unsafe field.copyBytes(from: bytes)
        }
        // The name of an abstract one ends where the address does.
        let length = socklen_t(
            isAbstract
                ? MemoryLayout<sa_family_t>.size + bytes.count : MemoryLayout<sockaddr_un>.size
        )
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, length)
            }
        }
        guard result == 0 else { throw TestFailure("no socket at \(path)") }
    }

    deinit {
        close(descriptor)
    }

    /// Waits for a message with that line and returns all lines received so far.
    @discardableResult
    package func waitForLine(_ line: String, by deadline: Deadline = .soon) throws -> [String] {
        try waitForMatch(line, by: deadline) { $0 == line }
    }

    /// Waits for a line for which `match` holds and returns all lines received so far.
    ///
    /// Descriptors that come along are closed.
    package func waitForMatch(
        _ what: String,
        by deadline: Deadline = .soon,
        _ match: (String) -> Bool
    ) throws -> [String] {
        while !lines.contains(where: match) {
            let events = pollDescriptors([(descriptor, .readable)], until: deadline)
            if events[0].isEmpty { throw TestFailure("no \(what), only \(lines)") }
            guard receive() else { throw TestFailure("nothing to receive") }
        }
        return lines
    }

    /// All lines that have come by now.
    package func received() throws -> [String] {
        while receive() {}
        return lines
    }

    /// Takes one message; false when there is none.
    private func receive() -> Bool {
        let buffer = ByteBuffer()
        guard case .bytes = Syscalls.receive(descriptor, into: buffer, minimum: 8_192) else {
            return false
        }
        lines += String(decoding: buffer.array, as: UTF8.self)
            .split(separator: "\n").map(String.init)
        return true
    }
}
