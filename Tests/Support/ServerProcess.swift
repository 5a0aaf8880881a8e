// SPDX-License-Identifier: Apache-2.0
import Bytes
import Glibc
import Synchronization
package import System

/// A program that a test started, and what it wrote.
///
/// Its output is drained by a thread all the time, so that a full pipe never changes how the
/// program behaves.
package final class ServerProcess: Sendable {
    package let pid: Int32
    private let pidfd: Int32
    private let outputs: [Int32]
    /// The end of standard error that nobody reads from.
    private let unread: Int32?
    private let drain: TestThread
    private let stopDraining: Gate
    private let text: OutputText
    private let leash: Leash
    private let ending = Mutex<ProcessExit?>(nil)

    package enum Stream: Int, Sendable { case output = 0, error = 1 }

    /// What happens to standard error.
    package enum ErrorReader: Sendable {
        case drained
        /// The pipe is there and nobody ever reads from it.
        case asleep
        /// The pipe has no reader any more.
        case gone
    }

    /// Starts `path` with standard input from /dev/null, and more `descriptors` if given.
    package init(
        _ path: String,
        arguments: [String],
        environment: [String],
        errorReader: ErrorReader = .drained,
        descriptors: [InheritedFD] = []
    ) throws {
        let output = try Syscalls.pipe()
        let error = try Syscalls.pipe()
        let null = try Syscalls.openForReading("/dev/null")
        pid = try Syscalls.spawn(
            path,
            arguments: [path] + arguments,
            environment: environment,
            descriptors: [
                InheritedFD(source: null.raw, target: 0),
                InheritedFD(source: output.second.raw, target: 1),
                InheritedFD(source: error.second.raw, target: 2),
            ] + descriptors
        )
        pidfd = try Syscalls.pidfd(pid).release()
        leash = try Leash(on: pid)
        let silent = try Syscalls.pipe()
        let errorSource =
            errorReader == .drained
            ? try error.first.duplicate() : try silent.first.duplicate()
        outputs = [try output.first.duplicate().release(), errorSource.release()]
        unread = errorReader == .asleep ? try error.first.duplicate().release() : nil
        text = OutputText(changes: try ChangeSignal())
        stopDraining = try Gate()
        drain = try TestThread { [outputs, text, stopDraining] in
            Self.drain(outputs, stop: stopDraining.descriptor, into: text)
        }
    }

    deinit {
        kill()
        stopDraining.open()
        drain.join()
        for output in outputs { OwnedFD(owning: output).close() }
        if let unread { OwnedFD(owning: unread).close() }
        OwnedFD(owning: pidfd).close()
    }

    private static func drain(_ outputs: [Int32], stop: Int32, into text: OutputText) {
        var open = outputs
        let buffer = ByteBuffer()
        while open != [-1, -1] {
            let events = pollDescriptors(
                [(open[0], .readable), (open[1], .readable), (stop, .readable)],
                until: .after(.seconds(3_600))
            )
            for stream in 0..<2 where !events[stream].isEmpty {
                switch Syscalls.read(open[stream], into: buffer, minimum: 65_536) {
                case .bytes: text.append(buffer.array, stream)
                case .wouldBlock: break
                case .endOfStream, .failed:
                    open[stream] = -1
                    text.end(stream)
                }
                buffer.clear()
            }
            if !events[2].isEmpty, events[0].isEmpty, events[1].isEmpty { return }
        }
    }

    // MARK: Output

    /// The whole lines written so far.
    package func lines(_ stream: Stream = .error) -> [String] { text.lines(stream.rawValue) }

    /// Waits for a line of standard error for which `match` gives a value.
    package func waitForLine<Value>(
        _ what: String,
        by deadline: Deadline = .soon,
        _ match: (String) throws -> Value?
    ) throws -> Value {
        var looked = 0
        return try text.changes.wait(for: "line about \(what)", until: deadline) {
            let lines = self.lines()
            while looked < lines.count {
                looked += 1
                if let value = try match(lines[looked - 1]) { return value }
            }
            if self.text.hasEnded, looked == self.lines().count {
                throw TestFailure(
                    "the program ended without a line about \(what):\n\(self.tail())"
                )
            }
            return nil
        }
    }

    /// The last lines of standard error, for messages.
    package func tail(_ count: Int = 40) -> String {
        lines().suffix(count).joined(separator: "\n")
    }

    // MARK: Life

    /// How the program ended, nil while it runs.
    package func exitIfEnded() throws -> ProcessExit? {
        try ending.withLock { known in
            if known == nil { known = try Syscalls.reap(pidfd: pidfd) }
            return known
        }
    }

    package func signal(_ signal: Signal) throws {
        try Syscalls.signal(pidfd: pidfd, signal)
    }

    /// Waits for the program to end.
    ///
    /// What it wrote may still be on its way here, and children may go on writing: whoever reads it
    /// waits for `waitForEndOfOutput` as well.
    package func waitForExit(by deadline: Deadline = .soon) throws -> ProcessExit {
        let events = pollDescriptors([(pidfd, .readable)], until: deadline)
        guard !events[0].isEmpty, let result = try exitIfEnded() else {
            throw TestFailure("process \(pid) did not end in time:\n\(tail())")
        }
        return result
    }

    /// Waits until nobody holds the write ends of its output any more.
    package func waitForEndOfOutput(by deadline: Deadline = .soon) throws {
        try text.changes.wait(for: "end of output", until: deadline) {
            self.text.hasEnded ? () : nil
        }
    }

    /// Ends the program: asks, then forces.
    ///
    /// Nothing when it has ended already.
    package func kill(grace: Duration = .zero) {
        do {
            if try exitIfEnded() != nil { return }
            if grace > .zero {
                try signal(.terminate)
                let events = pollDescriptors([(pidfd, .readable)], until: .after(grace))
                if !events[0].isEmpty, try exitIfEnded() != nil { return }
            }
            try signal(.kill)
            _ = try waitForExit(by: .after(.seconds(5)))
        } catch {
            // It ended between the look and the signal: that is what was wanted.
            return
        }
    }
}

