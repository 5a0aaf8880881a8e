// SPDX-License-Identifier: Apache-2.0
import Control
import Loop

/// Brings a worker's connections to their ends, as `DrainPolicy` says.
final class Drain: EventHandler {
    private let worker: Worker
    private(set) var policy: DrainPolicy
    private var timer: TimerID?

    init(_ order: DrainOrder, worker: Worker) {
        self.worker = worker
        policy = DrainPolicy(order, now: worker.loop.now)
        super.init()
    }

    func tighten(_ order: DrainOrder) {
        policy.tighten(order, now: worker.loop.now)
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        timer = nil
        lookAtAll()
    }

    /// Does with every connection what is due, and comes back when more is.
    func lookAtAll() {
        let now = worker.loop.now
        var idle: [ClientConnection] = []
        for connection in Array(worker.connections.values) {
            let action = policy.action(for: connection.activity, now: now)
            if case .idle = connection.activity, action == .keep {
                idle.append(connection)
            } else {
                connection.perform(action)
            }
        }
        let due = policy.closesDue(idle.count, now: now)
        for connection in idle.prefix(due) { connection.perform(.close) }
        if let timer { worker.loop.cancel(timer) }
        timer = policy.nextLook(idle.count - due, now: now).map { next in
            worker.loop.schedule(at: next, self, kind: 0)
        }
    }

    /// Does with one connection what is due.
    func look(at connection: ClientConnection) {
        connection.perform(policy.action(for: connection.activity, now: worker.loop.now))
    }
}
