// SPDX-License-Identifier: Apache-2.0

import Bytes
import System

/// Where the lines of one process go; writing never blocks.
///
/// Lines gather in memory until `flush`, once per turn of the loop. What the reader does not take
/// in time waits up to 64 KiB; lines beyond are dropped and counted. A reader that is gone ends
/// the output for good. The caller has made the process ignore SIGPIPE.
package final class LogSink {
    /// How the descriptor is written.
    private enum Output {
        /// send(2) with MSG_DONTWAIT: no flag of the shared socket changes.
        case socket
        /// A regular file takes every write.
        case file
        /// `reopened`: our own open file description, non-blocking.
        case reopened
        /// It could not be reopened: poll(2) says whether a short write would block.
        ///
        /// Another process that writes between the two can still make this one wait.
        case polled
        case gone
    }

    /// Bytes of one write to a pipe or terminal: up to PIPE_BUF it is never cut, nor mixed with
    /// the lines of other processes.
    private static let writeBytesMax = 4096

    /// Lines below are not written.
    package var level: LogLevel
    package var format: LogFormat { formatter.format }

    private let fd: Int32
    private var output: Output
    private var reopened: OwnedFD?
    /// The last write would have blocked: only the next `flush` tries again.
    private var isBlocked = false
    private var formatter: LogFormatter
    private var queue = LogQueue()
    /// Dropped lines that a line in the log has told about.
    private var linesReported: UInt64 = 0

    /// A sink for an inherited descriptor, usually 2, which stays open and unchanged.
    ///
    /// Without a `format`, a terminal gets the readable one with colours, anything else JSON.
    package convenience init(
        descriptor: Int32,
        level: LogLevel,
        format: LogFormat? = nil,
        slot: Int? = nil
    ) {
        self.init(descriptor: descriptor, level: level, format: format, slot: slot) {
            descriptor throws(Errno) in try Syscalls.reopenNonBlocking(descriptor)
        }
    }

    /// A sink that opens pipes and terminals again with `reopen`, which tests let fail.
    init(
        descriptor: Int32,
        level: LogLevel,
        format: LogFormat?,
        slot: Int?,
        reopen: (Int32) throws(Errno) -> OwnedFD
    ) {
        fd = descriptor
        self.level = level
        let isTerminal = Syscalls.isTerminal(descriptor)
        formatter = LogFormatter(
            format: format ?? (isTerminal ? .readable(colours: true) : .json),
            processID: Int(Syscalls.processID),
            slot: slot
        )
        switch Syscalls.kind(of: descriptor) {
        case .socket: output = .socket
        case .regular: output = .file
        case .pipe, .characterDevice, .directory, .other:
            do {
                reopened = try reopen(descriptor)
                output = .reopened
            } catch {
                // Another user's pipe or terminal, as after a change of user.
                output = .polled
            }
        case nil: output = .gone
        }
    }

    // MARK: Lines

    package func isEnabled(_ level: LogLevel) -> Bool {
        level >= self.level
    }

    /// Writes one line; `fields` adds what it says beside the message.
    package func log(
        _ level: LogLevel,
        _ message: StaticString,
        _ fields: (inout LogRecord) -> Void = { _ in }
    ) {
        guard accepts(level) else { return }
        let start = queue.pending.count
        formatter.append(level, message, at: Self.now(), to: queue.pending, fields)
        lineAppended(behind: start)
    }

    /// Writes one line whose message was made at run time.
    ///
    /// Not for the hot path: it copies.
    package func log(
        _ level: LogLevel,
        text message: String,
        _ fields: (inout LogRecord) -> Void = { _ in }
    ) {
        guard accepts(level) else { return }
        let start = queue.pending.count
        let bytes = Array(message.utf8)
        formatter.append(level, bytes.span, at: Self.now(), to: queue.pending, fields)
        lineAppended(behind: start)
    }

    /// Writes the line of one request, at level info.
    package func access(_ line: borrowing AccessLogLine) {
        guard accepts(.info) else { return }
        let start = queue.pending.count
        formatter.append(.info, "request", at: Self.now(), to: queue.pending) { record in
            line.append(to: &record)
        }
        lineAppended(behind: start)
    }

    private func accepts(_ level: LogLevel) -> Bool {
        guard isEnabled(level) else { return false }
        if output == .gone {
            queue.dropLine()
            return false
        }
        return true
    }

    private func lineAppended(behind start: Int) {
        queue.lineAppended(behind: start)
        if queue.pending.count >= LogQueue.flushBytes, !isBlocked {
            flush()
        }
    }

    private static func now() -> LogTime {
        let now = Syscalls.wallClock()
        return LogTime(seconds: now.seconds, nanoseconds: now.nanoseconds)
    }

    // MARK: Writing

    /// Lines lost since the start, because the reader was too slow or gone.
    package var linesDropped: UInt64 { queue.linesDropped }

    /// Whether lines wait: then call `flush` again soon, also if nothing else happens.
    package var hasPending: Bool { !queue.pending.isEmpty }

    /// Bytes of the lines that wait.
    package var pendingBytes: Int { queue.pending.count }

    /// Writes what waits, as far as it can be written without blocking.
    package func flush() {
        isBlocked = false
        while !queue.pending.isEmpty {
            switch write() {
            case .bytes(let count):
                queue.written(count)
            case .wouldBlock:
                isBlocked = true
                return
            case .failed(let errno):
                failed(errno)
                return
            }
        }
        reportDropped()
    }

    private func write() -> WriteOutcome {
        switch output {
        case .file:
            return queue.pending.withBytes { Syscalls.write(fd, $0) }
        case .socket:
            let count = queue.frontBytes(limit: Self.writeBytesMax)
            return queue.pending.withBytes(in: 0..<count) { Syscalls.send(fd, $0) }
        case .reopened:
            return write(reopened?.raw ?? fd)
        case .polled:
            return Syscalls.isWritable(fd) ? write(fd) : .wouldBlock
        case .gone:
            return .failed(.brokenPipe)
        }
    }

    private func write(_ descriptor: Int32) -> WriteOutcome {
        let count = queue.frontBytes(limit: Self.writeBytesMax)
        return queue.pending.withBytes(in: 0..<count) { Syscalls.write(descriptor, $0) }
    }

    private func failed(_ errno: Errno) {
        queue.dropAll()
        switch errno {
        case .noSpace, .noMemory, .noBufferSpace:
            // It may get better: the next lines are tried again.
            return
        default:
            output = .gone
            reopened = nil
            queue.pending.clear()
        }
    }

    /// Tells the reader what it missed, once there is room again.
    private func reportDropped() {
        let missing = queue.linesDropped - linesReported
        guard missing > 0, output != .gone else { return }
        linesReported = queue.linesDropped
        log(.warning, "log lines were dropped") { $0.field("count", Int(clamping: missing)) }
    }
}
