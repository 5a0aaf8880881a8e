// SPDX-License-Identifier: Apache-2.0
import System

/// Small programs of the system that tests use.
package enum ProcessRunner {
    /// Runs a program to its end and returns what it wrote to standard output.
    ///
    /// - Throws: `TestFailure` when it does not exit with 0.
    @discardableResult
    package static func run(
        _ path: String,
        _ arguments: [String],
        environment: [String] = [],
        by deadline: Deadline = .soon
    ) throws -> [String] {
        let process = try ServerProcess(path, arguments: arguments, environment: environment)
        let exit = try process.waitForExit(by: deadline)
        try process.waitForEndOfOutput(by: deadline)
        guard exit == .exited(code: 0) else {
            throw TestFailure("\(path) \(arguments): \(exit): \(process.tail())")
        }
        return process.lines(.output)
    }

    /// Removes one file.
    package static func remove(_ path: String) throws {
        do {
            try Syscalls.unlink(path)
        } catch {
            throw TestFailure("\(path): \(error)")
        }
    }

    /// Changes a limit of a running process: `option` as prlimit(1) has it, such as `--nofile=64`.
    ///
    /// As the user of the fleet: root needs a capability to reach into the processes of others.
    package static func limit(_ fleet: Fleet, _ option: String) throws {
        let command = ["/usr/bin/prlimit", "--pid", "\(fleet.pid)", option]
        let words = fleet.settings.isUnprivileged ? Launch.unprivileged(command) : command
        try run(words[0], Array(words.dropFirst()))
    }
}
