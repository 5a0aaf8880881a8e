// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Upstream faults")
    struct UpstreamFaults {
        static let shortTimeouts = FleetSettings(
            #""timeouts": { "connect": "400ms", "headers": "400ms", "first_content": "400ms", "#
                + #""idle": "400ms", "total": "20s" }"#
        )

        /// Streamed and not: both start the same way and must fail the same way before content.
        private func bothModes(_ check: (_ members: String) throws -> Void) throws {
            try check("")
            try check(#""stream":true"#)
        }

        @Test("a refused connection is 502 and says where it was refused")
        func refused() throws {
            let deaf = try DeafSocket()
            let settings = FleetSettings().with("up", baseURL: "http://\(deaf.address)/v1")
            try BlackBox.withFleet(settings) { fleet in
                try bothModes { members in
                    let reply = try fleet.chat("up/m", members)
                    try expectError(reply, 502)
                    let message = try reply.error()["message"]?.string ?? ""
                    #expect(message.contains("up"), "\(message)")
                }
            }
        }

        @Test("a connection that is never accepted ends after the connect timeout with 504")
        func connectTimeout() throws {
            let hole = try BlackHole()
            let settings = Self.shortTimeouts.with("up", baseURL: "http://\(hole.address)/v1")
            try BlackBox.withFleet(settings) { fleet in
                try bothModes { members in
                    let before = Syscalls.monotonicNanoseconds()
                    try expectError(try fleet.chat("up/m", members), 504)
                    let taken = (Syscalls.monotonicNanoseconds() - before) / 1_000_000
                    #expect(taken >= 300, "\(taken) ms")
                }
            }
        }

        @Test("a name that cannot exist is 502")
        func unknownName() throws {
            // One character more than a label may have: no server is asked for it.
            let name = String(repeating: "n", count: 64)
            let settings = FleetSettings().with("up", baseURL: "http://\(name).invalid/v1")
            try BlackBox.withFleet(settings) { fleet in
                try expectError(try fleet.chat("up/m"), 502)
            }
        }

        @Test("an upstream that accepts and never answers is 504, and holds up nobody else")
        func headersTimeout() throws {
            let upstream = try ScriptedUpstream { _ in [.hold] }
            try BlackBox.withUpstream(upstream, Self.shortTimeouts) { fleet, upstream in
                try bothModes { members in
                    let count = upstream.requests.count
                    let connection = try fleet.connect()
                    try connection.send(
                        HTTPRequestText.post("/v1/chat/completions", Fleet.chat("up/m", members))
                    )
                    let request = try upstream.waitForRequests(count + 1)[count]
                    // Of the same worker, and without a timeout.
                    #expect(try fleet.chat("demo/fast").status == 200)
                    try expectError(try connection.readReply(), 504)
                    _ = try upstream.waitForPeerToLeave(connection: request.connection)
                }
            }
        }

        @Test("a slow head within its time is fine")
        func slowHeaders() throws {
            let upstream = try ScriptedUpstream { _ in
                let answer = UpstreamAnswer.whole(
                    Array(ChatEvents.completion().utf8),
                    type: "application/json"
                )
                return [.send(Array(answer[..<20])), .pause(.milliseconds(150))]
                    + [.send(Array(answer[20..<60])), .pause(.milliseconds(150))]
                    + [.send(Array(answer[60...]))]
            }
            let settings = FleetSettings(#""timeouts": { "headers": "5s" }"#)
            try BlackBox.withUpstream(upstream, settings) { fleet, _ in
                let reply = try fleet.chat("up/m")
                #expect(reply.text == ChatEvents.completion())
            }
        }

        @Test("an upstream that ends before its first byte is 502")
        func cutBeforeHead() throws {
            for step in [UpstreamStep.end, .reset] {
                let upstream = try ScriptedUpstream { _ in [step] }
                try BlackBox.withUpstream(upstream) { fleet, _ in
                    try bothModes { try expectError(try fleet.chat("up/m", $0), 502) }
                }
            }
        }

        @Test("an upstream that ends within its head, or before content, is 502")
        func cutWithinHead() throws {
            let upstream = try ScriptedUpstream { request in
                switch request.index {
                case 0, 1: [.text("HTTP/1.1 200 OK\r\ncontent-ty"), .end]
                case 2, 3: [UpstreamAnswer.streamHead(), .end]
                case 4, 5: [UpstreamAnswer.streamHead(), UpstreamAnswer.chunk(": hi\n\n"), .reset]
                default: UpstreamAnswer.json(ChatEvents.completion())
                }
            }
            try BlackBox.withUpstream(upstream) { fleet, upstream in
                for _ in 0..<3 {
                    try bothModes { members in
                        let index = upstream.requests.count
                        try expectError(try fleet.chat("up/m", members), 502, "\(index)")
                    }
                }
            }
        }

        @Test("a pooled connection that died meanwhile is replaced without the client noticing")
        func staleConnection() throws {
            let gate = try Gate()
            let upstream = try ScriptedUpstream { request in
                let answer = UpstreamAnswer.json(ChatEvents.completion())
                return request.index == 0 ? answer + [.wait(gate), .end] : answer
            }
            try BlackBox.withUpstream(upstream) { fleet, upstream in
                #expect(try fleet.chat("up/m").status == 200)
                gate.open()
                try upstream.wait(for: "the end of connection 0") {
                    $0.connections.first?.isClosed == true
                }
                #expect(try fleet.chat("up/m").status == 200)
                #expect(upstream.requests.map(\.connection) == [0, 1])
            }
        }

        @Test(
            "a reused connection that dies before an answer byte is tried once more, a fresh one not"
        )
        func retryOnReused() throws {
            let upstream = try ScriptedUpstream { request in
                request.index == 1 || request.index >= 3
                    ? [.end] : UpstreamAnswer.json(ChatEvents.completion())
            }
            try BlackBox.withUpstream(upstream) { fleet, upstream in
                #expect(try fleet.chat("up/m").status == 200)
                #expect(try fleet.chat("up/m").status == 200, "sent again on a fresh connection")
                #expect(upstream.requests.map(\.connection) == [0, 0, 1])
                // Reused, then fresh, and both die: no third attempt.
                try expectError(try fleet.chat("up/m"), 502)
                #expect(upstream.requests.map(\.connection) == [0, 0, 1, 1, 2])
                #expect(upstream.requests.allSatisfy { $0.body == upstream.requests[0].body })
            }
        }

        @Test("a pooled connection is used again")
        func pooling() throws {
            try BlackBox.withUpstream(try .answering()) { (fleet, upstream) throws in
                for index in 0..<20 {
                    let members = index % 2 == 0 ? "" : #""stream":true"#
                    #expect(try fleet.chat("up/m", members).status == 200)
                }
                #expect(upstream.connections.count == 1)
            }
        }

        @Test("what is no HTTP is 502")
        func garbage() throws {
            let answers = [
                "SSH-2.0-OpenSSH_9.2\r\n", "\u{16}\u{03}\u{01}\u{02}\u{00}", "200 OK\r\n\r\n{}",
                "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/2 200 OK\r\n\r\n",
                "HTTP/1.1 200 OK\ncontent-length: 2\n\n{}",
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{} ",
                "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\n{}",
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
                "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
                "HTTP/1.1 200 OK\r\nx : y\r\ncontent-length: 2\r\n\r\n{}",
                "HTTP/1.1 200 OK\r\nx: y\r\n z\r\ncontent-length: 2\r\n\r\n{}",
                "HTTP/1.1 200 OK\r\nx: \(String(repeating: "y", count: 300_000))\r\n\r\n{}",
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
                String(repeating: "HTTP/1.1 103 Early Hints\r\n\r\n", count: 100),
            ]
            let upstream = try ScriptedUpstream { [.text(answers[$0.index]), .end] }
            try BlackBox.withUpstream(upstream) { fleet, upstream in
                for answer in answers {
                    let reply = try fleet.chat("up/m")
                    try expectError(reply, 502, String(answer.prefix(80)))
                }
                // None of these connections may carry another request.
                #expect(upstream.connections.count == answers.count)
            }
        }

        @Test("a 200 whose body is no answer is 502")
        func uselessSuccess() throws {
            let html = "<html><body>It works!</body></html>"
            let answers: [[UpstreamStep]] = [
                [.send(UpstreamAnswer.whole(Array(html.utf8), type: "text/html"))],
                UpstreamAnswer.json(""), UpstreamAnswer.json("{\"choices\":"),
                UpstreamAnswer.json("null"),
                [.text("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"choices\":[]}"), .end],
                [.text("HTTP/1.1 204 No Content\r\n\r\n")],
                [.text("HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n")],
            ]
            let upstream = try ScriptedUpstream { answers[$0.index / 2] }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                for index in answers.indices {
                    try bothModes { members in
                        try expectError(try fleet.chat("up/m", members), 502, "\(index) \(members)")
                    }
                }
            }
        }

        @Test("interim answers before the final one are passed over")
        func interim() throws {
            let upstream = try ScriptedUpstream { _ in
                [
                    .text("HTTP/1.1 100 Continue\r\n\r\n"),
                    .text("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"),
                ] + UpstreamAnswer.json(ChatEvents.completion())
            }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                for _ in 0..<2 {
                    let reply = try fleet.chat("up/m")
                    #expect(reply.status == 200)
                    #expect(reply.text == ChatEvents.completion())
                }
            }
        }

        @Test("a final answer while the body is still being sent is the answer")
        func earlyAnswer() throws {
            let error = #"{"error":{"message":"Too much","type":"x","param":null,"code":"y"}}"#
            let upstream = try ScriptedUpstream(
                early: { _ in UpstreamAnswer.json(error, status: 413) + [.hold] },
                script: { _ in [] }
            )
            try BlackBox.withUpstream(upstream) { fleet, _ in
                let body = HTTPBodies.chat(bytes: 12_000_000)
                let reply = try fleet.exchange(
                    HTTPRequestText.bytes("POST", "/v1/chat/completions", body: body)
                )
                try expectError(reply, 413, code: "y")
            }
        }
    }
}

