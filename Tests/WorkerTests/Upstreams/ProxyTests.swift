// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import System
import Testing

@testable import Worker

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/// A CONNECT proxy on the test's loop: it reads one head, connects, and relays.
final class TunnelProxy: EventHandler {
    private final class Tunnel: EventHandler {
        let loop: EventLoop
        var sides: [(fd: FDBox, token: EventToken)] = []
        let head = ByteBuffer()
        let proxy: TunnelProxy

        init(_ proxy: TunnelProxy) {
            self.proxy = proxy
            loop = proxy.loop
        }

        override func ready(_ readiness: Readiness, token: EventToken) {
            guard let from = sides.firstIndex(where: { $0.token == token }) else { return }
            let buffer = sides.count == 1 ? head : ByteBuffer(capacity: 64 << 10)
            guard case .bytes = Syscalls.receive(sides[from].fd.raw, into: buffer, minimum: 4096)
            else {
                for side in sides { loop.deregister(side.token) }
                sides.removeAll()
                return
            }
            if sides.count == 1 {
                if head.text.hasSuffix("\r\n\r\n") { open() }
                return
            }
            // Small test messages on loopback fit the socket's buffer.
            _ = Syscalls.send(sides[1 - from].fd.raw, from: buffer)
        }

        private func open() {
            proxy.heads.append(head.text)
            guard let target = proxy.target else {
                _ = Syscalls.send(
                    sides[0].fd.raw,
                    from: ByteBuffer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                )
                return
            }
            do {
                let box = try Self.connect(to: target)
                sides.append((box, try loop.register(box.raw, .read, self)))
            } catch {
                preconditionFailure("the test's proxy failed: \(error)")
            }
            _ = Syscalls.send(
                sides[0].fd.raw,
                from: ByteBuffer("HTTP/1.1 200 Connection established\r\n\r\n")
            )
        }

        private static func connect(to target: SocketAddress) throws -> FDBox {
            let box = FDBox(try Syscalls.streamSocket(for: target))
            do {
                try Syscalls.connect(box.raw, target)
            } catch {
                if error != .inProgress { throw error }
            }
            return box
        }
    }

    let loop: EventLoop
    private let listener: OwnedFD
    let port: UInt16
    /// Where tunnels lead, nil to refuse them.
    let target: SocketAddress?
    private(set) var heads: [String] = []

    init(on loop: EventLoop, to target: SocketAddress?) throws {
        self.loop = loop
        self.target = target
        let any = SocketAddress.ipv4(octets: [127, 0, 0, 1], port: 0)
        listener = try Syscalls.streamSocket(for: any)
        try Syscalls.bind(listener.raw, any)
        try Syscalls.listen(listener.raw, backlog: 16)
        port = try Syscalls.localAddress(listener.raw).port ?? 0
        super.init()
        _ = try loop.register(listener.raw, .read, self)
    }

    override func ready(_ readiness: Readiness, token: EventToken) {
        do {
            let tunnel = Tunnel(self)
            let box = FDBox(try Syscalls.accept(listener.raw))
            tunnel.sides.append((box, try loop.register(box.raw, .read, tunnel)))
        } catch {
            preconditionFailure("the test's proxy failed: \(error)")
        }
    }
}

@Suite("Proxies")
struct ProxyTests {
    @Test("tunnel plain upstreams, with their credentials in the CONNECT only")
    func plain() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(ok), .again] }
        let proxy = try TunnelProxy(on: loop, to: server.address)
        var settings = UpstreamSettings(
            name: "p",
            scheme: .http,
            host: "upstream.invalid",
            port: 8080
        )
        settings.proxy = "http://user:pass@127.0.0.1:\(proxy.port)"
        let lane = LaneHarness([settings], loop: loop)
        for _ in 0..<3 { #expect(try lane.exchange(path: "/x").text == "ok") }
        #expect(proxy.heads.count == 1)
        #expect(proxy.heads[0].hasPrefix("CONNECT upstream.invalid:8080 HTTP/1.1\r\n"))
        // user:pass in Base64.
        #expect(proxy.heads[0].contains("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"))
        let request = "GET /x HTTP/1.1\r\nHost: test\r\n\r\n"
        #expect(server.requests == [request, request, request])
        #expect(lane.upstreams.counters(0).reuses == 2)
        lane.upstreams.close()
    }

    @Test("tunnel TLS upstreams, whose certificate is checked")
    func tls() throws {
        let loop = try EventLoop()
        let certificates = try Certificates()
        try certificates.make("good", hosts: "DNS:upstream.invalid")
        let server = try TLSServer(certificates, "good")
        let target = SocketAddress.ipv4(octets: [127, 0, 0, 1], port: server.port)
        let proxy = try TunnelProxy(on: loop, to: target)
        var settings = server.settings(certificates, host: "upstream.invalid")
        settings.proxy = "http://127.0.0.1:\(proxy.port)"
        let lane = LaneHarness([settings], loop: loop)
        for count in 1...3 {
            let sink = try lane.exchange()
            #expect(sink.text.contains("count=\(count) "), "\(sink.failure?.detail ?? "")")
        }
        #expect(proxy.heads.count == 1)
        lane.upstreams.close()
    }

    @Test("that refuse, or are not there, are named without their password")
    func refusals() throws {
        let loop = try EventLoop()
        let proxy = try TunnelProxy(on: loop, to: nil)
        var settings = UpstreamSettings(name: "p", scheme: .https, host: "up.invalid", port: 443)
        settings.proxy = "http://user:pa%2Fss@127.0.0.1:\(proxy.port)/"
        let lane = LaneHarness([settings], loop: loop)
        let refused = try lane.exchange()
        #expect(refused.failure?.kind == .proxyFailed)
        #expect(
            refused.failure?.detail
                == "up.invalid:443 through proxy 127.0.0.1:\(proxy.port): the proxy refused to "
                + "connect (status 403)"
        )
        settings.proxy = "http://user:secret@127.0.0.1:1"
        let absent = try LaneHarness([settings], loop: loop).exchange()
        #expect(absent.failure?.kind == .proxyFailed)
        #expect(absent.failure?.detail.contains("secret") == false)
        settings.proxy = "http://user:secret@proxy.invalid:3128"
        let unknown = try LaneHarness([settings], loop: loop).exchange()
        #expect(unknown.failure?.kind == .proxyFailed)
        #expect(unknown.failure?.detail.contains("secret") == false)
        lane.upstreams.close()
    }
}
