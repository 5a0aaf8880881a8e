// SPDX-License-Identifier: Apache-2.0
import Dialects
import Bytes
import HTTP
import Metrics
import Policy
import Testing

@testable import Worker

@Suite("Upstream answers")
struct WholeAnswerTests {
    struct Case: CustomTestStringConvertible {
        let status: Int
        let body: String
        /// Status and code of the error instead; nil passes the bytes on.
        let instead: (Int, String)?

        var testDescription: String { "\(status) \(body)" }
    }

    private static let reported = #"{"error":{"message":"m","type":"t"}}"#

    static let cases: [Case] = [
        Case(status: 200, body: #"{"id":"x"}"#, instead: nil),
        Case(status: 200, body: "", instead: (502, "upstream_invalid_response")),
        Case(status: 200, body: "<html>", instead: (502, "upstream_invalid_response")),
        Case(status: 200, body: #"{"id":"x""#, instead: (502, "upstream_invalid_response")),
        Case(status: 200, body: "[1]", instead: (502, "upstream_invalid_response")),
        Case(status: 200, body: reported, instead: (502, "upstream_error")),
        Case(status: 200, body: #"{"error":null,"id":"x"}"#, instead: nil),
        Case(status: 204, body: "", instead: (502, "upstream_invalid_response")),
        Case(status: 302, body: "", instead: (502, "upstream_error")),
        Case(status: 400, body: reported, instead: nil),
        Case(status: 400, body: "nope", instead: (400, "upstream_refused")),
        Case(status: 401, body: reported, instead: (502, "upstream_credentials")),
        Case(status: 402, body: reported, instead: (502, "upstream_credentials")),
        Case(status: 403, body: "", instead: (502, "upstream_credentials")),
        Case(status: 404, body: reported, instead: nil),
        Case(status: 404, body: "<html>", instead: (404, "upstream_not_found")),
        Case(status: 429, body: reported, instead: nil),
        Case(status: 429, body: "", instead: (429, "rate_limit_exceeded")),
        Case(status: 451, body: reported, instead: nil),
        Case(status: 500, body: reported, instead: nil),
        Case(status: 503, body: "<html>", instead: (503, "upstream_overloaded")),
        Case(status: 529, body: "", instead: (503, "upstream_overloaded")),
    ]

    private static func judge(_ status: Int, _ body: String) -> WholeAnswer.Verdict {
        let request = ModelRequest(
            endpoint: .chatCompletions,
            facts: RequestFacts(model: nil, isStream: false, wantsUsage: false),
            isStream: false,
            writesArray: false,
            model: "m",
            balance: .ordered,
            choices: [],
            pin: nil
        )
        let plan = RequestPlan(format: .chat, host: .compatible, model: "m", isStream: false)
        let bytes = ByteBuffer()
        bytes.append(body)
        return WholeAnswer(
            request,
            UpstreamRoute(plan, .fixed("/")),
            "u",
            AnswerIdentity(unique: "u", created: 1, model: "m")
        ).judge(status, bytes, StreamWork())
    }

    @Test("are passed on or replaced by status and shape", arguments: cases)
    func judges(_ row: Case) {
        switch Self.judge(row.status, row.body) {
        case .pass, .written, .events: #expect(row.instead == nil)
        case .failed(let failure):
            guard let instead = row.instead else {
                #expect(failure.kept?.text == row.body)
                return
            }
            #expect(failure.kept == nil)
            #expect(failure.error.status == instead.0)
            #expect(failure.error.code.description == instead.1)
        }
    }

    @Test("carry their usage")
    func usage() {
        let body = #"{"id":"x","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6}}"#
        let verdict = Self.judge(200, body)
        guard case .pass(let usage) = verdict else {
            Issue.record("the answer did not pass")
            return
        }
        #expect(usage == TokenUsage(input: 5, output: 6))
    }
}

@Suite("Fields of upstream answers")
struct ResponseFieldsTests {
    private func head(_ lines: String) throws -> (ResponseHead, [UInt8]) {
        let bytes = Array("HTTP/1.1 200 OK\r\n\(lines)\r\n".utf8)
        var decoder = ResponseDecoder()
        decoder.begin(requestMethod: .post)
        _ = try decoder.next(bytes.span)
        return (decoder.head, bytes)
    }

    @Test("pass only if a client may see them")
    func passes() throws {
        let (head, bytes) = try head(
            "Server: x\r\nSet-Cookie: a=b\r\nRetry-After: 7\r\nX-RateLimit-Limit-Requests: 5\r\n"
                + "openai-version: v\r\nopenai-organization: secret\r\nContent-Length: 0\r\n"
                + "retry-after-ms: 9\r\n"
        )
        let out = ByteBuffer()
        ResponseFields.append(head, in: bytes.span, to: out)
        #expect(
            out.text == "Retry-After: 7\r\nX-RateLimit-Limit-Requests: 5\r\n"
                + "openai-version: v\r\nretry-after-ms: 9\r\n"
        )
        #expect(ResponseFields.retryAfter(out) == 7)
    }

    @Test(
        "tell an event stream from other types",
        arguments: [
            ("text/event-stream", true), ("Text/Event-Stream; charset=utf-8", true),
            ("text/event-streams", false), ("application/json", false), ("text/event", false),
        ]
    )
    func eventStreams(_ type: String, _ expected: Bool) throws {
        let (head, bytes) = try head("Content-Type: \(type)\r\n")
        let isStream = ResponseFields.isEventStream(head, in: bytes.span)
        #expect(isStream == expected)
    }
}
