// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Streams")
    struct Streams {
        /// A chunked stream of `bytes`, cut into chunks of the sizes that `sizes` cycles through.
        static func stream(_ bytes: [UInt8], sizes: [Int]) -> [UpstreamStep] {
            [UpstreamAnswer.streamHead(), .send(HTTPRequestText.chunked(bytes, sizes: sizes))]
        }

        /// Sends a streamed chat request and returns its connection.
        static func begin(
            _ fleet: Fleet,
            _ members: String = "",
            receiveBuffer: Int32? = nil
        ) throws -> HTTPConnection {
            let connection = try fleet.connect(receiveBuffer: receiveBuffer)
            let more = members.isEmpty ? "" : ",\(members)"
            let body = Fleet.chat("up/m", "\"stream\":true\(more)")
            try connection.send(HTTPRequestText.post("/v1/chat/completions", body))
            return connection
        }

        @Test("200 streams at once through five workers arrive byte by byte as they were sent")
        func manyStreams() throws {
            let gate = try Gate()
            let upstream = try ScriptedUpstream { request in
                let tag = request.value("x-correlation-id") ?? "none"
                let events = Self.events(tag)
                let all = Array(events.joined().utf8)
                let half = all.count / 2
                let sizes = [1 + request.index % 50, 3, 200]
                let first = HTTPRequestText.chunked(Array(all[..<half]), sizes: sizes)
                let second = HTTPRequestText.chunked(Array(all[half...]), sizes: sizes)
                return [
                    UpstreamAnswer.streamHead(), .send(first.dropLast(5)), .wait(gate),
                    .send(second),
                ]
            }
            try BlackBox.withUpstream(upstream, FleetSettings(workers: 5)) { fleet, upstream in
                let options = #","stream_options":{"include_usage":true}"#
                let streams = try (0..<200).map { index in
                    let connection = try fleet.connect()
                    let usage = index % 2 == 0 ? options : ""
                    try connection.send(
                        HTTPRequestText.post(
                            "/v1/chat/completions",
                            Fleet.chat("up/m", #""stream":true\#(usage)"#),
                            fields: [WireField("x-correlation-id", "stream-\(index)")]
                        )
                    )
                    return connection
                }
                _ = try upstream.waitForRequests(200)
                gate.open()
                for (index, connection) in streams.enumerated() {
                    let reply = try connection.readReply()
                    var events = Self.events("stream-\(index)")
                    if index % 2 == 1 { events.remove(at: events.count - 2) }
                    #expect(reply.isComplete)
                    #expect(reply.text == events.joined(), "stream \(index)")
                    #expect(try reply.events().count { $0.isDone } == 1)
                    try connection.send(HTTPRequestText.bytes("GET", "/health"))
                    #expect(try connection.readReply().status == 200, "kept after the stream")
                }
                let metrics = try fleet.waitForMetrics("200 answers") {
                    $0.sum("apus_requests_total", ["route": "chat_completions"]) == 200
                }
                #expect(metrics.sum("apus_tokens_total", ["type": "output"]) == 200 * 8)
                // A burst goes to whoever acknowledges first, which on two cores is up to the
                // kernel's scheduler; that the choice is the least of those with room is proven
                // in DispatcherTests. Here: all are kept, and everybody works.
                let spread = try WorkerSpread(
                    over: 0..<5,
                    of: fleet,
                    gauge: "apus_worker_connections",
                    startingWith: streams
                ) { try FaultScenes.idle(fleet) }
                #expect(spread.counts.reduce(0, +) == spread.connections.count)
            }
        }

        /// A stream of eight contents with text beyond ASCII, its usage and its end.
        private static func events(_ tag: String) -> [String] {
            (0..<8).map { ChatEvents.content("\(tag) – é 😀 \\\"\($0)\\\" \\u00e9\\n", id: tag) }
                + [ChatEvents.finish(id: tag), ChatEvents.usage(prompt: 3, completion: 8, id: tag)]
                + [ChatEvents.done]
        }

        @Test("a stream cut at any byte between two reads arrives the same")
        func everyCut() throws {
            let events = [
                ChatEvents.content("é😀"), ": a comment\n\n", ChatEvents.finish(),
                ChatEvents.usage(prompt: 1, completion: 1), ChatEvents.done,
            ]
            let all = Array(events.joined().utf8)
            let upstream = try ScriptedUpstream { request in
                [
                    UpstreamAnswer.streamHead(),
                    UpstreamAnswer.chunk(Array(all[..<(request.index + 1)])),
                    .pause(.microseconds(300)),
                    UpstreamAnswer.chunk(Array(all[(request.index + 1)...])),
                    UpstreamAnswer.lastChunk,
                ]
            }
            let expected = events.enumerated().filter { $0.offset != 3 }.map(\.element).joined()
            try BlackBox.withUpstream(upstream) { fleet, _ in
                let connection = try fleet.connect()
                let body = Fleet.chat("up/m", #""stream":true"#)
                for cut in 1..<all.count {
                    try connection.send(HTTPRequestText.post("/v1/chat/completions", body))
                    let reply = try connection.readReply()
                    #expect(reply.text == expected, "cut at \(cut)")
                }
            }
        }

        @Test("each event reaches the client when it was sent, not later")
        func noBuffering() throws {
            let gates = try (0..<3).map { _ in try Gate() }
            let upstream = try ScriptedUpstream { _ in
                var steps = [UpstreamAnswer.streamHead()]
                for (index, gate) in gates.enumerated() {
                    steps += [UpstreamAnswer.chunk(ChatEvents.content("\(index)")), .wait(gate)]
                }
                return steps
                    + [UpstreamAnswer.chunk(ChatEvents.finish() + ChatEvents.done)]
                    + [UpstreamAnswer.lastChunk]
            }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                let connection = try Self.begin(fleet)
                let head = try connection.readHead()
                #expect(head.status == 200)
                #expect(head.value("content-type")?.hasPrefix("text/event-stream") == true)
                #expect(head.value("cache-control") == "no-cache")
                #expect(head.value("x-accel-buffering") == "no")
                #expect(head.value("content-length") == nil)
                #expect(head.value("content-encoding") == nil)
                for (index, gate) in gates.enumerated() {
                    let event = try #require(try connection.nextEvent())
                    #expect(event.text == ChatEvents.content("\(index)"))
                    #expect(connection.isQuiet)
                    gate.open()
                }
                #expect(try connection.nextEvent()?.text == ChatEvents.finish())
                #expect(try connection.nextEvent()?.isDone == true)
                #expect(try connection.nextEvent() == nil)
            }
        }

        @Test("usage is asked for upstream and only shown to clients that asked")
        func usage() throws {
            let upstream = try ScriptedUpstream { _ in
                UpstreamAnswer.stream(ChatEvents.whole(2, usage: true))
            }
            try BlackBox.withUpstream(upstream) { fleet, upstream in
                let rows: [(members: String, shows: Bool)] = [
                    ("", false), (#""stream_options":null"#, false),
                    (#""stream_options":{}"#, false),
                    (#""stream_options":{"include_usage":false,"x":[1]}"#, false),
                    (#""stream_options":{"include_usage":null}"#, false),
                    (#""stream_options":{"include_usage":true}"#, true),
                    (#""stream_options":{"x":1,"include_usage":true}"#, true),
                ]
                for (index, row) in rows.enumerated() {
                    let reply = try Self.begin(fleet, row.members).readReply()
                    let shown = ChatEvents.whole(2, usage: row.shows).joined()
                    #expect(reply.text == shown, "\(row.members)")
                    let request = try upstream.waitForRequests(index + 1)[index].json()
                    #expect(request["stream_options"]?["include_usage"]?.bool == true)
                    if row.members.contains("\"x\"") {
                        #expect(request["stream_options"]?["x"] != nil, "\(row.members)")
                    }
                }
            }
        }

        @Test("usage on a chunk with choices, and null usage, stay where they are")
        func usageOnContent() throws {
            let usage = #""usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}"#
            let events = [
                #"data: {"choices":[{"index":0,"delta":{"content":"a"}}],"usage":null}"# + "\n\n",
                #"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],\#(usage)}"#
                    + "\n\n",
                ChatEvents.done,
            ]
            let upstream = try ScriptedUpstream { _ in UpstreamAnswer.stream(events) }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                #expect(try Self.begin(fleet).readReply().text == events.joined())
                _ = try fleet.waitForMetrics("two output tokens") {
                    $0.sum("apus_tokens_total", ["type": "output"]) == 2
                }
            }
        }

        @Test("id, retry and event lines of the upstream never reach the client")
        func foreignLines() throws {
            let content = ChatEvents.content("x")
            let events = [
                "retry: 3000\n\n", "id: 7\n\(content)", "event: message\nid: 8\n\(content)",
                "event: ping\n\n", ": ping\n\n", "id: 9\n\n",
                ChatEvents.finish(), ChatEvents.done,
            ]
            let upstream = try ScriptedUpstream { _ in UpstreamAnswer.stream(events) }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                let reply = try Self.begin(fleet).readReply()
                let names = Set(try reply.events().flatMap(\.lines).map(\.name))
                #expect(names == ["data"] || names == ["data", ""])
                let data = try reply.events().compactMap(\.data)
                #expect(data.count == 4)
                #expect(data.last == "[DONE]")
            }
        }

        @Test("nothing follows [DONE], and it comes once")
        func doneOnce() throws {
            let upstream = try ScriptedUpstream { _ in
                UpstreamAnswer.stream(
                    ChatEvents.whole(1) + [ChatEvents.content("late"), ChatEvents.done]
                )
            }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                let reply = try Self.begin(fleet).readReply()
                #expect(reply.text == ChatEvents.whole(1).joined())
                #expect(reply.isComplete)
            }
        }

        @Test("a stream ends with [DONE], even if the upstream does not end its answer")
        func doneAndHold() throws {
            let events = ChatEvents.whole(2)
            let upstream = try ScriptedUpstream { _ in
                [UpstreamAnswer.streamHead()] + events.map { UpstreamAnswer.chunk($0) } + [.hold]
            }
            // Longer than any deadline here: nothing of this comes from a timeout.
            let settings = FleetSettings(#""timeouts": { "idle": "60s" }"#)
            try BlackBox.withUpstream(upstream, settings) { fleet, _ in
                let connection = try Self.begin(fleet)
                #expect(try connection.readReply().text == events.joined())
                try connection.send(HTTPRequestText.bytes("GET", "/health"))
                #expect(try connection.readReply().status == 200)
                let ok = ["upstream": "up", "result": "ok"]
                _ = try fleet.waitForMetrics("one answer and nothing open") {
                    $0.sum("apus_upstream_requests_total", ok) == 1
                        && $0.sum("apus_streams_open") == 0
                        && $0.sum("apus_requests_in_flight") == 0
                }
            }
        }

        @Test("line ends of CR LF and several data lines are understood")
        func lineEnds() throws {
            let event =
                "data: {\"choices\":\r\ndata: [{\"index\":0,\"delta\":{\"content\":\"a\"}}]}"
            let upstream = try ScriptedUpstream { _ in
                let finish = ChatEvents.finish().dropLast(2)
                return UpstreamAnswer.stream(
                    ["\(event)\r\n\r\n", "\(finish)\r\n\r\n", "data: [DONE]\r\n\r\n"])
            }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                let events = try Self.begin(fleet).readReply().events()
                #expect(events.count == 3)
                #expect(
                    try events.first?.json()["choices"]?[0]?["delta"]?["content"] == .string("a")
                )
                #expect(events.last?.isDone == true)
            }
        }

        @Test("an event of 1.5 MB passes whole")
        func largeEvent() throws {
            let large = ChatEvents.content(String(repeating: "ab", count: 750_000))
            let events = [large, ChatEvents.finish(), ChatEvents.done]
            let upstream = try ScriptedUpstream { _ in UpstreamAnswer.stream(events) }
            try BlackBox.withUpstream(upstream) { (fleet, _) throws in
                #expect(try Self.begin(fleet).readReply().text == events.joined())
            }
        }

        @Test("an error as the first event becomes a JSON error with its status")
        func errorFirst() throws {
            let upstream = try ScriptedUpstream { request in
                let status = ["429", "503", "400", "500"][request.index % 4]
                let error = #"{"message":"Slow down","type":"x","param":null,"code":\#(status)}"#
                return UpstreamAnswer.stream([": hi\n\n", "data: {\"error\":\(error)}\n\n"])
            }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                for status in [429, 503, 400, 500] {
                    let reply = try Self.begin(fleet).readReply()
                    try expectError(reply, status, "\(status)")
                    #expect(try reply.error()["message"]?.string?.contains("Slow down") == true)
                }
            }
        }

        @Test("an error behind content is passed on with its code, and nothing follows it")
        func errorLater() throws {
            let error =
                #"{"message":"Out of luck","type":"server_error","param":null,"code":"bad"}"#
            let events = [
                ChatEvents.content("a"), "data: {\"error\":\(error)}\n\n", ChatEvents.content("b"),
                ChatEvents.done,
            ]
            // Together with its error, content might not have been passed on yet.
            let gate = try Gate()
            let upstream = try ScriptedUpstream { _ in
                [UpstreamAnswer.streamHead(), UpstreamAnswer.chunk(events[0]), .wait(gate)]
                    + events.dropFirst().map { UpstreamAnswer.chunk($0) }
                    + [UpstreamAnswer.lastChunk]
            }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                let connection = try Self.begin(fleet)
                #expect(try connection.readHead().status == 200)
                #expect(try connection.nextEvent()?.text == events[0])
                gate.open()
                let last = try #require(try connection.nextEvent()).json()
                #expect(try connection.nextEvent() == nil)
                #expect(last["error"]?["code"]?.string == "bad")
                #expect(last["error"]?["message"]?.string?.contains("Out of luck") == true)
            }
        }

        @Test("answers that are not streamed arrive byte by byte as they were")
        func notStreamed() throws {
            let odd = "{ \"choices\" : [ ] ,\r\n \"x\\u0079\":1.50e+3, \"usage\":null } "
            let upstream = try ScriptedUpstream { request in
                switch request.index % 3 {
                case 0: UpstreamAnswer.json(odd)
                case 1:
                    [
                        .text(
                            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                                + "transfer-encoding: chunked\r\n\r\n"
                        ),
                        .send(
                            HTTPRequestText.chunked(
                                Array(odd.utf8),
                                sizes: [1, 5],
                                trailers: [WireField("x", "y")]
                            )
                        ),
                    ]
                default:
                    [
                        .text("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n\(odd)"),
                        .end,
                    ]
                }
            }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                for _ in 0..<6 {
                    let reply = try fleet.chat("up/m")
                    #expect(reply.status == 200)
                    #expect(reply.text == odd)
                    #expect(reply.value("content-length") == "\(odd.utf8.count)")
                }
            }
        }
    }
}
