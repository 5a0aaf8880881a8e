// SPDX-License-Identifier: Apache-2.0
import System

@testable import Worker

/// A real TLS server, Python's, in a process of its own.
final class TLSServer {
    private let process: ChildProcess
    let port: UInt16

    /// Starts a server with the certificate called `name`.
    ///
    /// - Parameters:
    ///   - certificates: where the certificate is.
    ///   - name: its name there.
    ///   - clients: whether clients must show a certificate of the first authority.
    ///   - version: the only TLS version offered, 1.2 or 1.3.
    ///   - protocols: what is offered by ALPN, best first. This server speaks HTTP/1.1 only.
    /// - Throws: why it could not be started.
    init(
        _ certificates: Certificates,
        _ name: String,
        clients: Bool = false,
        version: String = "1.3",
        protocols: String = "h2,http/1.1"
    ) throws {
        try certificates.write("server.py", Self.source)
        process = try ChildProcess(
            "python3",
            [
                "-u", certificates.path("server.py"), certificates.path("\(name).pem"),
                certificates.path("\(name).key"), clients ? certificates.authority : "-", version,
                protocols,
            ]
        )
        guard let line = try process.readLine(), let port = UInt16(line) else {
            var said = ""
            while let line = try process.readLine() { said = line }
            throw ToolFailure(description: "the TLS server did not start: \(said)")
        }
        self.port = port
    }

    /// Answers by path: `/` tells about the session, `/big/N` sends N bytes, `/echo` the body,
    /// `/drip/N` N chunks in records of their own, `/end` a body that ends with the connection,
    /// `/bye` closes after the answer without saying so, `/die` closes instead of answering,
    /// `/one/N` N bytes in one write with one byte too many, `/tail` a head of which ten bytes come
    /// first and whose record ends with ten bytes too many.
    private static let source = """
        import socket, ssl, sys, threading, time
        certificate, key, clients, version, protocols = sys.argv[1:6]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        only = ssl.TLSVersion.TLSv1_2 if version == "1.2" else ssl.TLSVersion.TLSv1_3
        context.minimum_version = context.maximum_version = only
        context.set_alpn_protocols(protocols.split(","))
        if clients != "-":
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients)

        def serve(raw):
            try:
                s = context.wrap_socket(raw, server_side=True)
            except OSError:
                # Unread bytes would turn the close into a reset, which overtakes the alert.
                try:
                    raw.shutdown(socket.SHUT_WR)
                    while raw.recv(65536):
                        pass
                except OSError:
                    pass
                raw.close()
                return
            count = 0
            data = b""
            try:
                while True:
                    while b"\\r\\n\\r\\n" not in data:
                        more = s.recv(65536)
                        if not more:
                            return
                        data += more
                    head, data = data.split(b"\\r\\n\\r\\n", 1)
                    length = 0
                    for line in head.split(b"\\r\\n")[1:]:
                        if line.lower().startswith(b"content-length:"):
                            length = int(line.split(b":")[1])
                    while len(data) < length:
                        data += s.recv(65536)
                    body, data = data[:length], data[length:]
                    count += 1
                    path = head.split(b" ")[1].decode()
                    parts = path.split("/")
                    if parts[1] == "die":
                        return
                    if parts[1] == "end":
                        s.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\nuntil the end")
                        s.unwrap()
                        return
                    if parts[1] == "tail":
                        # One record fills what a buffer of 16 KiB has left after ten bytes, and
                        # has ten bytes more.
                        start = b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n"
                        size = 16384 - len(start % 16384)
                        whole = start % size + b"t" * size
                        s.sendall(whole[:10])
                        time.sleep(0.2)
                        s.sendall(whole[10:] + b"x" * 10)
                        continue
                    if parts[1] == "drip":
                        s.sendall(b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n")
                        for n in range(int(parts[2])):
                            s.sendall(b"4\\r\\n%04d\\r\\n" % n)
                        s.sendall(b"0\\r\\n\\r\\n")
                        continue
                    if parts[1] in ("big", "one"):
                        out = bytes(i % 251 for i in range(251)) * (int(parts[2]) // 251 + 1)
                        out = out[: int(parts[2])]
                    elif parts[1] == "echo":
                        out = body
                    else:
                        peer = s.getpeercert() or {}
                        names = [v for r in peer.get("subject", ()) for k, v in r]
                        out = "reused=%s count=%d alpn=%s peer=%s" % (
                            s.session_reused, count, s.selected_alpn_protocol(), ",".join(names))
                        out = out.encode()
                    surplus = b"x" if parts[1] == "one" else b""
                    s.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(out)
                        + out + surplus)
                    if parts[1] == "bye":
                        return
            except OSError:
                pass
            finally:
                s.close()

        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

        """

    /// Settings of an upstream that trusts the first authority.
    func settings(_ certificates: Certificates, host: String = "localhost") -> UpstreamSettings {
        var settings = UpstreamSettings(name: "tls", scheme: .https, host: host, port: port)
        settings.caFile = certificates.authority
        return settings
    }
}
