// SPDX-License-Identifier: Apache-2.0
import CCurl
import Config
import System

/// A connection in the making; with TLS also what a finished one lives in.
final class ConnectAttempt: CurlTransfer {
    /// Bound on connecting in libcurl; ours is the call's, this one only spreads it over addresses.
    private static let timeoutMillisecondsMax: UInt64 = 3_600_000

    private let pool: UpstreamPool
    /// The call that waits; nil once it has its connection or does not want it any more.
    private(set) var call: UpstreamCall?

    override var claimsSocket: Bool { true }

    init(easy: CurlEasy, for call: UpstreamCall, pool: UpstreamPool) {
        self.pool = pool
        self.call = call
        super.init(easy: easy)
        // libcurl divides its timeout among the addresses of a name: without it, one address that
        // swallows packets would use up the whole time of the call.
        let milliseconds = call.request.timeouts.connect / 1_000_000 + 1
        easy.set(
            CURLOPT_CONNECTTIMEOUT_MS,
            Int(min(milliseconds, Self.timeoutMillisecondsMax))
        )
        easy.clearFailureText()
    }

    /// What libcurl wrote about a failed read or write of the connection.
    func failureText(_ errno: Errno) -> String {
        let text = easy.failureText(CURLE_RECV_ERROR.code)
        // libcurl also notes what does not concern the read, like a peer address it could not get.
        return text.contains("SSL") ? text : errno.text
    }

    func takeCall() -> UpstreamCall? {
        defer { call = nil }
        return call
    }

    override func transferDone(_ code: Int32) {
        pool.attemptDone(self, code)
    }

    /// A handle that connects as `settings` say.
    ///
    /// Its options stay, however often it is used.
    static func makeEasy(_ settings: UpstreamSettings, share: CurlShare?) -> CurlEasy? {
        guard let easy = CurlEasy() else { return nil }
        easy.set(CURLOPT_CONNECT_ONLY, 1)
        easy.set(CURLOPT_URL, settings.connectURL)
        easy.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        // Signals would be process-wide, and six system calls per transfer.
        easy.set(CURLOPT_NOSIGNAL, 1)
        easy.set(CURLOPT_TCP_KEEPALIVE, 1)
        // libcurl closes connections it holds for older than this when it makes a new one.
        easy.set(CURLOPT_MAXAGE_CONN, Int(Int32.max))
        setSecurity(easy, settings)
        share?.attach(to: easy)
        return easy.refusedOption == nil ? easy : nil
    }

    /// Proxy and TLS options, which control calls share.
    static func setSecurity(_ easy: CurlEasy, _ settings: UpstreamSettings) {
        // An empty text keeps libcurl from reading proxies out of the environment.
        easy.set(CURLOPT_PROXY, settings.proxy ?? "")
        easy.set(CURLOPT_NOPROXY, "")
        if settings.proxy != nil { easy.set(CURLOPT_HTTPPROXYTUNNEL, 1) }
        // A CA directory, which distributions compile in, would keep libcurl from caching the parsed
        // CA file: 20 ms and 0.8 MB for each connection.
        easy.set(CURLOPT_CAPATH, nil)
        easy.set(CURLOPT_CAINFO, settings.caFile)
        easy.set(CURLOPT_PROXY_CAPATH, nil)
        easy.set(CURLOPT_PROXY_CAINFO, settings.caFile)
        easy.set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let certificate = settings.clientCertificate { easy.set(CURLOPT_SSLCERT, certificate) }
        if let key = settings.clientKey { easy.set(CURLOPT_SSLKEY, key) }
        if let text = settings.clientCertificatePEM {
            easy.set(CURLOPT_SSLCERT_BLOB, blob: Array(text.revealed.utf8))
        }
        if let text = settings.clientKeyPEM {
            easy.set(CURLOPT_SSLKEY_BLOB, blob: Array(text.revealed.utf8))
        }
    }
}
