// SPDX-License-Identifier: Apache-2.0
import Config

/// How connections to one upstream are made and kept.
struct UpstreamSettings: Equatable {
    enum Scheme: String {
        case http, https
    }

    /// Most connections to one upstream and worker unless the configuration says otherwise.
    ///
    /// Limit: 512. With five workers an upstream sees 2,560; each costs about 60 KB with TLS.
    static let connectionsMaxDefault = 512
    /// Most idle connections kept to one upstream.
    ///
    /// Limit: 128. A burst of 512 leaves that many warm; the rest would idle for nothing.
    static let idleMaxDefault = 128
    /// How long an idle connection is kept, in nanoseconds.
    ///
    /// 50 s: below the 60 s after which common load balancers close.
    static let idleTimeoutDefault: UInt64 = 50_000_000_000
    /// Most calls that wait for a connection of one upstream.
    ///
    /// Limit: 1024. Beyond that the answer comes later than the connect timeout anyway.
    static let waitingMaxDefault = 1024
    /// Where Debian and its relatives keep the certificates the system trusts.
    static let systemCAFile = "/etc/ssl/certs/ca-certificates.crt"

    /// The configured name, for log lines.
    var name: String
    var scheme: Scheme
    /// Host name or numeric address; IPv6 without brackets.
    var host: String
    var port: UInt16
    /// Path of the base URL without a slash at its end; the exchange puts it into the request line.
    var pathPrefix = ""
    /// PEM file with the certificates that may sign the upstream's.
    var caFile = UpstreamSettings.systemCAFile
    /// PEM files of our own certificate and its key.
    var clientCertificate: String?
    /// The same as PEM texts; control calls only.
    var clientCertificatePEM: Secret?
    var clientKeyPEM: Secret?
    var clientKey: String?
    /// Proxy URL; nil connects directly, whatever the environment says.
    var proxy: String?
    var connectionsMax = UpstreamSettings.connectionsMaxDefault
    var idleMax = UpstreamSettings.idleMaxDefault
    var waitingMax = UpstreamSettings.waitingMaxDefault
    /// Nanoseconds after which an idle connection is closed.
    var idleTimeout = UpstreamSettings.idleTimeoutDefault

    init(name: String, scheme: Scheme, host: String, port: UInt16) {
        self.name = name
        self.scheme = scheme
        self.host = host
        self.port = port
    }

    /// The host as URLs and Host fields write it.
    private var bracketedHost: String { host.contains(":") ? "[\(host)]" : host }

    /// Host and port, as error texts name the upstream.
    var address: String { "\(bracketedHost):\(port)" }

    /// What libcurl is told to connect to.
    var connectURL: String { "\(scheme.rawValue)://\(bracketedHost):\(port)/" }

    /// The value of the Host field: the port only where it is not the scheme's own.
    var hostField: String {
        switch (scheme, port) {
        case (.http, 80), (.https, 443): bracketedHost
        case (.http, _), (.https, _): address
        }
    }

    /// The proxy without what may be secret in its URL.
    var proxyAddress: String? {
        guard let proxy else { return nil }
        var rest = proxy[...]
        if let scheme = rest.firstRange(of: "://") { rest = rest[scheme.upperBound...] }
        // Anything before the last @ may be a password, even one with a slash or another @ in it.
        if let at = rest.lastIndex(of: "@") { rest = rest[rest.index(after: at)...] }
        return String(rest.prefix { $0 != "/" })
    }

    /// Whether libcurl keeps the connection: TLS runs inside it, towards the upstream or the proxy.
    var needsLibraryIO: Bool {
        scheme == .https || (proxy?.lowercased().hasPrefix("https://") ?? false)
    }
}
