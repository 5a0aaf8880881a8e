// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Metrics
import Support
import Testing

struct ConverseStreamTests {
    /// The steps of a stream with their texts resolved.
    private static func steps(_ events: [String], ends: Bool = true) throws -> [String] {
        var reader = StreamReader(.converse)
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

    static let noon = [
        #"{"messageStart":{"role":"assistant"}}"#,
        #"{"contentBlockDelta":{"delta":{"text":"No"},"contentBlockIndex":0}}"#,
        #"{"contentBlockDelta":{"delta":{"text":"on.\n"},"contentBlockIndex":0}}"#,
        #"{"contentBlockStop":{"contentBlockIndex":0}}"#,
        #"{"messageStop":{"stopReason":"end_turn"}}"#,
        #"{"metadata":{"usage":{"inputTokens":40,"outputTokens":5,"totalTokens":45},"metrics":{"latencyMs":700}}}"#,
    ]

    /// As Bedrock's own framing has it: with padding, and a text before two calls.
    static let tools = [
        #"{"messageStart":{"p":"abcd","role":"assistant"}}"#,
        #"{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}},"p":"abc"}}"#,
        #"{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"c2ln"}},"p":"a"}}"#,
        #"{"contentBlockStop":{"contentBlockIndex":0,"p":"ab"}}"#,
        #"{"contentBlockDelta":{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"eA=="}}}}"#,
        #"{"contentBlockStop":{"contentBlockIndex":1}}"#,
        #"{"contentBlockDelta":{"contentBlockIndex":2,"delta":{"text":"Checking."},"p":"abcdefgh"}}"#,
        #"{"contentBlockStop":{"contentBlockIndex":2,"p":"abcdef"}}"#,
        #"{"contentBlockStart":{"contentBlockIndex":3,"p":"a","start":{"toolUse":{"name":"get_time","toolUseId":"tooluse_1"}}}}"#,
        #"{"contentBlockDelta":{"contentBlockIndex":3,"delta":{"toolUse":{"input":""}}}}"#,
        #"{"contentBlockDelta":{"contentBlockIndex":3,"delta":{"toolUse":{"input":"{\"tz\":"}}}}"#,
        #"{"contentBlockDelta":{"contentBlockIndex":3,"delta":{"toolUse":{"input":"\"CET\"}"}}}}"#,
        #"{"contentBlockStop":{"contentBlockIndex":3}}"#,
        #"{"contentBlockStart":{"contentBlockIndex":4,"start":{"toolUse":{"name":"now","toolUseId":"tooluse_2"}}}}"#,
        #"{"contentBlockStop":{"contentBlockIndex":4}}"#,
        #"{"messageStop":{"stopReason":"tool_use"}}"#,
        #"{"metadata":{"metrics":{"latencyMs":1},"usage":{"inputTokens":60,"outputTokens":31,"cacheReadInputTokens":4,"cacheWriteInputTokens":2}}}"#,
    ]

    @Test func readsAText() throws {
        #expect(
            try Self.steps(Self.noon) == [
                "start -", "text No", "text on.\n", "finish stop", "usage 40 5 0 0", "end",
            ]
        )
    }

