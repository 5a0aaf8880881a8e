// SPDX-License-Identifier: Apache-2.0
import Bytes
import Control
import Loop
import Scoreboard
import System

/// Receives what a worker process says and does.
class WorkerObserver {
    func workerSaid(_ message: ControlMessage, _ worker: WorkerProcess) {}
    /// It sent something that follows no rule.
    func workerBrokeProtocol(_ error: ControlError, _ worker: WorkerProcess) {}
    /// It closed its control socket; its exit should follow.
    func workerHungUp(_ worker: WorkerProcess) {}
    /// Bytes of its metrics pipe.
    func workerMeasured(_ bytes: ByteBuffer, _ worker: WorkerProcess) {}
    /// A line of its standard output or error; `isCut` when it goes on in the next one.
    func workerPrinted(_ text: Span<UInt8>, isCut: Bool, _ worker: WorkerProcess) {}
    /// It prints more than it is allowed.
    func workerHeldBack(_ worker: WorkerProcess) {}
    /// It ended; everything it had sent was delivered before.
    func workerExited(_ exit: ProcessExit, _ worker: WorkerProcess) {}

    init() {}
}

/// One running worker: its process, control socket, metrics and output pipes.
final class WorkerProcess: EventHandler {
    /// Messages per turn: a worker that floods the supervisor must not starve the others.
    private static let messagesPerTurn = 64
    /// Bytes of metrics per turn: the whole pipe.
    private static let metricsPerTurn = 64 * 1024
    /// Messages that a dead worker can have left in its socket.
    ///
    /// The kernel bounds them by the socket buffer, to a few hundred.
    private static let messagesLeftMax = 4096

    let serial: WorkerSerial
    let slot: Int
    let generation: UInt32
    let pid: Int32
    /// Seconds since 1970.
    let startedAt: Int
    /// Nanoseconds of the monotonic clock.
    let spawnedAt: UInt64
    var readyAt: Int?
    let scoreboard: Scoreboard
    /// Another program has started it.
    let isAdopted: Bool
    /// KILL was sent to it.
    var isKilledByUs = false

    private let pidfd: OwnedFD
    private let channel: ControlChannel
    private let metrics: OwnedFD
    private let output: WorkerOutput
    private let loop: EventLoop
    private let observer: WorkerObserver
    private let metricsBuffer = ByteBuffer(capacity: 4096)
    private var pidToken = EventToken.none
    private var controlToken = EventToken.none
    private var metricsToken = EventToken.none
    private var hasEnded = false

    init(
        _ spawned: consuming SpawnedWorker,
        serial: WorkerSerial,
        slot: Int,
        generation: UInt32,
        loop: EventLoop,
        observer: WorkerObserver
    ) {
        self.serial = serial
        self.slot = slot
        self.generation = generation
        pid = spawned.pid
        startedAt = Syscalls.wallClock().seconds
        spawnedAt = Syscalls.monotonicNanoseconds()
        isAdopted = false
        pidfd = spawned.pidfd
        channel = ControlChannel(spawned.control)
        metrics = spawned.metrics
        output = WorkerOutput(spawned.output, loop: loop)
        scoreboard = spawned.scoreboard
        self.loop = loop
        self.observer = observer
        super.init()
        watchOutput()
    }

    /// A worker that another program has started.
    ///
    /// - Throws: when its page cannot be mapped.
    init(
        adopting state: UpgradeState.Process,
        loop: EventLoop,
        observer: WorkerObserver
    ) throws(Errno) {
        serial = WorkerSerial(number: state.serial)
        slot = state.slot
        generation = state.generation
        pid = state.pid
        startedAt = state.startedAt
        spawnedAt = state.spawnedAt
        isAdopted = true
        readyAt = state.readyAt
        pidfd = OwnedFD(owning: state.pidfd)
        channel = ControlChannel(OwnedFD(owning: state.control))
        metrics = OwnedFD(owning: state.metrics)
        output = WorkerOutput(
            OwnedFD(owning: state.output),
            tail: state.printed,
            unlogged: state.unlogged,
            loop: loop
        )
        self.loop = loop
        self.observer = observer
        scoreboard = try Scoreboard(mapping: OwnedFD(owning: state.scoreboard))
        super.init()
        watchOutput()
    }

