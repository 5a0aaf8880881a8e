// SPDX-License-Identifier: Apache-2.0
import Bytes
import Control
import Loop
import Metrics
import Scoreboard
import System

/// Hands accepted connections to workers, and answers for workers that die: the shell around
/// `Dispatcher`.
final class Handoff: ConnectionTaker {
    private(set) var dispatcher: Dispatcher
    private(set) var crashAnswers = CrashAnswers()
    /// Nanoseconds between the accept of a connection and its RECEIVED, and until it was sent.
    private(set) var durations = HandoffDurations()
    private var workers: [WorkerSerial: WorkerProcess] = [:]
    /// Kept until the worker ends: its reports about the probe may come late.
    private var probes: [WorkerSerial: Probe] = [:]
    private let loop: EventLoop
    private let relay: TimerRelay
    private let farewells: Farewells
    private var isStopping = false
    /// Called when connections can be accepted again.
    var roomReturned: () -> Void = {}
    private var wasFull = false

    /// The id of probes: the dispatcher's never have all bits of the index set.
    private static let probeID = UInt32.max

    init(loop: EventLoop, limits: Dispatcher.Limits = Dispatcher.Limits()) {
        self.loop = loop
        dispatcher = Dispatcher(limits: limits)
        relay = TimerRelay(loop: loop)
        farewells = Farewells(loop: loop)
        super.init()
        relay.timeCame = { [unowned self] in timePassed() }
        relay.turnCame = { [unowned self] in pump() }
    }

    // MARK: What can be asked

    var counts: Dispatcher.Counts { dispatcher.counts }
    var pendingCount: Int { dispatcher.pendingCount }
    var unacknowledged: Int { dispatcher.unacknowledged }

    func connections(of serial: WorkerSerial) -> Int { dispatcher.connections(of: serial) }

    /// Whether connections are with the worker that it has not begun with, or were until they were
    /// taken back because it did not answer.
    func isOwed(by serial: WorkerSerial) -> Bool {
        dispatcher.unstarted(of: serial) > 0 || dispatcher.isSilent(serial)
    }

    /// Takes the place of the limits, from a configuration that was reloaded.
    func apply(_ limits: Dispatcher.Limits) {
        dispatcher.limits = limits
        relay.requestTurn()
    }

    /// Whether clients are still being told their last words.
    var hasFarewells: Bool { farewells.count > 0 }

    /// Goes on where another program has stopped.
    func restore(
        _ dispatcher: Dispatcher,
        _ crashAnswers: CrashAnswers,
        _ durations: HandoffDurations,
        workers: [WorkerProcess]
    ) {
        self.dispatcher = dispatcher
        self.crashAnswers = crashAnswers
        self.durations = durations
        for worker in workers { self.workers[worker.serial] = worker }
        relay.requestTurn()
    }

    // MARK: Connections

    override var hasRoom: Bool {
        if !dispatcher.hasRoom { wasFull = true }
        return dispatcher.hasRoom
    }

    override func accepted(_ fd: consuming OwnedFD, listener: Int) {
        dispatcher.accepted(fd.release(), listener: UInt8(listener), now: loop.now)
    }

    override func acceptEnded() {
        pump()
    }

    override var refusesAtLimit: Bool { true }

    override func refuse(_ fd: consuming OwnedFD) {
        farewells.sayBriefly(ClosingAnswer.unavailable(.busy), to: fd)
    }

    // MARK: Workers

    func admit(_ worker: WorkerProcess) {
        workers[worker.serial] = worker
        dispatcher.workerReady(worker.serial, now: loop.now)
        relay.requestTurn()
    }

    func leaving(_ serial: WorkerSerial) {
        dispatcher.workerLeaving(serial)
    }

    /// What a worker says about its connections; false when it cannot be true.
    func reported(_ serial: WorkerSerial, _ reports: [ConnectionReport]) -> Bool {
        var reports = reports
        if probes[serial] != nil { reports.removeAll { $0.id == Self.probeID } }
        guard !reports.isEmpty else { return true }
        let action = dispatcher.reported(serial, reports, now: loop.now)
        for descriptor in action.closing { OwnedFD(owning: descriptor).close() }
        durations.acknowledged(action.acknowledgedAfter)
        // Also when descriptors have come free that accepting waits for.
        if dispatcher.pendingCount > 0 || wasFull { relay.requestTurn() }
        return !action.isViolation
    }

    /// The worker does not get on: what it has not begun goes to others.
    ///
    /// Returns how many connections were taken back.
    func takeBack(from serial: WorkerSerial) -> Int {
        guard let page = workers[serial]?.scoreboard else { return 0 }
        let taken = dispatcher.takeBackUnstarted(of: serial, now: loop.now) { page.revoke($0) }
        if taken > 0 { relay.requestTurn() }
        return taken
    }

    /// The worker has ended: its clients go to others, or are told.
    func gone(_ worker: WorkerProcess) {
        let serial = worker.serial
        workers[serial] = nil
        probes.removeValue(forKey: serial)?.cancel()
        let page = worker.scoreboard
        var verdicts: [Int32: CrashPolicy.Verdict] = [:]
        let ending = dispatcher.workerGone(serial, now: loop.now) { orphan in
            let verdict = CrashPolicy.verdict(
                page.record(orphan.record),
                page.claim(orphan.record),
                Self.kernel(orphan.descriptor)
            )
            if verdict == .move {
                if orphan.isStarted { crashAnswers.moved += 1 }
                return .move
            }
            verdicts[orphan.descriptor] = verdict
            return .end
        }
        for orphan in ending {
            say(verdicts[orphan.descriptor] ?? .cut, to: orphan, page)
        }
        relay.requestTurn()
    }