    @Test func readsThoughtsAndParallelCalls() throws {
        #expect(
            try Self.steps(Self.tools) == [
                "start -", "thinking hm", "signature c2ln", "encrypted eA==", "text Checking.",
                "call 0 tooluse_1 get_time", #"input 0 {"tz":"#, #"input 0 "CET"}"#, "callEnd 0",
                "call 1 tooluse_2 now", "callEnd 1", "finish toolCalls", "usage 66 31 4 2", "end",
            ]
        )
    }

    struct Transcript: CustomTestStringConvertible {
        let name: String
        let events: [String]
        let steps: [String]
        var ends = true
        var testDescription: String { name }
    }

    private static let call =
        #"{"contentBlockStart":{"start":{"toolUse":{"toolUseId":"t","name":"a"}},"contentBlockIndex":0}}"#
    private static let secondCall =
        #"{"contentBlockStart":{"start":{"toolUse":{"toolUseId":"u","name":"b"}},"contentBlockIndex":1}}"#
    private static let stop = #"{"messageStop":{"stopReason":"end_turn"}}"#

    @Test(arguments: [
        Transcript(
            name: "without counts the end of the framing is the end",
            events: [stop],
            steps: ["finish stop", "end"]
        ),
        Transcript(
            name: "no end before the framing's, because counts may come",
            events: [stop],
            steps: ["finish stop"],
            ends: false
        ),
        Transcript(
            name: "a stream that breaks off has no end",
            events: [#"{"contentBlockDelta":{"delta":{"text":"x"},"contentBlockIndex":0}}"#],
            steps: ["text x"]
        ),
        Transcript(
            name: "metadata alone is no end",
            events: [#"{"metadata":{"usage":{"inputTokens":1,"outputTokens":2}}}"#],
            steps: ["usage 1 2 0 0"]
        ),
        Transcript(
            name: "metadata before the end of the message",
            events: [#"{"metadata":{"usage":{"inputTokens":1,"outputTokens":2}}}"#, stop],
            steps: ["usage 1 2 0 0", "finish stop", "end"],
            ends: false
        ),
        Transcript(
            name: "metadata without usage",
            events: [stop, #"{"metadata":{"usage":null,"metrics":{"latencyMs":1}}}"#],
            steps: ["finish stop", "end"],
            ends: false
        ),
        Transcript(
            name: "nothing counts behind the end",
            events: [stop, #"{"metadata":{}}"#, stop] + noon,
            steps: ["finish stop", "end"]
        ),
        Transcript(
            name: "two ends of the message",
            events: [stop, #"{"messageStop":{"stopReason":"max_tokens"}}"#],
            steps: ["finish stop", "end"]
        ),
        Transcript(
            name: "an end without a reason",
            events: [#"{"messageStop":{}}"#],
            steps: ["finish stop", "end"]
        ),
        Transcript(
            name: "a stop text",
            events: [
                #"{"messageStop":{"stopReason":"stop_sequence","additionalModelResponseFields":{"delta":{"stop_sequence":"END"}}}}"#
            ],
            steps: ["finish stopSequence END", "end"]
        ),
        Transcript(
            name: "calls that mix, and one that does not end",
            events: [
                call, secondCall,
                #"{"contentBlockDelta":{"delta":{"toolUse":{"input":"1"}},"contentBlockIndex":1}}"#,
                #"{"contentBlockDelta":{"delta":{"toolUse":{"input":"2"}},"contentBlockIndex":0}}"#,
                #"{"contentBlockStop":{"contentBlockIndex":0}}"#,
                #"{"contentBlockStop":{"contentBlockIndex":0}}"#, stop,
            ],
            steps: [
                "call 0 t a", "call 1 u b", "input 1 1", "input 0 2", "callEnd 0", "callEnd 1",
                "finish stop", "end",
            ]
        ),
        Transcript(
            name: "without indexes the last call is meant",
            events: [
                #"{"contentBlockStart":{"start":{"toolUse":{"name":"a"}}}}"#,
                #"{"contentBlockDelta":{"delta":{"toolUse":{"input":"1"}}}}"#,
                #"{"contentBlockStop":{}}"#,
                #"{"contentBlockDelta":{"delta":{"text":"x"}}}"#, #"{"contentBlockStop":{}}"#,
            ],
            steps: ["call 0 - a", "input 0 1", "callEnd 0", "text x"]
        ),
        Transcript(
            name: "an input as an object",
            events: [
                call,
                #"{"contentBlockDelta":{"delta":{"toolUse":{"input":{"b":1}}},"contentBlockIndex":0}}"#,
            ],
            steps: ["call 0 t a", #"object 0 {"b":1}"#]
        ),
        Transcript(
            name: "a tool that Amazon runs",
            events: [
                #"{"contentBlockStart":{"start":{"toolUse":{"toolUseId":"t","name":"a","type":"server_tool_use"}},"contentBlockIndex":0}}"#,
                #"{"contentBlockDelta":{"delta":{"toolUse":{"input":"{}"}},"contentBlockIndex":0}}"#,
                #"{"contentBlockStop":{"contentBlockIndex":0}}"#,
            ],
            steps: []
        ),
        Transcript(
            name: "events of a later version, and none",
            events: [
                #"{"ping":{}}"#, "{}", "[]", "7", #"{"contentBlockDelta":{}}"#,
                #"{"contentBlockDelta":null}"#, #"{"contentBlockStart":{"start":{"image":{}}}}"#,
                #"{"contentBlockDelta":{"delta":{"citation":{"title":"a"}},"contentBlockIndex":0}}"#,
                #"{"contentBlockDelta":{"delta":{"text":""},"contentBlockIndex":0}}"#,
                #"{"contentBlockDelta":{"delta":{"text":7},"contentBlockIndex":0}}"#,
            ],
            steps: []
        ),
        Transcript(
            name: "too much asked",
            events: [
                #"{"throttlingException":{"message":"Too many tokens, please wait before trying again."}}"#
            ],
            steps: ["error 429 Too many tokens, please wait before trying again."]
        ),
        Transcript(
            name: "a server's error",
            events: [#"{"internalServerException":{"message":"a"}}"#],
            steps: ["error 500 a"]
        ),
        Transcript(
            name: "a model's error",
            events: [
                #"{"modelStreamErrorException":{"message":"a","originalStatusCode":500,"originalMessage":"b"}}"#
            ],
            steps: ["error 500 a"]
        ),
        Transcript(
            name: "no capacity",
            events: [#"{"serviceUnavailableException":{"message":"a"}}"#],
            steps: ["error 503 a"]
        ),
        Transcript(
            name: "a bad request",
            events: [#"{"validationException":{"message":"a"}}"#],
            steps: ["error 400 a"]
        ),
        Transcript(
            name: "an error of whoever stands in front",
            events: [#"{"error":{"code":"503","message":"a"}}"#],
            steps: ["error 503 a"]
        ),
        Transcript(
            name: "a bare message",
            events: [#"{"message":"a"}"#],
            steps: ["error - a"]
        ),
    ])
    func transcripts(_ row: Transcript) throws {
        #expect(try Self.steps(row.events, ends: row.ends) == row.steps)
    }

    @Test func knowsContentAtAGlance() {
        for (data, isContent) in [
            (Self.noon[1], true), (Self.noon[0], false), (Self.noon[4], false),
            (#"{ "contentBlockDelta":{}}"#, false), ("{'contentBlockDelta': {}}", true),
            (#"{"contentBlockDelt"#, false), ("", false),
        ] {
            let bytes = Array(data.utf8)
            let found = StreamReader.isPlainContent(.converse, bytes.span)
            #expect(found == isContent, "\(data)")
        }
    }

    // MARK: Clients

    /// The JSON of the `data:` lines.
    private static func data(_ text: String) throws -> [JSONValue] {
        try text.split(separator: "\n").filter { $0.hasPrefix("data: {") }
            .map { try JSONValue(String($0.dropFirst(6))) }
    }

    @Test func aChatClientReadsIt() throws {
        let text = try Converting.stream(Self.tools, from: .converse, to: .chat, wantsUsage: true)
            .text
        let chunks = try Self.data(text)
        let deltas = chunks.compactMap { $0["choices"]?[0]?["delta"] }
        #expect(deltas.compactMap { $0["content"]?.string }.joined() == "Checking.")
        #expect(deltas.compactMap { $0["reasoning_content"]?.string }.joined() == "hm")
        var arguments = ["", ""]
        var ids: [String] = []
        for call in deltas.compactMap({ $0["tool_calls"]?[0] }) {
            let index = try #require(call["index"]?.number)
            arguments[Int(index)] += call["function"]?["arguments"]?.string ?? ""
            if let id = call["id"]?.string { ids.append(id) }
        }
        #expect(ids == ["tooluse_1", "tooluse_2"])
        #expect(arguments == [#"{"tz":"CET"}"#, "{}"])
        let finishes = chunks.compactMap { $0["choices"]?[0]?["finish_reason"]?.string }
        #expect(finishes == ["tool_calls"])
        #expect(chunks.last?["usage"]?["prompt_tokens"] == .number(66))
        #expect(chunks.last?["usage"]?["completion_tokens"] == .number(31))
        #expect(text.hasSuffix("data: [DONE]\n\n"))
        #expect(text.split(separator: "[DONE]", omittingEmptySubsequences: false).count == 2)
    }

    @Test func aClientOfMessagesReadsIt() throws {
        let text = try Converting.stream(Self.tools, from: .converse, to: .messages).text
        let events = try Self.data(text)
        let blocks = events.filter { $0["type"]?.string == "content_block_start" }
            .compactMap { $0["content_block"]?["type"]?.string }
        #expect(blocks == ["thinking", "redacted_thinking", "text", "tool_use", "tool_use"])
        let delta = try #require(events.first { $0["type"]?.string == "message_delta" })
        #expect(delta["delta"]?["stop_reason"]?.string == "tool_use")
        #expect(delta["usage"]?["output_tokens"] == .number(31))
        #expect(events.last?["type"]?.string == "message_stop")
    }

    @Test(arguments: [WireFormat.chat, .responses, .messages, .gemini])
    func anErrorEndsTheStreamOfEveryClient(_ client: WireFormat) throws {
        let events = [Self.noon[1], #"{"throttlingException":{"message":"slow down"}}"#]
        let steps = try Converting.stream(events, from: .converse, to: client, ends: false).steps
        guard case .error(let complaint)? = steps.last else {
            Issue.record("no error: \(steps)")
            return
        }
        #expect(complaint.status == 429)
        #expect(complaint.type == "throttlingException")
    }
}
