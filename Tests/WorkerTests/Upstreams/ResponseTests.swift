// SPDX-License-Identifier: Apache-2.0
import HTTP
import Loop
import Testing

@testable import Worker

/// A response as it stands on the wire, and what the lane must make of it.
struct ResponseCase: CustomTestStringConvertible {
    enum Ending: Equatable {
        case complete
        case failed(UpstreamFailure.Kind)
    }

    let name: String
    var method = "GET"
    let wire: String
    /// Whether the server closes after these bytes.
    var closes = false
    let status: Int
    var body = ""
    var ending = Ending.complete
    var reusable = true

    var testDescription: String { name }

    static let all: [ResponseCase] = [
        ResponseCase(
            name: "Content-Length",
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            status: 200,
            body: "hello"
        ),
        ResponseCase(
            name: "empty body",
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            status: 200
        ),
        ResponseCase(
            name: "100 and 103 before 200",
            wire: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            status: 200,
            body: "ok"
        ),
        ResponseCase(name: "204", wire: "HTTP/1.1 204 No Content\r\n\r\n", status: 204),
        ResponseCase(
            name: "204 that announces a body",
            wire: "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n",
            status: 204,
            reusable: false
        ),
        ResponseCase(
            name: "304 with a length",
            wire: "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
            status: 304
        ),
        ResponseCase(
            name: "HEAD with a length",
            method: "HEAD",
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
            status: 200
        ),
        ResponseCase(
            name: "chunked",
            wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
            status: 200,
            body: "abc0123456789"
        ),
        ResponseCase(
            name: "chunked with extension and trailers",
            wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3;n=v\r\nabc\r\n0\r\nX-Sum: 1\r\nX-Time: 2\r\n\r\n",
            status: 200,
            body: "abc"
        ),
        ResponseCase(
            name: "Connection: close with a length",
            wire: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
            status: 200,
            body: "ok",
            reusable: false
        ),
        ResponseCase(
            name: "close-delimited",
            wire: "HTTP/1.1 200 OK\r\n\r\nuntil the end",
            closes: true,
            status: 200,
            body: "until the end",
            reusable: false
        ),
        ResponseCase(
            name: "close-delimited and empty",
            wire: "HTTP/1.1 200 OK\r\n\r\n",
            closes: true,
            status: 200,
            reusable: false
        ),
        ResponseCase(
            name: "HTTP/1.0",
            wire: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            status: 200,
            body: "ok",
            reusable: false
        ),
        ResponseCase(
            name: "HTTP/1.0 with keep-alive",
            wire: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
            status: 200,
            body: "ok"
        ),
        ResponseCase(
            name: "surplus bytes",
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n",
            status: 200,
            body: "ok",
            reusable: false
        ),
        ResponseCase(
            name: "error status with a body",
            wire:
                "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nslow",
            status: 429,
            body: "slow"
        ),
        ResponseCase(
            name: "cut inside a length",
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
            closes: true,
            status: 200,
            body: "hello",
            ending: .failed(.truncated),
            reusable: false
        ),
        ResponseCase(
            name: "cut inside a chunk",
            wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n01234",
            closes: true,
            status: 200,
            body: "01234",
            ending: .failed(.truncated),
            reusable: false
        ),
        ResponseCase(
            name: "cut before the last chunk",
            wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            closes: true,
            status: 200,
            body: "abc",
            ending: .failed(.truncated),
            reusable: false
        ),
        ResponseCase(
            name: "cut inside the head",
            wire: "HTTP/1.1 200 OK\r\nContent-Le",
            closes: true,
            status: 0,
            ending: .failed(.truncated),
            reusable: false
        ),
        ResponseCase(
            name: "closed after an interim response",
            wire: "HTTP/1.1 100 Continue\r\n\r\n",
            closes: true,
            status: 0,
            ending: .failed(.truncated),
            reusable: false
        ),
        ResponseCase(
            name: "Content-Length beside Transfer-Encoding",
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nabc\r\n0\r\n\r\n",
            status: 0,
            ending: .failed(.protocolError),
            reusable: false
        ),
        ResponseCase(
            name: "two Content-Lengths",
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            status: 0,
            ending: .failed(.protocolError),
            reusable: false
        ),
        ResponseCase(
            name: "odd Content-Length",
            wire: "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc",
            status: 0,
            ending: .failed(.protocolError),
            reusable: false
        ),
        ResponseCase(
            name: "unknown transfer coding",
            wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            status: 0,
            ending: .failed(.protocolError),
            reusable: false
        ),
        ResponseCase(
            name: "folded field",
            wire: "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
            status: 0,
            ending: .failed(.protocolError),
            reusable: false
        ),
        ResponseCase(
            name: "bad chunk size",
            wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            status: 200,
            ending: .failed(.protocolError),
            reusable: false
        ),
        ResponseCase(
            name: "101 that nobody asked for",
            wire: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            status: 0,
            ending: .failed(.protocolError),
            reusable: false
        ),
        ResponseCase(
            name: "no HTTP at all",
            wire: "SSH-2.0-OpenSSH_9.2\r\n",
            status: 0,
            ending: .failed(.protocolError),
            reusable: false
        ),
    ]

