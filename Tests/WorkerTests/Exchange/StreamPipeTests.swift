// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import Metrics
import Support
import Testing

@testable import Worker

@Suite("Streams of one format")
struct StreamPipeTests {
    struct Case: CustomTestStringConvertible {
        let name: String
        let input: String
        var strips = true
        let output: String
        var isDone = false
        var sawFinishReason = false
        var usage: TokenUsage?
        var error: String?

        var testDescription: String { name }
    }

    private struct Outcome: Equatable {
        var output: String
        var isDone: Bool
        var sawFinishReason: Bool
        var usage: TokenUsage?
        var error: String?
    }

    private static let chunk = #"data: {"choices":[{"delta":{"content":"hi"}}]}"# + "\n\n"
    private static let last =
        #"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"# + "\n\n"
    private static let usageChunk =
        #"data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"#
        + #""prompt_tokens_details":{"cached_tokens":2},"#
        + #""completion_tokens_details":{"reasoning_tokens":1}}}"# + "\n\n"
    private static let emptyDeltaUsage =
        #"data: {"choices":[{"index":0,"delta":{}}],"#
        + #""usage":{"completion_tokens":7,"prompt_tokens":8}}"# + "\n\n"
    private static let finishWithUsage =
        #"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"#
        + #""usage":{"prompt_tokens":1,"completion_tokens":2}}"# + "\n\n"
    private static let done = "data: [DONE]\n\n"
    private static let counts = TokenUsage(input: 7, output: 3, cached: 2, reasoning: 1)

    static let cases: [Case] = [
        Case(
            name: "a usual stream passes verbatim",
            input: chunk + chunk + last + done,
            output: chunk + chunk + last + done,
            isDone: true,
            sawFinishReason: true
        ),
        Case(
            name: "the usage chunk is counted and taken out",
            input: chunk + usageChunk + done,
            output: chunk + done,
            isDone: true,
            usage: counts
        ),
        Case(
            name: "the usage chunk stays when the client asked for it",
            input: chunk + usageChunk + done,
            strips: false,
            output: chunk + usageChunk + done,
            isDone: true,
            usage: counts
        ),
        Case(
            name: "a usage chunk whose choice has an empty delta is taken out as well",
            input: chunk + emptyDeltaUsage + done,
            output: chunk + done,
            isDone: true,
            usage: TokenUsage(input: 8, output: 7)
        ),
        Case(
            name: "usage beside a finish reason stays",
            input: finishWithUsage,
            output: finishWithUsage,
            sawFinishReason: true,
            usage: TokenUsage(input: 1, output: 2)
        ),
        Case(
            name: "usage on a chunk with choices is counted and stays",
            input: #"data: {"choices":[{"index":0}],"usage":{"prompt_tokens":1,"#
                + #""completion_tokens":2}}"# + "\n\n",
            output: #"data: {"choices":[{"index":0}],"usage":{"prompt_tokens":1,"#
                + #""completion_tokens":2}}"# + "\n\n",
            usage: TokenUsage(input: 1, output: 2)
        ),
        Case(
            name: "usage null is no usage",
            input: #"data: {"choices":[],"usage":null}"# + "\n\n",
            output: #"data: {"choices":[],"usage":null}"# + "\n\n"
        ),
        Case(
            name: "the word usage inside of a text is only text",
            input: #"data: {"choices":[{"delta":{"content":"\"usage\":{"}}]}"# + "\n\n",
            output: #"data: {"choices":[{"delta":{"content":"\"usage\":{"}}]}"# + "\n\n"
        ),
        Case(
            name: "nothing follows DONE",
            input: chunk + done + chunk + done,
            output: chunk + done,
            isDone: true
        ),
        Case(
            name: "a comment passes",
            input: ": ping\n\n" + chunk,
            output: ": ping\n\n" + chunk
        ),
        Case(
            name: "id, retry and event lines disappear",
            input: "event: message\nid: 7\nretry: 100\n" + chunk,
            output: chunk
        ),
        Case(
            name: "an event without data disappears",
            input: "id: 7\n\nretry: 5\n\nevent: ping\n\n" + chunk,
            output: chunk
        ),
        Case(
            name: "CRLF lines pass verbatim",
            input: "data: {\"a\":1}\r\n\r\ndata: [DONE]\r\n\r\n",
            output: "data: {\"a\":1}\r\n\r\ndata: [DONE]\r\n\r\n",
            isDone: true
        ),
        Case(
            name: "several data lines are one document",
            input: "data: {\"choices\":[],\ndata: \"usage\":{\"prompt_tokens\":4}}\n\n",
            output: "",
            usage: TokenUsage(input: 4, output: 0)
        ),
        Case(
            name: "an error event is kept back, with all that follows",
            input: chunk + "data: {\"error\":{\"message\":\"no\"}}\n\n" + chunk,
            output: chunk,
            error: "{\"error\":{\"message\":\"no\"}}"
        ),
        Case(
            name: "error null is no error",
            input: "data: {\"error\":null,\"choices\":[]}\n\n",
            output: "data: {\"error\":null,\"choices\":[]}\n\n"
        ),
        Case(
            name: "data that is no JSON passes behind content",
            input: chunk + "data: \"error\" oops\n\n",
            output: chunk + "data: \"error\" oops\n\n"
        ),
        Case(
            name: "the part of an event at the end is dropped",
            input: chunk + "data: {\"choices\":[{\"delta\"",
            output: chunk
        ),
        Case(
            name: "text beyond ASCII stays whole at every cut",
            input: "data: {\"c\":\"Grüße, 世界 🦅\"}\n\n",
            output: "data: {\"c\":\"Grüße, 世界 🦅\"}\n\n"
        ),
    ]