/// A port that is taken, but on which nobody listens: connections to it are refused.
final class DeafSocket {
    let address: SocketAddress
    private let socket: Int32

    init() throws {
        let socket = try Syscalls.streamSocket(for: .ipv4(octets: [127, 0, 0, 1], port: 0))
        try Syscalls.bind(socket.raw, .ipv4(octets: [127, 0, 0, 1], port: 0))
        address = try Syscalls.localAddress(socket.raw)
        self.socket = socket.release()
    }

    deinit {
        OwnedFD(owning: socket).close()
    }
}

/// A listener whose queue is full: connections to it are neither accepted nor refused.
final class BlackHole {
    let address: SocketAddress
    private let listener: Int32
    private var fillers: [Int32] = []

    init() throws {
        let socket = try Syscalls.streamSocket(for: .ipv4(octets: [127, 0, 0, 1], port: 0))
        try Syscalls.bind(socket.raw, .ipv4(octets: [127, 0, 0, 1], port: 0))
        try Syscalls.listen(socket.raw, backlog: 0)
        address = try Syscalls.localAddress(socket.raw)
        listener = socket.release()
        // Linux queues one connection more than asked and drops the SYN of every other.
        while fillers.count < 16 {
            let filler = try Syscalls.streamSocket(for: address).release()
            fillers.append(filler)
            do throws(Errno) {
                try Syscalls.connect(filler, address)
            } catch {
                guard error == .inProgress else { throw error }
            }
            let events = pollDescriptors([(filler, .writable)], until: .after(.milliseconds(50)))
            if events[0].isEmpty { return }
        }
        throw TestFailure("the queue of the listener never filled")
    }

    deinit {
        for filler in fillers { OwnedFD(owning: filler).close() }
        OwnedFD(owning: listener).close()
    }
}
