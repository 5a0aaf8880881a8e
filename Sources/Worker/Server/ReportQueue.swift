// SPDX-License-Identifier: Apache-2.0
import Control
import Loop

/// Collects what became of handed connections and tells the supervisor once per turn.
final class ReportQueue: EventHandler {
    private let channel: ControlChannel
    private let loop: EventLoop
    private var pending: [ConnectionReport] = []
    private var isScheduled = false
    private static let retryKind: UInt32 = 1
    /// How long to wait when the supervisor does not read: it is busy or stopped.
    private static let retryNanoseconds: UInt64 = 5_000_000

    init(channel: ControlChannel, loop: EventLoop) {
        self.channel = channel
        self.loop = loop
        super.init()
    }

    func add(
        _ id: UInt32,
        _ event: ConnectionReport.Event,
        _ reason: ConnectionReport.Reason = .none
    ) {
        pending.append(ConnectionReport(id: id, event: event, reason: reason))
        guard !isScheduled else { return }
        isScheduled = true
        loop.atEndOfTurn(self)
    }

    override func turnEnded() {
        flush()
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        flush()
    }

    /// Sends what is pending, as far as the supervisor takes it.
    func flush() {
        isScheduled = false
        while !pending.isEmpty {
            let batch = Array(pending.prefix(ControlMessage.reportsMax))
            switch channel.send(.report(batch)) {
            case .sent:
                pending.removeFirst(batch.count)
            case .full:
                isScheduled = true
                _ = loop.schedule(
                    at: loop.now &+ Self.retryNanoseconds,
                    self,
                    kind: Self.retryKind
                )
                return
            case .peerGone:
                // The end of the control channel is handled where it is read.
                pending.removeAll()
                return
            }
        }
    }
}
