// SPDX-License-Identifier: Apache-2.0
import Loop
import Metrics

/// How long the supervisor's turns take: whoever comes meanwhile waits so long.
final class LoopLag: TurnObserver {
    private(set) var histogram: Histogram
    private var beganAt: UInt64 = 0

    /// Goes on with what was counted before.
    init(_ histogram: Histogram = Histogram()) {
        self.histogram = histogram
        super.init()
    }

    override func turnBegan(at now: UInt64) { beganAt = now }

    override func turnEnded(at now: UInt64) {
        histogram.record(nanoseconds: now - min(beganAt, now))
    }
}
