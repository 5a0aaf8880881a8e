// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import System

/// Keeps a number of connections busy for a time: each asks again when it has its answer.
///
/// A closed loop: it measures what a request costs, and hides how long others would have waited.
final class LoadGenerator: EventHandler {
    private enum Timer { static let start: UInt32 = 0, end: UInt32 = 1, stragglers: UInt32 = 2 }

    /// How long an answer may take once nothing new is asked.
    private static let stragglerNanoseconds: UInt64 = 15_000_000_000

    let settings: LoadSettings
    let loop: EventLoop
    private var connections: [LoadConnection] = []
    private var started = 0
    private var asked = 0
    private var isEnding = false
    private var begin: UInt64 = 0
    private var errors = LoadErrors()
    private var latencies = Latencies()
    private var firstBytes = Latencies()
    private var events = 0
    private var bytes = 0
    private var firstProblem = ""

    init(_ settings: LoadSettings) throws {
        self.settings = settings
        loop = try EventLoop()
    }

    func run() throws {
        begin = loop.now
        for _ in 0..<settings.connections { connections.append(LoadConnection(self)) }
        _ = loop.schedule(at: begin, self, kind: Timer.start)
        let length = UInt64(settings.seconds) * 1_000_000_000
        _ = loop.schedule(at: begin + length, self, kind: Timer.end)
        try loop.run()
        report()
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        switch kind {
        case Timer.start: startDue()
        case Timer.end: end()
        default:
            errors.unfinished += connections.count(where: \.isBusy)
            loop.stop()
        }
    }

    private func startDue() {
        let share = settings.rampNanoseconds / UInt64(settings.connections)
        while started < connections.count {
            let due = begin + share * UInt64(started)
            if due > loop.now {
                _ = loop.schedule(at: due, self, kind: Timer.start)
                return
            }
            connections[started].begin()
            started += 1
        }
    }

    private func end() {
        guard !isEnding else { return }
        isEnding = true
        started = connections.count
        _ = loop.schedule(at: loop.now + Self.stragglerNanoseconds, self, kind: Timer.stragglers)
        stopWhenQuiet()
    }

    private func stopWhenQuiet() {
        if isEnding, !connections.contains(where: \.isBusy) { loop.stop() }
    }

    // MARK: What connections report

    /// Whether one more request may be asked; counts it if so.
    func mayAsk() -> Bool {
        guard !isEnding else { return false }
        guard asked < settings.requestsMax else {
            end()
            return false
        }
        asked += 1
        return true
    }

    func answered(_ answer: LoadAnswer) {
        latencies.record(answer.microseconds)
        firstBytes.record(answer.firstByteMicroseconds)
        events += answer.events
        bytes += answer.bytes
    }

    func failed(_ kind: WritableKeyPath<LoadErrors, Int>, _ detail: String) {
        errors[keyPath: kind] += 1
        if firstProblem.isEmpty { firstProblem = detail }
    }

    func becameQuiet() {
        stopWhenQuiet()
    }

    private func report() {
        let seconds = Double(loop.now - begin) / 1e9
        let quoted = firstProblem.filter { $0 != "\"" && $0 != "\\" && $0 >= " " }
        BenchToolMain.write(
            """
            {"requests": \(latencies.count), "seconds": \(seconds), "events": \(events), \
            "bytes": \(bytes), "errors": \(errors.total), "connect": \(errors.connect), \
            "status": \(errors.status), "content": \(errors.content), "cut": \(errors.cut), \
            "malformed": \(errors.malformed), "unfinished": \(errors.unfinished), \
            "p50_us": \(latencies.percentile(50)), "p90_us": \(latencies.percentile(90)), \
            "p99_us": \(latencies.percentile(99)), "max_us": \(latencies.max), \
            "first_p50_us": \(firstBytes.percentile(50)), \
            "first_p99_us": \(firstBytes.percentile(99)), "problem": "\(quoted)"}

            """,
            to: 1
        )
    }
}

/// One good answer.
struct LoadAnswer {
    let microseconds: Int
    let firstByteMicroseconds: Int
    let events: Int
    let bytes: Int
}
