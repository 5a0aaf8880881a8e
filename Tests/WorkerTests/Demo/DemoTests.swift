// SPDX-License-Identifier: Apache-2.0
import Loop
import Support
import System
import Testing

@testable import Worker

@Suite("The demo model")
struct DemoTests {
    private func ask(_ text: String, on harness: WorkerHarness? = nil) throws -> TestAnswer {
        let harness = try harness ?? WorkerHarness()
        let client = try harness.client()
        try client.send(text)
        return try client.answer()
    }

    private func embed(_ more: String, model: String = "demo/embed") throws -> TestAnswer {
        try ask(TestRequest.post("/v1/embeddings", #"{"model":"\#(model)",\#(more)}"#))
    }

    @Test("a stream is OpenAI's, piece by piece", arguments: [false, true])
    func stream(_ wantsUsage: Bool) throws {
        let more = wantsUsage ? #","stream_options":{"include_usage":true}"# : ""
        let answer = try ask(TestRequest.chat("demo/fast", stream: true, more: more))
        #expect(answer["content-type"] == "text/event-stream; charset=utf-8")
        #expect(answer.events.last == "[DONE]")
        let chunks = try answer.events.dropLast().map { try JSONValue($0) }
        #expect(Set(chunks.map { $0["id"]?.string }).count == 1)
        #expect(chunks.allSatisfy { $0["object"]?.string == "chat.completion.chunk" })
        #expect(chunks.allSatisfy { $0["model"]?.string == "fast" })
        let choices = chunks.compactMap { $0["choices"]?[0] }
        #expect(choices.first?["delta"]?["role"]?.string == "assistant")
        #expect(choices.last?["finish_reason"]?.string == "stop")
        #expect(choices.dropLast().allSatisfy { $0["finish_reason"]?.isNull == true })
        let text = choices.compactMap { $0["delta"]?["content"]?.string }.joined()
        #expect(text.hasSuffix("hello"))
        let usages = chunks.filter { $0["usage"]?.object != nil }
        #expect(usages.count == (wantsUsage ? 1 : 0))
        #expect(usages.allSatisfy { $0["choices"]?.array == [] })
        let whole = try ask(TestRequest.chat("demo/fast")).json
        #expect(whole["choices"]?[0]?["message"]?["content"]?.string == text)
        #expect(whole["object"]?.string == "chat.completion")
    }

    @Test("equal requests have equal answers")
    func deterministic() throws {
        let request = TestRequest.chat("demo/fast", stream: true)
        #expect(try ask(request).body == ask(request).body)
    }

    @Test("completions stream and answer in their own shape")
    func completions() throws {
        let whole = try ask(
            TestRequest.post("/v1/completions", #"{"model":"demo/fast","prompt":["say","x"]}"#)
        ).json
        #expect(whole["object"]?.string == "text_completion")
        let text = whole["choices"]?[0]?["text"]?.string
        #expect(text?.hasSuffix("say") == true)
        let stream = try ask(
            TestRequest.post(
                "/v1/completions",
                #"{"model":"demo/fast","prompt":"say","stream":true}"#
            )
        )
        let pieces = try stream.events.dropLast().map {
            try JSONValue($0)["choices"]?[0]?["text"]?.string ?? ""
        }
        #expect(pieces.joined() == text)
    }

    // MARK: Tools and formats

    private static let tools = #"""
        ,"tools":[{"type":"function","function":{"name":"first"}},
        {"type":"function","function":{"name":"second","parameters":{"type":"object","properties":{
        "city":{"type":"string"},"days":{"type":"integer"},"kind":{"enum":["b","c"]},
        "deep":{"type":"object","properties":{"list":{"type":"array","items":{"type":"boolean"}}}}}}}}]
        """#

    @Test(
        "calls a tool with arguments that fit",
        arguments: [
            ("", "first"), (#","tool_choice":"auto""#, "first"),
            (#","tool_choice":{"type":"function","function":{"name":"second"}}"#, "second"),
        ]
    )
    func tools(_ choice: String, _ name: String) throws {
        let whole = try ask(TestRequest.chat("demo/fast", more: Self.tools + choice)).json
        let message = whole["choices"]?[0]?["message"]
        #expect(whole["choices"]?[0]?["finish_reason"]?.string == "tool_calls")
        #expect(message?["content"]?.isNull == true)
        let call = try #require(message?["tool_calls"]?[0])
        #expect(call["function"]?["name"]?.string == name)
        #expect(call["id"]?.string != nil && call["type"]?.string == "function")
        let text = try #require(call["function"]?["arguments"]?.string)
        let arguments = try JSONValue(text)
        if name == "second" {
            #expect(arguments["city"]?.string == "hello")
            #expect(arguments["days"]?.int != nil)
            #expect(arguments["kind"]?.string == "b")
            #expect(arguments["deep"]?["list"]?[0]?.bool != nil)
        }
        let stream = try ask(
            TestRequest.chat("demo/fast", stream: true, more: Self.tools + choice)
        )
        let calls = try stream.events.dropLast().compactMap {
            try JSONValue($0)["choices"]?[0]?["delta"]?["tool_calls"]?[0]
        }
        #expect(calls.allSatisfy { $0["index"]?.int == 0 })
        #expect(calls.compactMap { $0["function"]?["name"]?.string } == [name])
        let joined = calls.compactMap { $0["function"]?["arguments"]?.string }.joined()
        #expect(joined == text)
    }

    @Test("answers in words after a tool's result, and when told to call none")
    func noTool() throws {
        let none = try ask(
            TestRequest.chat("demo/fast", more: Self.tools + #","tool_choice":"none""#)
        ).json
        #expect(none["choices"]?[0]?["message"]?["content"]?.string != nil)
        let body =
            #"{"model":"demo/fast","messages":[{"role":"tool","content":"42"}]"# + Self.tools + "}"
        let after = try ask(TestRequest.post("/v1/chat/completions", body)).json
        let text = after["choices"]?[0]?["message"]?["content"]?.string
        #expect(text?.contains("42") == true)
    }

    @Test(
        "answers in JSON when asked to",
        arguments: [
            #"{"type":"json_object"}"#,
            #"{"type":"json_schema","json_schema":{"schema":{"properties":{"answer":{}}}}}"#,
            #"{"type":"json_schema","json_schema":{"schema":{"type":["object"],"properties":{"answer":{"const":1}}}}}"#,
        ]
    )
    func formats(_ format: String) throws {
        let answer = try ask(
            TestRequest.chat("demo/fast", more: #","response_format":\#(format)"#)
        )
        let text = try answer.json["choices"]?[0]?["message"]?["content"]?.string
        let value = try JSONValue(try #require(text))
        #expect(value["answer"] != nil)
    }

    @Test(
        "survives schemas and members of every wrong kind",
        arguments: [
            #","tools":1"#, #","tools":[1,{"function":2},{"function":{"name":3}}]"#,
            #","tools":[{"function":{"name":"f","parameters":7}}]"#,
            #","tools":[{"function":{"name":"f","parameters":{"enum":[]}}}]"#,
            #","tools":[{"function":{"name":"f","parameters":{"type":[],"properties":[]}}}]"#,
            #","tools":[{"function":{"name":"f","parameters":{"type":"array","items":1}}}]"#,
            #","response_format":{"type":"json_schema"}"#, #","response_format":3"#,
            #","tool_choice":{"function":1},"tools":[{"function":{"name":"f"}}]"#,
        ]
    )
    func wrongKinds(_ more: String) throws {
        #expect(try ask(TestRequest.chat("demo/fast", more: more)).status == 200)
    }

    @Test("a schema nested beyond reason is cut off")
    func deepSchema() throws {
        let depth = 60
        let schema =
            String(repeating: #"{"type":"object","properties":{"a":"#, count: depth) + "{}"
            + String(repeating: "}}", count: depth)
        let answer = try ask(
            TestRequest.chat(
                "demo/fast",
                more: #","tools":[{"function":{"name":"f","parameters":\#(schema)}}]"#
            )
        )
        #expect(answer.status == 200)
    }

    // MARK: Embeddings

    @Test("floats and base64 are the same vector, of length 1")
    func encodings() throws {
        let floats = try embed(#""input":"x""#).json["data"]?[0]?["embedding"]?.array
        let values = try #require(floats).compactMap(\.number)
        #expect(values.count == 256)
        let length = values.reduce(0) { $0 + $1 * $1 }
        #expect(abs(length - 1) < 1e-4)
        let text = try embed(#""input":"x","encoding_format":"base64""#)
            .json["data"]?[0]?["embedding"]?.string
        let decoded = try Self.floats(base64: try #require(text))
        #expect(decoded.map(Double.init) == values)
    }

    @Test(
        "base64 is padded as it should be",
        arguments: [1, 2, 3, 4, 5]
    )
    func padding(_ dimensions: Int) throws {
        let text = try embed(
            #""input":"x","encoding_format":"base64","dimensions":\#(dimensions)"#
        ).json["data"]?[0]?["embedding"]?.string
        #expect(try Self.floats(base64: try #require(text)).count == dimensions)
    }

    @Test(
        "every form of input is one vector per item, in order",
        arguments: [
            (#""a""#, 1), (#"["a","b","a"]"#, 3), ("[1,2,3]", 1), ("[[1,2],[3]]", 2), ("[]", 0),
        ]
    )
    func inputs(_ input: String, _ count: Int) throws {
        let json = try embed(#""input":\#(input),"dimensions":4"#).json
        let data = json["data"]?.array ?? []
        #expect(data.map { $0["index"]?.int } == (0..<count).map { $0 })
        if count == 3 {
            #expect(data[0]["embedding"] == data[2]["embedding"])
            #expect(data[0]["embedding"] != data[1]["embedding"])
        }
        #expect(json["usage"]?["total_tokens"]?.int == json["usage"]?["prompt_tokens"]?.int)
    }

    @Test("more vectors than a demo should make are refused")
    func tooManyInputs() throws {
        let many = Array(repeating: #""a""#, count: 300_000).joined(separator: ",")
        let answer = try embed(#""input":[\#(many)]"#)
        #expect(answer.status == 400)
        #expect(try answer.json["error"]?["type"]?.string == "invalid_request_error")
    }

    private static func floats(base64 text: String) throws -> [Float] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        #expect(text.count % 4 == 0)
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for character in text where character != "=" {
            let value = try #require(alphabet.firstIndex(of: character))
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        #expect(bytes.count % 4 == 0)
        return stride(from: 0, to: bytes.count, by: 4).map { place in
            let word = (0..<4).reduce(UInt32(0)) {
                $0 | UInt32(bytes[place + $1]) << UInt32(8 * $1)
            }
            return Float(bitPattern: word)
        }
    }

    // MARK: Failures

    @Test(
        "fails as its name says",
        arguments: [
            ("400", 400, "invalid_value"), ("401", 502, "upstream_credentials"),
            ("404", 404, "model_not_found"), ("429", 429, "rate_limit_exceeded"),
            ("500", 500, "demo_failure"), ("503", 503, "demo_failure"),
            ("nothing", 404, "model_not_found"), ("error", 500, "demo_failure"),
            ("cut", 502, "upstream_cut"), ("hang", 504, "upstream_timeout"),
            ("stall", 504, "upstream_timeout"),
        ]
    )
    func failures(_ model: String, _ status: Int, _ code: String) throws {
        let harness = try WorkerHarness(
            #"""
            {"upstreams": {"demo": {"kind": "demo"}},
             "timeouts": {"headers": "40ms", "idle": "40ms"}}
            """#
        )
        let answer = try ask(TestRequest.chat("demo/\(model)"), on: harness)
        #expect(answer.status == status)
        #expect(try answer.json["error"]?["code"]?.string == code)
        #expect((answer["retry-after"] == "1") == (model == "429"))
    }

    @Test(
        "breaks its stream after three tokens",
        arguments: [
            ("cut", "upstream_cut"), ("stall", "upstream_timeout"), ("error", "demo_failure"),
        ]
    )
    func brokenStreams(_ model: String, _ code: String) throws {
        let harness = try WorkerHarness(
            #"{"upstreams": {"demo": {"kind": "demo"}}, "timeouts": {"idle": "60ms"}}"#
        )
        let answer = try ask(TestRequest.chat("demo/\(model)", stream: true), on: harness)
        #expect(answer.isWhole)
        let events = try answer.events.map { try JSONValue($0) }
        #expect(events.last?["error"]?["code"]?.string == code)
        let contents = events.compactMap { $0["choices"]?[0]?["delta"]?["content"]?.string }
        #expect(contents.count { !$0.isEmpty } == 3)
    }

    @Test("a slow reader of a fast model gets every token")
    func backpressure() throws {
        let harness = try WorkerHarness()
        let client = try harness.client(sendBuffer: 4096)
        try client.send(TestRequest.chat("demo/long", stream: true))
        let waiting = try harness.waitingBytes(atLeast: 64 << 10)
        #expect(waiting > 64 << 10 && waiting < 128 << 10)
        let answer = try client.answer()
        #expect(answer.events.count == 1_003)
        #expect(answer.events.last == "[DONE]")
    }
}
