// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import Support
import Testing

@testable import Worker

@Suite("The request intake")
struct RequestIntakeTests {
    struct Case: CustomTestStringConvertible {
        let name: String
        let input: String
        /// `PATH BODY` of each request.
        let requests: [String]
        var error: HTTPParseError?

        var testDescription: String { name }
    }

    private static let bodyMax = 100_000

    private static func post(_ path: String, _ body: String) -> String {
        "POST \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    private static let chunkedPost =
        "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: 1\r\n\r\n"

    static let cases: [Case] = [
        Case(name: "no body", input: "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", requests: ["/a "]),
        Case(name: "a small body", input: post("/b", "{\"a\":1}"), requests: ["/b {\"a\":1}"]),
        Case(name: "an empty body", input: post("/b", ""), requests: ["/b "]),
        Case(name: "a chunked body", input: chunkedPost, requests: ["/c hello world"]),
        Case(
            name: "three pipelined requests",
            input: post("/1", "one") + chunkedPost + "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n",
            requests: ["/1 one", "/c hello world", "/3 "]
        ),
        Case(
            name: "a second request that is cut short",
            input: post("/1", "one") + "GET /2 HTTP/1.1\r\nHo",
            requests: ["/1 one"]
        ),
        Case(
            name: "a length beyond the limit",
            input: "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\n\r\n",
            requests: [],
            error: .bodyTooLarge
        ),
        Case(
            name: "a broken chunk",
            input: "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            requests: [],
            error: .chunkSizeInvalid
        ),
    ]

    private struct Outcome: Equatable {
        var requests: [String] = []
        var error: HTTPParseError?
    }

    @Test("collects the same requests however the bytes are cut", arguments: cases)
    func collects(_ row: Case) {
        var outcomes: [Outcome] = []
        let agrees = agreesAtEverySplit(Array(row.input.utf8)) { pieces in
            let outcome = Self.collect(pieces)
            outcomes.append(outcome)
            return outcome
        }
        #expect(agrees)
        #expect(outcomes.first == Outcome(requests: row.requests, error: row.error))
    }

    @Test("a body beyond the small buffer, with a request behind it, arrives whole")
    func largeBody() {
        let body = String(repeating: "0123456789", count: 5_000)
        let input = Array((Self.post("/big", body) + Self.post("/next", "n")).utf8)
        for size in [1_000, 16_384, 20_000, input.count] {
            let pieces = stride(from: 0, to: input.count, by: size).map {
                input[$0..<min($0 + size, input.count)]
            }
            #expect(Self.collect(pieces).requests == ["/big \(body)", "/next n"])
        }
    }

    @Test("a request that is refused on its head is not seen again")
    func refusedHead() throws {
        let pool = BufferPool()
        let shared = HeadScratch()
        var intake = RequestIntake()
        let text = "GET /no HTTP/1.1\r\nHost: h\r\n\r\nGET /yes HTTP/1.1\r\nHost: h\r\n\r\n"
        intake.readTarget(pool).buffer.append(text)
        #expect(try intake.next(shared) == .head)
        intake.finishRequest(pool)
        #expect(try intake.next(shared) == .head)
        let path = intake.withHead(shared) { String(copying: $1.extracting($0.path)) }
        #expect(path == "/yes")
    }

    @Test("an idle connection holds no buffer")
    func releasesBuffers() {
        let pool = BufferPool()
        let shared = HeadScratch()
        var intake = RequestIntake()
        let outcome = Self.feed(
            Array("GET /a HTTP/1.1\r\nHost: h\r\n\r\n".utf8)[...],
            &intake,
            shared,
            pool
        )
        #expect(outcome.requests == ["/a "])
        #expect(intake.input == nil)
        #expect(pool.taken == 0)
    }

    private static func collect(_ pieces: [ArraySlice<UInt8>]) -> Outcome {
        let pool = BufferPool()
        let shared = HeadScratch()
        var intake = RequestIntake()
        var outcome = Outcome()
        for piece in pieces {
            let step = feed(piece, &intake, shared, pool)
            outcome.requests += step.requests
            outcome.error = step.error
            if step.error != nil { break }
        }
        return outcome
    }

    /// Plays a connection: reads into whatever the intake offers, takes every request out.
    private static func feed(
        _ piece: ArraySlice<UInt8>,
        _ intake: inout RequestIntake,
        _ shared: HeadScratch,
        _ pool: BufferPool
    ) -> Outcome {
        var outcome = Outcome()
        var rest = piece
        do throws(HTTPParseError) {
            while !rest.isEmpty {
                let target = intake.readTarget(pool)
                let taken = Array(rest.prefix(min(target.limit, 20_000)))
                rest = rest.dropFirst(taken.count)
                target.buffer.append(taken)
                try drain(&intake, shared, pool, &outcome)
            }
        } catch {
            outcome.error = error
        }
        return outcome
    }

    private static func drain(
        _ intake: inout RequestIntake,
        _ shared: HeadScratch,
        _ pool: BufferPool,
        _ outcome: inout Outcome
    ) throws(HTTPParseError) {
        var path = ""
        while true {
            switch try intake.next(shared) {
            case .needMore:
                intake.releaseIfEmpty(pool)
                return
            case .head:
                path = intake.withHead(shared) { head, bytes in
                    String(copying: bytes.extracting(head.path))
                }
                try intake.takeBody(limit: bodyMax, checksJSON: true, pool: pool)
            case .body:
                if path.isEmpty { path = pathOf(intake) }
                let text = intake.bodyBuffer?.withBytes(in: intake.bodyRange) {
                    String(copying: $0)
                }
                outcome.requests.append("\(path) \(text ?? "")")
                path = ""
                intake.finishRequest(pool)
            }
        }
    }

    /// The path of a request whose head came with an earlier piece.
    private static func pathOf(_ intake: RequestIntake) -> String {
        let words = (intake.input?.text ?? "").split(separator: " ")
        return words.count > 1 ? String(words[1]) : ""
    }
}
