// SPDX-License-Identifier: Apache-2.0
import Glibc
package import System

/// A path in /tmp that nothing else uses.
package func temporaryPath(_ purpose: String) -> String {
    "/tmp/apus-\(purpose)-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
}

/// A file that is removed with its owner.
package final class TemporaryFile {
    package let path: String

    /// Makes a file with the text; `mode` as in chmod(2).
    package init(_ text: String, mode: UInt32 = 0o600) throws(Errno) {
        path = temporaryPath("file")
        // SAFETY: a plain call of libc with a string that lives through it.
        let fd = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard fd >= 0 else { throw .accessDenied }
        let file = OwnedFD(owning: fd)
        let bytes = Array(text.utf8)
        guard Syscalls.write(file.raw, bytes.span) == .bytes(bytes.count) else { throw .noSpace }
    }

    deinit {
        // SAFETY: as above.
        unsafe unlink(path)
    }
}
