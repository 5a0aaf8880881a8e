// SPDX-License-Identifier: Apache-2.0
#if DEBUG
import Bytes
import Control
import JSON
import Scoreboard
import Support
import System
import Testing

/// A worker process of its own, whose supervisor the test is.
private final class WorkerProcess {
    let board: Scoreboard
    let control: ControlChannel
    private let metrics: OwnedFD
    private let pidfd: OwnedFD
    private let errors: OwnedFD
    private var handed: UInt32 = 0

    init(fault: String, without missing: Set<Int32> = []) throws {
        board = try Scoreboard()
        let text = ByteBuffer()
        var json = JSONWriter(text)
        json.beginObject()
        json.member("version", 1)
        json.member("file", "test.json")
        json.member("directory", "")
        json.member("text", #"{"upstreams": {"demo": {"kind": "demo"}}}"#)
        for name: StaticString in ["listen", "secrets"] {
            json.name(name)
            json.beginArray()
            json.endArray()
        }
        json.endObject()
        let memory = try Syscalls.sealedMemory("test", text.array.span)
        let input = try Syscalls.openForReading("/dev/null")
        let channel = try Syscalls.pairs(seqpacket: true).numbers()
        let theirs = OwnedFD(owning: channel.second)
        control = ControlChannel(OwnedFD(owning: channel.first))
        let pipe = try Syscalls.pipe().numbers()
        metrics = OwnedFD(owning: pipe.first)
        let theirMetrics = OwnedFD(owning: pipe.second)
        let output = try Syscalls.pipe().numbers()
        errors = OwnedFD(owning: output.first)
        let theirErrors = OwnedFD(owning: output.second)
        let path = "\(ApusProgram.folder)/apus-worker"
        let pid = try Syscalls.spawn(
            path,
            arguments: [
                path, "--slot", "0", "--generation", "1", "--supervisor",
                "\(Syscalls.processID)",
            ],
            environment: ["SWIFT_BACKTRACE=enable=no", "APUS_WORKER_FAULT=\(fault)"],
            descriptors: [
                InheritedFD(source: input.raw, target: 0),
                InheritedFD(source: theirErrors.raw, target: 1),
                InheritedFD(source: theirErrors.raw, target: 2),
                InheritedFD(source: theirs.raw, target: 3),
                InheritedFD(source: theirMetrics.raw, target: 4),
                InheritedFD(source: memory.raw, target: 5),
                InheritedFD(source: board.descriptor, target: 6),
                InheritedFD(source: theirErrors.raw, target: 7),
            ].filter { !missing.contains($0.target) }
        )
        pidfd = try Syscalls.pidfd(pid)
    }

    /// What comes next on the control channel.
    func next() -> ControlChannel.Received {
        _ = isReadable(control.fd.raw)
        return control.receive()
    }

    /// A client's end of a new connection of the worker.
    func connect() throws -> OwnedFD {
        let ends = try Syscalls.pairs(seqpacket: false).numbers()
        let theirs = OwnedFD(owning: ends.second)
        handed += 1
        board.offer(Int(handed))
        let sent = control.send(
            .connections([HandedConnection(id: handed, record: UInt16(handed))]),
            descriptors: [theirs.raw]
        )
        #expect(sent == .sent)
        return OwnedFD(owning: ends.first)
    }

    func kill() throws { try Syscalls.signal(pidfd: pidfd.raw, .kill) }

    func exit() throws -> ProcessExit? { try waitForExit(pidfd.raw) }

    func waitForOutput() -> Bool { isReadable(errors.raw) }

    /// Standard output, standard error and log, of a process that has ended.
    func output() -> String {
        let text = ByteBuffer()
        while case .bytes = Syscalls.read(errors.raw, into: text, minimum: 64 << 10) {}
        return text.text
    }
}

@Suite("What a worker process leaves when it crashes")
struct CrashNoteTests {
    /// A worker that was asked for a fault.
    private func worker(asked path: String) throws -> WorkerProcess {
        let worker = try WorkerProcess(fault: "paths")
        let ready = ControlMessage.ready(generation: 1, protocolVersion: ControlMessage.version)
        #expect(worker.next() == .message(ready, descriptors: []))
        let client = try worker.connect()
        let request = TestRequest.get(path, "x-request-id: crash-7\r\n")
        _ = Syscalls.send(client.raw, request.utf8.span)
        // The end of the connection, an answer, or nothing ever.
        let isSpinning = path == "/fault/spin"
        let milliseconds: Int32 = isSpinning ? 600 : 10_000
        #expect(isReadable(client.raw, withinMilliseconds: milliseconds) != isSpinning)
        return worker
    }

    struct Row: CustomTestStringConvertible {
        let path: String
        let signals: [Int32]
        var testDescription: String { path }
    }

    static let rows: [Row] = [
        Row(path: "/fault/segv", signals: [11]),
        Row(path: "/fault/abort", signals: [6]),
        // The instruction that Swift traps with: x86-64 and arm64.
        Row(path: "/fault/trap", signals: [4, 5]),
    ]

