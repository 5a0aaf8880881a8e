// SPDX-License-Identifier: Apache-2.0
import Support
import Testing

extension BlackBox {
    @Suite("HTTP: connections")
    struct HTTPConnections {
        @Test("a connection serves one request after another until one side wants it closed")
        func keepAlive() throws {
            try BlackBox.withFleet { fleet in
                let connection = try fleet.connect()
                for _ in 0..<50 {
                    try connection.send(HTTPRequestText.bytes("GET", "/health"))
                    let reply = try connection.readReply()
                    #expect(reply.status == 200)
                    #expect(reply.value("connection") == nil)
                }
                let close = [WireField("connection", "close")]
                try connection.send(HTTPRequestText.bytes("GET", "/health", fields: close))
                let last = try connection.readReply()
                #expect(last.value("connection") == "close")
                #expect(try connection.waitForEnd() == ConnectionLost(wasReset: false))
            }
        }

        @Test("HTTP/1.0 closes unless it asks to be kept, and gets no chunks")
        func http10() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, _ in
                let plain = try fleet.connect()
                try plain.send("GET /health HTTP/1.0\r\n\r\n")
                #expect(try plain.readReply().status == 200)
                #expect(try plain.waitForEnd() == ConnectionLost(wasReset: false))

                let kept = try fleet.connect()
                for _ in 0..<2 {
                    try kept.send("GET /health HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
                    let reply = try kept.readReply()
                    #expect(reply.value("connection")?.lowercased() == "keep-alive")
                }

                let stream = try fleet.connect()
                let body = Fleet.chat("up/m", #""stream":true"#)
                try stream.send(
                    "POST /v1/chat/completions HTTP/1.0\r\ncontent-length: \(body.utf8.count)"
                        + "\r\nconnection: keep-alive\r\n\r\n\(body)"
                )
                let reply = try stream.readReply()
                #expect(reply.value("transfer-encoding") == nil)
                #expect(reply.text == ChatEvents.whole(3).joined())
            }
        }

        @Test("three requests sent at once are answered in order, a stream among them")
        func pipelined() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, _ in
                for dripped in [false, true] {
                    let connection = try fleet.connect()
                    let first = HTTPRequestText.bytes("GET", "/v1/models/up/one")
                    let stream = HTTPRequestText.post(
                        "/v1/chat/completions",
                        Fleet.chat("up/m", #""stream":true"#)
                    )
                    let last = HTTPRequestText.bytes("GET", "/health")
                    let all = first + stream + last
                    if dripped {
                        try connection.drip(all, pause: .zero)
                    } else {
                        try connection.send(all)
                    }
                    #expect(try connection.readReply().value("content-type") == "application/json")
                    let middle = try connection.readReply()
                    #expect(middle.text == ChatEvents.whole(3).joined())
                    let health = try connection.readReply()
                    #expect(health.status == 200)
                    #expect(connection.isQuiet)
                }
            }
        }

        @Test(
            "a hundred pipelined requests are all answered, errors among them"
        )
        func pipelinedMany() throws {
            try BlackBox.withFleet { fleet in
                let connection = try fleet.connect()
                var all: [UInt8] = []
                for index in 0..<100 {
                    let fields = [WireField("x-request-id", "id-\(index)")]
                    let target = index % 10 == 3 ? "/nothing" : "/health"
                    all += HTTPRequestText.bytes("GET", target, fields: fields)
                }
                try connection.send(all)
                for index in 0..<100 {
                    let reply = try connection.readReply()
                    #expect(reply.status == (index % 10 == 3 ? 404 : 200))
                    #expect(reply.value("x-request-id") == "id-\(index)")
                }
            }
        }

