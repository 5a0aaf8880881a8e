// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Metrics
import Support
import Testing

struct MessagesStreamTests {
    // MARK: Reading

    /// The steps of a stream with their texts resolved.
    private static func steps(_ events: [String], ends: Bool = true) throws -> [String] {
        var reader = StreamReader(.messages)
        var found: [String] = []
        for event in events {
            let document = try Converting.Document(event)
            var steps: [StreamStep] = []
            reader.read(document.tape.root, document.tape, document.bytes.span, into: &steps)
            found += steps.map { StreamSteps.text($0, document.bytes) }
        }
        if ends {
            var steps: [StreamStep] = []
            reader.finish(into: &steps)
            found += steps.map { StreamSteps.text($0, []) }
        }
        return found
    }

    /// The stream of Bedrock behind SAP AI Core: data only, metrics in the last event.
    static let bedrock = [
        #"{"type":"message_start","message":{"id":"msg_bdrk_01X","type":"message","role":"assistant","content":[],"model":"claude-sonnet-4-6","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":60,"cache_read_input_tokens":4,"cache_creation_input_tokens":2,"output_tokens":1}}}"#,
        #"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        #"{"type":"ping"}"#,
        #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Check"}}"#,
        #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\ning"}}"#,
        #"{"type":"content_block_stop","index":0}"#,
        #"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_bdrk_01Y","name":"get_time","input":{}}}"#,
        #"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}"#,
        #"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"tz\":\"CET\"}"}}"#,
        #"{"type":"content_block_stop","index":1}"#,
        #"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":31}}"#,
        #"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":60,"outputTokenCount":31,"invocationLatency":900,"firstByteLatency":350}}"#,
    ]

