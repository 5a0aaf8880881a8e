// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Metrics
import Testing

/// Answers and streams of upstreams that speak Responses.
struct ResponsesReadingTests {
    // MARK: Answers

    private static func answer(_ text: String) throws -> (Answer, [UInt8]) {
        let document = try Converting.Document(text)
        let tape = document.tape
        let answer = try Conversion.readAnswer(.responses, tape.root, tape, document.bytes.span)
        return (answer, document.bytes)
    }

    /// What the parts of an answer say, as `ResponsesShape` shows a turn.
    private static func shape(_ parts: [Part], _ bytes: [UInt8]) -> String {
        var conversation = Conversation(.responses)
        conversation.messages = [Message(.assistant, parts)]
        return ResponsesShape.of(conversation, String(decoding: bytes, as: UTF8.self))
    }

    @Test func aWholeAnswer() throws {
        let (answer, bytes) = try Self.answer(
            #"""
            {"id":"resp_1","object":"response","created_at":1,"status":"completed","error":null,
            "incomplete_details":null,"model":"gpt-5.3-codex-2026","output":[
            {"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"a"},
            {"type":"summary_text","text":"b"}],"encrypted_content":"gAAA=="},
            {"id":"ws_1","type":"web_search_call","status":"completed"},
            {"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[
            {"type":"output_text","text":"Hi \"you\"","annotations":[]},
            {"type":"output_text","text":""},{"type":"refusal","refusal":"no"}]},
            {"id":"fc_1","type":"function_call","call_id":"call_1","name":"f","arguments":"{\"a\":1}"},
            {"id":"fc_2","type":"function_call","name":"g","arguments":""}],
            "usage":{"input_tokens":41,"input_tokens_details":{"cached_tokens":8,"cache_write_tokens":2},
            "output_tokens":17,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":58}}
            """#
        )
        #expect(answer.id?.value(from: bytes.span) == "resp_1")
        #expect(
            Self.shape(answer.parts, bytes)
                == "A{thinking text a\n\nb}{thinking encrypted apus.o.gAAA==}{text Hi \"you\"}"
                + "{refusal no}{call call_1 f {\"a\":1}}{call fc_2 g {}}"
        )
        #expect(answer.finish == .toolCalls)
        #expect(
            answer.usage
                == TokenUsage(input: 41, output: 17, cached: 8, reasoning: 5, cacheWrite: 2)
        )
    }

    struct Ended: CustomTestStringConvertible, Sendable {
        let members: String
        let finish: FinishReason

        var testDescription: String { members }
    }

    private static let ends = [
        Ended(members: #""status":"completed""#, finish: .stop),
        Ended(members: #""id":null"#, finish: .stop),
        Ended(members: #""status":null"#, finish: .stop),
        Ended(
            members: #""status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}"#,
            finish: .length
        ),
        Ended(
            members: #""status":"incomplete","incomplete_details":{"reason":"content_filter"}"#,
            finish: .contentFilter
        ),
        Ended(members: #""status":"incomplete","incomplete_details":null"#, finish: .length),
        Ended(
            members: #""status":"incomplete","incomplete_details":{"reason":"new"}"#,
            finish: .length
        ),
    ]

    @Test(arguments: ends)
    func finish(_ row: Ended) throws {
        #expect(try Self.answer("{\(row.members),\"output\":[]}").0.finish == row.finish)
        let events = [
            "{\"type\":\"response.incomplete\",\"response\":{\(row.members),\"output\":[]}}"
        ]
        let steps = try Converting.stream(events, from: .responses, to: .responses).steps
        #expect(steps.suffix(2) == [.finish(row.finish, stopSequence: nil), .end])
    }

    @Test(arguments: [
        "{}", "[]", "1", #"{"output":{}}"#, #"{"output":null}"#,
        #"{"status":"failed","error":{"code":"server_error","message":"x"},"output":[]}"#,
        #"{"status":"in_progress","output":[]}"#, #"{"status":"queued","output":[]}"#,
        #"{"choices":[]}"#,
    ])
    func isNoAnswer(_ text: String) throws {
        #expect(throws: ConversionError.self) { try Self.answer(text) }
    }

    @Test func strangeItemsAreSkipped() throws {
        let (answer, _) = try Self.answer(
            #"{"output":[{},1,null,{"type":"message"},{"type":"function_call"},{"type":"reasoning"},{"type":"new"}]}"#
        )
        #expect(answer.parts.isEmpty)
        #expect(answer.usage == nil)
    }

    // MARK: Streams

    /// Steps in short words.
    private static func words(_ events: [String], ends: Bool = true) throws -> [String] {
        var reader = StreamReader(.responses)
        var words: [String] = []
        func note(_ steps: [StreamEvent], _ bytes: [UInt8]) {
            words += steps.map { Self.word($0, bytes) }
        }
        for event in events {
            let document = try Converting.Document(event)
            var steps: [StreamEvent] = []
            reader.read(document.tape.root, document.tape, document.bytes.span, into: &steps)
            note(steps, document.bytes)
        }
        var steps: [StreamEvent] = []
        if ends { reader.finish(into: &steps) }
        note(steps, [])
        return words
    }

    private static func word(_ event: StreamEvent, _ bytes: [UInt8]) -> String {
        func text(_ text: JSONText?) -> String { text.map { $0.value(from: bytes.span) } ?? "-" }
        switch event {
        case .start(let id): return "start \(text(id))"
        case .text(let value): return "text \(text(value))"
        case .thinking(let value): return "thinking \(text(value))"
        case .signature(let value): return "signature \(text(value))"
        case .encryptedThinking(let value): return "encrypted \(text(value))"
        case .refusal(let value): return "refusal \(text(value))"
        case .callStart(let index, let id, let name, _):
            return "call \(index) \(text(id)) \(text(name))"
        case .callInput(let index, let value): return "input \(index) \(text(value))"
        case .callObject(let index, _): return "object \(index)"
        case .callEnd(let index): return "call end \(index)"
        case .media: return "media"
        case .usage(let usage): return "usage \(usage.input) \(usage.output)"
        case .finish(let reason, _): return "finish \(reason)"
        case .end: return "end"
        case .error(let complaint):
            return "error \(complaint.status ?? 0) \(complaint.code ?? "-") \(complaint.message)"
        }
    }

    struct Stream: CustomTestStringConvertible, Sendable {
        let name: String
        let events: [String]
        let words: [String]

        var testDescription: String { name }
    }

    private static let created =
        #"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","status":"in_progress","output":[]}}"#
    private static let progress =
        #"{"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_1"}}"#
    private static let completed =
        #"{"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[],"usage":{"input_tokens":9,"output_tokens":2}}}"#

    private static let usual = [
        Stream(
            name: "text",
            events: [
                created, progress,
                #"{"type":"response.output_item.added","output_index":0,"item":{"id":"msg_1","type":"message","content":[]}}"#,
                #"{"type":"response.content_part.added","output_index":0,"content_index":0,"part":{"type":"output_text","text":""}}"#,
                #"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"Hi","obfuscation":"xx"}"#,
                #"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":" you"}"#,
                #"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"Hi you"}"#,
                #"{"type":"response.content_part.done","output_index":0,"part":{"type":"output_text","text":"Hi you"}}"#,
                #"{"type":"response.output_item.done","output_index":0,"item":{"id":"msg_1","type":"message","content":[{"type":"output_text","text":"Hi you"}]}}"#,
                #"{"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"Hi you"}]}],"usage":{"input_tokens":9,"output_tokens":2}}}"#,
                #"{"type":"response.output_text.delta","output_index":0,"delta":"late"}"#,
            ],
            words: ["start resp_1", "text Hi", "text  you", "usage 9 2", "finish stop", "end"]
        ),
        Stream(
            name: "calls side by side",
            events: [
                created,
                #"{"type":"response.output_item.added","output_index":0,"item":{"id":"fc_1","type":"function_call","call_id":"c1","name":"f","arguments":""}}"#,
                #"{"type":"response.output_item.added","output_index":1,"item":{"id":"fc_2","type":"function_call","call_id":"c2","name":"g","arguments":""}}"#,
                #"{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{}"}"#,
                #"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"a\":1}"}"#,
                #"{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{\"a\":1}"}"#,
                #"{"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","call_id":"c2","name":"g","arguments":"{}"}}"#,
                #"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"}}"#,
                completed,
            ],
            words: [
                "start resp_1", "call 0 c1 f", "call 1 c2 g", "input 1 {}", "input 0 {\"a\":1}",
                "call end 1", "call end 0", "usage 9 2", "finish toolCalls", "end",
            ]
        ),
        Stream(
            name: "thoughts",
            events: [
                created,
                #"{"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}"#,
                #"{"type":"response.reasoning_summary_part.added","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}"#,
                #"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"hm"}"#,
                #"{"type":"response.reasoning_summary_part.added","output_index":0,"summary_index":1,"part":{"type":"summary_text","text":""}}"#,
                #"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"so"}"#,
                #"{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"the same at length"}"#,
                #"{"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gAAA"}}"#,
                #"{"type":"response.refusal.delta","output_index":1,"content_index":0,"delta":"no"}"#,
                completed,
            ],
            words: [
                "start resp_1", "thinking hm", "thinking \n\n", "thinking so",
                "encrypted apus.o.gAAA", "refusal no", "usage 9 2", "finish stop", "end",
            ]
        ),
    ]

    private static let unusual = [
        Stream(
            name: "items that come whole",
            events: [
                created,
                #"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","content":[{"type":"reasoning_text","text":"hm"}]}}"#,
                #"{"type":"response.output_item.done","output_index":1,"item":{"type":"message","content":[{"type":"output_text","text":"Hi"}]}}"#,
                #"{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"}}"#,
                #"{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"}}"#,
                completed,
            ],
            words: [
                "start resp_1", "thinking hm", "text Hi", "call 0 c1 f", "input 0 {}",
                "call end 0", "usage 9 2", "finish toolCalls", "end",
            ]
        ),
        Stream(
            name: "calls without numbers",
            events: [
                #"{"type":"response.output_item.added","item":{"type":"function_call","call_id":"c1","name":"f"}}"#,
                #"{"type":"response.function_call_arguments.delta","delta":"{}"}"#,
                #"{"type":"response.output_item.done","item":{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"}}"#,
                #"{"type":"response.output_item.done","item":{"type":"function_call","call_id":"c2","name":"g","arguments":"{}"}}"#,
            ],
            words: [
                "call 0 c1 f", "input 0 {}", "call end 0", "call 1 c2 g", "input 1 {}",
                "call end 1",
            ]
        ),
        Stream(
            name: "everything in the last event",
            events: [
                #"{"type":"response.completed","response":{"id":"r","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"Hi"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":1}"}]}}"#
            ],
            words: [
                "start r", "text Hi", "call 0 c f", "input 0 {\"a\":1}", "call end 0",
                "finish toolCalls", "end",
            ]
        ),
        Stream(
            name: "events that are not known, and nothing at all",
            events: [
                "{}", "[]", "1", #"{"type":7}"#, #"{"type":"response.new"}"#,
                #"{"type":"keepalive"}"#,
            ],
            words: []
        ),
        Stream(
            name: "a stream that breaks off",
            events: [
                created, #"{"type":"response.output_text.delta","output_index":0,"delta":"ha"}"#,
            ],
            words: ["start resp_1", "text ha"]
        ),
    ]

    private static let failures = [
        Stream(
            name: "throttled within the stream, as Azure does it",
            events: [
                created,
                #"{"type":"response.failed","response":{"id":"resp_1","status":"failed","error":null}}"#,
                #"{"type":"error","error":{"type":"too_many_requests","code":"too_many_requests"}}"#,
            ],
            words: ["start resp_1", "error 429 too_many_requests "]
        ),
        Stream(
            name: "a failure without a reason",
            events: [
                created,
                #"{"type":"response.failed","response":{"status":"failed","error":null,"usage":{"input_tokens":3,"output_tokens":0}}}"#,
            ],
            words: [
                "start resp_1", "usage 3 0", "error 0 - The model failed without saying why.",
            ]
        ),
        Stream(
            name: "a failure with its reason",
            events: [
                created,
                #"{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"slow down"}}}"#,
                #"{"type":"error","code":"x","message":"y"}"#,
            ],
            words: ["start resp_1", "error 429 rate_limit_exceeded slow down"]
        ),
        Stream(
            name: "a server's fault",
            events: [
                #"{"type":"response.failed","response":{"error":{"code":"server_error","message":"oops"}}}"#
            ],
            words: ["start -", "error 500 server_error oops"]
        ),
        Stream(
            name: "a flat error",
            events: [
                #"{"type":"error","sequence_number":3,"code":"server_is_overloaded","message":"later","param":null}"#
            ],
            words: ["error 503 server_is_overloaded later"]
        ),
        Stream(
            name: "an error without a type",
            events: [#"{"error":{"type":"invalid_request_error","message":"no"}}"#],
            words: ["error 400 - no"]
        ),
        Stream(
            name: "a cancelled response",
            events: [#"{"type":"response.cancelled","response":{"id":"r"}}"#],
            words: ["start r", "error 0 - The model failed without saying why."]
        ),
    ]

    @Test(arguments: usual + unusual + failures)
    func means(_ row: Stream) throws {
        #expect(try Self.words(row.events) == row.words)
    }

    @Test(arguments: usual + unusual)
    func isWrittenAnew(_ row: Stream) throws {
        let text = try Converting.stream(row.events, from: .responses, to: .responses).text
        let transcript = try ResponsesTranscript(text)
        #expect(transcript.faults == [])
        #expect(transcript.isOver == (row.words.last == "end"))
    }

    struct Content: CustomTestStringConvertible, Sendable {
        let data: String
        let isPlain: Bool

        var testDescription: String { data }
    }

    @Test(arguments: [
        Content(data: #"{"type":"response.output_text.delta","delta":"a"}"#, isPlain: true),
        Content(data: #"{ "type": "response.output_text.delta", "delta":"a"}"#, isPlain: true),
        Content(data: #"{"type":"response.function_call_arguments.delta"}"#, isPlain: true),
        Content(data: #"{"type":"response.reasoning_summary_text.delta"}"#, isPlain: true),
        Content(data: #"{"type":"response.refusal.delta"}"#, isPlain: true),
        Content(data: #"{"type":"response.output_text.done","text":".delta"}"#, isPlain: false),
        Content(data: #"{"type":"response.completed"}"#, isPlain: false),
        Content(data: #"{"delta":"a","type":"response.output_text.delta"}"#, isPlain: false),
        Content(data: #"{"type":"error"}"#, isPlain: false),
        Content(data: #"{"type":"response.delta"}"#, isPlain: false),
        Content(data: #"{"type":"response.output_text.delta"#, isPlain: false),
        Content(data: #"{"type":"response."#, isPlain: false),
        Content(data: "{", isPlain: false),
        Content(data: "", isPlain: false),
        Content(data: "[DONE]", isPlain: false),
    ])
    func plainContent(_ row: Content) {
        let bytes = Array(row.data.utf8)
        let isPlain = StreamReader.isPlainContent(.responses, bytes.span)
        #expect(isPlain == row.isPlain)
    }
}
