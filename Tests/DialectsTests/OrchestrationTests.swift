// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Metrics
import Support
import Testing

/// The envelope of SAP's orchestration service.
struct OrchestrationTests {
    private static func wrapped(_ chat: String, isStream: Bool = false) -> String? {
        let plan = RequestPlan(
            format: .chat,
            host: .sapOrchestration,
            model: "gpt-5.4",
            isStream: isStream
        )
        let out = ByteBuffer()
        let bytes = Array(chat.utf8)
        let done = Orchestration.wrap(bytes.span, plan, ConversionScratch(), to: out)
        return done ? out.text : nil
    }

    @Test func theWholeEnvelope() {
        #expect(
            Self.wrapped(
                #"""
                {"model":"x","messages":[{"role":"user","content":"Is {{?name}} a \"placeholder\"?"}],
                "tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto",
                "max_completion_tokens":300,"response_format":{"type":"json_object"},"user":null,
                "stream":true,"stream_options":{"include_usage":true}}
                """#,
                isStream: true
            ) == #"""
                {"config":{"modules":{"prompt_templating":{"model":{"name":"gpt-5.4","version":"latest","params":{"tool_choice":"auto","max_completion_tokens":300}},"prompt":{"template":[],"tools":[{"type":"function","function":{"name":"f"}}],"response_format":{"type":"json_object"}}}},"stream":{"enabled":true}},"placeholder_values":{},"messages_history":[{"role":"user","content":"Is {{?name}} a \"placeholder\"?"}]}
                """#
        )
    }

    @Test func withoutAnythingOptional() {
        #expect(
            Self.wrapped(#"{"messages":[]}"#)
                == #"{"config":{"modules":{"prompt_templating":{"model":{"name":"gpt-5.4","version":"latest","params":{}},"prompt":{"template":[]}}}},"placeholder_values":{},"messages_history":[]}"#
        )
        #expect(Self.wrapped("{}")?.hasSuffix(#""messages_history":[]}"#) == true)
    }

    @Test(arguments: ["[]", "{", ""])
    func onlyObjects(_ text: String) {
        #expect(Self.wrapped(text) == nil)
    }

    @Test func aConversationOfAnotherFormat() throws {
        let document = try Converting.Document(
            #"{"max_tokens":99,"system":"Be brief.","messages":[{"role":"user","content":"{{?x}}"}]}"#
        )
        let bytes = document.bytes.span
        let conversation = try Conversion.readRequest(.messages, document.tape, bytes)
        let plan = RequestPlan(
            format: .chat,
            host: .sapOrchestration,
            model: "anthropic--claude-4.6-sonnet",
            isStream: true
        )
        let out = ByteBuffer()
        var omissions = Omissions()
        try Orchestration.writeRequest(
            conversation,
            plan,
            from: bytes,
            ConversionScratch(),
            &omissions,
            to: out
        )
        let body = try JSONValue(out.text)
        let module = body["config"]?["modules"]?["prompt_templating"]
        #expect(module?["model"]?["name"]?.string == "anthropic--claude-4.6-sonnet")
        #expect(module?["model"]?["params"]?.object?.keys.contains("model") == false)
        #expect(module?["prompt"]?["template"]?.array == [])
        #expect(body["config"]?["stream"]?["enabled"]?.bool == true)
        let history = body["messages_history"]?.array ?? []
        #expect(history.map { $0["content"]?.string } == ["Be brief.", "{{?x}}"])
        #expect(omissions.isEmpty)
    }

    // MARK: Answers

    /// What stands in the envelope: `result` or `failure` and its JSON.
    private static func found(_ text: String) throws -> String {
        let document = try Converting.Document(text)
        let tape = document.tape
        func json(_ node: JSONNode) -> String {
            String(decoding: document.bytes[tape.valueRange(of: node)], as: UTF8.self)
        }
        return switch OrchestrationAnswer(tape.root, tape, document.bytes.span) {
        case .result(let node): "result " + json(node)
        case .failure(let node): "failure " + json(node)
        case .nothing: "nothing"
        }
    }

    struct Row: CustomTestStringConvertible, Sendable {
        let text: String
        let found: String

        var testDescription: String { text }
    }

    @Test(arguments: [
        Row(
            text:
                #"{"request_id":"r","intermediate_results":{"llm":{"choices":[1]}},"final_result":{"choices":[2]}}"#,
            found: #"result {"choices":[2]}"#
        ),
        Row(text: #"{"orchestration_result":{"choices":[]}}"#, found: #"result {"choices":[]}"#),
        Row(
            text:
                #"{"request_id":"r","intermediate_results":{"templating":[]},"final_result":null}"#,
            found: "nothing"
        ),
        Row(
            text: #"{"error":{"code":400,"message":"no"}}"#,
            found: #"failure {"error":{"code":400,"message":"no"}}"#
        ),
        Row(text: #"{"error":null,"final_result":{}}"#, found: "result {}"),
        Row(text: #"{"error":{},"final_result":{}}"#, found: "result {}"),
        Row(
            text: #"{"final_result":{"choices":[]},"error":{"message":"no"}}"#,
            found: #"failure {"final_result":{"choices":[]},"error":{"message":"no"}}"#
        ),
        Row(
            text: #"[{"error":{"message":"a"}},{"error":{"message":"b"}}]"#,
            found: #"failure {"error":{"message":"a"}}"#
        ),
        Row(text: #"{"error":[{"message":"a"}]}"#, found: #"failure {"error":[{"message":"a"}]}"#),
        Row(text: "[]", found: "nothing"),
        Row(text: "7", found: "nothing"),
    ])
    func finds(_ row: Row) throws {
        #expect(try Self.found(row.text) == row.found)
        let document = try Converting.Document(row.text)
        let hasResult = Orchestration.result(document.tape, document.bytes.span) != nil
        #expect(hasResult == (row.found != "nothing"))
    }

    @Test func theChatReaderReadsTheResult() throws {
        let document = try Converting.Document(
            #"""
            {"request_id":"r","intermediate_results":{"llm":{"choices":[]}},"final_result":
            {"id":"c","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop",
            "message":{"role":"assistant","content":"Noon."}}],
            "usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}}
            """#
        )
        let tape = document.tape
        let bytes = document.bytes.span
        guard case .result(let node) = OrchestrationAnswer(tape.root, tape, bytes) else {
            Issue.record("no result")
            return
        }
        let answer = try Conversion.readAnswer(.chat, node, tape, bytes)
        #expect(answer.finish == .stop)
        #expect(answer.usage == TokenUsage(input: 9, output: 2))
        guard case .text(let block)? = answer.parts.first else {
            Issue.record("no text")
            return
        }
        let text = block.text.value(from: bytes)
        #expect(text == "Noon.")
    }

    @Test func aStream() throws {
        let events = [
            #"{"request_id":"r","intermediate_results":{"templating":[{"content":"no"}]},"final_result":{"id":"","choices":[{"index":0,"delta":{"content":""},"finish_reason":""}]}}"#,
            #"{"request_id":"r","final_result":{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"No"}}]}}"#,
            #"{"request_id":"r","final_result":{"id":"c","choices":[{"index":0,"delta":{"content":"on."}}]}}"#,
            #"{"request_id":"r","final_result":{"id":"c","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2}}}"#,
        ]
        var reader = StreamReader(.chat)
        var text = ""
        var finish: FinishReason?
        var usage: TokenUsage?
        for event in events {
            let document = try Converting.Document(event)
            let tape = document.tape
            let bytes = document.bytes.span
            guard case .result(let node) = OrchestrationAnswer(tape.root, tape, bytes) else {
                continue
            }
            var steps: [Dialects.StreamEvent] = []
            reader.read(node, tape, bytes, into: &steps)
            for step in steps {
                switch step {
                case .text(let piece): text += piece.value(from: bytes)
                case .finish(let reason, _): finish = reason
                case .usage(let counts): usage = counts
                default: break
                }
            }
        }
        #expect(text == "Noon.")
        #expect(finish == .stop)
        #expect(usage == TokenUsage(input: 9, output: 2))
    }

    @Test func aComplaint() throws {
        let document = try Converting.Document(
            #"{"error":[{"request_id":"r","code":429,"message":"slow down","location":"LLM Module"}]}"#
        )
        let tape = document.tape
        let bytes = document.bytes.span
        guard case .failure(let node) = OrchestrationAnswer(tape.root, tape, bytes) else {
            Issue.record("no failure")
            return
        }
        let complaint = ComplaintReader.read(node, tape, bytes)
        #expect(complaint.status == 429)
        #expect(complaint.message == "slow down")
        // The same within a stream.
        var reader = StreamReader(.chat)
        var steps: [Dialects.StreamEvent] = []
        if let root = Orchestration.result(tape, bytes) {
            reader.read(root, tape, bytes, into: &steps)
        }
        #expect(steps == [.error(complaint)])
    }
}