    @Test("relays each stream in the same way however it is cut", arguments: cases)
    func relays(_ row: Case) {
        let expected = Outcome(
            output: row.output,
            isDone: row.isDone,
            sawFinishReason: row.sawFinishReason,
            usage: row.usage,
            error: row.error
        )
        var outcomes: [Outcome] = []
        let agrees = agreesAtEverySplit(Array(row.input.utf8)) { pieces in
            let outcome = Self.relay(pieces, strips: row.strips)
            outcomes.append(outcome)
            return outcome
        }
        #expect(agrees)
        #expect(outcomes.first == expected)
    }

    private static func pipe(strips: Bool) -> StreamPipe {
        StreamPipe(
            StreamPipe.Settings(stripsUsage: strips),
            AnswerIdentity(unique: "u", created: 1, model: "m")
        )
    }

    private static func relay(_ pieces: [ArraySlice<UInt8>], strips: Bool) -> Outcome {
        var relay = Self.pipe(strips: strips)
        let work = StreamWork()
        let out = ByteBuffer()
        for piece in pieces {
            let bytes = Array(piece)
            relay.take(bytes.span, work, to: out)
        }
        relay.streamEnded(work, to: out)
        return Outcome(
            output: out.text,
            isDone: relay.isDone,
            sawFinishReason: relay.sawFinish,
            usage: relay.usage,
            error: relay.complaintData?.text
        )
    }

    @Test("the text of an older completion is content that goes out at once")
    func completionText() {
        let work = StreamWork()
        let out = ByteBuffer()
        var relay = StreamPipe(
            StreamPipe.Settings(upstream: .completions, client: .completions),
            AnswerIdentity(unique: "u", created: 1, model: "m")
        )
        let empty = #"data: {"choices":[{"index":0,"text":"","finish_reason":null}]}"# + "\n\n"
        relay.take(empty.utf8.span, work, to: out)
        #expect(!relay.hasContent)
        let piece = #"data: {"choices":[{"index":0,"text":"hi","finish_reason":null}]}"# + "\n\n"
        relay.take(piece.utf8.span, work, to: out)
        #expect(relay.hasContent)
        #expect(out.text == empty + piece)
    }

    @Test("an event of one megabyte passes, one beyond the limit does not")
    func largeEvents() {
        let work = StreamWork()
        let out = ByteBuffer()
        var relay = Self.pipe(strips: true)
        let text = String(repeating: "x", count: 1 << 20)
        let event = Array("data: {\"c\":\"\(text)\"}\n\n".utf8)
        for start in stride(from: 0, to: event.count, by: 60_000) {
            let piece = Array(event[start..<min(start + 60_000, event.count)])
            relay.take(piece.span, work, to: out)
        }
        #expect(out.count == event.count)
        #expect(!relay.isTooLarge)

        var endless = Self.pipe(strips: true)
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 64 << 10)
        for _ in 0..<80 { endless.take(piece.span, work, to: out) }
        #expect(endless.isTooLarge)
    }
}
