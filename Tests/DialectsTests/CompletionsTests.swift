// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Testing

@Suite("Text completions")
struct CompletionsTests {
    struct Case: CustomTestStringConvertible {
        let name: String
        let input: String
        let output: String
        var dropped: [String] = []

        var testDescription: String { name }
    }

    @Test(
        "Prompts become a turn of chat",
        arguments: [
            Case(
                name: "a string",
                input: #"{"model":"x","prompt":"caf\u00e9","max_tokens":5,"stop":"\n","#
                    + #""temperature":0,"user":"u","suffix":"","echo":false,"best_of":1}"#,
                output: #"{"model":"m","messages":[{"role":"user","content":"caf\u00e9"}],"#
                    + #""max_tokens":5,"stop":["\n"],"temperature":0.0,"user":"u"}"#
            ),
            Case(
                name: "a list of one string",
                input: #"{"prompt":["a"],"logprobs":3,"best_of":2,"logit_bias":{"1":1},"x":1}"#,
                output: #"{"model":"m","messages":[{"role":"user","content":"a"}]}"#,
                dropped: ["logprobs", "best_of", "logit_bias", "x"]
            ),
        ]
    )
    func requests(_ row: Case) throws {
        let plan = RequestPlan(format: .chat, host: .compatible, model: "m", isStream: false)
        let result = try Converting.request(row.input, from: .completions, plan)
        #expect(result.body == row.output)
        #expect(result.dropped == row.dropped)
    }

    @Test("A stream and its usage are asked for as in chat")
    func stream() throws {
        let conversation = try Converting.conversation(
            .completions,
            #"{"prompt":"a","stream":true,"stream_options":{"include_usage":true}}"#
        )
        #expect(conversation.isStream && conversation.wantsUsage)
    }

    struct Bad: CustomTestStringConvertible {
        let input: String
        let path: String
        var kind = ConversionError.Kind.invalid

        var testDescription: String { input }
    }

    @Test(
        "Bad requests name the place",
        arguments: [
            Bad(input: "[]", path: ""),
            Bad(input: "{}", path: "prompt"),
            Bad(input: #"{"prompt":{}}"#, path: "prompt"),
            Bad(input: #"{"prompt":[]}"#, path: "prompt"),
            Bad(input: #"{"prompt":["a","b"]}"#, path: "prompt[1]", kind: .unsupported),
            Bad(input: #"{"prompt":[1,2]}"#, path: "prompt[0]", kind: .unsupported),
            Bad(input: #"{"prompt":[[1,2]]}"#, path: "prompt[0]", kind: .unsupported),
            Bad(input: #"{"prompt":["a",null]}"#, path: "prompt[1]"),
            Bad(input: #"{"prompt":"a","suffix":"b"}"#, path: "suffix", kind: .unsupported),
            Bad(input: #"{"prompt":"a","echo":true}"#, path: "echo", kind: .unsupported),
            Bad(input: #"{"prompt":"a","logprobs":true}"#, path: "logprobs"),
            Bad(input: #"{"prompt":"a","max_tokens":"5"}"#, path: "max_tokens"),
        ]
    )
    func refuses(_ row: Bad) throws {
        let document = try Converting.Document(row.input)
        let bytes = document.bytes.span
        do throws(ConversionError) {
            _ = try Conversion.readRequest(.completions, document.tape, bytes)
            Issue.record("it was read")
        } catch {
            let path = error.path(document.tape, bytes)
            #expect(path == row.path)
            #expect(error.kind == row.kind)
        }
    }

    @Test("A whole answer")
    func answer() throws {
        let text = try Converting.answer(
            #"{"choices":[{"message":{"content":"a\n","reasoning":"hm"},"finish_reason":"length"}],"#
                + #""usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
            from: .chat,
            to: .completions
        )
        #expect(
            text
                == #"{"id":"cmpl-0123456789abcdef","object":"text_completion","#
                + #""created":1772000000,"model":"m","choices":[{"index":0,"text":"a\n","#
                + #""logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":1,"#
                + #""completion_tokens":2,"total_tokens":3,"#
                + #""prompt_tokens_details":{"cached_tokens":0},"#
                + #""completion_tokens_details":{"reasoning_tokens":0}}}"#
        )
    }

    private static let events = [
        #"{"id":"x","choices":[{"delta":{"role":"assistant","content":""}}]}"#,
        #"{"choices":[{"delta":{"reasoning":"hm"}}]}"#,
        #"{"choices":[{"delta":{"content":"a"}}]}"#,
        #"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
        #"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
    ]
    private static let head =
        #"data: {"id":"cmpl-0123456789abcdef","object":"text_completion","created":1772000000,"#
        + #""model":"m","choices":["#

    @Test("A stream ends with the reason and one [DONE]")
    func streamed() throws {
        #expect(
            try Converting.stream(Self.events, from: .chat, to: .completions).text
                == Self.head
                + #"{"index":0,"text":"a","logprobs":null,"finish_reason":null}]}"# + "\n\n"
                + Self.head
                + #"{"index":0,"text":"","logprobs":null,"finish_reason":"stop"}]}"# + "\n\n"
                + "data: [DONE]\n\n"
        )
    }

    @Test("A stream tells its usage when asked")
    func streamedUsage() throws {
        let text = try Converting.stream(
            Self.events,
            from: .chat,
            to: .completions,
            wantsUsage: true
        ).text
        #expect(text.contains(#""finish_reason":"stop"}],"usage":null}"#))
        #expect(text.contains(Self.head + #"],"usage":{"prompt_tokens":1,"#))
        #expect(text.hasSuffix("data: [DONE]\n\n"))
    }

    @Test("A failure is one event, and nothing follows it")
    func fail() {
        let out = ByteBuffer()
        var writer = StreamWriter(.completions, Converting.identity, wantsUsage: false)
        writer.fail(APIError(502, .upstream, "upstream_failed", "Gone."), to: out)
        writer.write(.end, from: Span(), ConversionScratch(), to: out)
        #expect(out.text.hasPrefix(#"data: {"error":{"message":"Gone.""#))
        #expect(!out.text.contains("[DONE]"))
    }
}
