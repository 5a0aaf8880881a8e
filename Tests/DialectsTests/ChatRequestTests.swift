// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Support
import Testing

@Suite("Requests of chat completions")
struct ChatRequestTests {
    private static let openPlan = RequestPlan(
        format: .chat,
        host: .compatible,
        model: "m",
        isStream: false
    )

    // MARK: Round trips

    @Test("What is written reads back the same", arguments: 0..<300)
    func roundTrip(_ seed: Int) throws {
        var generator = RandomConversation(seed: UInt64(seed), .all)
        let text = generator.chatRequest()
        let first = try Meaning(try Converting.conversation(.chat, text), of: text)
        let written = try Converting.request(text, from: .chat, Self.openPlan)
        let second = try Meaning(
            try Converting.conversation(.chat, written.body),
            of: written.body
        )
        #expect(joined(first) == joined(second), "seed \(seed)")
        #expect(written.dropped == [])
        _ = try JSONValue(written.body)
    }

    private func joined(_ meaning: Meaning) -> Meaning {
        var meaning = meaning
        for index in meaning.turns.indices where meaning.turns[index].role == .assistant {
            // The format has no order among the pieces of an assistant's turn.
            meaning.turns[index].items.removeAll { $0 == .text("") }
        }
        return meaning
    }

    @Test("A text keeps its bytes")
    func textsAreCopied() throws {
        let content = #""caf\u00e9 \ud83d\ude00 é 😀 \/ \" \\ \n""#
        let written = try Converting.request(
            #"{"messages":[{"role":"user","content":\#(content)}]}"#,
            from: .chat,
            Self.openPlan
        )
        #expect(
            written.body
                == #"{"model":"m","messages":[{"role":"user","content":\#(content)}]}"#
        )
    }

    // MARK: What is written

    struct Written: CustomTestStringConvertible {
        let name: String
        let input: String
        let output: String
        var host = ProviderHost.openAI
        var model = "gpt-4o"
        var isStream = false
        var refused: [String] = []
        var dropped: [String] = []

        var testDescription: String { name }
    }

    private static let hi = #"[{"role":"user","content":"hi"}]"#
    private static let tool = #"[{"type":"function","function":{"name":"f"}}]"#

    static let written: [Written] = [
        Written(
            name: "systems are joined",
            input: #"{"messages":[{"role":"system","content":"a"},{"role":"user","content":"hi"},"#
                + #"{"role":"developer","content":[{"type":"text","text":"b"}]}]}"#,
            output: #"{"model":"gpt-4o","messages":[{"role":"system","content":"a\n\nb"},"#
                + #"{"role":"user","content":"hi"}]}"#
        ),
        Written(
            name: "a stream asks for its usage",
            input: #"{"messages":\#(hi)}"#,
            output: #"{"model":"gpt-4o","messages":\#(hi),"stream":true,"#
                + #""stream_options":{"include_usage":true}}"#,
            isStream: true
        ),
        Written(
            name: "a reasoning model's limits",
            input: #"{"messages":\#(hi),"max_tokens":9,"temperature":0.5,"top_p":1,"stop":"x","#
                + #""presence_penalty":1,"frequency_penalty":1,"logprobs":true,"top_logprobs":2,"#
                + #""reasoning_effort":"minimal","seed":4}"#,
            output: #"{"model":"o3-mini","messages":\#(hi),"max_completion_tokens":9,"seed":4,"#
                + #""reasoning_effort":"low"}"#,
            model: "o3-mini",
            dropped: [
                "stop", "temperature", "top_p", "presence_penalty", "frequency_penalty",
                "logprobs", "top_logprobs",
            ]
        ),
        Written(
            name: "effort for a model that cannot think",
            input: #"{"messages":\#(hi),"reasoning_effort":"high"}"#,
            output: #"{"model":"gpt-4o","messages":\#(hi)}"#,
            dropped: ["reasoning_effort"]
        ),
        Written(
            name: "a budget becomes an effort",
            input: #"{"messages":\#(hi),"thinking":{"type":"enabled","budget_tokens":4096}}"#,
            output: #"{"model":"gpt-5.4","messages":\#(hi),"reasoning_effort":"medium"}"#,
            model: "gpt-5.4"
        ),
        Written(
            name: "more than four stops",
            input: #"{"messages":\#(hi),"stop":["a","b","","c","d","e"]}"#,
            output: #"{"model":"gpt-4o","messages":\#(hi),"stop":["a","b","c","d"]}"#,
            dropped: ["stop"]
        ),
        Written(
            name: "choices need tools",
            input: #"{"messages":\#(hi),"tool_choice":"required","parallel_tool_calls":false}"#,
            output: #"{"model":"gpt-4o","messages":\#(hi)}"#,
            dropped: ["tool_choice"]
        ),
        Written(
            name: "tools and a named choice",
            input: #"{"messages":\#(hi),"tools":\#(tool),"parallel_tool_calls":false,"#
                + #""tool_choice":{"type":"function","function":{"name":"f"}}}"#,
            output: #"{"model":"gpt-4o","messages":\#(hi),"tools":\#(tool),"#
                + #""tool_choice":{"type":"function","function":{"name":"f"}},"#
                + #""parallel_tool_calls":false}"#
        ),
        Written(
            name: "the o-series knows no parallel calls",
            input: #"{"messages":\#(hi),"tools":\#(tool),"parallel_tool_calls":false}"#,
            output: #"{"model":"o4-mini","messages":\#(hi),"tools":\#(tool)}"#,
            model: "o4-mini"
        ),
        Written(
            name: "the older functions become tools",
            input: #"{"messages":[{"role":"user","content":"hi"},{"role":"assistant","#
                + #""content":null,"function_call":{"name":"f","arguments":"{\"a\":1}"}},"#
                + #"{"role":"function","name":"f","content":"2"}],"#
                + #""functions":[{"name":"f"}],"function_call":{"name":"f"}}"#,
            output: #"{"model":"gpt-4o","messages":[{"role":"user","content":"hi"},"#
                + #"{"role":"assistant","content":null,"tool_calls":[{"id":"call_function_0","#
                + #""type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},"#
                + #"{"role":"tool","content":"2","tool_call_id":"call_function_0"}],"#
                + #""tools":\#(tool),"#
                + #""tool_choice":{"type":"function","function":{"name":"f"}}}"#
        ),
        Written(
            name: "what an upstream has refused",
            input: #"{"messages":\#(hi),"seed":1,"user":"u","tools":\#(tool)}"#,
            output: #"{"model":"gpt-4o","messages":\#(hi),"stream":true}"#,
            isStream: true,
            refused: ["seed", "user", "tools", "stream_options"],
            dropped: ["tools", "seed", "user"]
        ),
        Written(
            name: "a schema without a name",
            input: #"{"messages":\#(hi),"response_format":{"type":"json_schema","#
                + #""json_schema":{"schema":{"type":"object"},"strict":true}}}"#,
            output: #"{"model":"gpt-4o","messages":\#(hi),"response_format":"#
                + #"{"type":"json_schema","json_schema":{"name":"response","#
                + #""schema":{"type":"object"},"strict":true}}}"#
        ),
        Written(
            name: "signatures of Gemini stay with its calls",
            input: #"{"messages":[{"role":"assistant","content":"","tool_calls":[{"id":"c","#
                + #""type":"function","extra_content":{"google":{"thought_signature":"AB"}},"#
                + #""function":{"name":"f","arguments":""}}]},"#
                + #"{"role":"tool","tool_call_id":"c","content":[]}]}"#,
            output: #"{"model":"gemini-3-pro","messages":[{"role":"assistant","content":null,"#
                + #""tool_calls":[{"id":"c","type":"function","#
                + #""function":{"name":"f","arguments":"{}"},"#
                + #""extra_content":{"google":{"thought_signature":"AB"}}}]},"#
                + #"{"role":"tool","content":"","tool_call_id":"c"}]}"#,
            host: .gemini,
            model: "gemini-3-pro"
        ),
        Written(
            name: "cache marks stay in their own format",
            input: #"{"messages":[{"role":"system","content":[{"type":"text","text":"s","#
                + #""cache_control":{"type":"ephemeral"}}]},{"role":"user","content":"hi","#
                + #""cache_control":{"type":"ephemeral"}}]}"#,
            output: #"{"model":"m","messages":[{"role":"system","content":[{"type":"text","#
                + #""text":"s","cache_control":{"type":"ephemeral"}}]},{"role":"user","content":"#
                + #"[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]}"#,
            host: .compatible,
            model: "m"
        ),
    ]

    @Test("Written requests", arguments: written)
    func writes(_ row: Written) throws {
        var plan = RequestPlan(
            format: .chat,
            host: row.host,
            model: row.model,
            isStream: row.isStream
        )
        plan.refused = row.refused
        let result = try Converting.request(row.input, from: .chat, plan)
        #expect(result.body == row.output)
        #expect(result.dropped == row.dropped)
    }

    // MARK: What has no place

    @Test("Members that only OpenAI has are named")
    func omissions() throws {
        let text = """
            {"messages":[{"role":"user","name":"Ann","content":"hi","annotations":[],"weight":1}],
            "store":true,"metadata":{"a":"b"},"prediction":{},"logit_bias":{},"service_tier":"auto",
            "verbosity":"low","stream":true,"modalities":["text"],
            "stream_options":{"include_usage":true,"include_obfuscation":true},
            "tools":[{"type":"function","function":{"name":"f","x":1},"y":2}],"audio":null}
            """
        let conversation = try Converting.conversation(.chat, text)
        #expect(
            conversation.omissions.names == [
                "store", "metadata", "verbosity", "stream_options.include_obfuscation",
                "tools[].y", "tools[].function.x", "messages[].weight", "messages[].name",
            ]
        )
        #expect(conversation.wantsUsage && conversation.isStream)
    }

    @Test("Media are told apart by what they are")
    func media() throws {
        let text = #"""
            {"messages":[{"role":"user","content":[
            {"type":"image_url","image_url":{"url":"data:image\/png;base64,\/9j\/AA\u003d\u003d","detail":"low"}},
            {"type":"image_url","image_url":"DATA:image/jpeg;charset=x;BASE64,AAAA"},
            {"type":"image_url","image_url":{"url":"https://e.com/a.png"}},
            {"type":"image_url","image_url":{"url":"data:application/pdf;base64,AAAA"}},
            {"type":"file","file":{"file_data":"AAAA","filename":"a.pdf"}},
            {"type":"file","file":{"file_id":"file-1"}},
            {"type":"input_audio","input_audio":{"data":"AAA=","format":"mp3"}}]}]}
            """#
        let meaning = try Meaning(try Converting.conversation(.chat, text), of: text)
        typealias Item = Meaning.Item
        let expected: [Item] = [
            .media(
                kind: .image,
                type: "image/png",
                source: "base64:/9j/AA==",
                name: nil,
                detail: "low"
            ),
            .media(kind: .image, type: "image/jpeg", source: "base64:AAAA", name: nil, detail: nil),
            .media(
                kind: .image,
                type: nil,
                source: "url:https://e.com/a.png",
                name: nil,
                detail: nil
            ),
            .media(
                kind: .document,
                type: "application/pdf",
                source: "base64:AAAA",
                name: nil,
                detail: nil
            ),
            .media(
                kind: .document,
                type: "application/pdf",
                source: "base64:AAAA",
                name: "a.pdf",
                detail: nil
            ),
            .media(kind: .document, type: nil, source: "file:file-1", name: nil, detail: nil),
            .media(kind: .audio, type: "audio/mpeg", source: "base64:AAA=", name: nil, detail: nil),
        ]
        #expect(meaning.turns == [Meaning.Turn(role: .user, items: expected)])
    }

    // MARK: Bad input

    struct Bad: CustomTestStringConvertible {
        let input: String
        let path: String
        var kind = ConversionError.Kind.invalid

        var testDescription: String { input }
    }

    private static func inUser(_ part: String) -> String {
        #"{"messages":[{"role":"user","content":[\#(part)]}]}"#
    }

    static let bad: [Bad] = [
        Bad(input: #"[]"#, path: ""),
        Bad(input: #"{}"#, path: "messages"),
        Bad(input: #"{"messages":null}"#, path: "messages"),
        Bad(input: #"{"messages":[]}"#, path: "messages"),
        Bad(input: #"{"messages":{}}"#, path: "messages"),
        Bad(input: #"{"messages":["hi"]}"#, path: "messages[0]"),
        Bad(input: #"{"messages":[{"content":"hi"}]}"#, path: "messages[0].role"),
        Bad(input: #"{"messages":[{"role":"bot","content":"hi"}]}"#, path: "messages[0].role"),
        Bad(input: #"{"messages":[{"role":1,"content":"hi"}]}"#, path: "messages[0].role"),
        Bad(input: #"{"messages":[{"role":"user"}]}"#, path: "messages[0].content"),
        Bad(input: #"{"messages":[{"role":"user","content":null}]}"#, path: "messages[0].content"),
        Bad(input: #"{"messages":[{"role":"user","content":1}]}"#, path: "messages[0].content"),
        Bad(input: #"{"messages":[{"role":"assistant"}]}"#, path: "messages[0].content"),
        Bad(
            input: #"{"messages":[{"role":"assistant","audio":{"id":"a"}}]}"#,
            path: "messages[0].audio",
            kind: .unsupported
        ),
        Bad(input: inUser("1"), path: "messages[0].content[0]"),
        Bad(input: inUser("{}"), path: "messages[0].content[0].type"),
        Bad(input: inUser(#"{"type":"video_url"}"#), path: "messages[0].content[0].type"),
        Bad(input: inUser(#"{"type":"text"}"#), path: "messages[0].content[0].text"),
        Bad(input: inUser(#"{"type":"text","text":[]}"#), path: "messages[0].content[0].text"),
        Bad(
            input: inUser(#"{"type":"image_url","image_url":{}}"#),
            path: "messages[0].content[0].image_url.url"
        ),
        Bad(
            input: inUser(
                #"{"type":"image_url","image_url":{"url":"data:image/png;base64,A*=="}}"#
            ),
            path: "messages[0].content[0].image_url.url"
        ),
        Bad(
            input: inUser(#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAA"}}"#),
            path: "messages[0].content[0].image_url.url"
        ),
        Bad(
            input: inUser(#"{"type":"image_url","image_url":{"url":"data:image/png,AAAA"}}"#),
            path: "messages[0].content[0].image_url.url"
        ),
        Bad(
            input: inUser(#"{"type":"image_url","image_url":{"url":"data:image/png;base64,"}}"#),
            path: "messages[0].content[0].image_url.url"
        ),
        Bad(
            input: inUser(#"{"type":"input_audio","input_audio":{"data":"AAAA"}}"#),
            path: "messages[0].content[0].input_audio.format"
        ),
        Bad(
            input: inUser(#"{"type":"input_audio","input_audio":{"data":"A","format":"wav"}}"#),
            path: "messages[0].content[0].input_audio.data"
        ),
        Bad(
            input: inUser(#"{"type":"file","file":{}}"#),
            path: "messages[0].content[0].file.file_data"
        ),
        Bad(
            input: #"{"messages":[{"role":"system","content":[{"type":"image_url"}]}]}"#,
            path: "messages[0].content[0].type"
        ),
        Bad(
            input: #"{"messages":[{"role":"tool","content":"x"}]}"#,
            path: "messages[0].tool_call_id"
        ),
        Bad(
            input: #"{"messages":[{"role":"tool","tool_call_id":"c","content":"x"}]}"#,
            path: "messages[0].tool_call_id"
        ),
        Bad(
            input: #"{"messages":[{"role":"function","name":"f","content":"x"}]}"#,
            path: "messages[0].name"
        ),
        Bad(
            input: #"{"messages":[{"role":"assistant","tool_calls":[{"id":"a"}]}]}"#,
            path: "messages[0].tool_calls[0].function"
        ),
        Bad(
            input: #"{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}]}"#,
            path: "messages[0].tool_calls[0].id"
        ),
        Bad(
            input: #"{"messages":[{"role":"assistant","tool_calls":"#
                + #"[{"id":"a","function":{"arguments":"{}"}}]}]}"#,
            path: "messages[0].tool_calls[0].function.name"
        ),
        Bad(
            input: #"{"messages":[{"role":"assistant","tool_calls":"#
                + #"[{"id":"a","type":"custom","custom":{}}]}]}"#,
            path: "messages[0].tool_calls[0].type",
            kind: .unsupported
        ),
        Bad(input: #"{"max_tokens":"9"}"#, path: "max_tokens"),
        Bad(input: #"{"max_tokens":0}"#, path: "max_tokens"),
        Bad(input: #"{"max_completion_tokens":1.5}"#, path: "max_completion_tokens"),
        Bad(input: #"{"temperature":"hot"}"#, path: "temperature"),
        Bad(input: #"{"top_p":true}"#, path: "top_p"),
        Bad(input: #"{"stop":1}"#, path: "stop"),
        Bad(input: #"{"stop":["a",1]}"#, path: "stop[1]"),
        Bad(input: #"{"stream":"yes"}"#, path: "stream"),
        Bad(input: #"{"stream_options":[]}"#, path: "stream_options"),
        Bad(
            input: #"{"stream_options":{"include_usage":1}}"#,
            path: "stream_options.include_usage"
        ),
        Bad(input: #"{"tools":{}}"#, path: "tools"),
        Bad(input: #"{"tools":[1]}"#, path: "tools[0]"),
        Bad(input: #"{"tools":[{"type":"function"}]}"#, path: "tools[0].function"),
        Bad(input: #"{"tools":[{"function":{}}]}"#, path: "tools[0].function.name"),
        Bad(input: #"{"tools":[{"function":{"name":""}}]}"#, path: "tools[0].function.name"),
        Bad(
            input: #"{"tools":[{"function":{"name":"f","parameters":"{}"}}]}"#,
            path: "tools[0].function.parameters"
        ),
        Bad(
            input: #"{"tools":[{"type":"custom","custom":{"name":"f"}}]}"#,
            path: "tools[0].type",
            kind: .unsupported
        ),
        Bad(input: #"{"tool_choice":"always"}"#, path: "tool_choice"),
        Bad(input: #"{"tool_choice":{"type":"function"}}"#, path: "tool_choice.function"),
        Bad(input: #"{"tool_choice":{"function":{}}}"#, path: "tool_choice.function.name"),
        Bad(input: #"{"reasoning_effort":"huge"}"#, path: "reasoning_effort"),
        Bad(input: #"{"response_format":{"type":"xml"}}"#, path: "response_format.type"),
        Bad(
            input: #"{"response_format":{"type":"json_schema"}}"#,
            path: "response_format.json_schema"
        ),
        Bad(
            input: #"{"modalities":["text","audio"]}"#,
            path: "modalities[1]",
            kind: .unsupported
        ),
        Bad(input: #"{"user":1}"#, path: "user"),
    ]

    @Test("Bad requests name the place", arguments: bad)
    func refuses(_ row: Bad) throws {
        let document = try Converting.Document(row.input)
        let bytes = document.bytes.span
        do throws(ConversionError) {
            _ = try Conversion.readRequest(.chat, document.tape, bytes)
            Issue.record("it was read")
        } catch {
            let path = error.path(document.tape, bytes)
            #expect(path == row.path)
            #expect(error.kind == row.kind)
            #expect(!error.message.isEmpty)
        }
    }

    @Test("A result finds its call among thousands")
    func manyCalls() throws {
        let calls = (0..<5_000).map {
            #"{"id":"c\#($0)","type":"function","function":{"name":"f","arguments":"{}"}}"#
        }
        func text(_ id: String) -> String {
            #"{"messages":[{"role":"assistant","tool_calls":[\#(calls.joined(separator: ","))]},"#
                + #"{"role":"tool","tool_call_id":"\#(id)","content":"x"}]}"#
        }
        #expect(try Converting.conversation(.chat, text("c17")).messages.count == 2)
        #expect(try Converting.conversation(.chat, text("\\u006317")).messages.count == 2)
        #expect(throws: ConversionError.self) {
            _ = try Converting.conversation(.chat, text("c5000"))
        }
    }
}