    private static func kernel(_ descriptor: Int32) -> CrashPolicy.Kernel {
        CrashPolicy.Kernel(
            consumed: Syscalls.bytesConsumed(descriptor).map { UInt64($0) },
            written: Syscalls.bytesWritten(descriptor).map { UInt64($0) }
        )
    }

    private func say(
        _ verdict: CrashPolicy.Verdict,
        to orphan: Dispatcher.Orphan,
        _ page: Scoreboard
    ) {
        let fd = OwnedFD(owning: orphan.descriptor)
        switch verdict {
        case .unavailable(let form):
            crashAnswers.unavailable += 1
            let id = page.requestID(orphan.record)
            farewells.say(ClosingAnswer.unavailable(.workerLost, form, requestID: id), to: fd)
        case .endStream(let form):
            crashAnswers.streamEnded += 1
            farewells.say(
                ClosingAnswer.streamEnd(.workerLost, form),
                to: fd,
                isFramed: form.isChunked
            )
        case .finish:
            farewells.close(fd)
        case .reset:
            crashAnswers.closed += 1
            farewells.reset(fd)
        case .cut, .move:
            crashAnswers.closed += 1
            farewells.close(fd)
        }
    }

    /// Sends a request through a connection of its own to a worker that is not admitted yet.
    func probe(_ worker: WorkerProcess, done: @escaping (Probe.Result) -> Void) {
        let pair: DescriptorPair
        do throws(Errno) {
            pair = try Syscalls.pairs(seqpacket: false)
        } catch {
            done(.failed("no descriptors for the probe: \(error.text)"))
            return
        }
        worker.scoreboard.offer(Int(RecordPool.probe))
        let handed = HandedConnection(id: Self.probeID, isKept: false, record: RecordPool.probe)
        let serial = worker.serial
        let probe: Probe? = pair.split { near, far in
            guard case .sent = worker.send(.connections([handed]), descriptors: [far.raw]) else {
                return nil
            }
            return Probe(near, loop: loop) { result in done(result) }
        }
        guard let probe else {
            done(.failed("the worker does not take connections"))
            return
        }
        probes[serial] = probe
        probe.start()
    }

    /// Hands over everything that waits, beyond the window; what no worker takes is answered 503.
    func stop() {
        isStopping = true
        pump()
    }

    // MARK: Sending

    private func timePassed() {
        for serial in dispatcher.silent(now: loop.now) { _ = takeBack(from: serial) }
        pump()
    }

    private func pump() {
        let now = loop.now
        for rejected in dispatcher.expired(now: now) { reject(rejected) }
        while let batch = dispatcher.nextBatch(
            now: now,
            respectingWindow: !isStopping,
            load: { workers[$0]?.scoreboard.load ?? WorkerLoad() }
        ) {
            send(batch, now: now)
        }
        if isStopping {
            for rejected in dispatcher.rejectPending() { reject(rejected) }
        }
        relay.set(dispatcher.deadline(now: now))
        if wasFull, dispatcher.pendingCount <= dispatcher.limits.pendingMax / 2,
            dispatcher.hasRoom
        {
            wasFull = false
            roomReturned()
        }
    }

    private func reject(_ rejected: Dispatcher.Rejected) {
        let fd = OwnedFD(owning: rejected.descriptor)
        // An answer that nobody has asked for would be taken for that of the next request.
        if rejected.isUsed, Syscalls.peek(fd.raw) == .wouldBlock {
            farewells.close(fd)
        } else {
            farewells.say(ClosingAnswer.unavailable(.busy), to: fd)
        }
    }

    private func send(_ batch: Dispatcher.Batch, now: UInt64) {
        guard let worker = workers[batch.worker] else {
            dispatcher.undeliverable(batch)
            return
        }
        for (connection, descriptor) in zip(batch.connections, batch.descriptors) {
            let kernel =
                batch.used.contains(connection.id)
                ? Self.kernel(descriptor) : CrashPolicy.Kernel(consumed: 0, written: 0)
            worker.scoreboard.offer(
                Int(connection.record),
                consumed: kernel.consumed ?? 0,
                written: kernel.written ?? 0
            )
        }
        switch worker.send(.connections(batch.connections), descriptors: batch.descriptors) {
        case .sent: durations.sent(batch.waited)
        case .full: dispatcher.blocked(batch, now: now)
        case .peerGone: dispatcher.undeliverable(batch)
        }
    }
}

/// What clients got whose worker had died.
struct CrashAnswers: Equatable {
    /// 503, because nothing of an answer had been sent.
    var unavailable: UInt64 = 0
    /// An error event and a proper end.
    var streamEnded: UInt64 = 0
    /// Another worker, without noticing.
    var moved: UInt64 = 0
    /// Only an end.
    var closed: UInt64 = 0

    mutating func code(_ coder: inout StateCoder) {
        coder.code(&unavailable)
        coder.code(&streamEnded)
        coder.code(&moved)
        coder.code(&closed)
    }
}

/// How long handovers take, in nanoseconds.
struct HandoffDurations {
    /// From accept to the worker's RECEIVED.
    private(set) var acknowledge = Histogram()
    /// From accept to the message to the worker.
    private(set) var wait = Histogram()

    mutating func code(_ coder: inout StateCoder) {
        acknowledge.code(&coder)
        wait.code(&coder)
    }

    mutating func acknowledged(_ times: [UInt64]) {
        for time in times { acknowledge.record(nanoseconds: time) }
    }

    mutating func sent(_ times: [UInt64]) {
        for time in times { wait.record(nanoseconds: time) }
    }
}
