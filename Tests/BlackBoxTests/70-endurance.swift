// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Endurance")
    struct Endurance {
        /// Answers with what the request said about itself, in every form there is.
        private static func echo() throws -> ScriptedUpstream {
            try ScriptedUpstream { request in
                let tag = request.value("x-correlation-id") ?? "none"
                let isStream = request.text.contains("\"stream\":true")
                switch (isStream, request.index % 7) {
                case (_, 3): return [.end]
                case (true, 5):
                    return [
                        UpstreamAnswer.streamHead(), UpstreamAnswer.chunk(ChatEvents.content(tag)),
                    ]
                        + [.pause(.milliseconds(5)), .reset]
                case (true, _): return UpstreamAnswer.stream(ChatEvents.whole(3, id: tag))
                case (false, 5):
                    return UpstreamAnswer.json(#"{"error":{"message":"\#(tag)"}}"#, status: 429)
                case (false, _): return UpstreamAnswer.json(ChatEvents.completion(tag))
                }
            }
        }

        @Test("answers never get mixed up, whatever happens to their neighbours")
        func noCrossTalk() throws {
            try BlackBox.withUpstream(try Self.echo(), FleetSettings(workers: 2)) { fleet, _ in
                let seed = TestSeed.value
                var random = SeededRandom(seed)
                var connections = try (0..<40).map { _ in try fleet.connect() }
                var whole = 0
                for round in 0..<25 {
                    for (index, connection) in connections.enumerated() {
                        let stream = random.next(below: 2) == 0 ? "" : #""stream":true"#
                        try connection.send(
                            HTTPRequestText.post(
                                "/v1/chat/completions",
                                Fleet.chat("up/m", stream),
                                fields: [WireField("x-correlation-id", "tag-\(round)-\(index)-end")]
                            )
                        )
                    }
                    for index in connections.indices {
                        if random.next(below: 10) == 0 {
                            connections[index].reset()
                            connections[index] = try fleet.connect()
                            continue
                        }
                        let tag = "tag-\(round)-\(index)-end"
                        let reply = try connections[index].readReply()
                        let comment = Comment(rawValue: "seed \(seed), \(tag): \(reply.text)")
                        #expect(reply.value("x-correlation-id") == tag, comment)
                        #expect([200, 429, 502].contains(reply.status), comment)
                        let others = reply.text.split(separator: "tag-").dropFirst()
                        #expect(others.allSatisfy { "tag-\($0)".hasPrefix(tag) }, comment)
                        if reply.status == 200 { whole += 1 }
                        if !reply.isComplete || reply.value("connection") == "close" {
                            connections[index] = try fleet.connect()
                        }
                    }
                }
                #expect(whole > 400)
                #expect(try fleet.metrics().sum("apus_worker_restarts_total") == 0)
            }
        }

        @Test("four thousand requests of every kind do not grow a worker")
        func memory() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, _ in
                let worker = try #require(try fleet.readyWorkers().first)
                let connection = try fleet.connect()
                func round() throws {
                    for request in [
                        HTTPRequestText.post("/v1/chat/completions", Fleet.chat("up/m")),
                        HTTPRequestText.post(
                            "/v1/chat/completions",
                            Fleet.chat("up/m", #""stream":true"#)
                        ),
                        HTTPRequestText.post("/v1/chat/completions", Fleet.chat("demo/fast")),
                        HTTPRequestText.post("/v1/chat/completions", Fleet.chat("nope")),
                        HTTPRequestText.post("/v1/chat/completions", "{"),
                        HTTPRequestText.bytes("GET", "/health"),
                        HTTPRequestText.bytes("GET", "/v1/models"),
                        HTTPRequestText.bytes("GET", "/nothing"),
                    ] {
                        try connection.send(request)
                        #expect(try connection.readReply().isComplete)
                    }
                    let short = try fleet.connect()
                    try short.send(HTTPRequestText.post("/v1/chat/completions", Fleet.chat("up/m")))
                    short.reset()
                }
                func residentAtRest() throws -> Int {
                    _ = try fleet.waitForMetrics("nothing under way") {
                        $0.sum("apus_requests_in_flight") == 0
                            && $0.sum("apus_worker_connections") == 1
                    }
                    return ProcessFacts.residentBytes(worker)
                }
                for _ in 0..<100 { try round() }
                let before = try residentAtRest()
                for _ in 0..<400 { try round() }
                let grown = try residentAtRest() - before
                // 3,600 requests more: a leak of 300 bytes in each would show.
                #expect(grown < 1_000_000, "the worker grew by \(grown) bytes")
            }
        }

        @Test("damaged requests crash no worker and stall no neighbour")
        func damagedRequests() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, _ in
                let workers = try fleet.readyWorkers()
                let seed = TestSeed.value
                var random = SeededRandom(seed)
                let body = Fleet.chat("up/m", #""stream":true,"x":[1.5e3,"\u00e9",{"a":null}]"#)
                let samples = [
                    HTTPRequestText.post("/v1/chat/completions", body),
                    HTTPRequestText.bytes(
                        "POST",
                        "/v1/embeddings",
                        fields: [WireField("transfer-encoding", "chunked")],
                        body: HTTPRequestText.chunked(
                            Array(#"{"model":"demo/embed","input":"x"}"#.utf8),
                            sizes: [3],
                            trailers: [WireField("a", "b")]
                        )
                    ),
                    HTTPRequestText.bytes("GET", "/v1/models/demo%2Fslow?x=y"),
                ]
                for _ in 0..<40 {
                    let connections = try (0..<25).map { index in
                        let connection = try fleet.connect()
                        do {
                            try connection.send(random.damaged(samples[index % samples.count]))
                        } catch is ConnectionLost {
                            // Refused before it was sent whole.
                        }
                        return connection
                    }
                    #expect(try fleet.get("/health").status == 200, "seed \(seed)")
                    for connection in connections where !connection.isQuiet {
                        do {
                            _ = try connection.readHead()
                        } catch is ConnectionLost {
                            // It may end without an answer where there was no request.
                        }
                    }
                }
                #expect(try fleet.readyWorkers() == workers, "seed \(seed)")
            }
        }

        @Test("whatever an upstream sends, the client gets well-formed HTTP")
        func damagedAnswers() throws {
            let seed = TestSeed.value
            let stream = HTTPRequestText.chunked(
                Array(ChatEvents.whole(3, usage: true).joined().utf8),
                sizes: [40, 200]
            )
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            let samples = [
                UpstreamAnswer.whole(
                    Array(ChatEvents.completion().utf8),
                    type: "application/json"
                ),
                Array("\(head)transfer-encoding: chunked\r\n\r\n".utf8) + stream,
            ]
            let upstream = try ScriptedUpstream { request in
                let sample = samples[request.text.contains("\"stream\":true") ? 1 : 0]
                // Of its own for each: which of them asks first is up to the scheduler.
                var random = SeededRandom(seed &+ UInt64(request.index))
                return [.send(random.damaged(sample))]
            }
            let settings = FleetSettings(
                #""timeouts": { "headers": "250ms", "idle": "250ms", "first_content": "250ms" }"#
            )
            try BlackBox.withUpstream(upstream, settings) { fleet, _ in
                let workers = try fleet.readyWorkers()
                for _ in 0..<8 {
                    let connections = try (0..<40).map { index in
                        let connection = try fleet.connect()
                        let members = index % 2 == 0 ? "" : #""stream":true"#
                        try connection.send(
                            HTTPRequestText.post(
                                "/v1/chat/completions",
                                Fleet.chat("up/m", members)
                            )
                        )
                        return connection
                    }
                    for connection in connections {
                        let reply = try connection.readReply()
                        let comment = Comment(rawValue: "seed \(seed): \(reply.text)")
                        // A damaged digit may make another success of a 200.
                        if (200..<300).contains(reply.status) { continue }
                        #expect((400..<600).contains(reply.status), comment)
                        #expect(try reply.error().object != nil, comment)
                    }
                }
                #expect(try fleet.readyWorkers() == workers, "seed \(seed)")
            }
        }

        @Test("clients that come and go at once do not wear the fleet down")
        func flappingClients() throws {
            try BlackBox.withFleet(FleetSettings(workers: 2)) { fleet in
                let all = try fleet.readyWorkers() + [fleet.pid]
                #expect(try fleet.get("/health").status == 200)
                _ = try fleet.waitForMetrics("no connection") {
                    $0.sum("apus_worker_connections") == 0
                }
                let before = all.map { ProcessFacts.descriptorTargets($0) }
                for index in 0..<1_500 {
                    let connection = try fleet.connect()
                    if index % 3 == 0 { try connection.send("GET /hea") }
                    if index % 2 == 0 { connection.reset() } else { connection.close() }
                }
                for _ in 0..<20 { #expect(try fleet.get("/health").status == 200) }
                for (pid, targets) in zip(all, before) {
                    try ProcessFacts.waitForDescriptors(of: pid, atMost: targets)
                }
                _ = try fleet.waitForMetrics("every connection counted") {
                    $0.sum("apus_connections_accepted_total") >= 1_500
                        && $0.sum("apus_worker_connections") == 0
                }
            }
        }
    }
}

/// SplitMix64, so that a printed seed repeats a run.
private struct SeededRandom {
    private var state: UInt64

    init(_ seed: UInt64) {
        state = seed
    }

    mutating func next(below bound: UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return (mixed ^ (mixed >> 31)) % bound
    }

    /// A copy of `bytes` with one to three places damaged.
    mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
        let odd: [[UInt8]] = [
            [0], [0x0A], [0x0D], [0x0D, 0x0A], [0x20], [0xFF], [0x7F], Array("\r\n\r\n".utf8),
            Array(":".utf8), Array("\"".utf8), Array("99999999999999999999".utf8),
        ]
        var result = bytes
        for _ in 0...next(below: 3) {
            let place = Int(next(below: UInt64(result.count)))
            switch next(below: 5) {
            case 0: result[place] ^= 1 << UInt8(next(below: 8))
            case 1: result.remove(at: place)
            case 2: result.insert(contentsOf: odd[Int(next(below: UInt64(odd.count)))], at: place)
            case 3: result.insert(contentsOf: result[..<place].suffix(20), at: place)
            default: result.removeSubrange(place..<min(place + 10, result.count))
            }
            if result.isEmpty { return [0x0A] }
        }
        return result
    }
}
