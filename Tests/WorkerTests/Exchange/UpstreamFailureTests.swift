// SPDX-License-Identifier: Apache-2.0
import Dialects
import Metrics
import Testing

@testable import Worker

@Suite("Failures of upstreams")
struct UpstreamFailureTests {
    struct Row: CustomTestStringConvertible {
        let kind: UpstreamFailure.Kind
        let status: Int
        let code: String
        let result: Metrics.UpstreamResult

        init(
            _ kind: UpstreamFailure.Kind,
            _ status: Int,
            _ code: String,
            _ result: Metrics.UpstreamResult
        ) {
            self.kind = kind
            self.status = status
            self.code = code
            self.result = result
        }

        var testDescription: String { kind.metricLabel }
    }

    static let rows: [Row] = [
        Row(.resolveFailed, 502, "upstream_unreachable", .connectError),
        Row(.connectRefused, 502, "upstream_unreachable", .connectError),
        Row(.connectFailed, 502, "upstream_unreachable", .connectError),
        Row(.proxyFailed, 502, "upstream_unreachable", .connectError),
        Row(.tlsFailed, 502, "upstream_tls", .tlsError),
        Row(.connectTimeout, 504, "upstream_timeout", .timeout),
        Row(.headersTimeout, 504, "upstream_timeout", .timeout),
        Row(.idleTimeout, 504, "upstream_timeout", .timeout),
        Row(.totalTimeout, 504, "upstream_timeout", .timeout),
        Row(.reset, 502, "upstream_cut", .reset),
        Row(.truncated, 502, "upstream_cut", .reset),
        Row(.closedBeforeResponse, 502, "upstream_cut", .reset),
        Row(.protocolError, 502, "upstream_invalid_response", .protocolError),
        Row(.tooManyConnections, 503, "upstream_busy", .connectError),
    ]

    @Test("are told with their status, code, name and detail", arguments: rows)
    func maps(_ row: Row) {
        let failure = UpstreamFailure(
            kind: row.kind,
            detail: "host:1: what happened",
            responseBegan: false,
            timings: UpstreamTimings()
        )
        let error = UpstreamFailureMapping.error(failure, upstream: "up")
        #expect(error.status == row.status)
        #expect(error.code.description == row.code)
        #expect(error.kind == .upstream)
        #expect(error.message.contains("'up'"))
        #expect(error.message.hasSuffix("host:1: what happened."))
        #expect(!error.closesConnection)
        #expect((error.retryAfterSeconds != nil) == (row.status == 503))
        #expect(row.kind.result == row.result)
    }

    @Test("are all in the table")
    func complete() {
        #expect(Set(Self.rows.map(\.kind)) == Set(UpstreamFailure.Kind.allCases))
    }
}
