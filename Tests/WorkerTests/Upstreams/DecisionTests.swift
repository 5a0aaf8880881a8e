// SPDX-License-Identifier: Apache-2.0
import CCurl
import HTTP
import Testing

@testable import Worker

@Suite("Decisions of the lane")
struct DecisionTests {
    @Test("a lost connection ends, repeats or fails the call")
    func verdicts() {
        typealias Cause = BreakPolicy.Cause
        let rows: [(Cause, reused: Bool, anyByte: Bool, BreakPolicy.Verdict)] = [
            (.ended(.complete), false, true, .complete),
            (.ended(.complete), true, true, .complete),
            (.ended(.nothingReceived), false, false, .fail(.closedBeforeResponse)),
            (.ended(.nothingReceived), true, false, .retry),
            (.ended(.truncated), false, true, .fail(.truncated)),
            (.ended(.truncated), true, true, .fail(.truncated)),
            (.broken, false, false, .fail(.reset)),
            (.broken, true, false, .retry),
            (.broken, false, true, .fail(.reset)),
            (.broken, true, true, .fail(.reset)),
            (.spoiled, true, false, .retry),
            (.spoiled, false, false, .fail(.protocolError)),
        ]
        for (cause, reused, anyByte, expected) in rows {
            let verdict = BreakPolicy.verdict(cause, reused: reused, anyByte: anyByte)
            #expect(verdict == expected, "\(cause) reused \(reused) byte \(anyByte)")
        }
    }

    /// What libcurl says, and what we make of it.
    struct Row: CustomTestStringConvertible {
        let name: String
        let code: CURLcode
        var osError: Int32 = 0
        var verifyResult = 0
        var proxyStatus = 0
        var proxy: String?
        let kind: UpstreamFailure.Kind
        let detail: String

        var testDescription: String { name }
    }

    static let rows = [
        Row(
            name: "refused",
            code: CURLE_COULDNT_CONNECT,
            osError: 111,
            kind: .connectRefused,
            detail: "api.test:443: connection refused"
        ),
        Row(
            name: "no route",
            code: CURLE_COULDNT_CONNECT,
            osError: 113,
            kind: .connectFailed,
            detail: "api.test:443: connection failed: No route to host"
        ),
        Row(
            name: "timed out",
            code: CURLE_OPERATION_TIMEDOUT,
            kind: .connectTimeout,
            detail: "api.test:443: no connection within the connect timeout"
        ),
        Row(
            name: "unresolved",
            code: CURLE_COULDNT_RESOLVE_HOST,
            kind: .resolveFailed,
            detail: "api.test:443: the host name could not be resolved"
        ),
        Row(
            name: "not valid yet",
            code: CURLE_PEER_FAILED_VERIFICATION,
            verifyResult: 9,
            kind: .tlsFailed,
            detail: "api.test:443: the certificate is not valid yet"
        ),
        Row(
            name: "self-signed root",
            code: CURLE_PEER_FAILED_VERIFICATION,
            verifyResult: 19,
            kind: .tlsFailed,
            detail: "api.test:443: the certificate chain ends in a self-signed certificate that is "
                + "not in the CA file /ca.pem"
        ),
        Row(
            name: "handshake",
            code: CURLE_SSL_CONNECT_ERROR,
            kind: .tlsFailed,
            detail: "api.test:443: TLS failed: curl's words"
        ),
        Row(
            name: "proxy answers 407",
            code: CURLE_RECV_ERROR,
            proxyStatus: 407,
            proxy: "http://u:p@proxy.test:3128",
            kind: .proxyFailed,
            detail: "api.test:443 through proxy proxy.test:3128: the proxy refused to connect "
                + "(status 407)"
        ),
        Row(
            name: "certificate behind a proxy",
            code: CURLE_PEER_FAILED_VERIFICATION,
            verifyResult: 10,
            proxyStatus: 200,
            proxy: "http://proxy.test:3128",
            kind: .tlsFailed,
            detail: "api.test:443 through proxy proxy.test:3128: the certificate has expired"
        ),
        Row(
            name: "anything else",
            code: CURLE_OUT_OF_MEMORY,
            kind: .connectFailed,
            detail: "api.test:443: curl's words"
        ),
    ]

    @Test("a connection that could not be made is explained", arguments: rows)
    func words(_ row: Row) {
        var settings = UpstreamSettings(name: "t", scheme: .https, host: "api.test", port: 443)
        settings.caFile = "/ca.pem"
        settings.proxy = row.proxy
        let failure = ConnectFailure(
            code: row.code.code,
            osError: row.osError,
            verifyResult: row.verifyResult,
            proxyStatus: row.proxyStatus,
            text: "curl's words"
        )
        #expect(failure.kind(usesProxy: row.proxy != nil) == row.kind)
        #expect(failure.detail(settings) == row.detail)
    }

    @Test("a proxy is shown without what may be secret")
    func proxyAddress() {
        var settings = UpstreamSettings(name: "t", scheme: .http, host: "h", port: 80)
        let rows = [
            ("http://proxy:3128", "proxy:3128"),
            ("http://user:pass@proxy:3128/", "proxy:3128"),
            ("user:p@ss/w@proxy:3128", "proxy:3128"),
            ("socks5h://[::1]:1080", "[::1]:1080"),
            ("https://user@proxy", "proxy"),
        ]
        for (proxy, shown) in rows {
            settings.proxy = proxy
            #expect(settings.proxyAddress == shown)
        }
        settings.proxy = nil
        #expect(settings.proxyAddress == nil)
    }

    @Test("addresses are written as URLs and Host fields want them")
    func addresses() {
        let plain = UpstreamSettings(name: "t", scheme: .http, host: "h", port: 80)
        #expect(plain.hostField == "h")
        #expect(plain.connectURL == "http://h:80/")
        let odd = UpstreamSettings(name: "t", scheme: .https, host: "::1", port: 8443)
        #expect(odd.hostField == "[::1]:8443")
        #expect(odd.connectURL == "https://[::1]:8443/")
        #expect(odd.needsLibraryIO && !plain.needsLibraryIO)
    }

    @Test("every failure has a label of its own")
    func labels() {
        let labels = UpstreamFailure.Kind.allCases.map(\.metricLabel)
        #expect(Set(labels).count == labels.count)
        let timeouts = UpstreamFailure.Kind.allCases.filter(\.isTimeout)
        #expect(timeouts == [.connectTimeout, .headersTimeout, .idleTimeout, .totalTimeout])
    }
}
