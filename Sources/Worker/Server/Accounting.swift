// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import HTTP
import Log
import Loop
import Metrics
import Scoreboard
import System

/// Turns finished requests into metrics and access-log lines, and sends both on in batches.
final class Accounting: EventHandler {
    private static let logKind: UInt32 = 1
    private static let metricsKind: UInt32 = 2
    /// Log lines wait at most so long, so that a busy worker writes many with one call.
    private static let logDelay: UInt64 = 20_000_000
    /// Metrics wait at most so long.
    private static let metricsDelay: UInt64 = 100_000_000
    /// Log bytes that are written without waiting.
    private static let logBytesMax = 16 << 10
    /// Records taken from the encoder at once: what fits into an empty pipe of 64 KiB.
    private static let recordsMax = 12

    private let worker: Worker
    private let idText = ByteBuffer(capacity: 256)
    private var line = AccessLogLine()
    private var encoder: MetricsEncoder
    private let records = ByteBuffer()
    private var isLogScheduled = false
    private var isMetricsScheduled = false
    private var inFlight = 0
    private var streams = 0
    /// When the oldest open stream began, 0 for none, and whether that one has ended since.
    private var oldestStream: UInt64 = 0
    private var oldestHasEnded = false
    /// When the request that is being counted ended.
    private var now: UInt64 = 0

    init(worker: Worker) {
        self.worker = worker
        encoder = MetricsEncoder(generation: worker.generationNumber)
        super.init()
    }

    // MARK: Facts

    func connectionsChanged() {
        loadChanged()
    }

    func requestBegan() {
        inFlight += 1
        loadChanged()
    }

    /// The client left before its request was whole.
    func requestAbandoned() {
        inFlight -= 1
        loadChanged()
    }

    func streamBegan(_ connection: ClientConnection) {
        streams += 1
        if oldestStream == 0, let start = connection.ledger.firstByteAt {
            oldestStream = start
            oldestHasEnded = false
            worker.scoreboard.set(oldestStream: start)
        }
        loadChanged()
    }

    /// The supervisor has lost what it was told.
    func recount() {
        encoder.markAllDirty()
        scheduleMetrics()
    }

    private func loadChanged() {
        worker.scoreboard.set(
            requests: inFlight,
            streams: streams,
            connections: worker.connectionCount
        )
        scheduleMetrics()
    }

    func requestEnded(_ connection: ClientConnection) {
        // Read anew: most requests begin and end within one turn of the loop.
        now = Syscalls.monotonicNanoseconds()
        inFlight -= 1
        if connection.isStreaming {
            streams -= 1
            if connection.ledger.firstByteAt == oldestStream { oldestHasEnded = true }
            if connection.ledger.ending == .stopped { worker.scoreboard.streamAborted() }
        }
        worker.scoreboard.requestEnded()
        count(connection.ledger)
        if worker.logsAccess { writeLine(connection) }
        loadChanged()
    }

    private func count(_ ledger: borrowing RequestLedger) {
        let metrics = worker.metrics
        let route = ledger.route
        let upstream = ledger.upstream.flatMap { UpstreamIndex(position: $0) } ?? .none
        metrics.requestEnded(route, status: ledger.status)
        if ledger.ending == .clientClosed { metrics.clientAborted(route) }
        metrics.record(.total, route, upstream, nanoseconds: now &- ledger.startedAt)
        if let first = ledger.firstByteAt {
            metrics.record(.firstByte, route, upstream, nanoseconds: first &- ledger.startedAt)
        }
        if let begin = ledger.upstreamStartedAt, let end = ledger.upstreamEndedAt {
            metrics.record(.upstream, route, upstream, nanoseconds: end &- begin)
        }
        if let usage = ledger.usage { metrics.tokensUsed(usage, route, upstream) }
    }

    private func writeLine(_ connection: ClientConnection) {
        let ledger = connection.ledger
        line.reset()
        line.route = ledger.route.label
        line.status = ledger.status
        line.bytesIn = ledger.bytesIn
        line.bytesOut = ledger.bytesOut
        line.duration = now &- ledger.startedAt
        line.timeToFirstByte = ledger.firstByteAt.map { $0 &- ledger.startedAt }
        if let begin = ledger.upstreamStartedAt, let end = ledger.upstreamEndedAt {
            line.upstreamDuration = end &- begin
        }
        line.isStream = ledger.isStream
        line.tokensIn = ledger.usage.map { Int(clamping: $0.input) }
        line.tokensOut = ledger.usage.map { Int(clamping: $0.output) }
        line.attempts = ledger.attempts
        line.error = ledger.error
        line.ending = ledger.ending
        setTexts(connection)
        worker.log.access(line)
        scheduleLog()
    }

