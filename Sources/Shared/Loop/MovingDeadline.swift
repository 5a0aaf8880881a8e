// SPDX-License-Identifier: Apache-2.0

/// A deadline that moves often and is rarely reached.
///
/// Moving it later touches no timer: the one that is set fires early, finds the deadline moved,
/// and is set again. A keep-alive connection so costs one timer per idle period, not per request.
package struct MovingDeadline {
    private var timer: TimerID?
    private var timerDue: UInt64 = .max
    /// When the deadline passes, `UInt64.max` when there is none.
    package private(set) var due: UInt64 = .max

    package init() {}

    package var isSet: Bool { due != .max }

    /// Sets the deadline; `handler` gets `timerFired(kind:)`, where `hasPassed` must be asked.
    package mutating func set(
        _ due: UInt64,
        on loop: EventLoop,
        _ handler: EventHandler,
        kind: UInt32
    ) {
        self.due = due
        if timer != nil, timerDue <= due { return }
        if let timer { loop.cancel(timer) }
        timer = loop.schedule(at: due, handler, kind: kind)
        timerDue = due
    }

    /// Takes the deadline away.
    ///
    /// A timer that is set may still fire; `hasPassed` then says no.
    package mutating func clear() {
        due = .max
    }

    /// To be called from `timerFired`: whether the deadline is over; if it has moved, the timer
    /// is set again.
    package mutating func hasPassed(
        on loop: EventLoop,
        _ handler: EventHandler,
        kind: UInt32
    ) -> Bool {
        timer = nil
        timerDue = .max
        guard due != .max else { return false }
        if due <= loop.now {
            due = .max
            return true
        }
        timer = loop.schedule(at: due, handler, kind: kind)
        timerDue = due
        return false
    }

    /// Takes deadline and timer away, so that the loop lets go of the handler.
    package mutating func cancel(on loop: EventLoop) {
        if let timer { loop.cancel(timer) }
        timer = nil
        timerDue = .max
        due = .max
    }
}