    /// The wire bytes whole, byte by byte, and cut in two at every place.
    var deliveries: [[[UInt8]]] {
        let bytes = Array(wire.utf8)
        let cuts = (1..<bytes.count).map { [Array(bytes[..<$0]), Array(bytes[$0...])] }
        return [[bytes], bytes.map { [$0] }] + cuts
    }
}

@Suite("Responses")
struct ResponseTests {
    @Test("give the same result however they arrive", arguments: ResponseCase.all)
    func everyDelivery(_ row: ResponseCase) throws {
        let loop = try EventLoop()
        for (number, pieces) in row.deliveries.enumerated() {
            let server = try ScriptedServer(on: loop) { _ in
                [.request, .pieces(pieces)] + (row.closes ? [.close] : [.stall])
            }
            let lane = LaneHarness(to: server)
            let sink = try lane.exchange(method: row.method == "HEAD" ? .head : .get)
            let ending: ResponseCase.Ending =
                sink.failure.map { .failed($0.kind) } ?? .complete
            let context = "delivery \(number): \(sink.failure?.detail ?? "complete")"
            #expect(sink.ends == 1, "\(context)")
            #expect(sink.status == row.status, "\(context)")
            #expect(ending == row.ending, "\(context)")
            #expect(sink.text == row.body, "\(context)")
            #expect(sink.failure.map { $0.responseBegan == (row.status > 0) } ?? true)
            // Surplus that comes in a later read finds the connection in the pool already.
            try lane.turn(times: row.reusable ? 1 : 3)
            #expect(lane.upstreams.idleConnections(0) == (row.reusable ? 1 : 0), "\(context)")
            #expect(lane.upstreams.openConnections(0) == (row.reusable ? 1 : 0), "\(context)")
            #expect(lane.upstreams.buffersInUse == 0, "\(context)")
            lane.upstreams.close()
            server.stop()
        }
    }

    @Test("with many fields and a long head grow the buffer and give it back")
    func longHead() throws {
        let loop = try EventLoop()
        let value = String(repeating: "v", count: 700)
        let fields = (0..<100).map { "X-Field-\($0): \(value)\r\n" }.joined()
        let wire = "HTTP/1.1 200 OK\r\n\(fields)Content-Length: 2\r\n\r\nok"
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(wire), .again] }
        let lane = LaneHarness(to: server)
        for _ in 0..<2 {
            let sink = try lane.exchange()
            #expect(sink.isComplete)
            #expect(sink.fields.count == 101)
            #expect(sink.text == "ok")
        }
        #expect(lane.upstreams.counters(0).reuses == 1)
        #expect(lane.upstreams.buffersInUse == 0)
    }

    @Test("of megabytes arrive whole, chunked and with a length", arguments: [true, false])
    func large(chunked: Bool) throws {
        let loop = try EventLoop()
        let body = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        var wire: [UInt8]
        if chunked {
            wire = Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
            var rest = body[...]
            while !rest.isEmpty {
                let piece = rest.prefix(70_001)
                wire += Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [13, 10]
                rest = rest.dropFirst(piece.count)
            }
            wire += Array("0\r\n\r\n".utf8)
        } else {
            wire = Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body
        }
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(wire), .stall] }
        let lane = LaneHarness(to: server)
        let sink = try lane.exchange()
        #expect(sink.isComplete)
        #expect(sink.body == body)
        #expect(sink.readsDone > 1)
        #expect(lane.upstreams.idleConnections(0) == 1)
    }
}
