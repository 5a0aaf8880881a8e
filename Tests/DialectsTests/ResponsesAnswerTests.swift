// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Metrics
import Support
import Testing

/// Answers and streams for clients that speak Responses.
struct ResponsesAnswerTests {
    private static func written(_ answer: Answer) -> String {
        let out = ByteBuffer()
        Conversion.writeAnswer(
            answer,
            .responses,
            Converting.identity,
            from: Span(),
            ConversionScratch(),
            to: out
        )
        return out.text
    }

    static func streamed(
        _ events: [Dialects.StreamEvent],
        _ error: APIError? = nil
    ) throws -> (text: String, transcript: ResponsesTranscript) {
        var writer = StreamWriter(.responses, Converting.identity, wantsUsage: false)
        let out = ByteBuffer()
        for event in events { writer.write(event, from: Span(), ConversionScratch(), to: out) }
        if let error { writer.fail(error, to: out) }
        return (out.text, try ResponsesTranscript(out.text))
    }

    private static func text(_ text: String) -> Part { .text(TextBlock(.text(text))) }

    @Test func wholeAnswer() throws {
        var answer = Answer()
        var call = ToolCall(id: .text("c1"), name: .text("f"), input: .text(.text(#"{"a":1}"#)))
        call.signature = .text("Cg==")
        answer.parts = [
            .thinking(Thinking(text: .text("hm"), signature: .text("EqQB"))),
            .thinking(Thinking(text: nil, encrypted: .text("EvAF"))),
            Self.text("a\n"), Self.text("b"), .refusal(.text("no")), .toolCall(call),
            .toolCall(ToolCall(id: nil, name: .text("g"), input: .object(.json(#"{"b":"x"}"#)))),
        ]
        answer.finish = .toolCalls
        answer.usage = TokenUsage(input: 9, output: 5, cached: 4, reasoning: 3, cacheWrite: 2)
        #expect(
            Self.written(answer) == """
                {"id":"resp_0123456789abcdef","object":"response","created_at":1772000000,\
                "status":"completed","error":null,"incomplete_details":null,"background":false,\
                "instructions":null,"max_output_tokens":null,"metadata":{},"model":"m","output":[\
                {"id":"rs_0123456789abcdef0","type":"reasoning",\
                "summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"apus.s.EqQB"},\
                {"id":"rs_0123456789abcdef1","type":"reasoning","summary":[],\
                "encrypted_content":"apus.e.EvAF"},\
                {"id":"msg_0123456789abcdef2","type":"message","role":"assistant","content":[\
                {"type":"output_text","text":"a\\nb","annotations":[],"logprobs":[]},\
                {"type":"refusal","refusal":"no"}],"status":"completed"},\
                {"id":"rs_0123456789abcdef3","type":"reasoning","summary":[],\
                "encrypted_content":"apus.c.Cg=="},\
                {"id":"fc_0123456789abcdef4","type":"function_call","call_id":"c1","name":"f",\
                "arguments":"{\\"a\\":1}","status":"completed"},\
                {"id":"fc_0123456789abcdef5","type":"function_call",\
                "call_id":"call_0123456789abcdef5","name":"g",\
                "arguments":"{\\"b\\":\\"x\\"}","status":"completed"}],\
                "parallel_tool_calls":true,"previous_response_id":null,\
                "reasoning":{"effort":null,"summary":null},"store":false,"temperature":null,\
                "text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":null,\
                "truncation":"disabled","usage":{"input_tokens":9,"input_tokens_details":\
                {"cached_tokens":4,"cache_write_tokens":2},"output_tokens":5,\
                "output_tokens_details":{"reasoning_tokens":3},"total_tokens":14},"user":null}
                """
        )
    }

    struct Finish: Sendable {
        let reason: FinishReason
        let status: String
        var details: String?
    }

    @Test(arguments: [
        Finish(reason: .stop, status: "completed"),
        Finish(reason: .stopSequence, status: "completed"),
        Finish(reason: .length, status: "incomplete", details: "max_output_tokens"),
        Finish(reason: .toolCalls, status: "completed"),
        Finish(reason: .contentFilter, status: "incomplete", details: "content_filter"),
        Finish(reason: .pause, status: "completed"),
    ])
    func finishReasons(_ row: Finish) throws {
        var answer = Answer()
        answer.parts = [Self.text("a")]
        answer.finish = row.reason
        let whole = try JSONValue(Self.written(answer))
        let events: [Dialects.StreamEvent] = [
            .text(.text("a")), .finish(row.reason, stopSequence: nil), .end,
        ]
        let stream = try Self.streamed(events).transcript
        #expect(stream.faults == [])
        #expect(stream.types.last == "response." + row.status)
        for response in [whole, try #require(stream.response)] {
            #expect(response["status"]?.string == row.status)
            #expect(response["incomplete_details"]?["reason"]?.string == row.details)
            #expect(response["output"]?[0]?["status"]?.string == row.status)
            #expect(response["usage"]?.isNull == true)
        }
    }

    @Test func anEmptyAnswer() throws {
        var answer = Answer()
        answer.parts = [Self.text("")]
        #expect(try JSONValue(Self.written(answer))["output"]?.array == [])
        let stream = try Self.streamed([.start(id: nil), .text(.text("")), .end]).transcript
        #expect(stream.faults == [])
        #expect(stream.response?["output"]?.array == [])
    }

    @Test func anImage() throws {
        var answer = Answer()
        let image = Media(.image, .text("image/png"), .base64(.text("AAAA")))
        answer.parts = [.media(image), Self.text("that")]
        let output = try JSONValue(Self.written(answer))["output"]
        #expect(output?[0]?["type"]?.string == "image_generation_call")
        #expect(output?[0]?["result"]?.string == "AAAA")
        let stream = try Self.streamed([.media(image), .text(.text("that")), .end]).transcript
        #expect(stream.faults == [])
        #expect(stream.response?["output"]?[0]?["result"]?.string == "AAAA")
        #expect(stream.response?["output"]?[1]?["content"]?[0]?["text"]?.string == "that")
    }

    // MARK: Streams

    @Test func aStreamOfText() throws {
        let usage = TokenUsage(input: 9, output: 2)
        let (text, stream) = try Self.streamed([
            .start(id: .text("up")), .text(.text("Hi")), .text(.text(" you")),
            .finish(.stop, stopSequence: nil), .usage(usage), .end, .text(.text("late")), .end,
        ])
        #expect(stream.faults == [])
        #expect(
            stream.steps == [
                "created", "in_progress", "output_item.added", "content_part.added",
                "output_text.delta", "output_text.delta", "output_text.done", "content_part.done",
                "output_item.done", "completed",
            ]
        )
        #expect(stream.response?["usage"]?["total_tokens"]?.int == 11)
        let unique = "0123456789abcdef"
        let place = #""item_id":"msg_\#(unique)0","output_index":0"#
        #expect(
            text.contains(
                """
                event: response.output_item.added
                data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,\
                "item":{"id":"msg_\(unique)0","type":"message","role":"assistant","content":[],\
                "status":"in_progress"}}

                event: response.content_part.added
                data: {"type":"response.content_part.added","sequence_number":3,\(place),\
                "content_index":0,"part":{"type":"output_text","text":"","annotations":[],\
                "logprobs":[]}}

                event: response.output_text.delta
                data: {"type":"response.output_text.delta","sequence_number":4,\(place),\
                "content_index":0,"delta":"Hi","logprobs":[]}


                """
            )
        )
        #expect(
            text.contains(
                """
                event: response.output_text.done
                data: {"type":"response.output_text.done","sequence_number":6,\(place),\
                "content_index":0,"text":"Hi you","logprobs":[]}

                event: response.content_part.done
                data: {"type":"response.content_part.done","sequence_number":7,\(place),\
                "content_index":0,"part":{"type":"output_text","text":"Hi you","annotations":[],\
                "logprobs":[]}}

                event: response.output_item.done
                data: {"type":"response.output_item.done","sequence_number":8,"output_index":0,\
                "item":{"id":"msg_\(unique)0","type":"message","role":"assistant","content":[\
                {"type":"output_text","text":"Hi you","annotations":[],"logprobs":[]}],\
                "status":"completed"}}


                """
            )
        )
    }

    @Test func aStreamOfCalls() throws {
        let (text, stream) = try Self.streamed([
            .text(.text("wait")),
            .callStart(index: 0, id: .text("c0"), name: .text("f"), signature: nil),
            .callInput(index: 0, .text(#"{"a""#)),
            .callStart(index: 1, id: nil, name: .text("g"), signature: .text("Cg==")),
            .callInput(index: 0, .text(":1}")), .callEnd(index: 1),
            .callStart(index: 2, id: .text("c2"), name: .text("h"), signature: nil),
            .callObject(index: 2, .json(#"{"x":"y"}"#)), .callInput(index: 7, .text("lost")),
            .finish(.toolCalls, stopSequence: nil), .end,
        ])
        #expect(stream.faults == [])
        let output = stream.response?["output"]?.array ?? []
        #expect(
            output.map { $0["type"]?.string } == [
                "message", "function_call", "reasoning", "function_call", "function_call",
            ]
        )
        #expect(output[1]["arguments"]?.string == #"{"a":1}"#)
        #expect(output[1]["call_id"]?.string == "c0")
        #expect(output[2]["encrypted_content"]?.string == "apus.c.Cg==")
        #expect(output[3]["arguments"]?.string == "{}")
        #expect(output[3]["call_id"]?.string == "call_0123456789abcdef3")
        #expect(output[4]["arguments"]?.string == #"{"x":"y"}"#)
        #expect(
            text.contains(
                #""item_id":"fc_0123456789abcdef3","output_index":3,"arguments":"{}"}"# + "\n\n"
            )
        )
    }

    @Test func aStreamOfThoughts() throws {
        let (_, stream) = try Self.streamed([
            .thinking(.text("hm")), .thinking(.text("m")), .signature(.text("EqQB")),
            .thinking(.text("more")), .encryptedThinking(.text("EvAF")), .signature(.text("Ez")),
            .refusal(.text("n")), .refusal(.text("o")), .text(.text("but")), .end,
        ])
        #expect(stream.faults == [])
        let output = stream.response?["output"]?.array ?? []
        #expect(output.count == 5)
        #expect(output[0]["summary"]?[0]?["text"]?.string == "hmm")
        #expect(output[0]["encrypted_content"]?.string == "apus.s.EqQB")
        #expect(output[1]["summary"]?[0]?["text"]?.string == "more")
        #expect(output[1]["encrypted_content"]?.isNull == true)
        #expect(output[2]["encrypted_content"]?.string == "apus.e.EvAF")
        #expect(output[3]["summary"]?.array == [])
        #expect(output[3]["encrypted_content"]?.string == "apus.s.Ez")
        #expect(output[4]["content"]?[0]?["refusal"]?.string == "no")
        #expect(output[4]["content"]?[1]?["text"]?.string == "but")
        #expect(
            stream.steps.prefix(9) == [
                "created", "in_progress", "output_item.added", "reasoning_summary_part.added",
                "reasoning_summary_text.delta", "reasoning_summary_text.delta",
                "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
            ]
        )
    }

    @Test func usageInPieces() throws {
        let (_, stream) = try Self.streamed([
            .usage(TokenUsage(input: 60, output: 1, cached: 8)), .text(.text("a")),
            .usage(TokenUsage(input: 0, output: 31)), .end,
        ])
        let usage = stream.response?["usage"]
        #expect(usage?["input_tokens"]?.int == 60)
        #expect(usage?["input_tokens_details"]?["cached_tokens"]?.int == 8)
        #expect(usage?["output_tokens"]?.int == 31)
    }

    struct Failure: CustomTestStringConvertible, Sendable {
        let error: APIError
        let code: String

        var testDescription: String { "\(error.status) \(error.code)" }
    }

    @Test(arguments: [
        Failure(
            error: APIError(429, .rateLimit, "rate_limit_exceeded", "x"),
            code: "rate_limit_exceeded"
        ),
        Failure(
            error: APIError(429, .rateLimit, "insufficient_quota", "x"),
            code: "insufficient_quota"
        ),
        Failure(
            error: APIError(400, .invalidRequest, "context_length_exceeded", "x"),
            code: "context_length_exceeded"
        ),
        Failure(
            error: APIError(400, .invalidRequest, "upstream_refused", "x"),
            code: "invalid_prompt"
        ),
        Failure(error: APIError(502, .upstream, "upstream_error", "x"), code: "server_error"),
        Failure(error: APIError(504, .upstream, "upstream_timeout", "x"), code: "server_error"),
    ])
    func failureInTheMiddle(_ row: Failure) throws {
        let (_, stream) = try Self.streamed(
            [
                .thinking(.text("hm")), .text(.text("half")),
                .usage(TokenUsage(input: 3, output: 1)),
            ],
            row.error
        )
        #expect(stream.faults == [])
        #expect(stream.types.last == "response.failed")
        #expect(stream.response?["status"]?.string == "failed")
        #expect(stream.response?["error"]?["code"]?.string == row.code)
        #expect(stream.response?["error"]?["message"]?.string == "x")
        #expect(stream.response?["output"]?.array?.count == 1)
    }

    @Test func failureAtOnceAndOnlyOnce() throws {
        let error = APIError(502, .upstream, "upstream_error", "cut")
        let (_, stream) = try Self.streamed([], error)
        #expect(stream.faults == [])
        #expect(stream.steps == ["created", "in_progress", "failed"])
        let (whole, _) = try Self.streamed([.text(.text("a")), .end])
        let (late, _) = try Self.streamed([.text(.text("a")), .end], error)
        #expect(whole == late)
    }

    @Test func tooMuchTextFails() throws {
        var writer = StreamWriter(.responses, Converting.identity, wantsUsage: false)
        let piece = ByteBuffer(Array(repeating: UInt8(ascii: "x"), count: 8 << 20))
        let out = ByteBuffer()
        for round in 0..<9 {
            out.clear()
            piece.withBytes { bytes in
                writer.write(
                    .text(.slice(0..<bytes.count)),
                    from: bytes,
                    ConversionScratch(),
                    to: out
                )
            }
            let failed = out.text.contains("event: response.failed")
            #expect(failed == (round == 8))
        }
        out.clear()
        writer.write(.end, from: Span(), ConversionScratch(), to: out)
        #expect(out.isEmpty)
    }

    @Test(arguments: 0..<300)
    func randomStreams(_ seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        var events: [Dialects.StreamEvent] = []
        var calls = 0
        for _ in 0..<random.below(30) {
            let text = JSONText.text(random.oneIn(8) ? "" : "t\(random.below(9))\"\n😀")
            switch random.below(11) {
            case 0, 1, 2: events.append(.text(text))
            case 3: events.append(.thinking(text))
            case 4: events.append(.signature(text))
            case 5: events.append(.encryptedThinking(text))
            case 6: events.append(.refusal(text))
            case 7:
                events.append(
                    .callStart(
                        index: calls,
                        id: random.oneIn(2) ? text : nil,
                        name: .text("f"),
                        signature: random.oneIn(3) ? text : nil
                    )
                )
                calls += 1
            case 8: events.append(.callInput(index: random.below(calls + 1), text))
            case 9: events.append(.callEnd(index: random.below(calls + 1)))
            default: events.append(.usage(TokenUsage(input: 1, output: 1)))
            }
        }
        if random.oneIn(2) { events.append(.finish(.length, stopSequence: nil)) }
        let fails = random.oneIn(4)
        if !fails { events.append(.end) }
        let error = APIError(502, .upstream, "upstream_error", "cut")
        let (_, stream) = try Self.streamed(events, fails ? error : nil)
        #expect(stream.faults == [], "seed \(seed)")
        #expect(stream.isOver)
        if random.oneIn(2), !fails {
            // What the client sends back in the next turn is read without complaint.
            let output = try Self.streamed(events).text
            let start = try #require(output.range(ofLast: "\"output\":["))
            let end = try #require(output.range(ofLast: "],\"parallel_tool_calls\""))
            let items = output[start.upperBound..<end.lowerBound]
            _ = try Converting.conversation(
                .responses,
                "{\"instructions\":\"a\",\"input\":[\(items)]}"
            )
        }
    }

    /// Thoughts and their proofs go to the client and back to the vendor unchanged.
    @Test func thoughtsSurviveTheClient() throws {
        var answer = Answer()
        answer.parts = [
            .thinking(Thinking(text: .text("let \"me\" see"), signature: .text("EqQB/+=="))),
            .thinking(Thinking(text: nil, encrypted: .text("EvAF+/=="))),
            .thinking(Thinking(text: .text(""), signature: .text("Ez=="))),
            Self.text("so"),
        ]
        let output = try JSONValue(Self.written(answer))["output"]?.array ?? []
        #expect(output.count == 4)
        let text = Self.written(answer)
        let start = try #require(text.range(ofLast: "\"output\":["))
        let end = try #require(text.range(ofLast: "],\"parallel_tool_calls\""))
        let request = "{\"input\":[\(text[start.upperBound..<end.lowerBound])]}"
        let conversation = try Converting.conversation(.responses, request)
        #expect(
            ResponsesShape.of(conversation, request)
                == "A{thinking text let \"me\" see signature EqQB/+==}"
                + "{thinking encrypted EvAF+/==}{thinking text  signature Ez==}{text so}"
        )
    }
}

extension String {
    /// Where `text` stands last.
    fileprivate func range(ofLast text: String) -> Range<String.Index>? {
        ranges(of: text).last
    }
}