/// Ends a process with the one that started it, should that crash.
///
/// A shell waits for a line from us; when the pipe ends without one, we are gone.
private final class Leash: Sendable {
    private let writeEnd: Int32
    private let shell: Int32

    init(on pid: Int32) throws {
        // Blocking, unlike the pipes of the product: the shell must wait. Nothing inherits them: what is
        // spawned gets the listed descriptors only.
        var ends: [Int32] = [-1, -1]
        // SAFETY: the call writes two descriptors.
        let result = unsafe ends.withUnsafeMutableBufferPointer { buffer -> Int32 in
            guard let base = buffer.baseAddress else { return -1 }
            return unsafe pipe(base)
        }
        guard result == 0 else { throw TestFailure("no pipe for a leash") }
        let readEnd = OwnedFD(owning: ends[0])
        writeEnd = ends[1]
        shell = try Syscalls.spawn(
            "/bin/sh",
            arguments: ["sh", "-c", "read -r line || kill -KILL \(pid)"],
            environment: [],
            descriptors: [InheritedFD(source: readEnd.raw, target: 0)]
        )
    }

    deinit {
        let line: [UInt8] = [0x0A]
        _ = Syscalls.write(writeEnd, line.span)
        OwnedFD(owning: writeEnd).close()
        do {
            let pidfd = try Syscalls.pidfd(shell)
            _ = pollDescriptors([(pidfd.raw, .readable)], until: .after(.seconds(5)))
            _ = try Syscalls.reap(pidfd: pidfd.raw)
        } catch {
            // It has ended before, and with it every use it had.
        }
    }
}

/// The text of both output streams, filled by the draining thread.
private final class OutputText: Sendable {
    let changes: ChangeSignal
    private let state = Mutex(State())

    private struct State {
        var lines: [[String]] = [[], []]
        var partial: [[UInt8]] = [[], []]
        var ended = [false, false]
    }

    init(changes: ChangeSignal) {
        self.changes = changes
    }

    var hasEnded: Bool { state.withLock { $0.ended == [true, true] } }

    func lines(_ stream: Int) -> [String] { state.withLock { $0.lines[stream] } }

    func append(_ bytes: [UInt8], _ stream: Int) {
        state.withLock { state in
            var rest = state.partial[stream] + bytes
            while let end = rest.firstIndex(of: 0x0A) {
                state.lines[stream].append(String(decoding: rest[..<end], as: UTF8.self))
                rest.removeSubrange(...end)
            }
            state.partial[stream] = rest
        }
        changes.notify()
    }

    func end(_ stream: Int) {
        state.withLock { state in
            if !state.partial[stream].isEmpty {
                state.lines[stream].append(String(decoding: state.partial[stream], as: UTF8.self))
                state.partial[stream] = []
            }
            state.ended[stream] = true
        }
        changes.notify()
    }
}
