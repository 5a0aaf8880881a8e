// SPDX-License-Identifier: Apache-2.0
import Bytes
import Glibc
import HTTP
import Loop
import System
import Testing

@testable import Worker

@Suite("TLS")
struct TLSTests {
    private let certificates: Certificates
    private let loop: EventLoop

    init() throws {
        certificates = try Certificates()
        loop = try EventLoop()
        try certificates.make("good", hosts: "DNS:localhost,IP:127.0.0.1")
    }

    private func server(
        _ name: String = "good",
        clients: Bool = false,
        version: String = "1.3"
    ) throws -> TLSServer {
        try TLSServer(certificates, name, clients: clients, version: version)
    }

    private func failure(_ settings: UpstreamSettings) throws -> UpstreamFailure? {
        let lane = LaneHarness([settings], loop: loop)
        let sink = try lane.exchange()
        #expect(lane.upstreams.openConnections(0) == 0)
        #expect(sink.heads == 0)
        lane.upstreams.close()
        return sink.failure
    }

    @Test("carries calls on one connection, and speaks HTTP/1.1 only", arguments: ["1.2", "1.3"])
    func keepAlive(version: String) throws {
        let server = try server(version: version)
        let lane = LaneHarness([server.settings(certificates)], loop: loop)
        for count in 1...5 {
            let sink = try lane.exchange()
            #expect(sink.text == "reused=False count=\(count) alpn=http/1.1 peer=")
            #expect(lane.upstreams.buffersInUse == 0)
        }
        #expect(lane.upstreams.counters(0).connectionsOpened == 1)
        lane.upstreams.close()
    }

    @Test("resumes a session on the next connection", arguments: ["1.2", "1.3"])
    func resumption(version: String) throws {
        let server = try server(version: version)
        let lane = LaneHarness([server.settings(certificates)], loop: loop)
        // On a handle that connected before. One after the other: OpenSSL uses a ticket of TLS 1.3
        // once, so of connections made at the same time only the first resumes.
        for _ in 0..<3 {
            #expect(try lane.exchange(path: "/end").isComplete)
            try lane.wait("the end of the connection") { lane.upstreams.openConnections(0) == 0 }
            let text = try lane.exchange().text
            #expect(text.hasPrefix("reused=True count=1 "), "\(text)")
        }
        // On a handle of its own, whose session can only come out of the share.
        let sinks = [CollectingSink(), CollectingSink()]
        for sink in sinks { lane.begin(sink) }
        try lane.wait("the answers") { sinks.allSatisfy(\.isOver) }
        #expect(sinks[1].text.hasPrefix("reused=True count=1 "), "\(sinks[1].text)")
        #expect(lane.upstreams.openConnections(0) == 2)
        lane.upstreams.close()
    }

    @Test("moves large bodies both ways, whatever OpenSSL holds back")
    func large() throws {
        let server = try server()
        let lane = LaneHarness([server.settings(certificates)], loop: loop)
        for size in [1, 16_383, 16_384, 16_385, 100_000, 5_000_000] {
            let sink = try lane.exchange(path: "/big/\(size)")
            #expect(sink.isComplete)
            #expect(sink.body == (0..<size).map { UInt8($0 % 251) })
        }
        let body = (0..<4_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }
        let pieces =
            [BodyPiece(ByteBuffer(body), 0..<1_000_001)]
            + [BodyPiece(ByteBuffer(body), 1_000_001..<body.count)]
        let sink = try lane.exchange(method: .post, path: "/echo", body: pieces)
        #expect(sink.isComplete, "\(sink.failure?.detail ?? "")")
        #expect(sink.body == body)
        let drip = try lane.exchange(path: "/drip/500")
        #expect(drip.text.utf8.count == 2_000)
        #expect(drip.text.hasSuffix("0499"))
        #expect(lane.upstreams.counters(0).connectionsOpened == 1)
        #expect(lane.upstreams.buffersInUse == 0)
        lane.upstreams.close()
    }

    @Test(
        "does not use a connection again that holds bytes too many",
        arguments: [2, 16_341, 16_384]
    )
    func surplus(size: Int) throws {
        let server = try server()
        let lane = LaneHarness([server.settings(certificates)], loop: loop)
        let sink = try lane.exchange(path: "/one/\(size)")
        #expect(sink.isComplete)
        #expect(sink.body.count == size)
        try lane.wait("the connection to go") { lane.upstreams.openConnections(0) == 0 }
        #expect(try lane.exchange().text.hasPrefix("reused="))
        lane.upstreams.close()
    }

