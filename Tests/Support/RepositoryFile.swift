// SPDX-License-Identifier: Apache-2.0
import Bytes
import Glibc
import System

/// A file of the repository that a test writes and compares.
package enum RepositoryFile {
    /// Set to `1`, it lets tests rewrite the files that they make.
    package static let updateVariable = "APUS_UPDATE_DOCS"

    /// The path of `name` from the root of the repository, found from this source file.
    package static func path(_ name: String, source: String = #filePath) -> String {
        let root = source.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        return root.joined(separator: "/") + "/" + name
    }

    package static func read(_ name: String) throws -> String { try text(of: path(name)) }

    package static func replace(_ name: String, with text: String) throws {
        // SAFETY: a plain call of libc with a string that lives through it.
        let fd = unsafe open(path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard fd >= 0 else { throw TestFailure("\(name) cannot be written") }
        let file = OwnedFD(owning: fd)
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            guard case .bytes(let count) = Syscalls.write(file.raw, Array(rest).span) else {
                throw TestFailure("\(name) is not written whole")
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Whether files are to be rewritten.
    package static func isUpdating() throws -> Bool {
        try text(of: "/proc/self/environ").split(separator: "\0")
            .contains { $0 == "\(updateVariable)=1" }
    }

    private static func text(of path: String) throws -> String {
        let file = try Syscalls.openForReading(path)
        let buffer = ByteBuffer()
        while case .bytes = Syscalls.read(file.raw, into: buffer, minimum: 64 << 10) {}
        return String(decoding: buffer.array, as: UTF8.self)
    }
}
