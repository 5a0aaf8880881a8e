// SPDX-License-Identifier: Apache-2.0
import Loop
import System

/// Tells the service manager that the event loop turns.
///
/// From a timer of the loop itself and nothing else, so that a loop that hangs falls silent.
final class WatchdogPing: EventHandler {
    private static let kind: UInt32 = 1

    private let notifier: ServiceNotifier
    private let interval: UInt64
    private let loop: EventLoop

    /// Nil when the manager does not watch this process.
    init?(_ notifier: ServiceNotifier, environment: [String], loop: EventLoop) {
        let pid = Syscalls.processID
        guard
            let interval = ServiceNotifier.watchdogInterval(environment: environment, pid: pid)
        else { return nil }
        self.notifier = notifier
        self.interval = interval
        self.loop = loop
        super.init()
    }

    func start() {
        notifier.isAlive()
        _ = loop.schedule(at: loop.now + interval, self, kind: Self.kind)
    }

    override func timerFired(kind: UInt32, id: TimerID) { start() }
}