    private func watchOutput() {
        output.hooks.printed = { [unowned self] in
            observer.workerPrinted($0, isCut: $1, self)
        }
        output.hooks.heldBack = { [unowned self] in observer.workerHeldBack(self) }
    }

    /// The last lines that it has printed.
    var lastOutput: [UInt8] { output.tail.lines }

    /// What another program needs to go on with the worker.
    var upgradeState: UpgradeState.Process {
        UpgradeState.Process(
            serial: serial.number,
            slot: slot,
            generation: generation,
            pid: pid,
            pidfd: pidfd.raw,
            control: channel.fd.raw,
            metrics: metrics.raw,
            scoreboard: scoreboard.descriptor,
            output: output.descriptor,
            printed: output.tail.lines,
            unlogged: output.unlogged,
            startedAt: startedAt,
            spawnedAt: spawnedAt,
            readyAt: readyAt
        )
    }

    /// Begins to report.
    ///
    /// - Throws: when the loop takes no more; then nothing is reported, and it can be tried again.
    func start() throws(SystemError) {
        do throws(SystemError) {
            pidToken = try loop.register(pidfd.raw, .read, self)
            controlToken = try loop.register(channel.fd.raw, .read, self)
            metricsToken = try loop.register(metrics.raw, .read, self)
            try output.start()
        } catch {
            close()
            throw error
        }
    }

    // MARK: Towards the worker

    func send(_ message: ControlMessage, descriptors: [Int32] = []) -> ControlChannel.Sent {
        channel.send(message, descriptors: descriptors)
    }

    /// Signals this process; nothing happens when it has ended.
    func signal(_ signal: Signal) {
        do throws(Errno) {
            try Syscalls.signal(pidfd: pidfd.raw, signal)
        } catch {
            // It is gone and its exit is about to be noticed.
            return
        }
    }

    // MARK: From the worker

    override func ready(_ readiness: Readiness, token: EventToken) {
        if token == pidToken {
            reap()
        } else if token == controlToken {
            _ = readMessages(atMost: Self.messagesPerTurn)
        } else if token == metricsToken {
            readMetrics()
        }
    }

    /// False when the end of the socket was reached or nothing more is there.
    private func readMessages(atMost count: Int) -> Bool {
        for _ in 0..<count {
            guard controlToken != .none else { return false }
            switch channel.receive() {
            case .nothing:
                return false
            case .peerGone:
                closeControl()
                observer.workerHungUp(self)
                return false
            case .message(let message, let descriptors):
                guard descriptors.isEmpty else {
                    // Only the supervisor hands over connections.
                    for descriptor in descriptors { OwnedFD(owning: descriptor).close() }
                    closeControl()
                    observer.workerBrokeProtocol(.descriptorCount, self)
                    return false
                }
                observer.workerSaid(message, self)
            case .descriptorsLost:
                closeControl()
                observer.workerBrokeProtocol(.descriptorCount, self)
                return false
            case .protocolError(let error):
                closeControl()
                observer.workerBrokeProtocol(error, self)
                return false
            }
        }
        return true
    }

    private func closeControl() {
        loop.deregister(controlToken)
        controlToken = .none
    }

    private func readMetrics() {
        var left = Self.metricsPerTurn
        while left > 0 {
            switch Syscalls.read(metrics.raw, into: metricsBuffer, minimum: 4096) {
            case .bytes(let count):
                left -= count
                observer.workerMeasured(metricsBuffer, self)
            case .wouldBlock:
                return
            case .endOfStream, .failed:
                loop.deregister(metricsToken)
                metricsToken = .none
                return
            }
        }
    }

    private func reap() {
        guard !hasEnded else { return }
        let exit: ProcessExit
        do throws(Errno) {
            guard let ended = try Syscalls.reap(pidfd: pidfd.raw) else { return }
            exit = ended
        } catch {
            // The descriptor says that it has ended, so somebody else has reaped it.
            exit = .unknown
        }
        hasEnded = true
        // What it had sent before it died still counts: above all, what it had begun to serve.
        if controlToken != .none { _ = readMessages(atMost: Self.messagesLeftMax) }
        if metricsToken != .none { readMetrics() }
        output.finish()
        close()
        observer.workerExited(exit, self)
    }

    /// Stops reporting.
    func close() {
        loop.deregister(pidToken)
        loop.deregister(controlToken)
        loop.deregister(metricsToken)
        output.close()
        pidToken = .none
        controlToken = .none
        metricsToken = .none
    }
}
