// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Metrics
import Support
import Testing

@Suite("Streams of chat completions")
struct ChatStreamTests {
    private static func chunk(_ choice: String, _ more: String = "") -> String {
        #"{"id":"chatcmpl-A1","object":"chat.completion.chunk","choices":[\#(choice)]\#(more)}"#
    }

    private static func delta(_ delta: String) -> String {
        chunk(#"{"index":0,"delta":{\#(delta)},"finish_reason":null}"#)
    }

    private static func calls(_ entries: String) -> String {
        delta(#""tool_calls":[\#(entries)]"#)
    }

    private static func finish(_ reason: String, _ more: String = "") -> String {
        chunk(#"{"index":0,"delta":{},"finish_reason":"\#(reason)"}"#, more)
    }

    private static let usage =
        #"{"id":"chatcmpl-A1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"#
        + #""total_tokens":11}}"#

    /// What the client sees of the steps: the deltas without what all chunks have in common.
    private static func deltas(_ text: String) throws -> [String] {
        let head =
            #"data: {"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","#
            + #""created":1772000000,"model":"m","choices":["#
        let tail = #","finish_reason":null}]}"#
        let start = #"{"index":0,"delta":"#
        let events = text.split(separator: "\n\n", omittingEmptySubsequences: false)
        #expect(events.last == "")
        return events.dropLast().map { event in
            guard event.hasPrefix(head) else { return String(event) }
            var rest = String(event.dropFirst(head.count))
            if rest.hasPrefix(start) { rest = String(rest.dropFirst(start.count)) }
            if rest.hasSuffix(tail) { rest = String(rest.dropLast(tail.count)) }
            return rest
        }
    }

    struct Case: CustomTestStringConvertible {
        let name: String
        let input: [String]
        let output: [String]
        var wantsUsage = false

        var testDescription: String { name }
    }

    private static let role = #"{"role":"assistant","content":""}"#
    private static let done = "data: [DONE]"
    private static func end(_ reason: String) -> [String] {
        [#"{},"finish_reason":"\#(reason)"}]}"#, done]
    }

    static let cases: [Case] = [
        Case(
            name: "a text behind Azure's first chunk",
            input: [
                #"{"choices":[],"id":"","model":"","object":"","prompt_filter_results":[]}"#,
                delta(#""role":"assistant","content":"","refusal":null"#),
                delta(#""content":"Caf\u00e9""#), delta(#""content":" \ud83d""#),
                delta(#""content":"\ude00""#), finish("stop"), usage,
            ],
            output: [
                role, #"{"content":"Caf\u00e9"}"#, #"{"content":" \ud83d"}"#,
                #"{"content":"\ude00"}"#,
            ] + end("stop")
        ),
        Case(
            name: "thoughts under either name, or both",
            input: [
                delta(#""reasoning_content":"a""#), delta(#""reasoning":"b""#),
                delta(#""reasoning":"c","reasoning_content":"c""#), delta(#""content":"x""#),
                finish("length"),
            ],
            output: [
                role, #"{"reasoning_content":"a"}"#, #"{"reasoning_content":"b"}"#,
                #"{"reasoning_content":"c"}"#, #"{"content":"x"}"#,
            ] + end("length")
        ),
        Case(
            name: "a refusal",
            input: [delta(#""refusal":"No.""#), finish("content_filter")],
            output: [role, #"{"refusal":"No."}"#] + end("content_filter")
        ),
        Case(
            name: "content in parts and an image",
            input: [
                delta(
                    #""content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},"#
                        + #"{"type":"text","text":"a"}]"#
                ),
                delta(
                    #""images":[{"type":"image_url","#
                        + #""image_url":{"url":"data:image/png;base64,AAAA"}}]"#
                ),
                finish("stop"),
            ],
            output: [
                role, #"{"reasoning_content":"hm"}"#, #"{"content":"a"}"#,
                #"{"images":[{"type":"image_url","image_url":"#
                    + #"{"url":"data:image/png;base64,AAAA"}}]}"#,
            ] + end("stop")
        ),
        Case(
            name: "only the first choice, and nothing behind its end",
            input: [
                chunk(
                    #"{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}}"#
                ),
                chunk(#"{"index":1,"delta":{},"finish_reason":"length"}"#), finish("stop"),
                delta(#""content":"late""#), finish("stop"),
            ],
            output: [role, #"{"content":"a"}"#] + end("stop")
        ),
        Case(
            name: "usage when asked for",
            input: [
                chunk(#"{"delta":{"content":"a"}}"#, #","usage":null"#),
                finish("stop", #","usage":{"prompt_tokens":1}"#), usage,
            ],
            output: [
                #"{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
                #"{"content":"a"},"finish_reason":null}],"usage":null}"#,
                #"{},"finish_reason":"stop"}],"usage":null}"#,
                #"],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"#
                    + #""prompt_tokens_details":{"cached_tokens":0},"#
                    + #""completion_tokens_details":{"reasoning_tokens":0}}}"#,
                done,
            ],
            wantsUsage: true
        ),
        Case(
            name: "usage beside content, once per chunk",
            input: [
                chunk(#"{"delta":{"content":"a"}}"#, #","usage":{"prompt_tokens":4}"#),
                finish("stop", #","usage":{"prompt_tokens":4,"completion_tokens":1}"#),
            ],
            output: [
                #"{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
                #"{"content":"a"},"finish_reason":null}],"usage":null}"#,
                #"{},"finish_reason":"stop"}],"usage":null}"#,
                #"],"usage":{"prompt_tokens":4,"completion_tokens":1,"total_tokens":5,"#
                    + #""prompt_tokens_details":{"cached_tokens":0},"#
                    + #""completion_tokens_details":{"reasoning_tokens":0}}}"#,
                done,
            ],
            wantsUsage: true
        ),
        Case(
            name: "usage that was asked for but never came",
            input: [delta(#""content":"a""#), finish("stop")],
            output: [
                #"{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
                #"{"content":"a"},"finish_reason":null}],"usage":null}"#,
                #"{},"finish_reason":"stop"}],"usage":null}"#, done,
            ],
            wantsUsage: true
        ),
    ]

    private static func called(_ index: Int, _ id: String, _ name: String) -> String {
        #"{"tool_calls":[{"index":\#(index),"id":"\#(id)","type":"function","#
            + #""function":{"name":"\#(name)","arguments":""}}]}"#
    }

    private static func input(_ index: Int, _ text: String) -> String {
        #"{"tool_calls":[{"index":\#(index),"function":{"arguments":"\#(text)"}}]}"#
    }

    static let callCases: [Case] = [
        Case(
            name: "OpenAI's way",
            input: [
                calls(
                    #"{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}"#
                ),
                calls(#"{"index":0,"function":{"arguments":"{\"x\":"}}"#),
                calls(#"{"index":0,"function":{"arguments":"1}"}}"#),
                calls(
                    #"{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":""}}"#
                ),
                finish("tool_calls"),
            ],
            output: [
                role, called(0, "a", "f"), input(0, #"{\"x\":"#), input(0, "1}"),
                called(1, "b", "g"), input(1, "{}"),
            ] + end("tool_calls")
        ),
        Case(
            name: "two calls with one index in one chunk",
            input: [
                calls(
                    #"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}},"#
                        + #"{"index":0,"id":"b","function":{"name":"f","arguments":"{}"}}"#
                ),
                finish("stop"),
            ],
            output: [
                role, called(0, "a", "f"), input(0, "{}"), called(1, "b", "f"), input(1, "{}"),
            ] + end("tool_calls")
        ),
        Case(
            name: "two calls with one index and no id in one chunk",
            input: [
                calls(
                    #"{"index":0,"function":{"name":"f","arguments":"{}"}},"#
                        + #"{"index":0,"id":"","function":{"name":"f","arguments":"{}"}}"#
                ),
                finish("stop"),
            ],
            output: [
                role, called(0, "call_0123456789abcdef0", "f"), input(0, "{}"),
                called(1, "call_0123456789abcdef1", "f"), input(1, "{}"),
            ] + end("tool_calls")
        ),
        Case(
            name: "an index with a new id is a new call",
            input: [
                calls(#"{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}"#),
                calls(#"{"index":0,"function":{"arguments":"}"}}"#),
                calls(#"{"index":0,"id":"b","function":{"name":"g","arguments":"{"}}"#),
                calls(#"{"index":0,"function":{"arguments":"}"}}"#), finish("tool_calls"),
            ],
            output: [
                role, called(0, "a", "f"), input(0, "{"), input(0, "}"), called(1, "b", "g"),
                input(1, "{"), input(1, "}"),
            ] + end("tool_calls")
        ),
        Case(
            name: "id and name in every piece",
            input: [
                calls(#"{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}"#),
                calls(#"{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}"#),
                finish("tool_calls"),
            ],
            output: [role, called(0, "a", "f"), input(0, "{"), input(0, "}")] + end("tool_calls")
        ),
        Case(
            name: "arguments before id and name",
            input: [
                calls(#"{"index":0,"function":{"arguments":"{\"x\":\"\ud83d"}}"#),
                calls(#"{"index":0,"function":{"arguments":"\ude00\","}}"#),
                calls(#"{"index":0,"id":"a","type":"function"}"#),
                calls(#"{"index":0,"function":{"name":"f","arguments":"\"y\":1}"}}"#),
                finish("tool_calls"),
            ],
            output: [
                role, called(0, "a", "f"), input(0, #"{\"x\":\"😀\","#), input(0, #"\"y\":1}"#),
            ] + end("tool_calls")
        ),
        Case(
            name: "fragments of two calls mixed",
            input: [
                calls(
                    #"{"index":0,"id":"a","function":{"name":"f"}},"#
                        + #"{"index":1,"id":"b","function":{"name":"g"}}"#
                ),
                calls(
                    #"{"index":1,"function":{"arguments":"1"}},"#
                        + #"{"index":0,"function":{"arguments":"0"}}"#
                ),
                finish("tool_calls"),
            ],
            output: [
                role, called(0, "a", "f"), called(1, "b", "g"), input(1, "1"), input(0, "0"),
            ] + end("tool_calls")
        ),
        Case(
            name: "no index at all",
            input: [
                calls(#"{"id":"a","function":{"name":"f","arguments":"{"}}"#),
                calls(#"{"function":{"arguments":"}"}}"#),
                calls(#"{"id":"b","function":{"name":"f","arguments":"{}"}}"#),
                finish("tool_calls"),
            ],
            output: [
                role, called(0, "a", "f"), input(0, "{"), input(0, "}"), called(1, "b", "f"),
                input(1, "{}"),
            ] + end("tool_calls")
        ),
        Case(
            name: "an object for arguments, and a signature",
            input: [
                calls(
                    #"{"index":0,"id":"a","function":{"name":"f","arguments":{"x":"y"}},"#
                        + #""extra_content":{"google":{"thought_signature":"AB"}}}"#
                ),
                finish("stop"),
            ],
            output: [
                role,
                #"{"tool_calls":[{"index":0,"id":"a","type":"function","function":"#
                    + #"{"name":"f","arguments":""},"extra_content":{"google":"#
                    + #"{"thought_signature":"AB"}}}]}"#,
                input(0, #"{\"x\":\"y\"}"#),
            ] + end("tool_calls")
        ),
        Case(
            name: "the older function call",
            input: [
                delta(#""function_call":{"name":"f","arguments":""}"#),
                delta(#""function_call":{"arguments":"{}"}"#), finish("function_call"),
            ],
            output: [role, called(0, "call_0123456789abcdef0", "f"), input(0, "{}")]
                + end("tool_calls")
        ),
        Case(
            name: "a call whose name never comes is none",
            input: [calls(#"{"index":0,"function":{"arguments":"{}"}}"#), finish("stop")],
            output: [role] + end("stop")
        ),
    ]

    @Test("Streams from and to chat", arguments: cases + callCases)
    func converts(_ row: Case) throws {
        let text = try Converting.stream(
            row.input,
            from: .chat,
            to: .chat,
            wantsUsage: row.wantsUsage
        ).text
        #expect(try Self.deltas(text) == row.output)
    }

    @Test("Steps begin with the id, end calls before the reason, and finish with the end")
    func steps() throws {
        let steps = try Converting.stream(
            [Self.calls(#"{"index":0,"id":"a","function":{"name":"f"}}"#), Self.finish("stop")],
            from: .chat,
            to: .chat
        ).steps
        #expect(steps.count == 5)
        guard case .start(id: .slice) = steps[0], case .callStart = steps[1] else {
            Issue.record("\(steps)")
            return
        }
        #expect(
            steps.dropFirst(2) == [
                .callEnd(index: 0), .finish(.toolCalls, stopSequence: nil), .end,
            ]
        )
    }

    @Test("A stream that is cut has no end")
    func cutStream() throws {
        let cut = try Converting.stream([Self.delta(#""content":"a""#)], from: .chat, to: .chat)
        #expect(!cut.steps.contains(.end))
        #expect(!cut.text.contains("[DONE]"))
    }

    struct Failure: CustomTestStringConvertible {
        let event: String
        var status: Int?
        let message: String

        var testDescription: String { event }
    }

    @Test(
        "Errors inside of a stream",
        arguments: [
            Failure(
                event: #"{"error":{"message":"slow","type":"requests","#
                    + #""code":"rate_limit_exceeded"}}"#,
                status: 429,
                message: "slow"
            ),
            Failure(event: #"{"error":"busy"}"#, message: "busy"),
            Failure(
                event: #"{"object":"error","message":"long","code":400}"#,
                status: 400,
                message: "long"
            ),
            Failure(
                event: #"{"id":"x","choices":[{"delta":{},"error":{"code":502,"message":"m"}}]}"#,
                status: 502,
                message: "m"
            ),
        ]
    )
    func errors(_ row: Failure) throws {
        let result = try Converting.stream(
            [Self.delta(#""content":"a""#), row.event, Self.finish("stop")],
            from: .chat,
            to: .chat
        )
        guard case .error(let complaint)? = result.steps.last else {
            Issue.record("\(result.steps)")
            return
        }
        #expect(complaint.status == row.status)
        #expect(complaint.message == row.message)
        #expect(!result.text.contains("[DONE]"))
    }

    @Test("A member `error` that is null reports none")
    func nullError() throws {
        let steps = try Converting.stream(
            [Self.chunk(#"{"delta":{"content":"a"}}"#, #","error":null"#), Self.finish("stop")],
            from: .chat,
            to: .chat
        ).steps
        #expect(steps.last == .end)
    }

    @Test("A failure is one event, and nothing follows it")
    func fail() {
        let out = ByteBuffer()
        var writer = StreamWriter(.chat, Converting.identity, wantsUsage: true)
        let scratch = ConversionScratch()
        writer.write(.text(.text("a")), from: Span(), scratch, to: out)
        out.clear()
        writer.fail(APIError(502, .upstream, "upstream_failed", "Gone."), to: out)
        writer.fail(APIError(502, .upstream, "upstream_failed", "Gone."), to: out)
        writer.write(.text(.text("b")), from: Span(), scratch, to: out)
        writer.write(.end, from: Span(), scratch, to: out)
        #expect(
            out.text
                == #"data: {"error":{"message":"Gone.","type":"upstream_error","param":null,"#
                + #""code":"upstream_failed"}}"# + "\n\n"
        )
    }

    @Test("A thousand calls are too many")
    func tooManyCalls() throws {
        let entries = (0..<2_000).map {
            #"{"index":\#($0),"id":"c\#($0)","function":{"name":"f"}}"#
        }
        let steps = try Converting.stream(
            [Self.calls(entries.joined(separator: ","))],
            from: .chat,
            to: .chat
        ).steps
        guard case .error? = steps.last else {
            Issue.record("\(steps.count)")
            return
        }
    }

    struct Glance: CustomTestStringConvertible {
        let data: String
        let isPlain: Bool

        var testDescription: String { data }
    }

    static let glances: [Glance] = [
        Glance(data: delta(#""content":"a""#), isPlain: true),
        Glance(data: #"{"choices": [{"delta": {"content": "a"}}]}"#, isPlain: true),
        Glance(data: delta(#""reasoning_content":"a""#), isPlain: true),
        Glance(data: delta(#""reasoning":"a""#), isPlain: true),
        Glance(data: delta(#""refusal":"a""#), isPlain: true),
        Glance(data: calls(#"{"index":0,"function":{"arguments":"{"}}"#), isPlain: true),
        Glance(data: chunk(#"{"delta":{"content":"a"}}"#, #","usage":null"#), isPlain: true),
        Glance(data: delta(#""content":"the \"usage\" of \"error\"""#), isPlain: true),
        Glance(data: delta(#""content":"""#), isPlain: false),
        Glance(data: delta(#""content":null"#), isPlain: false),
        Glance(data: delta(#""role":"assistant""#), isPlain: false),
        Glance(data: finish("stop"), isPlain: false),
        Glance(data: chunk(#"{"delta":{"content":"a"},"finish_reason": "stop"}"#), isPlain: false),
        Glance(data: chunk(#"{"delta":{"content":"a"}}"#, #","usage":{}"#), isPlain: false),
        Glance(data: chunk(#"{"delta":{"content":"a"}}"#, #","error":{}"#), isPlain: false),
        Glance(data: usage, isPlain: false),
        Glance(data: "", isPlain: false),
        Glance(data: "[DONE]", isPlain: false),
        Glance(data: #"{"choices":[{"delta":{"content":""#, isPlain: false),
    ]

    @Test("A look at the bytes tells plain content", arguments: glances)
    func isPlainContent(_ row: Glance) {
        let bytes = Array(row.data.utf8)
        let isPlain = StreamReader.isPlainContent(.chat, bytes.span)
        #expect(isPlain == row.isPlain)
    }

    @Test("Pieces in any order and form keep the stream's rules", arguments: 0..<200)
    func randomWalk(_ seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        var events: [String] = []
        for _ in 0..<random.below(30) {
            switch random.below(6) {
            case 0: events.append(Self.delta(#""content":"t""#))
            case 1: events.append(Self.delta(#""reasoning":"t""#))
            case 2: events.append(Self.usage)
            case 3 where random.oneIn(4): events.append(Self.finish("stop"))
            default:
                var entry: [String] = []
                if random.oneIn(2) { entry.append(#""index":\#(random.below(3))"#) }
                if random.oneIn(3) { entry.append(#""id":"c\#(random.below(4))""#) }
                var function: [String] = []
                if random.oneIn(3) { function.append(#""name":"f\#(random.below(2))""#) }
                if random.oneIn(2) { function.append(#""arguments":"x""#) }
                entry.append(#""function":{\#(function.joined(separator: ","))}"#)
                events.append(Self.calls("{\(entry.joined(separator: ","))}"))
            }
        }
        let steps = try Converting.stream(events, from: .chat, to: .chat).steps
        var open = 0
        var isFinished = false
        for (place, step) in steps.enumerated() {
            if isFinished, step.isContent { Issue.record("seed \(seed): behind the end") }
            switch step {
            case .start: #expect(place == 0, "seed \(seed)")
            case .callStart(let index, _, _, _):
                #expect(index == open, "seed \(seed)")
                open += 1
            case .callInput(let index, _), .callObject(let index, _), .callEnd(let index):
                #expect(index < open, "seed \(seed)")
            case .finish: isFinished = true
            case .end: #expect(isFinished && place == steps.count - 1, "seed \(seed)")
            default: break
            }
        }
    }
}