    @Test("does not use a connection again whose surplus lies inside OpenSSL")
    func surplusInside() throws {
        let server = try server()
        let lane = LaneHarness([server.settings(certificates)], loop: loop)
        let sink = try lane.exchange(path: "/tail")
        #expect(sink.isComplete)
        #expect(sink.body.count > 16_000)
        // At once: no event would tell of those bytes.
        #expect(lane.upstreams.openConnections(0) == 0)
        lane.upstreams.close()
    }

    @Test("pauses and resumes with bytes inside OpenSSL")
    func pause() throws {
        let server = try server()
        let lane = LaneHarness([server.settings(certificates)], loop: loop)
        let sink = CollectingSink()
        var call: UpstreamCall?
        sink.onData = { call?.pause() }
        call = lane.begin(sink, path: "/big/300000")
        var rounds = 0
        while !sink.isOver {
            let before = sink.dataCalls
            try lane.wait("more data") { sink.dataCalls > before || sink.isOver }
            try lane.turn(times: 2)
            #expect(sink.dataCalls <= before + 1)
            rounds += 1
            call?.resume()
        }
        #expect(sink.isComplete)
        #expect(sink.body == (0..<300_000).map { UInt8($0 % 251) })
        #expect(rounds > 10)
        lane.upstreams.close()
    }

    @Test("takes a body that ends with the connection, and replaces a stale connection")
    func ends() throws {
        let server = try server()
        let lane = LaneHarness([server.settings(certificates)], loop: loop)
        let sink = try lane.exchange(path: "/end")
        #expect(sink.isComplete)
        #expect(sink.text == "until the end")
        #expect(try lane.exchange().isComplete)
        // The server dies on a reused connection, and again on the fresh one.
        let died = try lane.exchange(path: "/die")
        #expect(died.failure?.kind == .closedBeforeResponse)
        #expect(lane.upstreams.counters(0).staleRetries == 1)
        #expect(try lane.exchange().isComplete)
        // An idle connection that the server closes leaves the pool.
        #expect(try lane.exchange(path: "/bye").isComplete)
        try lane.wait("the pool to notice") { lane.upstreams.openConnections(0) == 0 }
        lane.upstreams.close()
    }