        @Test("large and chunked bodies do not swallow what is pipelined behind them")
        func pipelinedBodies() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, upstream in
                let target = "/v1/chat/completions"
                let health = HTTPRequestText.bytes("GET", "/health")
                let large = HTTPRequestText.bytes(
                    "POST",
                    target,
                    body: HTTPBodies.chat(bytes: 300_000)
                )
                let chunked = HTTPRequestText.bytes(
                    "POST",
                    target,
                    fields: [WireField("transfer-encoding", "chunked")],
                    body: HTTPRequestText.chunked(
                        HTTPBodies.chat(bytes: 90_000),
                        sizes: [50, 7_000]
                    )
                )
                let all = large + health + chunked + health + large + chunked + health
                for size in [all.count, 1_000] {
                    let connection = try fleet.connect()
                    for start in stride(from: 0, to: all.count, by: size) {
                        try connection.send(Array(all[start..<min(start + size, all.count)]))
                    }
                    for isChat in [true, false, true, false, true, true, false] {
                        let reply = try connection.readReply()
                        #expect(reply.status == 200)
                        #expect(reply.text.contains("chat.completion") == isChat)
                    }
                    #expect(connection.isQuiet)
                }
                let sizes = upstream.requests.map { $0.body.count + 3 }
                #expect(
                    sizes.sorted() == Array(repeating: 90_000, count: 4)
                        + Array(repeating: 300_000, count: 4)
                )
            }
        }

        @Test("an error that leaves the framing intact leaves the connection usable")
        func usableAfterErrors() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, _ in
                let connection = try fleet.connect()
                let requests: [([UInt8], Int)] = [
                    (HTTPRequestText.bytes("GET", "/nothing"), 404),
                    (HTTPRequestText.post("/v1/chat/completions", "{"), 400),
                    (HTTPRequestText.post("/v1/chat/completions", Fleet.chat("nope")), 404),
                    (HTTPRequestText.bytes("GET", "/v1/chat/completions"), 405),
                    (HTTPRequestText.post("/v1/chat/completions", Fleet.chat("up/m")), 200),
                ]
                for (request, status) in requests {
                    try connection.send(request)
                    #expect(try connection.readReply().status == status)
                }
            }
        }

        @Test("an empty line before a request is ignored")
        func leadingEmptyLine() throws {
            try BlackBox.withFleet { fleet in
                let reply = try fleet.exchangeRaw(
                    Array("\r\nGET /health HTTP/1.1\r\nhost: a\r\n\r\n".utf8)
                )
                #expect(reply.status == 200)
            }
        }

        @Test("clients that leave at any byte of a request leave nothing behind")
        func leavingClients() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, _ in
                let worker = try #require(try fleet.readyWorkers().first)
                #expect(try fleet.chat("up/m").status == 200)
                let request = HTTPRequestText.post("/v1/chat/completions", Fleet.chat("up/m"))
                let before = ProcessFacts.descriptorTargets(worker)
                for cut in stride(from: 0, to: request.count, by: 7) {
                    let connection = try fleet.connect()
                    try connection.send(Array(request[..<cut]))
                    if cut % 2 == 0 { connection.reset() } else { connection.close() }
                }
                try ProcessFacts.waitForDescriptors(of: worker, atMost: before)
                #expect(try fleet.readyWorkers() == [worker])
                _ = try fleet.waitForMetrics("nothing in flight") {
                    $0.sum("apus_requests_in_flight") == 0
                }
            }
        }

        @Test("two hundred silent connections hold nobody up")
        func silentConnections() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, _ in
                let silent = try (0..<200).map { _ in try fleet.connect() }
                for _ in 0..<20 { #expect(try fleet.chat("up/m").status == 200) }
                #expect(silent.count { $0.isQuiet } == silent.count)
            }
        }

        @Test("a client that half-closes after its request is treated as gone")
        func halfClose() throws {
            let gate = try Gate()
            let upstream = try ScriptedUpstream { _ in
                [.wait(gate)] + UpstreamAnswer.json(ChatEvents.completion())
            }
            try BlackBox.withUpstream(upstream) { fleet, upstream in
                let connection = try fleet.connect()
                try connection.send(
                    HTTPRequestText.post("/v1/chat/completions", Fleet.chat("up/m"))
                )
                _ = try upstream.waitForRequests(1)
                connection.endWriting()
                _ = try upstream.waitForPeerToLeave(connection: 0)
            }
        }
    }
}
