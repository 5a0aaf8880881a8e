// SPDX-License-Identifier: Apache-2.0
#if DEBUG
import Bytes
import Control
import Dialects
import Loop
import Metrics
import System

/// Does wrong what a debug build was told to.
final class WorkerFaults: EventHandler {
    private static let variable = "APUS_WORKER_FAULT="
    /// How long a flood lasts.
    private static let floodNanoseconds: UInt64 = 2_000_000_000
    /// Bytes written to standard output between two looks at events.
    private static let stdoutBytesPerTurn = 64 << 10

    private let faults: FaultSwitch
    private var floodEnd: UInt64 = 0
    private weak var worker: Worker?
    private var leaked: [[UInt8]] = []

    init(_ faults: FaultSwitch = FaultSwitch()) {
        self.faults = faults
        super.init()
    }

    /// Those that the environment names; nil when it names what does not exist.
    static func ofEnvironment(_ options: WorkerOptions) -> WorkerFaults? {
        let entry = Syscalls.environment().first { $0.hasPrefix(variable) }
        let text = entry.map { String($0.dropFirst(variable.count)) } ?? ""
        return FaultSwitch(text, slot: options.slot, generation: options.generation)
            .map { WorkerFaults($0) }
    }

    func has(_ fault: Fault) -> Bool { faults.has(fault) }

    // MARK: Boot

    func atBoot(control: Int32) throws(SystemError) {
        if has(.bootExit) { Syscalls.exitNow(1) }
        if has(.bootExitConfiguration) { Syscalls.exitNow(78) }
        guard has(.bootHang) else { return }
        let loop = try EventLoop()
        _ = try loop.register(control, .peerEnd, HangEnd())
        try loop.run()
    }

    /// Says READY as another version would.
    func sayReady(generation: UInt32, on control: Int32) {
        let bytes = ByteBuffer()
        let version = ControlMessage.version &+ 1
        ControlMessage.ready(generation: generation, protocolVersion: version).encode(to: bytes)
        var packet = bytes.array
        packet[2] = version
        _ = Syscalls.sendMessage(control, packet.span, descriptors: [])
    }

    /// What happens once the worker is ready.
    func afterReady(_ worker: Worker, control: Int32) {
        self.worker = worker
        if has(.garbageControl) {
            _ = Syscalls.sendMessage(
                control,
                Array(repeating: 0xA5, count: 64).span,
                descriptors: []
            )
        }
        // Only this call has an address for no bytes.
        if has(.emptyControl) { _ = Syscalls.send(control, from: ByteBuffer()) }
        if has(.oversizeControl) {
            let packet = [UInt8](repeating: 0, count: ControlMessage.bytesMax + 8)
            _ = Syscalls.sendMessage(control, packet.span, descriptors: [])
        }
        if has(.surplusDescriptors) {
            let bytes = ByteBuffer()
            ControlMessage.report([ConnectionReport(id: 0, event: .received)]).encode(to: bytes)
            bytes.withBytes {
                _ = Syscalls.sendMessage(control, $0, descriptors: [2, 2, 2])
            }
        }
        if has(.handedConnection) {
            let bytes = ByteBuffer()
            ControlMessage.connections([HandedConnection(id: 1)]).encode(to: bytes)
            bytes.withBytes { _ = Syscalls.sendMessage(control, $0, descriptors: [2]) }
        }
        if has(.metricsGarbage) {
            _ = Syscalls.write(
                worker.metricsDescriptor,
                Array(repeating: 0xFF, count: 1000).span
            )
        }
        if has(.metricsFlood) || has(.stdoutFlood) {
            floodEnd = worker.loop.now &+ Self.floodNanoseconds
            worker.loop.atEndOfTurn(self)
        }
    }

    override func turnEnded() {
        guard let worker, worker.loop.now < floodEnd else { return }
        if has(.stdoutFlood) {
            let lines = String(repeating: "a line that nobody wants\n", count: 40)
            var written = 0
            while written < Self.stdoutBytesPerTurn {
                guard case .bytes(let count) = Syscalls.write(1, lines.utf8.span) else { break }
                written += count
            }
        }
        if has(.metricsFlood) {
            var encoder = MetricsEncoder(generation: worker.generationNumber)
            let records = ByteBuffer()
            _ = encoder.encode(worker.metrics, into: records, recordsMax: 12)
            while let length = MetricsEncoder.frontRecordBytes(records) {
                let outcome = records.withBytes(in: 0..<length) {
                    Syscalls.write(worker.metricsDescriptor, $0)
                }
                guard case .bytes = outcome else { break }
                records.consume(length)
            }
        }
        worker.loop.atEndOfTurn(self)
    }

    // MARK: Connections and requests

    /// A connection was received.
    func connectionReceived() {
        if has(.afterReceiveExit) { kill(.kill) }
    }

    /// Whether the request asked for a fault, which has happened or was answered then.
    func handle(_ connection: ClientConnection) -> Bool {
        guard has(.paths), let head = connection.intake.input else { return false }
        let path = head.withBytes(in: connection.ledger.path) { String(copying: $0) }
        guard path.hasPrefix("/fault/") else { return false }
        let query = connection.ledger.query.map { range in
            head.withBytes(in: range) { String(copying: $0) }
        }
        switch FaultPath(path: path, query: query ?? "") {
        case .segv: accessNothing()
        case .abort: kill(.abort)
        case .trap: preconditionFailure("a fault was asked for")
        case .exit: Syscalls.exitNow(3)
        case .spin: while true {}
        case .leak(let mebibytes):
            for _ in 0..<mebibytes { leaked.append(Array(repeating: 1, count: 1 << 20)) }
            let writer = connection.beginAnswer(status: 200)
            connection.finishAnswer(writer, body: "leaked\n".utf8.span)
        case nil:
            connection.answerError(.unknownPath(path))
        }
        return true
    }

    private func accessNothing() {
        // SAFETY: not safe at all: the first page is never mapped, and the process is to die.
        let nowhere = unsafe UnsafePointer<Int>(bitPattern: 64)
        if let value = unsafe nowhere?.pointee { leaked.append(Array(repeating: 0, count: value)) }
    }

    private func kill(_ signal: Signal) {
        do throws(Errno) {
            try Syscalls.signal(process: Syscalls.processID, signal)
        } catch {
            preconditionFailure("a process may always signal itself: \(error)")
        }
    }
}

/// Ends a worker that hangs once nobody waits for it.
private final class HangEnd: EventHandler {
    override func ready(_ readiness: Readiness, token: EventToken) {
        if readiness.isPeerGone { Syscalls.exitNow(0) }
    }
}
#endif
