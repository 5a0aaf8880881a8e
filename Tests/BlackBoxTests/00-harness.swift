// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    /// The harness itself: a test that cannot see a fault proves nothing.
    @Suite("The harness")
    struct Harness {
        private func connect(_ upstream: ScriptedUpstream) throws -> HTTPConnection {
            try HTTPConnection(to: upstream.address)
        }

        @Test("the client sees chunks as they were cut, and the end of the body")
        func chunks() throws {
            let upstream = try ScriptedUpstream { _ in UpstreamAnswer.stream(["ab", "c", "def"]) }
            defer { upstream.stop() }
            let connection = try connect(upstream)
            for _ in 0..<2 {
                try connection.send(HTTPRequestText.post("/v1/x", "{}"))
                let reply = try connection.readReply()
                #expect(reply.chunks == ["ab", "c", "def"].map { Array($0.utf8) })
                #expect(reply.isComplete)
            }
            #expect(upstream.requests.map(\.connection) == [0, 0])
            #expect(upstream.requests.map(\.text) == ["{}", "{}"])
        }

        @Test("the client tells a cut body and a reset from an orderly end")
        func endings() throws {
            let upstream = try ScriptedUpstream { request in
                let start = [UpstreamAnswer.streamHead(), UpstreamAnswer.chunk("x")]
                return start + [request.target == "/cut" ? .end : .reset]
            }
            defer { upstream.stop() }
            for target in ["/cut", "/reset"] {
                let connection = try connect(upstream)
                try connection.send(HTTPRequestText.bytes("GET", target))
                #expect(try !connection.readReply().isComplete, "\(target)")
            }
        }

        @Test("the upstream sees that its peer left while it held")
        func peerLeaves() throws {
            let upstream = try ScriptedUpstream { _ in [.hold] }
            defer { upstream.stop() }
            let connection = try connect(upstream)
            try connection.send(HTTPRequestText.bytes("GET", "/"))
            _ = try upstream.waitForRequests(1)
            let before = Syscalls.monotonicNanoseconds()
            connection.close()
            let left = try upstream.waitForPeerToLeave(connection: 0)
            #expect(left >= before)
        }

        @Test("a flood counts what the kernel took and stops at a reader that does not read")
        func flood() throws {
            let piece = [UInt8](repeating: 0x61, count: 65_536)
            let upstream = try ScriptedUpstream { _ in
                [.text("HTTP/1.1 200 OK\r\n\r\n"), .flood(piece: piece, total: 50 << 20)]
            }
            defer { upstream.stop() }
            let connection = try HTTPConnection(to: upstream.address, receiveBuffer: 65_536)
            try connection.send(HTTPRequestText.bytes("GET", "/"))
            try upstream.wait(for: "the first bytes") { $0.bytesWritten(connection: 0) > 65_536 }
            #expect(upstream.bytesWritten(connection: 0) < 20 << 20)
        }

        @Test("a gate lets a script go on when the test says so")
        func gate() throws {
            let gate = try Gate()
            let upstream = try ScriptedUpstream { _ in
                [UpstreamAnswer.streamHead(), UpstreamAnswer.chunk("data: a\n\n"), .wait(gate)]
                    + [UpstreamAnswer.chunk("data: b\n\n"), UpstreamAnswer.lastChunk]
            }
            defer { upstream.stop() }
            let connection = try connect(upstream)
            try connection.send(HTTPRequestText.bytes("GET", "/"))
            _ = try connection.readHead()
            #expect(try connection.nextEvent()?.data == "a")
            #expect(connection.isQuiet)
            gate.open()
            #expect(try connection.nextEvent()?.data == "b")
            #expect(try connection.nextEvent() == nil)
        }

        @Test("odd requests are noted as problems of the peer")
        func problems() throws {
            let upstream = try ScriptedUpstream { _ in UpstreamAnswer.json("{}") }
            defer { upstream.stop() }
            let connection = try connect(upstream)
            try connection.send("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n")
            try upstream.wait(for: "a noted problem") { !$0.problems.isEmpty }
            #expect(try connection.waitForEnd() == ConnectionLost(wasReset: false))
        }

        @Test("the reader of metrics refuses what a scraper would refuse")
        func metrics() throws {
            let good = "# HELP a_total Things.\n# TYPE a_total counter\na_total{x=\"q\\\"\"} 3\n"
            #expect(try PrometheusText(good).sum("a_total", ["x": "q\""]) == 3)
            let bad = [
                "a_total 1\n", "# TYPE a counter\na 1\na 2\n", "# TYPE a counter\na x\n",
                "# TYPE a counter\n# TYPE a counter\na 1\n", "# TYPE a counter\na{b=\"c} 1\n",
                "# TYPE a counter\na 1\n# TYPE b counter\nb 1\na{x=\"1\"} 1\n",
            ]
            for text in bad {
                #expect(throws: TestFailure.self, "\(text)") { try PrometheusText(text) }
            }
        }
    }
}