    @Test func readsAStreamOfBedrock() throws {
        #expect(
            try Self.steps(Self.bedrock) == [
                "start msg_bdrk_01X", "usage 66 1 4 2", "text Check", "text \ning",
                "call 0 toolu_bdrk_01Y get_time", #"input 0 {"tz":"CET"}"#, "callEnd 0",
                "usage 66 31 4 2", "finish toolCalls", "end",
            ]
        )
    }

    struct Transcript: CustomTestStringConvertible {
        let name: String
        let events: [String]
        let steps: [String]
        var testDescription: String { name }
    }

    @Test(arguments: [
        Transcript(
            name: "thoughts and their signature",
            events: [
                #"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
                #"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
                #"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}"#,
                #"{"type":"content_block_stop","index":0}"#,
                #"{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"eA=="}}"#,
                #"{"type":"content_block_stop","index":1}"#,
            ],
            steps: ["thinking hm", "signature c2ln", "encrypted eA=="]
        ),
        Transcript(
            name: "counts replace each other, with input in the last event",
            events: [
                #"{"type":"message_start","message":{"usage":{"input_tokens":0,"output_tokens":0}}}"#,
                #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":10,"cache_read_input_tokens":3,"output_tokens":7}}"#,
                #"{"type":"message_delta","delta":{},"usage":{"output_tokens":8}}"#,
                #"{"type":"message_stop"}"#,
            ],
            steps: [
                "start -", "usage 0 0 0 0", "usage 13 7 3 0", "finish stop", "usage 13 8 3 0",
                "end",
            ]
        ),
        Transcript(
            name: "parallel calls of a vendor that mixes them",
            events: [
                #"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"a","name":"f","input":{"x":1}}}"#,
                #"{"type":"content_block_start","index":5,"content_block":{"type":"tool_use","id":"b","name":"g"}}"#,
                #"{"type":"content_block_delta","index":5,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
                #"{"type":"content_block_stop","index":2}"#,
                #"{"type":"content_block_stop"}"#,
            ],
            steps: [
                "call 0 a f", #"object 0 {"x":1}"#, "call 1 b g", "input 1 {}", "callEnd 0",
                "callEnd 1",
            ]
        ),
        Transcript(
            name: "text without a start, the stop text, no last event",
            events: [
                #"{"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}"#,
                #"{"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"END"}}"#,
            ],
            steps: ["text a", "finish stopSequence END", "end"]
        ),
        Transcript(
            name: "a last event without a reason",
            events: [#"{"type":"message_stop"}"#, #"{"type":"message_stop"}"#],
            steps: ["finish stop", "end"]
        ),
        Transcript(
            name: "a stream that breaks off",
            events: [
                #"{"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}"#
            ],
            steps: ["text a"]
        ),
        Transcript(
            name: "what nobody knows",
            events: [
                #"{"type":"new_event"}"#, "[]", "1", #"{"x":1}"#,
                #"{"type":"content_block_delta"}"#,
                #"{"type":"content_block_delta","delta":{"type":"citations_delta","citation":{}}}"#,
                #"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}}"#,
                #"{"type":"content_block_start","content_block":{"type":"server_tool_use","name":"s"}}"#,
                #"{"type":"content_block_start","content_block":{"type":"tool_use"}}"#,
                #"{"type":"content_block_stop","index":3}"#,
                #"{"type":"message_start"}"#, #"{"type":"message_delta"}"#,
            ],
            steps: []
        ),
        Transcript(
            name: "overloaded",
            events: [
                #"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#
            ],
            steps: ["error 529 Overloaded"]
        ),
        Transcript(
            name: "rate limit",
            events: [#"{"type":"error","error":{"type":"rate_limit_error","message":"Slow"}}"#],
            steps: ["error 429 Slow"]
        ),
        Transcript(
            name: "internal",
            events: [#"{"type":"error","error":{"type":"api_error","message":"Oops"}}"#],
            steps: ["error 500 Oops"]
        ),
        Transcript(
            name: "an exception of AWS",
            events: [#"{"throttlingException":{"message":"Too many tokens"}}"#],
            steps: ["error 429 Too many tokens"]
        ),
        Transcript(
            name: "an exception without its name",
            events: [#"{"message":"Too many tokens"}"#],
            steps: ["error - Too many tokens"]
        ),
        Transcript(
            name: "an error of SAP",
            events: [#"{"error":{"code":"429","message":"limited"}}"#],
            steps: ["error 429 limited"]
        ),
    ])
    func reads(_ row: Transcript) throws {
        #expect(try Self.steps(row.events) == row.steps)
    }

    @Test(arguments: [
        (#"{"type":"content_block_delta","index":0,"delta":{}}"#, true),
        (#"{"type":"content_block_delta"}"#, true),
        (#"{"type":"content_block_stop","index":0}"#, false),
        (#"{"index":0,"type":"content_block_delta"}"#, false),
        (#"{"type":"content_block_delta_x"}"#, false),
        (#"{"type":"content_block_delta"#, false), ("", false),
    ])
    func plainContent(_ data: String, _ isPlain: Bool) {
        let bytes = Array(data.utf8)
        let found = StreamReader.isPlainContent(.messages, bytes.span)
        #expect(found == isPlain)
    }

    @Test(arguments: [
        (#"{"type":"message_stop"}"#, "event: message_stop\n"),
        (#" { "type" : "ping" }"#, "event: ping\n"),
        (#"{"index":1,"delta":{"type":"x","y":["}"]},"a":"\"type\":","type":"t"}"#, "event: t\n"),
        (#"{"a":1.5,"b":null,"c":[[]],"type":"t","type":"u"}"#, "event: t\n"),
        (#"{"index":1}"#, ""), (#"{"type":1}"#, ""), (#"{"type":""}"#, ""), ("[]", ""), ("", ""),
        (#"{"type":"#, ""), (#"{"type"#, ""), (#"{"a":"type"}"#, ""), (#"{"a":"\"#, ""),
    ])
    func namesEvents(_ data: String, _ line: String) {
        let out = ByteBuffer()
        let bytes = Array(data.utf8)
        MessagesEventName.appendLine(of: bytes.span, to: out)
        #expect(out.text == line)
    }

    // MARK: Writing

    /// A stream that is written, and what a client reads.
    private static func written(_ events: [StreamStep], thenFails: Bool = false) -> String {
        var writer = StreamWriter(.messages, Converting.identity, wantsUsage: false)
        let scratch = ConversionScratch()
        let out = ByteBuffer()
        for event in events { writer.write(event, from: Span(), scratch, to: out) }
        if thenFails { writer.fail(APIError(502, .upstream, "x", "It broke."), to: out) }
        return out.text
    }

    /// The events of a stream: name and data, checked for their framing.
    private static func events(_ text: String) throws -> [JSONValue] {
        var events: [JSONValue] = []
        var frames = text.split(separator: "\n\n", omittingEmptySubsequences: false)
        #expect(frames.popLast() == "")
        for frame in frames {
            let lines = frame.split(separator: "\n", omittingEmptySubsequences: false)
            try #require(lines.count == 2, "\(frame)")
            try #require(lines[0].hasPrefix("event: ") && lines[1].hasPrefix("data: "))
            let value = try JSONValue(String(lines[1].dropFirst(6)))
            #expect(value["type"]?.string == String(lines[0].dropFirst(7)))
            events.append(value)
        }
        return events
    }

    /// Blocks and the end in few words; fails where the order is not Anthropic's.
    private static func outline(_ text: String) throws -> [String] {
        var outline: [String] = []
        var open: Int?
        var next = 0
        for event in try events(text) {
            switch event["type"]?.string {
            case "message_start":
                #expect(outline.isEmpty)
                outline.append("start")
            case "content_block_start":
                #expect(open == nil)
                #expect(event["index"]?.int == next)
                open = next
                next += 1
                let block = try #require(event["content_block"])
                let type = try #require(block["type"]?.string)
                switch type {
                case "tool_use":
                    #expect(block["input"] == .object([:]))
                    outline.append(
                        "\(type) \(block["id"]?.string ?? "") \(block["name"]?.string ?? "")"
                    )
                case "redacted_thinking": outline.append("\(type) \(block["data"]?.string ?? "")")
                default:
                    #expect(block[type]?.string == "")
                    outline.append(type)
                }
            case "content_block_delta":
                #expect(event["index"]?.int == open)
                let delta = try #require(event["delta"])
                let piece =
                    delta["text"] ?? delta["thinking"] ?? delta["signature"]
                    ?? delta["partial_json"]
                outline.append("  \(piece?.string ?? "")")
            case "content_block_stop":
                #expect(event["index"]?.int == open)
                open = nil
            case "message_delta":
                #expect(open == nil)
                let delta = try #require(event["delta"])
                let usage = try #require(event["usage"])
                let stop = delta["stop_sequence"]?.string.map { " " + $0 } ?? ""
                outline.append(
                    "\(delta["stop_reason"]?.string ?? "")\(stop) \(usage["input_tokens"]?.int ?? -1)"
                        + " \(usage["output_tokens"]?.int ?? -1)"
                )
            case "message_stop": outline.append("stop")
            case "error": outline.append("error \(event["error"]?["type"]?.string ?? "")")
            default: Issue.record("\(event)")
            }
        }
        return outline
    }

    private static let usage = StreamStep.usage(TokenUsage(input: 12, output: 5, cached: 2))

    @Test func exactBytes() {
        let text = Self.written([
            .start(id: .text("x")), .text(.text("a\"b")), .finish(.stop, stopSequence: nil),
            Self.usage, .end,
        ])
        #expect(
            text == """
                event: message_start
                data: {"type":"message_start","message":{"id":"msg_0123456789abcdef","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}

                event: content_block_start
                data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\\"b"}}

                event: content_block_stop
                data: {"type":"content_block_stop","index":0}

                event: message_delta
                data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":2,"output_tokens":5}}

                event: message_stop
                data: {"type":"message_stop"}


                """
        )
    }

    struct Writing: CustomTestStringConvertible {
        let name: String
        let events: [StreamStep]
        var thenFails = false
        let outline: [String]
        var testDescription: String { name }
    }

    private static func call(_ index: Int, _ id: String?, _ name: String) -> StreamStep {
        .callStart(index: index, id: id.map { .text($0) }, name: .text(name), signature: nil)
    }

    static let writings = [
        Writing(
            name: "an empty answer",
            events: [.start(id: nil), .finish(.stop, stopSequence: nil), .end],
            outline: ["start", "end_turn 0 0", "stop"]
        ),
        Writing(
            name: "nothing at all",
            events: [.end],
            outline: ["start", "end_turn 0 0", "stop"]
        ),
        Writing(
            name: "empty pieces open no block",
            events: [.text(.text("")), .thinking(.text("")), .signature(.text("")), .end],
            outline: ["start", "end_turn 0 0", "stop"]
        ),
        Writing(
            name: "thoughts, text, refusal",
            events: [
                .thinking(.text("a")), .thinking(.text("b")), .signature(.text("s")),
                .thinking(.text("c")), .encryptedThinking(.text("e")), .text(.text("t")),
                .refusal(.text("r")), .finish(.contentFilter, stopSequence: nil), .end,
            ],
            outline: [
                "start", "thinking", "  a", "  b", "  s", "thinking", "  c", "redacted_thinking e",
                "text", "  t", "  r", "refusal 0 0", "stop",
            ]
        ),
        Writing(
            name: "signatures without thoughts",
            events: [.signature(.text("s")), .signature(.text("t")), .text(.text("x")), .end],
            outline: [
                "start", "thinking", "  s", "thinking", "  t", "text", "  x", "end_turn 0 0",
                "stop",
            ]
        ),
        Writing(
            name: "calls one after the other",
            events: [
                .text(.text("x")), call(0, "i", "f"), .callInput(index: 0, .text("{")),
                .callInput(index: 0, .text("}")), .callEnd(index: 0), call(1, nil, "g"),
                .callObject(index: 1, .json(#"{"a":"\n"}"#)), .callEnd(index: 1),
                .finish(.stop, stopSequence: nil), usage, .end,
            ],
            outline: [
                "start", "text", "  x", "tool_use i f", "  {", "  }",
                "tool_use toolu_0123456789abcdef1 g", #"  {"a":"\n"}"#, "tool_use 10 5", "stop",
            ]
        ),
        Writing(
            name: "calls that mix",
            events: [
                call(0, "i", "f"), call(1, "j", "g"), .callInput(index: 1, .text("1a")),
                .callInput(index: 0, .text("0a")), call(2, "k", "h"),
                .callInput(index: 2, .text("2a")), .callInput(index: 1, .text("1b")),
                .callEnd(index: 1), .callEnd(index: 0), .callInput(index: 2, .text("2b")),
                .callEnd(index: 2), .finish(.toolCalls, stopSequence: nil), .end,
            ],
            outline: [
                "start", "tool_use i f", "  0a", "tool_use j g", "  1a1b", "tool_use k h", "  2a",
                "  2b", "tool_use 0 0", "stop",
            ]
        ),
        Writing(
            name: "calls that never end",
            events: [
                call(0, "i", "f"), call(1, "j", "g"), .callInput(index: 1, .text("1")),
                .text(.text("x")), .callInput(index: 0, .text("late")),
                .finish(.length, stopSequence: nil), .end,
            ],
            outline: [
                "start", "tool_use i f", "tool_use j g", "  1", "text", "  x", "max_tokens 0 0",
                "stop",
            ]
        ),
        Writing(
            name: "counts that come early",
            events: [.start(id: nil), usage, .text(.text("x")), .end],
            outline: ["start", "text", "  x", "end_turn 10 5", "stop"]
        ),
        Writing(
            name: "a stop text",
            events: [.finish(.stopSequence, stopSequence: .text("EN\"D")), .end],
            outline: ["start", "stop_sequence EN\"D 0 0", "stop"]
        ),
        Writing(
            name: "a picture",
            events: [.media(Media(.image, .text("image/png"), .base64(.text("A")))), .end],
            outline: ["start", "text", "  [image: image/png]", "end_turn 0 0", "stop"]
        ),
        Writing(
            name: "an error in the middle",
            events: [.text(.text("x"))],
            thenFails: true,
            outline: ["start", "text", "  x", "error api_error"]
        ),
        Writing(name: "an error first", events: [], thenFails: true, outline: ["error api_error"]),
        Writing(
            name: "nothing follows the end",
            events: [.text(.text("x")), .end, .end, .text(.text("y")), call(0, nil, "f")],
            thenFails: true,
            outline: ["start", "text", "  x", "end_turn 0 0", "stop"]
        ),
    ]

    @Test(arguments: writings)
    func writes(_ row: Writing) throws {
        let text = Self.written(row.events, thenFails: row.thenFails)
        #expect(try Self.outline(text) == row.outline)
    }

    @Test func countsThatAreKnownStandInTheFirstEvent() throws {
        let text = Self.written([.start(id: nil), Self.usage, .text(.text("x"))])
        let first = try #require(Self.events(text).first)
        #expect(first["message"]?["usage"]?["input_tokens"]?.int == 10)
    }

    @Test func nothingFollowsAnError() throws {
        var writer = StreamWriter(.messages, Converting.identity, wantsUsage: false)
        let out = ByteBuffer()
        writer.fail(APIError(503, .upstream, "x", "Busy."), to: out)
        let length = out.count
        writer.write(.text(.text("x")), from: Span(), ConversionScratch(), to: out)
        writer.write(.end, from: Span(), ConversionScratch(), to: out)
        writer.fail(APIError(503, .upstream, "x", "Busy."), to: out)
        #expect(out.count == length)
        #expect(try Self.outline(out.text) == ["error overloaded_error"])
    }

    @Test func callsThatWaitAreCapped() throws {
        let piece = String(repeating: "x", count: 1 << 20)
        var events = [Self.call(0, "i", "f"), Self.call(1, "j", "g")]
        for _ in 0..<6 { events.append(.callInput(index: 1, .text(piece))) }
        events.append(.end)
        #expect(
            try Self.outline(Self.written(events)) == ["start", "tool_use i f", "error api_error"]
        )
    }

    @Test(arguments: 0..<100)
    func everyOrderIsAStream(_ seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        var events: [StreamStep] = []
        var started: [Int] = []
        for step in 0..<40 {
            switch random.below(7) {
            case 0: events.append(.text(.text("t\(step)")))
            case 1: events.append(.thinking(.text("h\(step)")))
            case 2: events.append(.signature(.text("s\(step)")))
            case 3:
                events.append(Self.call(started.count, "id\(started.count)", "f"))
                started.append(started.count)
            case 4, 5:
                if let index = started.last {
                    events.append(.callInput(index: index, .text("i\(step)")))
                }
            default:
                if !started.isEmpty {
                    events.append(.callEnd(index: started[random.below(started.count)]))
                }
            }
        }
        events += [.finish(.stop, stopSequence: nil), .end]
        let outline = try Self.outline(Self.written(events))
        #expect(outline.first == "start" && outline.last == "stop")
        #expect(outline.filter { $0.hasPrefix("tool_use id") }.count == started.count)
    }

    /// What one reads, another writes: the answer that a client puts together is the same.
    @Test func relaysAWholeStream() throws {
        let written = try Converting.stream(Self.bedrock, from: .messages, to: .messages).text
        #expect(
            try Self.outline(written) == [
                "start", "text", "  Check", "  \ning", "tool_use toolu_bdrk_01Y get_time",
                #"  {"tz":"CET"}"#, "tool_use 60 31", "stop",
            ]
        )
    }
}