    private func setTexts(_ connection: ClientConnection) {
        let ledger = connection.ledger
        idText.clear()
        ledger.id.append(to: idText, head: connection.intake.input)
        idText.withBytes { line.set(.requestID, $0) }
        line.set(.client, connection.peerText.utf8.span)
        if let head = connection.intake.input {
            head.withBytes { bytes in
                if let range = ledger.correlationID {
                    line.set(.correlationID, bytes.extracting(range))
                }
                line.set(.method, bytes.extracting(ledger.methodText))
                line.set(.path, bytes.extracting(ledger.path))
            }
        }
        if let range = ledger.model, let body = connection.intake.bodyBuffer {
            body.withBytes(in: range) { line.set(.model, $0) }
        } else if let range = ledger.pathName, let head = connection.intake.input {
            head.withBytes(in: range) { line.set(.model, $0) }
        }
        if let position = ledger.upstream {
            line.set(.upstream, worker.upstreams[position].name.utf8.span)
        }
        if let key = ledger.key { line.set(.key, worker.keys.keys[key].name.utf8.span) }
    }

    // MARK: Sending

    private func scheduleLog() {
        if worker.log.pendingBytes >= Self.logBytesMax {
            worker.log.flush()
        } else if !isLogScheduled {
            isLogScheduled = true
            _ = worker.loop.schedule(
                at: worker.loop.now &+ Self.logDelay,
                self,
                kind: Self.logKind
            )
        }
    }

    private func scheduleMetrics() {
        guard !isMetricsScheduled else { return }
        isMetricsScheduled = true
        _ = worker.loop.schedule(
            at: worker.loop.now &+ Self.metricsDelay,
            self,
            kind: Self.metricsKind
        )
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        worker.scoreboard.workingForNone()
        if kind == Self.logKind {
            isLogScheduled = false
            worker.log.flush()
            if worker.log.hasPending { scheduleLog() }
        } else {
            isMetricsScheduled = false
            flushMetrics()
        }
    }

    /// Sends everything now, as far as it is taken: the worker is about to leave.
    func flush() {
        flushMetrics()
        worker.log.flush()
    }

    /// Not at every end of a stream, since it looks at all connections.
    private func findOldestStream() {
        guard oldestHasEnded else { return }
        oldestHasEnded = false
        oldestStream = 0
        if streams > 0 {
            for connection in worker.connections.values where connection.isStreaming {
                guard let start = connection.ledger.firstByteAt else { continue }
                if oldestStream == 0 || start < oldestStream { oldestStream = start }
            }
        }
        worker.scoreboard.set(oldestStream: oldestStream)
    }

    private func flushMetrics() {
        findOldestStream()
        setGauges()
        var isComplete = true
        if records.isEmpty {
            isComplete = encoder.encode(
                worker.metrics,
                into: records,
                recordsMax: Self.recordsMax
            )
        }
        while let length = MetricsEncoder.frontRecordBytes(records) {
            let outcome = records.withBytes(in: 0..<length) {
                Syscalls.write(worker.metricsDescriptor, $0)
            }
            switch outcome {
            case .bytes:
                records.consume(length)
            case .wouldBlock:
                // The supervisor does not read: values are cumulative, so later ones will do.
                worker.metrics.count(.metricsRecordsDropped)
                records.clear()
                encoder.markAllDirty()
                scheduleMetrics()
                return
            case .failed:
                records.clear()
                return
            }
        }
        if !isComplete { scheduleMetrics() }
    }

    private func setGauges() {
        worker.metrics.set(.requestsInFlight, to: inFlight)
        worker.metrics.set(.streamsOpen, to: streams)
        worker.metrics.set(.connectionsActive, to: inFlight)
        worker.metrics.set(.connectionsIdle, to: max(0, worker.connectionCount - inFlight))
        for upstream in worker.upstreams {
            guard let server = upstream.server else { continue }
            let counters = worker.lane.counters(server.lane)
            let metrics = worker.metrics
            metrics.set(
                .connectionsOpen,
                upstream.index,
                to: worker.lane.openConnections(server.lane)
            )
            metrics.raise(.connectionsCreated, upstream.index, to: counters.connectionsOpened)
            metrics.raise(.connectionsReused, upstream.index, to: counters.reuses)
            metrics.raise(.staleRetries, upstream.index, to: counters.staleRetries)
        }
    }
}