    @Test("refuses what the CA file does not vouch for, in clear words")
    func badCertificates() throws {
        let server = try server()
        var unknown = server.settings(certificates)
        unknown.caFile = certificates.otherAuthority
        let place = "localhost:\(server.port): "
        #expect(try failure(unknown)?.kind == .tlsFailed)
        #expect(
            try failure(unknown)?.detail
                == place + "the certificate's issuer is not in the CA file "
                + certificates.otherAuthority
        )
        var missing = server.settings(certificates)
        missing.caFile = certificates.path("no-such-file.pem")
        #expect(try failure(missing)?.kind == .tlsFailed)
        #expect(
            try failure(missing)?.detail
                == place + "the CA file \(missing.caFile) cannot be read or holds no certificate"
        )
        // The certificate names the address, too.
        let lane = LaneHarness([server.settings(certificates, host: "127.0.0.1")], loop: loop)
        #expect(try lane.exchange().isComplete)
        lane.upstreams.close()
    }

    @Test("refuses a certificate that is expired, self-signed, or for another name")
    func wrongCertificates() throws {
        try certificates.make("expired", hosts: "DNS:localhost", days: -1)
        try certificates.make("elsewhere", hosts: "DNS:elsewhere.example")
        let expired = try server("expired")
        let expiredFailure = try failure(expired.settings(certificates))
        #expect(expiredFailure?.kind == .tlsFailed)
        #expect(expiredFailure?.detail == "localhost:\(expired.port): the certificate has expired")

        let elsewhere = try server("elsewhere")
        let elsewhereFailure = try failure(elsewhere.settings(certificates))
        #expect(elsewhereFailure?.kind == .tlsFailed)
        #expect(
            elsewhereFailure?.detail
                .hasPrefix("localhost:\(elsewhere.port): the certificate is for another host name")
                == true,
            "\(elsewhereFailure?.detail ?? "no failure")"
        )

        // An authority's own certificate as a server's: self-signed.
        let selfSigned = try server("other")
        let selfFailure = try failure(selfSigned.settings(certificates))
        #expect(selfFailure?.kind == .tlsFailed)
        #expect(
            selfFailure?.detail
                == "localhost:\(selfSigned.port): the certificate is self-signed and not in the CA "
                + "file \(certificates.authority)"
        )
    }

    @Test("is not spoken by a plain server: the failure says so")
    func plainServer() throws {
        let server = try ScriptedServer(on: loop) { _ in [.send("HTTP/1.1 400 No\r\n\r\n"), .close]
        }
        var settings = UpstreamSettings(
            name: "plain",
            scheme: .https,
            host: "127.0.0.1",
            port: server.port
        )
        settings.caFile = certificates.authority
        #expect(try failure(settings)?.kind == .tlsFailed)
        server.stop()
    }

    @Test("shows a client certificate, and says when the server wants one")
    func clientCertificate() throws {
        try certificates.make("client", hosts: "DNS:client")
        for version in ["1.2", "1.3"] {
            let server = try server(clients: true, version: version)
            var settings = server.settings(certificates)
            let absent = try failure(settings)
            // With TLS 1.3 the server refuses after our side of the handshake is done, and its
            // reset, sent because it closes with our request unread, may overtake its alert.
            let isOvertaken = version == "1.3" && absent?.kind == .reset
            let isExpected = absent?.kind == .tlsFailed || isOvertaken
            #expect(isExpected, "\(absent?.detail ?? "no failure")")
            settings.clientCertificate = certificates.path("client.pem")
            settings.clientKey = certificates.path("client.key")
            let lane = LaneHarness([settings], loop: loop)
            let sink = try lane.exchange()
            #expect(sink.text.hasSuffix("peer=client"), "\(sink.failure?.detail ?? sink.text)")
            lane.upstreams.close()
            settings.clientKey = certificates.path("good.key")
            let wrong = try failure(settings)
            #expect(wrong?.kind == .tlsFailed)
            #expect(wrong?.detail.contains("client certificate cannot be used") == true)
        }
    }

    @Test("can be cancelled inside the handshake")
    func cancelInHandshake() throws {
        let server = try ScriptedServer(on: loop) { _ in [.stall] }
        var settings = UpstreamSettings(
            name: "silent",
            scheme: .https,
            host: "127.0.0.1",
            port: server.port
        )
        settings.caFile = certificates.authority
        let lane = LaneHarness([settings], loop: loop)
        let sink = CollectingSink()
        let call = lane.begin(sink)
        try lane.wait("the hello") { server.peers.first.map { $0.bytesReceived > 0 } ?? false }
        call.cancel()
        try lane.wait("the end") { server.peers[0].sawEnd }
        #expect(lane.upstreams.openConnections(0) == 0)
        let slow = try lane.exchange(timeouts: UpstreamTimeouts(connect: 100))
        #expect(slow.failure?.kind == .connectTimeout)
        #expect(sink.calls == 0)
        lane.upstreams.close()
        server.stop()
    }

    @Test("parses the system's CA bundle once, not for every connection")
    func systemBundle() throws {
        let bundle = UpstreamSettings.systemCAFile
        let text = try Syscalls.contents(of: bundle, limit: 16 << 20)
        #expect(text.count > 100_000, "\(bundle) is not the system's CA bundle")
        // Everything that the system trusts, and the test's authority.
        let own = try Syscalls.contents(of: certificates.authority, limit: 1 << 20)
        try certificates.write("bundle.pem", String(decoding: own, as: UTF8.self))
        _ = try ChildProcess(
            "sh",
            ["-c", "cat \"$1\" >> \"$2\"", "sh", bundle, certificates.path("bundle.pem")]
        ).finish()
        let server = try server()
        var settings = server.settings(certificates)
        settings.caFile = certificates.path("bundle.pem")
        let opens = try FileOpens(of: certificates.path("bundle.pem"))
        let lane = LaneHarness([settings], loop: loop)
        #expect(try lane.exchange().isComplete)
        #expect(opens.anySinceLastLook())
        let sinks = (0..<32).map { _ in CollectingSink() }
        for sink in sinks { lane.begin(sink) }
        try lane.wait("the answers", milliseconds: 30_000) { sinks.allSatisfy(\.isOver) }
        let complete = sinks.count { $0.isComplete }
        #expect(complete == 32)
        #expect(lane.upstreams.counters(0).connectionsOpened == 32)
        // A parsed bundle has 0.8 MB, which is why all connections use the one of the first.
        #expect(!opens.anySinceLastLook(), "the bundle was read again")
        lane.upstreams.close()
    }
}

/// Whether anybody has opened a file.
///
/// The kernel tells, inotify(7): the test process is no measure, as others allocate in it too. Equal
/// events that nobody has read yet are one, so that there is no number of them.
private final class FileOpens {
    private let fd: OwnedFD

    init(of path: String) throws {
        fd = OwnedFD(owning: inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC)))
        // SAFETY: a plain call of libc with a string that lives through it.
        let watch = unsafe inotify_add_watch(fd.raw, path, UInt32(IN_OPEN))
        guard watch >= 0 else { throw Errno.noEntry }
    }

    func anySinceLastLook() -> Bool {
        let events = ByteBuffer()
        guard case .bytes = Syscalls.read(fd.raw, into: events, minimum: 4_096) else {
            return false
        }
        return true
    }
}
