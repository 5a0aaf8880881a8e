// SPDX-License-Identifier: Apache-2.0
import Control
import Loop
import System

/// Hands accepted connections to workers: the shell around `Dispatcher`.
final class Handoff: ConnectionTaker {
    private var dispatcher: Dispatcher
    private var workers: [WorkerSerial: WorkerProcess] = [:]
    private let loop: EventLoop
    private let relay: TimerRelay
    private var isStopping = false
    /// Called when connections can be accepted again.
    var roomReturned: () -> Void = {}
    private var wasFull = false

    init(loop: EventLoop, limits: Dispatcher.Limits = Dispatcher.Limits()) {
        self.loop = loop
        dispatcher = Dispatcher(limits: limits)
        relay = TimerRelay(loop: loop)
        super.init()
        relay.timeCame = { [unowned self] in pump() }
        relay.turnCame = { [unowned self] in pump() }
    }

    // MARK: What can be asked

    var counts: Dispatcher.Counts { dispatcher.counts }
    var pendingCount: Int { dispatcher.pendingCount }
    var unacknowledged: Int { dispatcher.unacknowledged }

    func connections(of serial: WorkerSerial) -> Int { dispatcher.connections(of: serial) }

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

    // MARK: Workers

    func admit(_ worker: WorkerProcess) {
        workers[worker.serial] = worker
        dispatcher.workerReady(worker.serial)
        relay.requestTurn()
    }

    func leaving(_ serial: WorkerSerial) {
        dispatcher.workerLeaving(serial)
    }

    /// What a worker says about its connections; false when it cannot be true.
    func reported(_ serial: WorkerSerial, _ reports: [ConnectionReport]) -> Bool {
        let action = dispatcher.reported(serial, reports, now: loop.now)
        for descriptor in action.closing { OwnedFD(owning: descriptor).close() }
        if dispatcher.pendingCount > 0 { relay.requestTurn() }
        return !action.isViolation
    }

    /// The worker has ended; what it had not begun goes to others.
    func gone(_ serial: WorkerSerial) {
        workers[serial] = nil
        let closing = dispatcher.workerGone(serial, now: loop.now) { descriptor in
            // Of a Unix socket the kernel does not tell; the worker's reports then decide.
            (Syscalls.bytesConsumed(descriptor) ?? 0) == 0
        }
        for descriptor in closing { OwnedFD(owning: descriptor).close() }
        relay.requestTurn()
    }

    /// Hands over everything that waits, beyond the window; what no worker takes is answered 503.
    func stop() {
        isStopping = true
        pump()
    }

    // MARK: Sending

    private func pump() {
        let now = loop.now
        for descriptor in dispatcher.expired(now: now) {
            Rejection.send(to: OwnedFD(owning: descriptor))
        }
        while let batch = dispatcher.nextBatch(now: now, respectingWindow: !isStopping) {
            send(batch, now: now)
        }
        if isStopping {
            for descriptor in dispatcher.rejectPending() {
                Rejection.send(to: OwnedFD(owning: descriptor))
            }
        }
        relay.set(dispatcher.deadline(now: now))
        if wasFull, dispatcher.pendingCount <= dispatcher.limits.pendingMax / 2 {
            wasFull = false
            roomReturned()
        }
    }

    private func send(_ batch: Dispatcher.Batch, now: UInt64) {
        guard let worker = workers[batch.worker] else {
            dispatcher.undeliverable(batch)
            return
        }
        switch worker.send(.connections(batch.connections), descriptors: batch.descriptors) {
        case .sent: break
        case .full: dispatcher.blocked(batch, now: now)
        case .peerGone: dispatcher.undeliverable(batch)
        }
    }
}
