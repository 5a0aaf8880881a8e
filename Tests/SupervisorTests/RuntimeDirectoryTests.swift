// SPDX-License-Identifier: Apache-2.0
import Glibc
import Support
import System
import Testing

@testable import Supervisor

@Suite struct RuntimeDirectoryTests {
    private let directory: PrivateDirectory

    init() throws {
        directory = try PrivateDirectory()
    }

    private var place: RuntimePlace { RuntimePlace(path: directory.path, isShared: false) }

    private var lockText: String {
        get throws {
            let bytes = try Syscalls.contents(of: "\(directory.path)/apus.lock", limit: 100)
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    // MARK: Where

    struct Row: CustomTestStringConvertible, Sendable {
        let name: String
        let environment: [String]
        let path: String
        var testDescription: String { name }
    }

    private static let rows = [
        Row(
            name: "the service manager's",
            environment: ["RUNTIME_DIRECTORY=/run/apus"],
            path: "/run/apus"
        ),
        Row(
            name: "the first of several",
            environment: ["XDG_RUNTIME_DIR=/own", "RUNTIME_DIRECTORY=/run/a:/run/b"],
            path: "/run/a"
        ),
        Row(name: "the session's", environment: ["XDG_RUNTIME_DIR=/own"], path: "/own/apus"),
        Row(
            name: "empty ones count as none",
            environment: ["RUNTIME_DIRECTORY=", "XDG_RUNTIME_DIR="],
            path: "/tmp/apus-42"
        ),
        Row(
            name: "the session of somebody else",
            environment: ["XDG_RUNTIME_DIR=/foreign"],
            path: "/tmp/apus-42"
        ),
        Row(
            name: "a session without a root",
            environment: ["XDG_RUNTIME_DIR=own"],
            path: "/tmp/apus-42"
        ),
        Row(name: "nothing", environment: [], path: "/tmp/apus-42"),
    ]

    @Test("The environment says where", arguments: rows)
    func place(_ row: Row) {
        let place = RuntimePlace(environment: row.environment, userID: 42) { $0 == "/own" }
        #expect(place.path == row.path)
        #expect(place.isShared == row.path.hasPrefix("/tmp/"))
        let candidates = RuntimePlace.candidates(environment: row.environment, userID: 42) {
            $0 == "/own"
        }
        let isGiven = row.environment.contains { $0.hasPrefix("RUNTIME_DIRECTORY=/") }
        #expect(candidates.map(\.path) == (isGiven ? [row.path] : [row.path, "/run/apus"]))
    }

    // MARK: The lock

    @Test("One holder at a time, and its number in the file")
    func lock() throws {
        let first = try RuntimeDirectory(place)
        #expect(try lockText == "\(getpid())\n")
        #expect(first.socketPath == "\(directory.path)/control.sock")
        let error = #expect(throws: RuntimeDirectoryError.self) { try RuntimeDirectory(place) }
        #expect(error?.cause == .held(processID: getpid()))
        #expect(error?.exitCode == ExitCode.unavailable)
        let text = error?.description ?? ""
        #expect(text.contains(directory.path))
        #expect(text.contains("pid \(getpid())"))
        #expect(text.contains("set RUNTIME_DIRECTORY"))
        #expect(try lockText == "\(getpid())\n")
    }

    @Test(
        "A file that was left behind blocks nobody, whoever it names",
        arguments: ["1\n", "not a number", "", "99999999999999999999\n"]
    )
    func stale(text: String) throws {
        try directory.write("apus.lock", text)
        _ = try RuntimeDirectory(place)
        #expect(try lockText == "\(getpid())\n")
    }

    @Test("The lock is free again when its holder is gone")
    func released() throws {
        for _ in 0..<2 { _ = try RuntimeDirectory(place) }
    }

    @Test("A copy of the descriptor keeps the lock, as an exec does, and can be taken over")
    func adopted() throws {
        var first: RuntimeDirectory? = try RuntimeDirectory(place)
        let number = try #require(first?.lockDescriptor)
        #expect(Self.isCloseOnExec(number))
        let copy = dup(number)
        first = nil
        let error = #expect(throws: RuntimeDirectoryError.self) { try RuntimeDirectory(place) }
        #expect(error?.cause == .held(processID: getpid()))
        #expect(!Self.isCloseOnExec(copy))
        let second = RuntimeDirectory(path: directory.path, adopting: OwnedFD(owning: copy))
        #expect(second.lockDescriptor == copy)
        #expect(Self.isCloseOnExec(copy))
        #expect(throws: RuntimeDirectoryError.self) { try RuntimeDirectory(place) }
    }

    private static func isCloseOnExec(_ fd: Int32) -> Bool { fcntl(fd, F_GETFD) & FD_CLOEXEC != 0 }

    @Test("A held lock without a number still says what to do")
    func anonymous() throws {
        let holder = try Syscalls.openLockFile("\(directory.path)/apus.lock")
        #expect(try Syscalls.lock(holder.raw))
        let error = #expect(throws: RuntimeDirectoryError.self) { try RuntimeDirectory(place) }
        #expect(error?.cause == .held(processID: nil))
        #expect(error?.description.contains("another supervisor runs in") == true)
    }

    // MARK: Trust

    private func shared(_ name: String) -> RuntimePlace {
        RuntimePlace(path: "\(directory.path)/\(name)", isShared: true)
    }

    @Test("A missing directory is made for this user alone")
    func made() throws {
        _ = try RuntimeDirectory(shared("new"))
        let facts = try Syscalls.facts(of: "\(directory.path)/new")
        #expect(facts.isDirectory && facts.permissions == 0o700 && facts.owner == getuid())
        let file = try Syscalls.facts(of: "\(directory.path)/new/apus.lock")
        #expect(file.permissions == 0o600)
    }

    @Test("What somebody else may have put there is refused")
    func refused() throws {
        // SAFETY: plain calls of libc with strings that live through them.
        let target = "\(directory.path)/target"
        try Syscalls.makeDirectory(target)
        _ = unsafe symlink(target, "\(directory.path)/link")
        _ = unsafe mkdir("\(directory.path)/open", 0o700)
        _ = unsafe chmod("\(directory.path)/open", 0o755)
        try directory.write("file", "")
        expect("link", .link, "is a symbolic link")
        expect("open", .open(permissions: 0o755), "mode 0755")
        expect("file", .notDirectory, "is not a directory")
        if getuid() == 0 {
            _ = unsafe mkdir("\(directory.path)/foreign", 0o700)
            _ = unsafe chown("\(directory.path)/foreign", 12_345, 0)
            expect("foreign", .foreign(owner: 12_345), "belongs to the user 12345")
        }
    }

    private func expect(_ name: String, _ cause: RuntimeDirectoryError.Cause, _ words: String) {
        let error = #expect(throws: RuntimeDirectoryError.self) {
            try RuntimeDirectory(shared(name))
        }
        #expect(error?.cause == cause)
        #expect(error?.exitCode == ExitCode.failure)
        #expect(error?.description.contains(words) == true)
        #expect(error?.description.contains("set RUNTIME_DIRECTORY") == true)
    }

    @Test("A link in place of the lock file is not followed")
    func linkedLock() throws {
        // SAFETY: as above.
        _ = unsafe symlink("\(directory.path)/victim", "\(directory.path)/apus.lock")
        let error = #expect(throws: RuntimeDirectoryError.self) { try RuntimeDirectory(place) }
        #expect(error?.cause == .system(SystemError(.open, .tooManyLinks)))
    }

    @Test("A parent that is missing is named")
    func missingParent() throws {
        let error = #expect(throws: RuntimeDirectoryError.self) {
            try RuntimeDirectory(shared("a/b"))
        }
        #expect(error?.cause == .system(SystemError(.mkdir, .noEntry)))
        #expect(error?.description.contains("\(directory.path)/a/b") == true)
    }
}
