// SPDX-License-Identifier: Apache-2.0
import Loop

/// One timer and one end-of-turn call, for an owner that inherits from something else.
final class TimerRelay: EventHandler {
    private static let kind: UInt32 = 1

    private let loop: EventLoop
    private var deadline = MovingDeadline()
    private var isTurnScheduled = false
    /// Called when the time has come.
    var timeCame: () -> Void = {}
    /// Called at the end of a turn for which `requestTurn` was called.
    var turnCame: () -> Void = {}

    init(loop: EventLoop) {
        self.loop = loop
    }

    /// Sets the time, nil for none.
    func set(_ due: UInt64?) {
        if let due {
            deadline.set(due, on: loop, self, kind: Self.kind)
        } else {
            deadline.clear()
        }
    }

    func requestTurn() {
        guard !isTurnScheduled else { return }
        isTurnScheduled = true
        loop.atEndOfTurn(self)
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        if deadline.hasPassed(on: loop, self, kind: Self.kind) { timeCame() }
    }

    override func turnEnded() {
        isTurnScheduled = false
        turnCame()
    }
}
