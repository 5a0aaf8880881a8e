// SPDX-License-Identifier: Apache-2.0
import Log
import Loop
import System

/// The supervisor's log, written out at the end of each turn.
final class FleetLog: EventHandler {
    /// A repeated error is told once in so long.
    private static let interval: UInt64 = 5_000_000_000
    /// Pause before lines are tried again that the reader had no room for.
    private static let retry: UInt64 = 50_000_000
    private static let retryKind: UInt32 = 1

    let sink: LogSink
    private let loop: EventLoop
    private var acceptErrorAt: UInt64?
    private var acceptErrors = 0
    private var isScheduled = false
    private var retryTimer: TimerID?

    init(_ sink: LogSink, loop: EventLoop) {
        self.sink = sink
        self.loop = loop
    }

    func info(_ message: StaticString, _ fields: (inout LogRecord) -> Void = { _ in }) {
        log(.info, message, fields)
    }

    func warning(_ message: StaticString, _ fields: (inout LogRecord) -> Void = { _ in }) {
        log(.warning, message, fields)
    }

    func error(_ message: StaticString, _ fields: (inout LogRecord) -> Void = { _ in }) {
        log(.error, message, fields)
    }

    /// Tells about failing accepts, not about each.
    func acceptFailed(_ address: SocketAddress, _ errno: Errno, now: UInt64) {
        acceptErrors += 1
        if let last = acceptErrorAt, now < last + Self.interval { return }
        acceptErrorAt = now
        let count = acceptErrors
        acceptErrors = 0
        warning("accept failed") { record in
            record.field("address", "\(address)")
            record.field("error", "\(errno)")
            record.field("count", count)
        }
    }

    private func log(
        _ level: LogLevel,
        _ message: StaticString,
        _ fields: (inout LogRecord) -> Void
    ) {
        sink.log(level, message, fields)
        guard !isScheduled else { return }
        isScheduled = true
        loop.atEndOfTurn(self)
    }

    override func turnEnded() {
        isScheduled = false
        flush()
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        retryTimer = nil
        flush()
    }

    /// Writes what waits, as far as the reader takes it.
    func flush() {
        sink.flush()
        guard sink.hasPending, retryTimer == nil else { return }
        retryTimer = loop.schedule(at: loop.now + Self.retry, self, kind: Self.retryKind)
    }
}
