// SPDX-License-Identifier: Apache-2.0
package import System

/// The programs under test.
package enum ApusProgram {
    /// Where the binaries lie: beside the test bundle, or where `APUS_TEST_BINARIES` says.
    package static let folder: String = {
        for entry in Syscalls.environment() where entry.hasPrefix("APUS_TEST_BINARIES=") {
            return String(entry.dropFirst("APUS_TEST_BINARIES=".count))
        }
        let program = CommandLine.arguments.first ?? ""
        guard let slash = program.lastIndex(of: "/") else { return ".build/debug" }
        return String(program[..<slash])
    }()

    package static var supervisor: String { "\(folder)/apus" }
    package static var worker: String { "\(folder)/apus-worker" }

    /// An environment with nothing of the machine's own settings.
    package static func environment(_ directory: PrivateDirectory) -> [String] {
        [
            "PATH=/usr/bin:/bin", "HOME=\(directory.path)", "LANG=C.UTF-8",
            "RUNTIME_DIRECTORY=\(directory.path)", "STATE_DIRECTORY=\(directory.path)",
        ]
    }

    /// Copies both programs, so that a test can replace them on disk.
    ///
    /// Returns the path of the supervisor's.
    package static func copy(to directory: PrivateDirectory) throws -> String {
        let process = try ServerProcess(
            "/bin/cp",
            arguments: [supervisor, "\(folder)/apus-worker", directory.path],
            environment: []
        )
        guard try process.waitForExit() == .exited(code: 0) else {
            try process.waitForEndOfOutput()
            throw TestFailure("the programs cannot be copied: \(process.tail())")
        }
        return "\(directory.path)/apus"
    }

    /// The arguments a process was started with.
    package static func arguments(of pid: Int32) throws -> String {
        try words("/proc/\(pid)/cmdline").joined(separator: " ")
    }

    /// The names of its environment.
    package static func environmentNames(of pid: Int32) throws -> [String] {
        try words("/proc/\(pid)/environ").map { String($0.prefix { $0 != "=" }) }
    }

    private static func words(_ path: String) throws -> [String] {
        try Syscalls.contents(of: path, limit: 1 << 20).split(separator: 0)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// Runs a command to its end.
    package static func run(
        _ arguments: [String],
        directory: PrivateDirectory,
        environment: [String] = [],
        by deadline: Deadline = .soon
    ) throws -> (exit: ProcessExit, output: String, error: String) {
        let process = try ServerProcess(
            supervisor,
            arguments: arguments,
            environment: self.environment(directory) + environment
        )
        let exit = try process.waitForExit(by: deadline)
        try process.waitForEndOfOutput(by: deadline)
        return (
            exit, process.lines(.output).joined(separator: "\n"),
            process.lines(.error).joined(separator: "\n")
        )
    }
}
