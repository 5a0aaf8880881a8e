// SPDX-License-Identifier: Apache-2.0
import Bytes
import Testing

@testable import Log

@Suite struct AccessLogLineTests {
    private func text(_ access: borrowing AccessLogLine, _ format: LogFormat = .json) -> String {
        var formatter = LogFormatter(format: format, processID: 42, slot: 1)
        let out = ByteBuffer()
        formatter.append(.info, "request", at: someTime, to: out) { access.append(to: &$0) }
        return out.text
    }

    private func set(_ access: inout AccessLogLine, _ text: AccessLogLine.Text, _ value: String) {
        access.set(text, Array(value.utf8).span)
    }

    @Test("A complete line")
    func complete() {
        var access = AccessLogLine()
        set(&access, .requestID, "req-1")
        set(&access, .correlationID, "corr-1")
        set(&access, .client, "127.0.0.1:4711")
        set(&access, .method, "POST")
        set(&access, .path, "/v1/chat/completions?key=secret")
        set(&access, .model, "gpt-5.4")
        set(&access, .upstream, "sap-eu")
        set(&access, .upstream, "openai")
        set(&access, .key, "team-a")
        access.route = "chat_completions"
        access.status = 200
        access.bytesIn = 2048
        access.bytesOut = 9000
        access.duration = 1_234_567_890
        access.timeToFirstByte = 120_000_000
        access.upstreamDuration = 1_200_000_000
        access.isStream = true
        access.tokensIn = 100
        access.tokensOut = 20
        access.attempts = 2
        access.error = "upstream_cut"
        access.ending = .upstreamCut
        let line = text(access)
        #expect(
            line == """
                {"ts":"2026-01-02T03:04:05.678Z","level":"info","msg":"request","pid":42,"slot":1,\
                "request_id":"req-1","correlation_id":"corr-1","client":"127.0.0.1:4711",\
                "method":"POST","path":"/v1/chat/completions","route":"chat_completions",\
                "model":"gpt-5.4","upstream":"openai","status":200,"bytes_in":2048,\
                "bytes_out":9000,"duration_ms":1234.567,"ttfb_ms":120.000,"upstream_ms":1200.000,\
                "stream":true,"tokens_in":100,"tokens_out":20,"key":"team-a","attempts":2,\
                "error":"upstream_cut","ending":"upstream_cut"}

                """
        )
    }

    @Test("What is not known is left out, and a reset line knows nothing")
    func minimal() {
        var access = AccessLogLine()
        set(&access, .path, "/secret")
        access.tokensIn = 5
        access.error = "x"
        access.reset()
        let line = text(access, .readable(colours: false))
        #expect(
            line == """
                03:04:05.678 INFO  request pid=42 slot=1 route=other status=0 bytes_in=0 \
                bytes_out=0 duration_ms=0.000 stream=false attempts=0 ending=complete

                """
        )
    }

    @Test(
        "Query and fragment never get into the line",
        arguments: ["/a?key=secret", "/a#secret", "/a?secret#secret", "/a?"]
    )
    func query(target: String) {
        var access = AccessLogLine()
        set(&access, .path, target)
        let line = text(access)
        #expect(line.contains("\"path\":\"/a\""))
        #expect(!line.contains("secret"))
    }

    @Test("Texts are cut, and setting them again and again is bounded")
    func bounds() {
        var access = AccessLogLine()
        for kind in AccessLogLine.Text.allCases {
            set(&access, kind, String(repeating: "\u{1}", count: 5000))
        }
        for _ in 0..<1000 {
            set(&access, .upstream, String(repeating: "u", count: 64))
        }
        let line = text(access)
        #expect(line.utf8.count <= LogRecord.lineBytesMax)
        #expect(line.hasSuffix("}\n"))
    }
}
