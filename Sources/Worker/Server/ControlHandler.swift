// SPDX-License-Identifier: Apache-2.0
import Control
import Log
import Loop
import Scoreboard
import System

/// Listens to the supervisor: takes connections over, drains when told to.
final class ControlHandler: EventHandler {
    /// Messages taken per event, so that a burst of connections does not hold up streams.
    private static let messagesPerTurnMax = 8

    private let channel: ControlChannel
    private let worker: Worker

    init(channel: ControlChannel, worker: Worker) {
        self.channel = channel
        self.worker = worker
        super.init()
    }

    override func ready(_ readiness: Readiness, token: EventToken) {
        worker.scoreboard.workingForNone()
        for _ in 0..<Self.messagesPerTurnMax {
            switch channel.receive() {
            case .nothing:
                return
            case .message(let message, let descriptors):
                handle(message, descriptors)
            case .descriptorsLost(let message):
                refuse(message)
            case .peerGone:
                worker.loop.deregister(token)
                worker.supervisorGone()
                return
            case .protocolError(let error):
                worker.log.log(.error, "the supervisor sent a malformed message") { record in
                    record.field("error", String(describing: error))
                }
                worker.loop.deregister(token)
                worker.supervisorGone()
                return
            }
        }
    }

    private func handle(_ message: ControlMessage, _ descriptors: [Int32]) {
        switch message {
        case .connections(let connections):
            #if DEBUG
            worker.faults.connectionReceived()
            #endif
            for (connection, descriptor) in zip(connections, descriptors) {
                worker.accept(OwnedFD(owning: descriptor), connection)
            }
        case .drain(let order):
            worker.drain(order)
        case .recount:
            worker.recount()
        case .ready, .report, .drained:
            worker.log.log(.error, "the supervisor sent a worker's message")
        }
    }

    /// This process had no room for the descriptors; the supervisor still has its copies.
    private func refuse(_ message: ControlMessage) {
        guard case .connections(let connections) = message else { return }
        for connection in connections { worker.refuse(connection) }
    }
}
