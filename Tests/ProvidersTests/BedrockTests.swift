// SPDX-License-Identifier: Apache-2.0
import Bytes
import Providers
import Testing

@Suite("Bedrock events")
struct BedrockTests {
    static func decode(_ payload: String) throws(BedrockChunkError) -> String {
        var reader = BedrockChunkReader()
        let out = ByteBuffer()
        let bytes = Array(payload.utf8)
        do {
            try reader.append(chunk: bytes.span, to: out)
        } catch {
            #expect(out.isEmpty, "nothing is left of a failure")
            throw error
        }
        return out.text
    }

    @Test("come out of their chunks")
    func chunks() throws {
        let event = #"{"type":"ping","text":"Zürich ÿ?"}"#
        let text = Base64.text(Array(event.utf8).span)
        #expect(try Self.decode(#"{"bytes":"\#(text)"}"#) == event)
        #expect(try Self.decode(#"{"p":"abcdef","bytes":"\#(text)","q":[1]}"#) == event)
        let escaped = text.split(separator: "/", omittingEmptySubsequences: false)
            .joined(separator: "\\/")
        #expect(try Self.decode(#"{"bytes":"\#(escaped)"}"#) == event)
        #expect(try Self.decode(#"{"bytes":""}"#) == "")
    }

    @Test("in chunks that are none are refused")
    func refusedChunks() {
        #expect(throws: BedrockChunkError.noBytes) { try Self.decode("{}") }
        #expect(throws: BedrockChunkError.noBytes) { try Self.decode("[]") }
        #expect(throws: BedrockChunkError.noBytes) { try Self.decode(#"{"bytes":null}"#) }
        #expect(throws: BedrockChunkError.base64(.length)) { try Self.decode(#"{"bytes":"e"}"#) }
        #expect(throws: BedrockChunkError.self) { try Self.decode(#"{"bytes":"e30=""#) }
        #expect(throws: BedrockChunkError.self) { try Self.decode("") }
    }

    @Test("of converse-stream get their name around them")
    func converse() {
        let out = ByteBuffer("data: ")
        let name = Array("contentBlockDelta".utf8)
        let payload = Array(#"{"delta":{"text":"Noon."},"p":"a"}"#.utf8)
        BedrockChunkReader.append(converseEvent: name.span, payload: payload.span, to: out)
        #expect(
            out.text == #"data: {"contentBlockDelta":{"delta":{"text":"Noon."},"p":"a"}}"#
        )
    }

    static func exception(_ writer: AWSEventStreamWriter) throws -> BedrockException? {
        var decoder = AWSEventStreamDecoder()
        let bytes = writer.bytes
        guard let message = try decoder.next(bytes.span) else { return nil }
        return BedrockException(message, in: bytes.span)
    }

    @Test("that are exceptions tell what they stand for")
    func exceptions() throws {
        let throttled = try Self.exception(
            .exception("throttlingException", #"{"message":"Too many tokens"}"#)
        )
        #expect(
            throttled == BedrockException(kind: .throttling, message: "Too many tokens")
        )
        #expect(throttled?.status == 429)
        let failed = try Self.exception(
            .exception(
                "modelStreamErrorException",
                #"{"message":"m","originalStatusCode":503,"originalMessage":"o"}"#
            )
        )
        #expect(failed?.originalStatus == 503)
        #expect(failed?.status == 424)
        let error = try Self.exception(
            AWSEventStreamWriter(headers: [
                (":message-type", "error"), (":error-code", "InternalError"),
                (":error-message", "No."),
            ])
        )
        #expect(error == BedrockException(kind: .other, message: "No."))
        #expect(error?.status == 500)
        // Whatever the body is, the kind stands.
        for body in ["", "<html>", "[]", #"{"message":7}"#, "{\"message\":\"\u{0}\"}"] {
            let exception = try Self.exception(.exception("validationException", body))
            #expect(exception == BedrockException(kind: .validation, message: ""))
        }
    }

    @Test("with endless messages are cut at a character")
    func longMessage() {
        let text = "x" + String(repeating: "é", count: 5000)
        let body = Array(#"{"message":"\#(text)"}"#.utf8)
        let exception = BedrockException(kind: .other, body: body.span)
        #expect(exception.message.utf8.count == 2047)
        #expect(text.hasPrefix(exception.message))
    }

    @Test("have a status for every documented exception")
    func names() {
        let rows: [(name: String, status: Int)] = [
            ("accessDeniedException", 403), ("conflictException", 400),
            ("internalServerException", 500), ("modelErrorException", 424),
            ("modelNotReadyException", 429), ("modelStreamErrorException", 424),
            ("modelTimeoutException", 408), ("resourceNotFoundException", 404),
            ("serviceQuotaExceededException", 400), ("serviceUnavailableException", 503),
            ("throttlingException", 429), ("validationException", 400),
        ]
        for row in rows {
            let capital = row.name.prefix(1).uppercased() + row.name.dropFirst()
            for name in [
                row.name, capital, "\(capital):http://internal.amazon.com/coral/",
                "com.amazon.bedrock#\(capital)",
            ] {
                let kind = BedrockException.Kind(name: name)
                #expect(kind.rawValue == row.name && kind.status == row.status)
            }
        }
        #expect(rows.count + 1 == BedrockException.Kind.allCases.count)
        for name in ["", ":", "#", "ThrottlingExceptions", "throttling", "THROTTLINGEXCEPTION"] {
            #expect(BedrockException.Kind(name: name) == .other)
        }
    }
}
