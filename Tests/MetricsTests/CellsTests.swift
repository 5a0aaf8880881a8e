// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Metrics

@Suite struct CellsTests {
    /// A worker and its supervisor may be of two builds during an upgrade.
    @Test("The layout of record version 2 is this one; another one needs a new version")
    func layoutOfVersion() {
        #expect(RecordHeader.version == 2)
        #expect(
            Route.allCases.map { "\($0.label)" }.joined(separator: " ") == """
                chat_completions completions embeddings models health responses messages \
                count_tokens generate_content websocket retrieval documents preflight not_found \
                malformed other
                """
        )
        #expect(StatusClass.allCases.count == 5)
        #expect(Latency.allCases.count == 3)
        #expect(TokenType.allCases.count == 5)
        #expect(Operation.allCases.count == 4)
        #expect(UpstreamResult.allCases.count == 11)
        #expect(Cells.fixedCount == 106)
        #expect(Cells.upstreamCount == 217)
        #expect(Histogram.bucketCount == 265)
    }

    @Test("No two values share a cell, and none lies outside of its block")
    func cellsAreDistinct() {
        var fixed: [Int] = WorkerGauge.allCases.map { Cells.gauge($0) }
        fixed += WorkerCounter.allCases.map { Cells.counter($0) }
        for route in Route.allCases {
            fixed += StatusClass.allCases.map { Cells.requests(route, $0) }
            fixed.append(Cells.aborts(route))
        }
        #expect(fixed.sorted() == Array(0..<Cells.fixedCount))

        var upstream: [Int] = UpstreamGauge.allCases.map { Cells.gauge($0) }
        upstream += UpstreamCounter.allCases.map { Cells.counter($0) }
        upstream += UpstreamResult.allCases.map { Cells.result($0) }
        for route in Route.allCases {
            upstream += TokenType.allCases.map { Cells.tokens(route, $0) }
        }
        for operation in Operation.allCases {
            for output in [false, true] {
                let first = Cells.usage(operation, output: output)
                upstream += Array(first..<first + Cells.usageBuckets)
            }
        }
        #expect(upstream.sorted() == Array(0..<Cells.upstreamCount))
    }

    @Test(
        "Tokens fall into the buckets of the OpenTelemetry conventions",
        arguments: [
            (UInt64(0), 0), (1, 0), (2, 1), (4, 1), (5, 2), (16, 2), (17, 3), (64, 3), (65, 4),
            (1024, 5), (1025, 6), (67_108_864, 13), (67_108_865, 14), (.max, 14),
        ]
    )
    func usageBuckets(tokens: UInt64, bucket: Int) {
        #expect(Cells.usageBucket(tokens) == bucket)
    }

    @Test(
        "Statuses and their classes",
        arguments: [
            (101, StatusClass.informational), (200, .success), (304, .redirection),
            (499, .clientError), (500, .serverError), (0, .serverError), (700, .serverError),
        ]
    )
    func statusClasses(status: Int, expected: StatusClass) {
        #expect(StatusClass(status: status) == expected)
    }

    @Test(
        "Statuses and upstream results",
        arguments: [
            (200, UpstreamResult.success), (302, .redirection), (400, .clientError),
            (429, .rateLimited), (503, .serverError), (999, .serverError),
        ]
    )
    func upstreamResults(status: Int, expected: UpstreamResult) {
        #expect(UpstreamResult(status: status) == expected)
    }
}
