// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import System
import Testing

/// What a test cannot do without on this machine.
struct ToolFailure: Error, CustomStringConvertible {
    let description: String
}

/// A descriptor that collections and closures can hold.
final class FDBox {
    private let fd: OwnedFD
    var raw: Int32 { fd.raw }
    init(_ fd: consuming OwnedFD) { self.fd = fd }
}

/// Both ends of a pipe.
private final class PipeBox {
    private var ends: DescriptorPair?
    let inputRaw: Int32
    let outputRaw: Int32

    init(_ ends: consuming DescriptorPair) {
        outputRaw = ends.first.raw
        inputRaw = ends.second.raw
        self.ends = consume ends
    }

    /// The reading end; closes the other one.
    func takeOutput() -> FDBox {
        guard let taken = ends.take() else { preconditionFailure("a pipe is taken once") }
        return FDBox(taken.takeFirst())
    }

    /// The writing end; closes the other one.
    func takeInput() -> FDBox {
        guard let taken = ends.take() else { preconditionFailure("a pipe is taken once") }
        return FDBox(taken.takeSecond())
    }
}

/// A program started by a test, stopped when the object goes away.
final class ChildProcess {
    let pid: Int32
    private let pidfd: FDBox
    private let output: FDBox
    /// The program's input: it ends with this process, however that ends.
    private let life: FDBox
    private let inbox = ByteBuffer()
    private let loop: EventLoop
    private(set) var exit: ProcessExit?

    /// Starts `program` from the usual places, with its output readable here.
    init(_ program: String, _ arguments: [String]) throws {
        let places = ["/usr/bin/", "/usr/local/bin/", "/bin/"].map { $0 + program }
        guard let path = places.first(where: Self.exists) else {
            throw ToolFailure(description: "this test needs the program \(program)")
        }
        let pipe = PipeBox(try Syscalls.pipe())
        let life = PipeBox(try Syscalls.pipe())
        let descriptors = [
            InheritedFD(source: life.outputRaw, target: 0),
            InheritedFD(source: pipe.inputRaw, target: 1),
            InheritedFD(source: pipe.inputRaw, target: 2),
        ]
        pid = try Syscalls.spawn(
            path,
            arguments: [program] + arguments,
            // Nothing of the caller's environment may change what the tools do.
            environment: ["PATH=/usr/bin:/bin", "LC_ALL=C", "HOME=/tmp"],
            descriptors: descriptors
        )
        pidfd = FDBox(try Syscalls.pidfd(pid))
        loop = try EventLoop()
        output = pipe.takeOutput()
        self.life = life.takeInput()
        _ = try loop.register(pidfd.raw, .read, EventHandler())
        _ = try loop.register(output.raw, .read, EventHandler())
    }

    private static func exists(_ path: String) -> Bool {
        do {
            let file = FDBox(try Syscalls.openForReading(path))
            return file.raw >= 0
        } catch {
            return false
        }
    }

    deinit {
        stop()
    }

    func stop() {
        guard exit == nil else { return }
        do {
            try Syscalls.signal(pidfd: pidfd.raw, .kill)
            while exit == nil {
                try loop.turn(waitMax: 100)
                exit = try Syscalls.reap(pidfd: pidfd.raw)
            }
        } catch {
            exit = .exited(code: -1)
        }
    }

    /// Waits for the end of the program and returns what it wrote.
    func finish() throws -> String {
        var text = ""
        while let line = try readLine() { text += line + "\n" }
        let end = Syscalls.monotonicNanoseconds() + 20_000_000_000
        while exit == nil {
            try loop.turn(waitMax: 100)
            exit = try Syscalls.reap(pidfd: pidfd.raw)
            if Syscalls.monotonicNanoseconds() > end { throw TooLong(what: "the end of a tool") }
        }
        guard exit == .exited(code: 0) else {
            throw ToolFailure(description: "a tool failed: \(text)")
        }
        return text
    }

    /// The next line that the program wrote, nil at the end of its output.
    func readLine() throws -> String? {
        let end = Syscalls.monotonicNanoseconds() + 20_000_000_000
        while Syscalls.monotonicNanoseconds() < end {
            let bytes = inbox.array
            if let newline = bytes.firstIndex(of: 10) {
                inbox.consume(newline + 1)
                return String(decoding: bytes[..<newline], as: UTF8.self)
            }
            let outcome = Syscalls.read(output.raw, into: inbox, minimum: 4096)
            if outcome == .endOfStream { return nil }
            if outcome == .wouldBlock { try loop.turn(waitMax: 100) }
        }
        throw TooLong(what: "a line of output")
    }
}

/// A directory under /tmp with certificates made for one test suite by the openssl program.
final class Certificates {
    let directory: String

    var authority: String { directory + "/ca.pem" }
    var otherAuthority: String { directory + "/other.pem" }
    /// Serial numbers must differ, or OpenSSL takes two certificates for one.
    private var serial = 100

    /// Makes two authorities.
    init() throws {
        directory = try Self.makeDirectory()
        try makeAuthority("ca", "Test Authority")
        try makeAuthority("other", "Other Authority")
    }

    deinit {
        do {
            _ = try ChildProcess("rm", ["-rf", directory]).finish()
        } catch {
            Issue.record("\(directory) stays: \(error)")
        }
    }

    private static func makeDirectory() throws -> String {
        let number = try Syscalls.random(6).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let path = "/tmp/apus-lane-\(number)"
        try Syscalls.makeDirectory(path)
        return path
    }

    /// Writes a file into the directory.
    func write(_ name: String, _ text: String) throws {
        // No call of the seam writes regular files, and none is needed outside of tests.
        _ = try ChildProcess("sh", ["-c", "printf %s \"$1\" > \"$2\"", "sh", text, path(name)])
            .finish()
    }

    private func openssl(_ arguments: [String]) throws {
        _ = try ChildProcess("openssl", arguments).finish()
    }

    private func makeAuthority(_ name: String, _ subject: String) throws {
        try openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "\(directory)/\(name).key", "-out", "\(directory)/\(name).pem",
            "-subj", "/CN=\(subject)", "-days", "3650",
        ])
    }

    /// Makes `NAME.pem` and `NAME.key`, signed by the first authority.
    ///
    /// - Parameters:
    ///   - name: the name of the files.
    ///   - hosts: the subject's alternative names, as openssl spells them.
    ///   - days: how long it is valid; -1 for one that has expired.
    /// - Throws: what openssl said.
    func make(_ name: String, hosts: String, days: Int = 100) throws {
        serial += 1
        let request = "\(directory)/\(name).csr"
        try openssl([
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "\(directory)/\(name).key", "-out", request, "-subj", "/CN=\(name)",
            "-addext", "subjectAltName=\(hosts)",
        ])
        try openssl([
            "x509", "-req", "-in", request, "-CA", authority, "-CAkey", "\(directory)/ca.key",
            "-set_serial", "\(serial)", "-out", "\(directory)/\(name).pem",
            "-days", "\(days)", "-copy_extensions", "copy",
        ])
    }

    func path(_ file: String) -> String { "\(directory)/\(file)" }
}
