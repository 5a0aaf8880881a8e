// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

/// What the tests of faults have in common.
enum FaultScenes {
    /// The events of every stream of `gated`.
    static let events = ChatEvents.whole(3)

    /// An upstream whose streams wait for `gate` behind their first event.
    static func gated(
        _ gate: Gate,
        events: [String] = FaultScenes.events
    ) throws -> ScriptedUpstream {
        try ScriptedUpstream { request in
            if !request.text.contains("\"stream\":true") {
                return UpstreamAnswer.json(ChatEvents.completion())
            }
            return [UpstreamAnswer.streamHead(), UpstreamAnswer.chunk(events[0]), .wait(gate)]
                + events.dropFirst().map { UpstreamAnswer.chunk($0) } + [UpstreamAnswer.lastChunk]
        }
    }

    /// Begins so many streams and reads the first event of each.
    static func begin(_ count: Int, _ fleet: Fleet) throws -> [HTTPConnection] {
        let streams = try (0..<count).map { _ in try BlackBox.Streams.begin(fleet) }
        for stream in streams {
            #expect(try stream.readHead().status == 200)
            #expect(try stream.nextEvent()?.text == events[0])
        }
        return streams
    }

    /// Begins streams until every worker has one.
    static func beginOnAll(_ fleet: Fleet, atLeast count: Int) throws -> WorkerSpread {
        try WorkerSpread(
            over: 0..<fleet.settings.workers,
            of: fleet,
            gauge: "apus_worker_streams",
            startingWith: try begin(count, fleet)
        ) { try begin(1, fleet)[0] }
    }

    /// How a stream whose first event has been read ends.
    enum StreamEnd: Equatable {
        /// Every event that the upstream sent, and the proper end.
        case whole
        /// An error event and the proper end.
        case error(code: String)
        /// The connection ended inside the body.
        case cut
        case other(String)
    }

    static func end(of stream: HTTPConnection, by deadline: Deadline = .soon) throws -> StreamEnd {
        var rest: [StreamEvent] = []
        do {
            while let event = try stream.nextEvent(by: deadline) { rest.append(event) }
        } catch is ConnectionLost {
            return .cut
        }
        if events[0] + rest.map(\.text).joined() == events.joined() { return .whole }
        guard let last = rest.last, case let error = try last.json()["error"],
            let code = error?["code"]?.string
        else { return .other(rest.map(\.text).joined()) }
        return .error(code: code)
    }

    /// The process of a slot that is ready.
    static func worker(_ slot: Int, of fleet: Fleet) throws -> Int32? {
        let processes = try fleet.status()["processes"]?.array ?? []
        return processes.first { $0["slot"]?.int == slot && $0["state"]?.string == "ready" }?[
            "pid"
        ]?
        .int.map { Int32($0) }
    }

    /// What the status tells about a slot.
    static func slot(_ slot: Int, of fleet: Fleet) throws -> JSONValue? {
        try fleet.status()["processes"]?.array?.first { $0["slot"]?.int == slot }
    }

    /// Waits for another process to be ready in a slot.
    @discardableResult
    static func replacement(
        of pid: Int32,
        slot: Int,
        _ fleet: Fleet,
        by deadline: Deadline = .soon
    ) throws -> Int32 {
        try eventually("replacement of \(pid)", by: deadline) {
            let now = try worker(slot, of: fleet)
            return now == pid ? nil : now
        }
    }

    /// A connection over which a request has been answered and which is still open.
    static func idle(_ fleet: Fleet) throws -> HTTPConnection {
        let connection = try fleet.connect()
        try connection.send(health)
        #expect(try connection.readReply().status == 200)
        return connection
    }

    static let health = HTTPRequestText.bytes("GET", "/health")

    /// Share of one CPU that a process uses while `body` runs.
    static func processorShare(_ pid: Int32, during body: () throws -> Void) rethrows -> Double {
        let before = ProcessFacts.processorMilliseconds(pid)
        let start = Syscalls.monotonicNanoseconds()
        try body()
        let elapsed = Double(Syscalls.monotonicNanoseconds() - start) / 1_000_000
        return Double(ProcessFacts.processorMilliseconds(pid) - before) / max(elapsed, 1)
    }

    /// Waits until a process uses next to nothing of its CPU, for half a second.
    ///
    /// What it still had to do when the wait began, and what a status request costs, is over by
    /// then; a process that spins never gets there.
    static func comesToRest(_ pid: Int32) throws {
        var last = 0.0
        do {
            _ = try eventually("rest of process \(pid)") {
                last = processorShare(pid) { pass(.milliseconds(500)) }
                return last < 0.05 ? true : nil
            }
        } catch {
            throw TestFailure("\(error): at last it used \(last) of a CPU")
        }
    }

    /// Lets time pass: for faults that are a length of time, never to wait for something.
    static func pass(_ duration: Duration) {
        _ = pollDescriptors([], until: .after(duration))
    }

    static func handoffs(_ result: String, _ fleet: Fleet) throws -> Double {
        try fleet.metrics().sum("apus_connections_handoff_total", ["result": result])
    }

    static func restarts(_ reason: String, _ fleet: Fleet) throws -> Double {
        try fleet.metrics().sum("apus_worker_restarts_total", ["reason": reason])
    }
}

/// The same test as the user who runs it and as one without any privilege, as in production.
enum FleetUser: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case same, unprivileged

    var testDescription: String { rawValue }

    func apply(to settings: FleetSettings) -> FleetSettings {
        var settings = settings
        settings.isUnprivileged = self == .unprivileged
        return settings
    }

    func expect(_ fleet: Fleet) {
        guard self == .unprivileged, Launch.canChangeUser else { return }
        #expect(ProcessFacts.user(fleet.pid) == Launch.unprivilegedUser)
    }
}
