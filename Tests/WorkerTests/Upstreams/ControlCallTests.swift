// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import System
import Testing

@testable import Worker

/// Keeps the result of a control call.
private final class ControlCollector: ControlSink {
    private(set) var ends = 0
    private(set) var status = 0
    private(set) var text = ""
    private(set) var kind: UpstreamFailure.Kind?
    private(set) var detail = ""

    override func controlEnded(_ result: ControlResult) {
        ends += 1
        switch result {
        case .answered(let status, let body):
            self.status = status
            text = body.text
        case .failed(let kind, let detail):
            self.kind = kind
            self.detail = detail
        }
    }
}

@Suite("Control calls")
struct ControlCallTests {
    private let loop: EventLoop
    private let calls: ControlCalls

    init() throws {
        loop = try EventLoop()
        calls = ControlCalls(loop: loop)
    }

    private func settings(_ port: UInt16) -> UpstreamSettings {
        UpstreamSettings(name: "c", scheme: .http, host: "127.0.0.1", port: port)
    }

    private func run(
        _ port: UInt16,
        _ adjust: (inout ControlRequest) -> Void = { _ in }
    ) throws -> ControlCollector {
        var request = ControlRequest(
            url: "http://127.0.0.1:\(port)/v1/models?x=1",
            like: settings(port)
        )
        adjust(&request)
        let sink = ControlCollector()
        calls.begin(request, sink)
        #expect(sink.ends == 0)
        try loop.wait("the control call") { sink.ends > 0 }
        #expect(sink.ends == 1)
        return sink
    }

    @Test("get and post, over one connection")
    func getAndPost() throws {
        let server = try ScriptedServer(on: loop) { _ in
            [
                .request, .send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlist"),
                .request, .send("HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n"),
                .pieces([Array("3\r\nabc\r\n".utf8), Array("0\r\n\r\n".utf8)]), .stall,
            ]
        }
        let first = try run(server.port) { $0.headers = ["Authorization: Bearer k"] }
        #expect(first.status == 200)
        #expect(first.text == "list")
        let second = try run(server.port) { $0.body = Array("{\"a\":1}".utf8) }
        #expect(second.status == 403)
        #expect(second.text == "abc")
        #expect(server.peers.count == 1)
        #expect(server.requests[0].hasPrefix("GET /v1/models?x=1 HTTP/1.1\r\n"))
        #expect(server.requests[0].contains("\r\nAuthorization: Bearer k\r\n"))
        #expect(server.requests[1].hasPrefix("POST /v1/models?x=1 HTTP/1.1\r\n"))
        #expect(server.requests[1].hasSuffix("\r\n\r\n{\"a\":1}"))
        // Nothing of an earlier call is left on a handle.
        #expect(!server.requests[1].contains("Authorization"))
        #expect(!server.requests[1].contains("Expect"))
        calls.close()
        server.stop()
    }

    @Test("do not follow redirects")
    func redirect() throws {
        let server = try ScriptedServer(on: loop) { _ in
            [
                .request,
                .send(
                    "HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
                ),
                .stall,
            ]
        }
        #expect(try run(server.port).status == 302)
        calls.close()
        server.stop()
    }

    @Test("fail with a kind and clear words")
    func failures() throws {
        let big = String(repeating: "x", count: 2_000)
        let scripts: [[ServerStep]] = [
            [.request, .send("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n\(big)"), .stall],
            [.request, .stall],
            [.request, .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), .stall],
            [.request, .close],
            [.request, .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), .close],
        ]
        let server = try ScriptedServer(on: loop) { scripts[$0 % scripts.count] }
        let expected: [(UpstreamFailure.Kind, String)] = [
            (.protocolError, "the response has more than 1000 bytes"),
            (.headersTimeout, "no response within the timeout"),
            (.idleTimeout, "the response did not end within the timeout"),
            (.closedBeforeResponse, "the server closed the connection without an answer"),
            (.truncated, "the server closed the connection inside the response"),
        ]
        for (kind, words) in expected {
            let sink = try run(server.port) {
                $0.bytesMax = 1_000
                $0.timeout = 150_000_000
            }
            #expect(sink.kind == kind)
            #expect(sink.detail == "127.0.0.1:\(server.port): \(words)")
        }
        let absent = try run(1)
        #expect(absent.kind == .connectRefused)
        #expect(absent.detail == "127.0.0.1:1: connection refused")
        let odd = try run(server.port) { $0.url = "ftp://127.0.0.1/" }
        #expect(odd.kind == .protocolError)
        let split = try run(server.port) { $0.headers = ["A: b\r\nC: d"] }
        #expect(split.kind == .connectFailed)
        #expect(split.detail.hasSuffix("a header field holds a control byte"))
        calls.close()
        server.stop()
    }

    @Test("can be cancelled, and leave nothing behind")
    func cancel() throws {
        let server = try ScriptedServer(on: loop) { _ in [.request, .stall] }
        let before = loop.registrations
        let sink = ControlCollector()
        let call = calls.get(
            url: "http://127.0.0.1:\(server.port)/",
            headers: [],
            like: settings(server.port),
            timeout: 5_000_000_000,
            sink
        )
        try loop.wait("the request") { server.requests.count == 1 }
        call?.cancel()
        call?.cancel()
        try loop.wait("the end") { server.openPeers == 0 }
        #expect(sink.ends == 0)
        let other = try run(server.port) { $0.timeout = 50_000_000 }
        #expect(other.kind == .headersTimeout)
        calls.close()
        try loop.wait("all ends") { server.openPeers == 0 }
        #expect(loop.registrations == before)
        server.stop()
    }

    @Test("check certificates as the lane does")
    func tls() throws {
        let certificates = try Certificates()
        try certificates.make("good", hosts: "DNS:localhost")
        let server = try TLSServer(certificates, "good", protocols: "http/1.1")
        let url = "https://localhost:\(server.port)/"
        let good = try run(server.port) {
            $0.url = url
            $0.settings = server.settings(certificates)
        }
        #expect(good.status == 200)
        let bad = try run(server.port) {
            $0.url = url
            $0.settings.caFile = certificates.otherAuthority
        }
        #expect(bad.kind == .tlsFailed)
        #expect(
            bad.detail
                == "localhost:\(server.port): the certificate's issuer is not in the CA file "
                + certificates.otherAuthority
        )
        calls.close()
    }
}
