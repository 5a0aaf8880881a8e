// SPDX-License-Identifier: Apache-2.0
import Glibc
import System

/// A wall clock for programs under test that a test can set; their monotonic clock stays as it is.
///
/// A library that is loaded before libc's, built with the C compiler of the machine: setting the
/// clock of the machine would hit everybody on it, and a time namespace moves the other clocks only.
package final class WallClock {
    /// What the programs need in their environment.
    package let environment: [String]
    private let file: Int32

    private static let compilers = ["/usr/bin/cc", "/usr/bin/clang", "/usr/bin/gcc"]

    /// Nil when there is no C compiler.
    package init?(in directory: PrivateDirectory) throws {
        let compiler = Self.compilers.first {
            // SAFETY: a plain call of libc with a string that lives through it.
            unsafe access($0, X_OK) == 0
        }
        guard let compiler else { return nil }
        let library = "\(directory.path)/clock.so"
        let source = RepositoryFile.path("Tests/Preload/clock.c")
        try ProcessRunner.run(
            compiler,
            ["-shared", "-fPIC", "-O1", "-o", library, source],
            environment: ["PATH=/usr/bin:/bin"]
        )
        let path = try directory.write("offset", "")
        // SAFETY: as above.
        file = unsafe open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { throw TestFailure("no file \(path)") }
        environment = ["LD_PRELOAD=\(library)", "APUS_WORKER_TEST_CLOCK=\(path)"]
        try shift(bySeconds: 0)
    }

    deinit {
        close(file)
    }

    /// Moves the clock so far from the machine's.
    package func shift(bySeconds seconds: Int) throws {
        var value = Int64(seconds)
        // SAFETY: the call reads the eight bytes of the value.
        let written = unsafe pwrite(file, &value, 8, 0)
        guard written == 8 else { throw TestFailure("the clock cannot be set") }
    }
}
