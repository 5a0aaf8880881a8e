// SPDX-License-Identifier: Apache-2.0
#if DEBUG
import Bytes
import Loop
import Scoreboard
import Support
import System
import Testing

@testable import Supervisor
@testable import Worker

/// A worker can die behind every store into its page: whatever the page says there, together with
/// what the kernel says, its client has to get right bytes.
@Suite("A death behind every store of an exchange")
struct CrashWalkTests {
    /// What a death at one moment would lead to.
    private struct Moment {
        let verdict: CrashPolicy.Verdict
        let consumed: Int
        let written: Int
    }

    /// What a client does, and how an upstream called `up` answers it.
    struct Walk: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// Sent one after the other, each behind the answer to the one before.
        let requests: [String]
        var heads: Set<Int> = []
        /// All at once instead.
        var isPipelined = false
        /// Sent behind the head, once the client is asked to continue.
        var body = ""
        /// Does not read for a while, so that writes are cut into parts.
        var isSlow = false
        /// Says bytes of the upstream's stream, one read after the other.
        var upstream: [String] = []

        var sight: [CrashSight.Request] {
            requests.enumerated().map { index, text in
                CrashSight.Request(
                    bytes: text.utf8.count + body.utf8.count,
                    isHead: heads.contains(index)
                )
            }
        }
    }

    private static let health = TestRequest.get("/health")
    private static let headOnly = "HEAD /health HTTP/1.1\r\nHost: h\r\n\r\n"
    private static let embeddings = #"{"model":"demo/embed","dimensions":1,"input":"x"}"#
    private static let contents = #"{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}"#

    private static func old(_ request: String) -> String {
        request.split(separator: "HTTP/1.1").joined(separator: "HTTP/1.0")
    }

    private static let stream = TestRequest.chat("up/m", stream: true)
    private static let long = String(repeating: "x", count: 4000)
    private static let events = [
        TestUpstream.chunk(TestUpstream.event("a")), TestUpstream.chunk(TestUpstream.event("b")),
        TestUpstream.chunk(TestUpstream.finish + TestUpstream.done),
    ]
    private static let longEvents =
        [String](repeating: TestUpstream.chunk(TestUpstream.event(long)), count: 12)
        + [TestUpstream.chunk(TestUpstream.finish + TestUpstream.done)]

    static let walks = [
        Walk(testDescription: "whole answers", requests: [health, health, health]),
        Walk(testDescription: "an error", requests: [TestRequest.get("/nowhere"), health]),
        Walk(testDescription: "HEAD", requests: [headOnly, health, headOnly], heads: [0, 2]),
        Walk(testDescription: "pipelined", requests: [health, health, health], isPipelined: true),
        Walk(
            testDescription: "an interim answer",
            requests: [
                "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                    + "Content-Length: \(embeddings.utf8.count)\r\n\r\n"
            ],
            body: embeddings
        ),
        Walk(
            testDescription: "a large request",
            requests: [
                TestRequest.chat(
                    "demo/fast",
                    more: #","user":"\#(String(repeating: "x", count: 90_000))""#
                ), health,
            ]
        ),
        Walk(
            testDescription: "streams",
            requests: [
                TestRequest.chat("demo/fast", stream: true), health,
                TestRequest.chat("demo/fast", stream: true),
            ]
        ),
        Walk(
            testDescription: "an array",
            requests: [
                TestRequest.post(
                    "/v1beta/models/demo%2Ffast:streamGenerateContent",
                    contents
                ), health,
            ]
        ),
        Walk(
            testDescription: "a stream whose upstream does not end its body",
            requests: [stream, health],
            upstream: events
        ),
        Walk(
            testDescription: "a stream over HTTP/1.0",
            requests: [old(stream)],
            upstream: events
        ),
        Walk(
            testDescription: "a slow stream",
            requests: [stream],
            isSlow: true,
            upstream: longEvents
        ),
        Walk(
            testDescription: "a slow stream over HTTP/1.0",
            requests: [old(stream)],
            isSlow: true,
            upstream: longEvents
        ),
        Walk(testDescription: "HTTP/1.0", requests: ["GET /health HTTP/1.0\r\n\r\n"]),
        Walk(testDescription: "no HTTP", requests: ["\u{1}\u{2}\r\n\r\n"]),
    ]

    @Test("leaves the client with right bytes", arguments: walks)
    func walk(_ walk: Walk) throws {
        let (harness, server) = try WorkerHarness.scripted { _ in
            [.request, .send(TestUpstream.streamHead)]
        }
        let made = try harness.networkClient(receiveBuffer: walk.isSlow ? 4096 : nil)
        let number = Int(harness.lastID)
        // Most stores change nothing of it.
        var moments: [String: Moment] = [:]
        var stores = 0
        harness.worker.scoreboard.afterEveryStore {
            stores += 1
            let kernel = CrashPolicy.Kernel(
                consumed: Syscalls.bytesConsumed(made.copy.raw).map { UInt64($0) },
                written: Syscalls.bytesWritten(made.copy.raw).map { UInt64($0) }
            )
            let verdict = CrashPolicy.verdict(
                harness.board.record(number),
                harness.board.claim(number),
                kernel
            )
            let moment = Moment(
                verdict: verdict,
                consumed: Int(kernel.consumed ?? 0),
                written: Int(kernel.written ?? 0)
            )
            moments["\(moment)"] = moment
        }
        try play(walk, made.client, harness, server)
        harness.worker.scoreboard.afterEveryStore(nil)
        let output = made.client.input.array
        #expect(stores > 20)
        for moment in moments.values {
            if let complaint = complaint(moment, output, walk) {
                Issue.record("\(complaint): \(moment)")
            }
        }
    }

    /// Goes through the whole of a walk.
    private func play(
        _ walk: Walk,
        _ client: TestClient,
        _ harness: WorkerHarness,
        _ server: ScriptedServer
    ) throws {
        if walk.isPipelined { try client.send(walk.requests.joined()) }
        for (index, request) in walk.requests.enumerated() {
            if !walk.isPipelined { try client.send(request) }
            if !walk.body.isEmpty {
                try client.wait(for: "100 Continue\r\n\r\n")
                try client.send(walk.body)
            }
            if index == 0, !walk.upstream.isEmpty {
                try harness.loop.wait("the upstream's request") { server.requests.count == 1 }
                for piece in walk.upstream {
                    let before = harness.record.boundary
                    server.peers[0].say(piece)
                    try harness.loop.wait("the next event") { harness.record.boundary > before }
                }
                if walk.isSlow {
                    #expect(harness.record.boundary > harness.record.written)
                }
            }
            try harness.loop.wait("answer \(index + 1) to '\(request.prefix(60))'") {
                client.read()
                let bytes = client.input.array
                return CrashSight(bytes[...], walk.sight, isEnded: client.sawEnd).answers > index
            }
        }
        try harness.turn()
    }

    /// What is wrong with the verdict; nil when the client gets right bytes.
    private func complaint(
        _ moment: Moment,
        _ output: [UInt8],
        _ walk: Walk
    ) -> String? {
        let requests = walk.sight
        let sent = output.prefix(moment.written)
        let sight = CrashSight(sent, requests)
        let answered = requests.prefix(sight.answers).reduce(0) { $0 + $1.bytes }
        let isOwed = moment.consumed > answered
        switch moment.verdict {
        case .move:
            // The next worker reads on where this one has stopped.
            return sight.rest == .nothing && !isOwed ? nil : "moved with something owed"
        case .finish:
            if case .bare(let body) = sight.rest {
                return body.hasSuffix("[DONE]\n\n") ? nil : "a part of a body passed for the whole"
            }
            // What a pipelining client has sent ahead it sends again after an end (RFC 9112 9.3.2).
            return sight.rest == .nothing && (!isOwed || walk.isPipelined)
                ? nil : "finished with something owed"
        case .unavailable:
            return sight.rest == .nothing && isOwed ? nil : "503 that nobody has asked for"
        case .endStream(let form):
            let end = ClosingAnswer.streamEnd(.workerLost, form)
            let whole = CrashSight(sent + end, requests, isEnded: true)
            guard whole.rest == .nothing, whole.answers == sight.answers + 1,
                let body = whole.bodies.last
            else { return "the end is none" }
            if body.contains("[DONE]") { return "a second end" }
            if form.stream == .geminiArray {
                do {
                    return try JSONValue(body).array == nil ? "no array" : nil
                } catch {
                    return "no JSON"
                }
            }
            return body.contains("worker_lost") && body.hasSuffix("\n\n") ? nil : "no error event"
        case .cut:
            if case .bare = sight.rest { return "a part of a body would pass for the whole" }
            return nil
        case .reset:
            return sight.rest != .nothing || isOwed ? nil : "a whole answer would be lost"
        }
    }
}
#endif
