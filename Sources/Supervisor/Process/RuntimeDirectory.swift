// SPDX-License-Identifier: Apache-2.0
import System

/// The directory with the files of one running supervisor, and the lock that makes it the only one.
///
/// The kernel holds the lock for as long as the descriptor is open anywhere: it goes with the
/// process however that ends, and stays when the process replaces itself by exec.
final class RuntimeDirectory {
    static let lockName = "apus.lock"
    static let socketName = "control.sock"

    let path: String
    private let lock: OwnedFD

    /// Number of the descriptor that holds the lock.
    ///
    /// A successor by exec needs it open (`Syscalls.setCloseOnExec(_, false)`) and its number, for
    /// `init(path:adopting:)`.
    var lockDescriptor: Int32 { lock.raw }

    /// Where operators reach the supervisor.
    var socketPath: String { Self.socketPath(in: path) }

    static func socketPath(in directory: String) -> String { "\(directory)/\(socketName)" }

    /// Makes the directory when it is missing, and takes its lock.
    ///
    /// - Throws: `RuntimeDirectoryError.held` when another supervisor runs there.
    init(_ place: RuntimePlace) throws(RuntimeDirectoryError) {
        path = place.path
        try Self.prepare(place)
        do throws(Errno) {
            lock = try Syscalls.openLockFile("\(path)/\(Self.lockName)")
        } catch {
            throw RuntimeDirectoryError(path, .system(SystemError(.open, error)))
        }
        let isFree: Bool
        do throws(Errno) {
            isFree = try Syscalls.lock(lock.raw)
        } catch {
            throw RuntimeDirectoryError(path, .system(SystemError(.flock, error)))
        }
        guard isFree else {
            throw RuntimeDirectoryError(path, .held(processID: Self.writtenProcess(lock.raw)))
        }
        writeProcessID()
    }

    /// Goes on with the lock that the program before this one in the same process held.
    init(path: String, adopting lock: consuming OwnedFD) {
        self.path = path
        self.lock = lock
        do throws(Errno) {
            // No worker may hold it.
            try Syscalls.setCloseOnExec(self.lock.raw, true)
        } catch {
            preconditionFailure("the lock of \(path) was handed over closed: \(error)")
        }
        writeProcessID()
    }

    private static func prepare(_ place: RuntimePlace) throws(RuntimeDirectoryError) {
        do throws(Errno) {
            try Syscalls.makeDirectory(place.path)
        } catch {
            guard error == .exists else {
                throw RuntimeDirectoryError(place.path, .system(SystemError(.mkdir, error)))
            }
        }
        let facts: FileFacts
        do throws(Errno) {
            facts = try Syscalls.facts(of: place.path, followsLinks: !place.isShared)
        } catch {
            throw RuntimeDirectoryError(place.path, .system(SystemError(.open, error)))
        }
        if facts.isLink { throw RuntimeDirectoryError(place.path, .link) }
        guard facts.isDirectory else { throw RuntimeDirectoryError(place.path, .notDirectory) }
        guard place.isShared else { return }
        guard facts.owner == Syscalls.userID else {
            throw RuntimeDirectoryError(place.path, .foreign(owner: facts.owner))
        }
        guard facts.permissions & 0o077 == 0 else {
            throw RuntimeDirectoryError(place.path, .open(permissions: facts.permissions))
        }
    }

    /// The process that the holder of the lock wrote into the file.
    private static func writtenProcess(_ fd: Int32) -> Int32? {
        do throws(Errno) {
            let bytes = try Syscalls.contents(of: fd, limit: 4096)
            let text = String(decoding: bytes, as: UTF8.self)
            return Int32(text.filter { !$0.isWhitespace })
        } catch {
            // The number only makes the message better.
            return nil
        }
    }

    /// For people: what counts is the lock.
    private func writeProcessID() {
        let text = Array("\(Syscalls.processID)\n".utf8)
        do throws(Errno) {
            try Syscalls.overwrite(lock.raw, text.span)
        } catch {
            // A full disk takes nothing from the lock.
            return
        }
    }
}