    @Test("a note names signal, place and request", arguments: rows)
    func crash(_ row: Row) throws {
        let worker = try worker(asked: row.path)
        guard case .signaled(let signal) = try worker.exit() else {
            Issue.record("no signal: \(worker.output())")
            return
        }
        #expect(row.signals.contains(signal))
        let note = worker.board.crashNote
        #expect(note.signal == Int(signal))
        #expect(note.requestID == "crash-7")
        #expect(note.backtrace.contains { $0.hasPrefix("apus-worker+0x") }, "\(note)")
        if row.path == "/fault/segv" { #expect(note.address == 64) }
        let record = worker.board.record(1)
        #expect(record.phase == .answering)
        #expect(record.written == 0 && record.answerStart == 0)
        #expect(worker.board.claim(1) == .taken)
        #expect(worker.board.load.turnStartedAt > 0)
        #expect(worker.board.load.requests == 1)
    }

    @Test("an exit in the middle of a request leaves the request, and no signal")
    func exit() throws {
        let worker = try worker(asked: "/fault/exit")
        #expect(try worker.exit() == .exited(code: 3))
        #expect(worker.board.crashNote.signal == nil)
        #expect(worker.board.crashNote.requestID == "crash-7")
    }

    @Test("a worker that spins shows since when, and for which request")
    func spin() throws {
        let worker = try worker(asked: "/fault/spin")
        let began = worker.board.load.turnStartedAt
        #expect(began > 0)
        try eventually("turn of more than 100 ms") {
            Syscalls.monotonicNanoseconds() - began > 100_000_000 ? () : nil
        }
        #expect(worker.board.load.turnStartedAt == began)
        try worker.kill()
        #expect(try worker.exit() == .signaled(signal: 9))
        #expect(worker.board.crashNote.signal == nil)
        #expect(worker.board.crashNote.requestID == "crash-7")
    }

    @Test("memory can be asked for, and the worker lives on")
    func leak() throws {
        let worker = try worker(asked: "/fault/leak?3")
        let order = DrainOrder(softMilliseconds: 100, hardMilliseconds: 100)
        #expect(worker.control.send(.drain(order)) == .sent)
        #expect(try worker.exit() == .exited(code: 0))
        #expect(worker.board.load.requestsTotal == 1)
    }
}

@Suite("Faults of a worker process")
struct WorkerFaultTests {
    @Test("before it is ready", arguments: [("boot_exit", 1), ("boot_exit_78", 78), ("odd", 64)])
    func boot(_ fault: String, _ code: Int32) throws {
        let worker = try WorkerProcess(fault: fault)
        #expect(try worker.exit() == .exited(code: code))
        #expect(worker.next() == .peerGone)
    }

    @Test("a worker without a descriptor of the supervisor says which one", arguments: [6, 7])
    func missingDescriptor(_ number: Int32) throws {
        let worker = try WorkerProcess(fault: "paths", without: [number])
        #expect(try worker.exit() == .exited(code: 64))
        let output = worker.output()
        #expect(output.hasPrefix("apus-worker: descriptor \(number) is not the supervisor's "))
    }

    @Test("a worker that hangs says nothing, and ends with its supervisor")
    func hang() throws {
        let worker = try WorkerProcess(fault: "boot_hang")
        #expect(!isReadable(worker.control.fd.raw, withinMilliseconds: 200))
        Syscalls.shutdown(worker.control.fd.raw, .both)
        #expect(try worker.exit() == .exited(code: 0))
    }

    static let broken: [(String, ControlChannel.Received)] = [
        ("bad_version", .protocolError(.version(3))),
        ("garbage_control", .protocolError(.magic)),
        ("empty_control", .peerGone),
        ("surplus_descriptors", .protocolError(.descriptorCount)),
        ("oversize_control", .protocolError(.tooLong)),
    ]

    @Test("on the control channel", arguments: broken)
    func control(_ fault: String, _ received: ControlChannel.Received) throws {
        let worker = try WorkerProcess(fault: fault)
        var next = worker.next()
        if case .message(.ready, _) = next { next = worker.next() }
        #expect(next == received)
        try worker.kill()
        _ = try worker.exit()
    }

    @Test("with a connection that was received and not read")
    func received() throws {
        let worker = try WorkerProcess(fault: "after_receive_exit")
        _ = worker.next()
        let client = try worker.connect()
        #expect(try worker.exit() == .signaled(signal: 9))
        #expect(worker.board.claim(1) == .offered)
        client.close()
    }

    @Test("reports that never come")
    func silence() throws {
        let worker = try WorkerProcess(fault: "no_reports")
        _ = worker.next()
        let client = try worker.connect()
        #expect(!isReadable(worker.control.fd.raw, withinMilliseconds: 200))
        try worker.kill()
        _ = try worker.exit()
        client.close()
    }

    @Test("floods of lines")
    func lines() throws {
        let worker = try WorkerProcess(fault: "stdout_flood")
        #expect(worker.waitForOutput())
        try worker.kill()
        _ = try worker.exit()
        #expect(worker.output().contains("a line that nobody wants\n"))
    }
}
#endif
