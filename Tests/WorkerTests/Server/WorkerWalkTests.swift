// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import Metrics
import Support
import System
import Testing

@testable import Worker

@Suite("A random walk through a worker")
struct WorkerWalkTests {
    /// Every answer must carry the mark of its own request and of no other, whatever buffers and
    /// connections were used for it before.
    @Test(
        "never mixes up answers, and leaves nothing behind",
        arguments: 1...5 as ClosedRange<UInt64>
    )
    func walk(_ seed: UInt64) throws {
        var walk = try Walk(seed: seed)
        for _ in 0..<600 { try walk.step() }
        try walk.finish()
        #expect(walk.faults.isEmpty, "seed \(seed): \(walk.faults.prefix(3))")
        #expect(walk.answered > 100, "seed \(seed)")
        let totals = try walk.harness.totals()
        #expect(totals.value(.requestsInFlight) == 0, "seed \(seed)")
        #expect(totals.value(.streamsOpen) == 0, "seed \(seed)")
        let lines = try walk.harness.accessLines()
        #expect(totals.requests == UInt64(lines.count), "seed \(seed)")
        #expect(lines.count >= walk.answered, "seed \(seed)")
        #expect(walk.harness.worker.buffers.taken == 0, "seed \(seed)")
        #expect(walk.harness.worker.lane.buffersInUse == 0, "seed \(seed)")
    }
}

/// The clients of a walk and what each of them waits for.
private struct Walk {
    private struct Walker {
        let client: TestClient
        /// Marks of the requests under way, in order.
        var waiting: [String] = []
        let output = ByteBuffer()
        var isLeaving = false
    }

    private static let walkersMax = 10

    let harness: WorkerHarness
    private let server: ScriptedServer
    private let luck: Luck
    private var random: SplitMix
    private var walkers: [Walker] = []
    private var marks = 0
    private(set) var answered = 0
    private(set) var faults: [String] = []

    /// Random numbers that the upstream draws while it is called back.
    private final class Luck {
        var random: SplitMix
        /// Answers that were begun and never ended.
        var stalls = 0
        init(_ seed: UInt64) { random = SplitMix(seed: seed) }
        func below(_ bound: Int) -> Int { random.below(bound) }
    }

    init(seed: UInt64) throws {
        random = SplitMix(seed: seed)
        let luck = Luck(seed &* 31)
        self.luck = luck
        (harness, server) = try WorkerHarness.scripted { _ in
            [.request, .respond, .again]
        }
        server.respond = { Self.response(to: $0, luck) }
    }

