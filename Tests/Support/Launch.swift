// SPDX-License-Identifier: Apache-2.0
import Glibc
import System

/// How a supervisor under test is started: as whom, through which programs, with which workers.
package struct Launch {
    package let program: String
    /// Comes before the arguments of the supervisor itself.
    package let arguments: [String]
    package let environment: [String]

    /// Users and groups of the name `nobody`, and those who have no name.
    package static let unprivilegedUser: UInt32 = 65_534

    /// Whether this process may start others as another user.
    package static var canChangeUser: Bool { geteuid() == 0 }

    /// The command, run as a user without any privilege.
    static func unprivileged(_ command: [String]) -> [String] {
        guard canChangeUser else { return command }
        let id = unprivilegedUser
        return ["/usr/bin/setpriv", "--reuid=\(id)", "--regid=\(id)", "--clear-groups", "--"]
            + command
    }

    package init(
        _ settings: FleetSettings,
        _ directory: PrivateDirectory,
        program supervisor: String = ApusProgram.supervisor
    ) throws {
        var words = settings.launcher + [supervisor]
        var environment = settings.environment
        for (name, text) in settings.files { try directory.write(name, text) }
        if let prelude = settings.workerPrelude {
            let script =
                "#!/bin/sh\nDIR='\(directory.path)'\n\(prelude)\n"
                + "exec '\(ApusProgram.worker)' \"$@\"\n"
            environment.append("APUS_WORKER_PATH=\(try directory.writeProgram("worker", script))")
        }
        if settings.isUnprivileged, Self.canChangeUser {
            words = Self.unprivileged(words)
            try directory.give(to: Self.unprivilegedUser)
        }
        program = words[0]
        arguments = Array(words.dropFirst())
        self.environment = environment
    }
}

extension PrivateDirectory {
    /// Writes a program and returns its path.
    @discardableResult
    package func writeProgram(_ name: String, _ text: String) throws -> String {
        let file = try write(name, text)
        // SAFETY: a plain call of libc with a string that lives through it.
        guard unsafe chmod(file, 0o755) == 0 else { throw TestFailure("no mode for \(file)") }
        return file
    }

    /// Makes a user the owner of the directory and of the files in it.
    func give(to user: UInt32) throws {
        for file in [path] + ProcessFacts.names(in: path).map({ "\(path)/\($0)" }) {
            // SAFETY: as above.
            guard unsafe chown(file, user, user) == 0 else {
                throw TestFailure("no owner for \(file)")
            }
        }
    }
}