/// Where runtime files go.
struct RuntimePlace: Equatable {
    let path: String
    /// Whether strangers can write beside it, so that it may not be what it seems.
    let isShared: Bool

    /// The place of the environment: `$RUNTIME_DIRECTORY`, which systemd sets and which may list
    /// several, else `$XDG_RUNTIME_DIR/apus`, else `/tmp/apus-UID`.
    ///
    /// `XDG_RUNTIME_DIR` counts only when `isOwnDirectory` says so: after `su` it often names the
    /// directory of somebody else, or one that is gone.
    init(
        environment: [String],
        userID: UInt32 = Syscalls.userID,
        isOwnDirectory: (String) -> Bool = RuntimePlace.isOwnDirectory
    ) {
        if let first = Self.given(environment) {
            self.init(path: first, isShared: false)
        } else if let base = WorkerEnvironment.value(of: "XDG_RUNTIME_DIR", in: environment),
            base.hasPrefix("/"), isOwnDirectory(base)
        {
            self.init(path: "\(base)/apus", isShared: false)
        } else {
            self.init(path: "/tmp/apus-\(userID)", isShared: true)
        }
    }

    init(path: String, isShared: Bool) {
        self.path = path
        self.isShared = isShared
    }

    /// Places to look for a running supervisor, the likeliest first: also the one of the system
    /// service, unless the environment names a place.
    static func candidates(
        environment: [String],
        userID: UInt32 = Syscalls.userID,
        isOwnDirectory: (String) -> Bool = RuntimePlace.isOwnDirectory
    ) -> [RuntimePlace] {
        let own = RuntimePlace(
            environment: environment,
            userID: userID,
            isOwnDirectory: isOwnDirectory
        )
        guard given(environment) == nil else { return [own] }
        return [own, RuntimePlace(path: "/run/apus", isShared: false)]
    }

    private static func given(_ environment: [String]) -> String? {
        let list = WorkerEnvironment.value(of: "RUNTIME_DIRECTORY", in: environment) ?? ""
        return list.split(separator: ":").first.map(String.init)
    }

    static func isOwnDirectory(_ path: String) -> Bool {
        do throws(Errno) {
            let facts = try Syscalls.facts(of: path, followsLinks: true)
            return facts.isDirectory && facts.owner == Syscalls.userID
        } catch {
            return false
        }
    }
}

/// Why a runtime directory cannot be used.
struct RuntimeDirectoryError: Error, Equatable, CustomStringConvertible {
    enum Cause: Equatable {
        /// Another supervisor runs there; nil when it has not written its number yet.
        case held(processID: Int32?)
        case link
        case notDirectory
        case foreign(owner: UInt32)
        case open(permissions: UInt32)
        case system(SystemError)
    }

    let path: String
    let cause: Cause

    init(_ path: String, _ cause: Cause) {
        self.path = path
        self.cause = cause
    }

    var exitCode: Int32 {
        if case .held = cause { ExitCode.unavailable } else { ExitCode.failure }
    }

    var description: String {
        switch cause {
        case .held(let processID):
            "another supervisor" + (processID.map { " (pid \($0))" } ?? "")
                + " runs in \(path): set RUNTIME_DIRECTORY to run a second one"
        case .link:
            refused("is a symbolic link")
        case .notDirectory:
            refused("is not a directory")
        case .foreign(let owner):
            refused("belongs to the user \(owner)")
        case .open(let permissions):
            refused("is open to others (mode 0\(String(permissions, radix: 8)), not 0700)")
        case .system(let error):
            refused("cannot be used: \(error)")
        }
    }

    private func refused(_ problem: String) -> String {
        "runtime directory \(path) \(problem); "
            + "set RUNTIME_DIRECTORY to a directory that only this user can write"
    }
}