    /// Echoes the mark of a request, whole or as a stream, in pieces that fall anywhere.
    private static func response(to request: String, _ luck: Luck) -> [[UInt8]]? {
        let mark = mark(in: request) ?? "none"
        let dice = luck.below(20)
        if dice == 0 { return nil }
        var text: String
        if request.contains(#""stream":true"#) {
            text = TestUpstream.streamHead
            for _ in 0..<(1 + luck.below(30)) {
                text += TestUpstream.chunk(
                    TestUpstream.event(mark + String(repeating: ".", count: luck.below(3_000)))
                )
            }
            text += TestUpstream.chunk(TestUpstream.finish + TestUpstream.usage + TestUpstream.done)
            text += TestUpstream.end
        } else {
            let pad = String(repeating: ".", count: luck.below(20_000))
            let body = #"{"mark":"\#(mark)","pad":"\#(pad)"}"#
            text = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            text += "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }
        var bytes = Array(text.utf8)[...]
        var pieces: [[UInt8]] = []
        while !bytes.isEmpty {
            let piece = bytes.prefix(1 + luck.below(9_000))
            pieces.append(Array(piece))
            bytes = bytes.dropFirst(piece.count)
        }
        guard dice == 1, pieces.count > 1 else { return pieces }
        luck.stalls += 1
        return Array(pieces.prefix(1))
    }

    private static func mark(in text: String) -> String? {
        guard let start = text.firstRange(of: "<mark-") else { return nil }
        let rest = text[start.lowerBound...]
        return rest.firstIndex(of: ">").map { String(rest[...$0]) }
    }

    mutating func step() throws {
        if walkers.count < Self.walkersMax, walkers.isEmpty || below(8) == 0 {
            let isSlow = below(3) == 0
            walkers.append(Walker(client: try harness.client(sendBuffer: isSlow ? 4096 : nil)))
        }
        let place = below(walkers.count)
        switch below(12) {
        case 0..<5: ask(place)
        case 5..<8: read(place)
        case 8 where below(3) == 0:
            walkers[place].client.close()
            walkers.remove(at: place)
        default: break
        }
        for walker in walkers where !walker.output.isEmpty {
            walker.client.sendSome(walker.output)
        }
        try harness.loop.turn(waitMax: 0)
    }

    private mutating func below(_ bound: Int) -> Int { random.below(bound) }

    private mutating func ask(_ place: Int) {
        guard walkers[place].waiting.count < 4 else { return }
        marks += 1
        let mark = "<mark-\(marks)>"
        let models = ["demo/fast", "up/m", "up/longer-name", "demo/long", "demo/status"]
        let model = models[below(models.count)]
        let pad = below(4) == 0 ? String(repeating: "x", count: below(60_000)) : ""
        let stream = below(2) == 0 ? #","stream":true"# : ""
        let body =
            #"{"pad":"\#(pad)","model":"\#(model)"\#(stream),"user":"\#(mark)","#
            + #""messages":[{"role":"user","content":"\#(mark)"}]}"#
        walkers[place].waiting.append(model == "demo/long" ? "token" : mark)
        walkers[place].output.append(
            below(5) == 0
                ? "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nX-Request-ID: \(marks)\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n"
                    + TestUpstream.chunk(body) + TestUpstream.end
                : TestRequest.post("/v1/chat/completions", body, "X-Request-ID: \(marks)\r\n")
        )
    }

    private mutating func read(_ place: Int) {
        let client = walkers[place].client
        client.read()
        while let answer = TestAnswer.take(
            from: client.input,
            isHead: false,
            atEnd: client.isOver
        ) {
            guard !walkers[place].waiting.isEmpty else {
                faults.append("an answer that nobody asked for: \(answer.body.prefix(200))")
                return
            }
            check(answer, walkers[place].waiting.removeFirst())
        }
        if client.isOver, !walkers[place].waiting.isEmpty {
            faults.append("a connection that ended with \(walkers[place].waiting) open")
            walkers[place].waiting = []
        }
    }

    private mutating func check(_ answer: TestAnswer, _ mark: String) {
        answered += 1
        let found = Set(
            answer.body.split(separator: "<mark-", omittingEmptySubsequences: false).dropFirst()
                .map { "<mark-" + $0.prefix { $0 != ">" } + ">" }
        )
        if !found.isSubset(of: [mark]) { faults.append("\(found) where \(mark) was asked for") }
        let isFailure = answer.status != 200 || answer.body.contains(#""error""#)
        if !isFailure, !answer.body.contains(mark) { faults.append("no \(mark)") }
        if !answer.isWhole { faults.append("a torn answer for \(mark)") }
        if ![200, 404, 502].contains(answer.status) { faults.append("status \(answer.status)") }
        let stops = answer.events.count { $0 == "[DONE]" }
        if !answer.events.isEmpty, stops != (isFailure ? 0 : 1) { faults.append("\(stops) [DONE]") }
    }

    /// Reads what is still to come; clients whose upstream says no more leave.
    mutating func finish() throws {
        var patience = 1_500
        while patience > 0, walkers.contains(where: { !$0.waiting.isEmpty }) {
            patience -= 1
            for place in walkers.indices {
                walkers[place].client.sendSome(walkers[place].output)
                read(place)
            }
            try harness.loop.turn(waitMax: 0)
        }
        let waiting = walkers.count { !$0.waiting.isEmpty }
        if waiting > luck.stalls { faults.append("\(waiting) clients wait for an answer") }
        for walker in walkers { walker.client.close() }
        walkers = []
        try harness.loop.wait("the end of all connections") {
            harness.worker.connectionCount == 0
        }
    }
}
