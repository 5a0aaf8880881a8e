// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import System

/// What one worker prints: the supervisor's end of the pipe that is its standard output and error.
///
/// A worker that prints more than its allowance is not read until there is a new one: then its pipe
/// is full and its writes, which do not block, fail. So a flood costs neither side time.
final class WorkerOutput: EventHandler {
    /// What is told about it.
    struct Hooks {
        /// A line; `isCut` when it goes on in the next one.
        var printed: (_ text: Span<UInt8>, _ isCut: Bool) -> Void = { _, _ in }
        /// It prints more than is logged.
        var heldBack: () -> Void = {}
    }

    /// Bytes of one read, one per turn of the loop: a worker that floods must not starve others.
    private static let readBytes = 4096
    /// Twice a read, so that memory for a piece of a line in front of it never grows.
    private static let bufferBytes = 2 * readBytes
    /// Bytes that a worker which has ended can have left.
    ///
    /// Limit: what a pipe holds. Whoever else has its other end, and writes on, is not waited for.
    private static let bytesLeftMax = 64 << 10

    var hooks = Hooks()
    private(set) var tail = OutputTail()
    private let fd: OwnedFD
    private let loop: EventLoop
    private let buffer = ByteBuffer(capacity: bufferBytes)
    private var allowance = OutputAllowance()
    private var token = EventToken.none
    private var timer: TimerID?

    init(_ fd: consuming OwnedFD, loop: EventLoop) {
        self.fd = fd
        self.loop = loop
    }

    /// One that another program has read from.
    init(_ fd: consuming OwnedFD, tail: [UInt8], unlogged: [UInt8], loop: EventLoop) {
        self.fd = fd
        self.loop = loop
        self.tail = OutputTail(tail)
        buffer.append(unlogged)
    }

    var descriptor: Int32 { fd.raw }

    /// What was read and not yet logged.
    var unlogged: [UInt8] { buffer.array }

    /// Begins to read, or waits for the next allowance.
    func start() throws(SystemError) {
        guard takeLines() else {
            holdBack()
            return
        }
        token = try loop.register(fd.raw, .read, self)
    }

    override func ready(_ readiness: Readiness, token: EventToken) {
        switch read() {
        case .bytes:
            if !takeLines() { holdBack() }
        case .wouldBlock:
            return
        case .endOfStream, .failed:
            loop.deregister(token)
            self.token = .none
        }
    }

    private func read() -> ReadOutcome {
        Syscalls.read(fd.raw, into: buffer, minimum: Self.readBytes)
    }

    /// False when there is no allowance for the next line.
    private func takeLines() -> Bool {
        while let line = buffer.withBytes({ OutputLine(atFrontOf: $0) }) {
            guard take(line) else { return false }
        }
        return true
    }

    private func take(_ line: OutputLine) -> Bool {
        guard allowance.take(line.consumed, now: loop.now) else { return false }
        consume(line, isLogged: true)
        return true
    }

    private func consume(_ line: OutputLine, isLogged: Bool) {
        buffer.withBytes(in: 0..<line.length) { text in
            tail.append(text, isCut: line.isCut)
            if isLogged, !text.isEmpty { hooks.printed(text, line.isCut) }
        }
        buffer.consume(line.consumed)
    }

    // MARK: Too much

    private func holdBack() {
        if allowance.notice(now: loop.now) { hooks.heldBack() }
        // Without interest its end would still be reported, all the time.
        loop.deregister(token)
        token = .none
        timer = loop.schedule(at: allowance.refilledAt, self, kind: 0)
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        timer = nil
        do throws(SystemError) {
            try start()
        } catch {
            // No memory for it now: later there may be.
            timer = loop.schedule(at: loop.now + OutputAllowance.second, self, kind: 0)
        }
    }

    // MARK: The end

    /// Reads what the worker has left, which has ended, and logs it as far as it is allowed.
    ///
    /// The last lines are in `tail` all the same.
    func finish() {
        close()
        var left = Self.bytesLeftMax
        var isWhole = takeOrDropLines(isLast: false)
        while left > 0, case .bytes(let count) = read() {
            left -= count
            isWhole = takeOrDropLines(isLast: false) && isWhole
        }
        isWhole = takeOrDropLines(isLast: true) && isWhole
        if !isWhole, allowance.notice(now: loop.now) { hooks.heldBack() }
    }

    /// False when lines were dropped.
    private func takeOrDropLines(isLast: Bool) -> Bool {
        var isWhole = true
        while let line = buffer.withBytes({ OutputLine(atFrontOf: $0, isLast: isLast) }) {
            guard !take(line) else { continue }
            consume(line, isLogged: false)
            isWhole = false
        }
        return isWhole
    }

    /// Stops reporting.
    func close() {
        loop.deregister(token)
        token = .none
        if let timer { loop.cancel(timer) }
        timer = nil
    }
}
