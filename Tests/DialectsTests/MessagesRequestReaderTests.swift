// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Support
import Testing

struct MessagesRequestReaderTests {
    // MARK: What is read

    @Test func everyBlockHasItsPart() throws {
        let text = #"""
            {"model":"claude","max_tokens":100,"system":[{"type":"text","text":"Be brief.",
             "cache_control":{"type":"ephemeral"}}],"messages":[
             {"role":"user","content":[{"type":"text","text":"Look"},
              {"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},
              {"type":"image","source":{"type":"url","url":"https://example.com/a.png"}},
              {"type":"document","title":"A","source":{"type":"base64",
               "media_type":"application/pdf","data":"JVBERi0="}},
              {"type":"document","source":{"type":"text","media_type":"text/plain","data":"plain"}}]},
             {"role":"assistant","content":[
              {"type":"thinking","thinking":"hm","signature":"c2ln"},
              {"type":"redacted_thinking","data":"eA=="},
              {"type":"tool_use","id":"t1","name":"get_time","input":{"tz":"CET"}}]},
             {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,
              "content":[{"type":"text","text":"12:00"},
              {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}]}]}
            """#
        let conversation = try Converting.conversation(.messages, text)
        let meaning = try Meaning(conversation, of: text)
        #expect(meaning.system == "Be brief.")
        #expect(conversation.system.first?.cache != nil)
        #expect(
            meaning.turns.map(\.items) == [
                [
                    .text("Look"),
                    .media(
                        kind: .image,
                        type: "image/png",
                        source: "base64:iVBORw0KGgo=",
                        name: nil,
                        detail: nil
                    ),
                    .media(
                        kind: .image,
                        type: nil,
                        source: "url:https://example.com/a.png",
                        name: nil,
                        detail: nil
                    ),
                    .media(
                        kind: .document,
                        type: "application/pdf",
                        source: "base64:JVBERi0=",
                        name: "A",
                        detail: nil
                    ),
                    .media(
                        kind: .document,
                        type: "text/plain",
                        source: "plain:plain",
                        name: nil,
                        detail: nil
                    ),
                ],
                [
                    .thinking(text: "hm", signature: "c2ln", encrypted: nil),
                    .thinking(text: nil, signature: nil, encrypted: "eA=="),
                    .call(
                        id: "t1",
                        name: "get_time",
                        input: .object(["tz": .string("CET")]),
                        signature: nil
                    ),
                ],
                [
                    .result(
                        callID: "t1",
                        name: "get_time",
                        content: [
                            .text("12:00"),
                            .media(
                                kind: .image,
                                type: "image/png",
                                source: "base64:AAAA",
                                name: nil,
                                detail: nil
                            ),
                        ],
                        value: nil,
                        isError: true
                    )
                ],
            ]
        )
        #expect(conversation.maxTokens == 100)
        #expect(conversation.omissions.isEmpty)
    }

    /// Settings beside one turn, and what they mean.
    struct Setting: CustomTestStringConvertible {
        let members: String
        let settings: [String: String]
        var dropped: [String] = []
        var testDescription: String { members }
    }

    private static let tool =
        #""tools":[{"name":"a","input_schema":{"type":"object"}}]"#

    @Test(arguments: [
        Setting(
            members: #""temperature":0.5,"top_p":1,"top_k":40"#,
            settings: [
                "temperature": "0.5", "topP": "1.0", "topK": "40",
            ]
        ),
        Setting(members: #""stop_sequences":["END",""]"#, settings: ["stop": #"["END"]"#]),
        Setting(
            members: #""metadata":{"user_id":"u","x":1}"#,
            settings: ["user": "u"],
            dropped: [
                "metadata.x"
            ]
        ),
        Setting(members: #""stream":true"#, settings: ["isStream": "true"]),
        Setting(
            members: #""thinking":{"type":"enabled","budget_tokens":2000}"#,
            settings: [
                "budget": "2000"
            ]
        ),
        Setting(members: #""thinking":{"type":"disabled"}"#, settings: ["effort": "none"]),
        Setting(
            members:
                #""thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"max"}"#,
            settings: ["isAdaptive": "true", "effort": "xhigh", "showsThoughts": "false"]
        ),
        Setting(
            members:
                #""output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}}"#,
            settings: ["effort": "low", "schema": #"{"type":"object"}"#]
        ),
        Setting(
            members: tool + #","tool_choice":{"type":"any"}"#,
            settings: [
                "toolChoice": "required"
            ]
        ),
        Setting(
            members: #""tool_choice":{"type":"tool","name":"a","disable_parallel_tool_use":true},"#
                + tool,
            settings: ["toolChoice": "named a", "parallelToolCalls": "false"]
        ),
        Setting(
            members: tool + #","tool_choice":{"type":"none"}"#,
            settings: [
                "toolChoice": "none"
            ]
        ),
        Setting(
            members: tool + #","tool_choice":{"type":"auto"}"#,
            settings: [
                "toolChoice": "auto"
            ]
        ),
        Setting(
            members:
                #""tools":[{"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"tool","name":"web_search"}"#,
            settings: ["toolChoice": "auto"],
            dropped: ["tools[].web_search_20250305", "tool_choice"]
        ),
        Setting(
            members:
                #""tools":[{"name":"a","input_examples":[],"defer_loading":true,"input_schema":{}}]"#,
            settings: [:],
            dropped: ["tools[].input_examples", "tools[].defer_loading"]
        ),
        Setting(
            members:
                #""service_tier":"auto","context_management":{},"container":null,"speed":"fast""#,
            settings: [:],
            dropped: ["service_tier", "context_management", "speed"]
        ),
    ])
    func readsSettings(_ row: Setting) throws {
        let text = #"{"model":"m","messages":[{"role":"user","content":"x"}],\#(row.members)}"#
        let conversation = try Converting.conversation(.messages, text)
        #expect(conversation.omissions.names == row.dropped)
        var found: [String: String] = [:]
        found["temperature"] = conversation.temperature?.description
        found["topP"] = conversation.topP?.description
        found["topK"] = conversation.topK?.description
        let bytes = Array(text.utf8)
        if !conversation.stop.isEmpty {
            found["stop"] = conversation.stop.map { $0.value(from: bytes.span) }.description
        }
        found["user"] = conversation.user?.value(from: bytes.span)
        if conversation.isStream { found["isStream"] = "true" }
        found["budget"] = conversation.reasoning?.budget?.description
        found["effort"] = conversation.reasoning?.effort?.rawValue
        if conversation.reasoning?.isAdaptive == true { found["isAdaptive"] = "true" }
        found["showsThoughts"] = conversation.reasoning?.showsThoughts?.description
        if case .jsonSchema(let format)? = conversation.responseFormat {
            let out = ByteBuffer()
            format.schema.append(from: bytes.span, to: out)
            found["schema"] = out.text
        }
        switch conversation.toolChoice {
        case .named(let name)?: found["toolChoice"] = "named " + name.value(from: bytes.span)
        case .auto?: found["toolChoice"] = "auto"
        case .required?: found["toolChoice"] = "required"
        case ToolChoice.none?: found["toolChoice"] = "none"
        case nil: break
        }
        found["parallelToolCalls"] = conversation.parallelToolCalls?.description
        #expect(found == row.settings)
    }

    /// A turn with something other formats lack, and its texts.
    struct Lossy: CustomTestStringConvertible {
        let name: String
        let messages: String
        let texts: [String]
        let dropped: [String]
        var testDescription: String { name }
    }

    @Test(arguments: [
        Lossy(
            name: "system turns move to the top",
            messages:
                #"[{"role":"system","content":"a"},{"role":"user","content":"b"},{"role":"system","content":[{"type":"text","text":"c"}]}]"#,
            texts: ["system a", "system c", "b"],
            dropped: []
        ),
        Lossy(
            name: "blocks of server tools go",
            messages:
                #"[{"role":"user","content":"b"},{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s","content":[]},{"type":"text","text":"c","citations":[{"type":"x"}]}]}]"#,
            texts: ["b", "c"],
            dropped: [
                "messages[].content[].server_tool_use",
                "messages[].content[].web_search_tool_result",
                "messages[].content[].citations",
            ]
        ),
        Lossy(
            name: "a document of blocks becomes its blocks",
            messages:
                #"[{"role":"user","content":[{"type":"document","context":"c","source":{"type":"content","content":[{"type":"text","text":"d"}]}},{"type":"document","source":{"type":"content","content":"e"}}]}]"#,
            texts: ["d", "e"],
            dropped: ["messages[].content[].context"]
        ),
        Lossy(
            name: "a search result becomes texts",
            messages:
                #"[{"role":"user","content":[{"type":"search_result","source":"http://s","title":"t","content":[{"type":"text","text":"d"}]}]}]"#,
            texts: ["http://s", "t", "d"],
            dropped: []
        ),
        Lossy(
            name: "unknown blocks of a tool become texts",
            messages:
                #"[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"n","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":[{"type":"tool_reference","tool_name":"x"},{"type":"new","k":[1]}]}]}]"#,
            texts: ["a", "[tool_ref] x", #"{"type":"new","k":[1]}"#],
            dropped: []
        ),
    ])
    func namesWhatItLeavesOut(_ row: Lossy) throws {
        let text = #"{"model":"m","messages":\#(row.messages)}"#
        let conversation = try Converting.conversation(.messages, text)
        let bytes = Array(text.utf8)
        var texts = conversation.system.map { "system " + $0.text.value(from: bytes.span) }
        func collect(_ parts: [Part]) {
            for part in parts {
                if case .text(let block) = part { texts.append(block.text.value(from: bytes.span)) }
                if case .toolResult(let result) = part { collect(result.content) }
            }
        }
        for message in conversation.messages { collect(message.parts) }
        #expect(texts == row.texts)
        #expect(conversation.omissions.names == row.dropped)
    }

    // MARK: What is refused

    struct Bad: CustomTestStringConvertible {
        let name: String
        let body: String
        let path: String
        let message: String

        init(_ name: String, _ body: String, at path: String, _ message: String) {
            self.name = name
            self.body = body
            self.path = path
            self.message = message
        }

        /// With `content` in the user's turn.
        init(_ name: String, content: String, at path: String, _ message: String) {
            self.init(
                name,
                #"{"model":"m","messages":[{"role":"user","content":\#(content)}]}"#,
                at: "messages[0].content" + path,
                message
            )
        }

        /// With `member` beside one turn.
        init(_ name: String, member: String, at path: String, _ message: String) {
            self.init(
                name,
                #"{"model":"m","messages":[{"role":"user","content":"x"}],\#(member)}"#,
                at: path,
                message
            )
        }

        var testDescription: String { name }
    }

    static let bad = [
        Bad("array", "[]", at: "", "must be an object"),
        Bad("no messages", #"{"model":"m"}"#, at: "messages", "is required"),
        Bad("null messages", #"{"messages":null}"#, at: "messages", "is required"),
        Bad("messages text", #"{"messages":"x"}"#, at: "messages", "must be an array"),
        Bad("no turns", #"{"messages":[]}"#, at: "messages", "must have at least one turn"),
        Bad("turn text", #"{"messages":["x"]}"#, at: "messages[0]", "must be an object"),
        Bad(
            "only system turns",
            #"{"messages":[{"role":"system","content":"x"}]}"#,
            at: "messages",
            "must have at least one turn"
        ),
        Bad("no role", #"{"messages":[{"content":"x"}]}"#, at: "messages[0].role", "is required"),
        Bad(
            "unknown role",
            #"{"messages":[{"role":"tool","content":"x"}]}"#,
            at: "messages[0].role",
            "must be \"user\" or \"assistant\""
        ),
        Bad(
            "no content",
            #"{"messages":[{"role":"user","content":"a"},{"role":"user"}]}"#,
            at: "messages[1].content",
            "is required"
        ),
        Bad("model number", #"{"model":1,"messages":[]}"#, at: "model", "must be a string"),
        Bad("model empty", #"{"model":"","messages":[]}"#, at: "model", "must not be empty"),
        Bad("content number", content: "1", at: "", "must be a string or an array of blocks"),
        Bad("block text", content: #"["x"]"#, at: "[0]", "must be an object"),
        Bad("block without type", content: #"[{"text":"x"}]"#, at: "[0].type", "is required"),
        Bad("type number", content: #"[{"type":1}]"#, at: "[0].type", "must be a string"),
        Bad(
            "unknown block",
            content: #"[{"type":"text","text":"a"},{"type":"video"}]"#,
            at: "[1].type",
            "is not a type of block that is known"
        ),
        Bad("no text", content: #"[{"type":"text"}]"#, at: "[0].text", "is required"),
        Bad("text null", content: #"[{"type":"text","text":null}]"#, at: "[0].text", "is required"),
        Bad(
            "text list",
            content: #"[{"type":"text","text":[]}]"#,
            at: "[0].text",
            "must be a string"
        ),
        Bad(
            "cache mark text",
            content: #"[{"type":"text","text":"a","cache_control":"x"}]"#,
            at: "[0].cache_control",
            "must be an object"
        ),
        Bad(
            "call of the user",
            content: #"[{"type":"tool_use","id":"a","name":"b","input":{}}]"#,
            at: "[0].type",
            "stands only in turns of the assistant"
        ),
        Bad(
            "thoughts of the user",
            content: #"[{"type":"thinking","thinking":"a"}]"#,
            at: "[0].type",
            "stands only in turns of the assistant"
        ),
        Bad(
            "orphan result",
            content: #"[{"type":"tool_result","tool_use_id":"nope","content":"x"}]"#,
            at: "[0].tool_use_id",
            "must be the id of an earlier tool_use block"
        ),
        Bad(
            "result without id",
            content: #"[{"type":"tool_result","content":"x"}]"#,
            at: "[0].tool_use_id",
            "is required"
        ),
        Bad("no source", content: #"[{"type":"image"}]"#, at: "[0].source", "is required"),
        Bad(
            "source text",
            content: #"[{"type":"image","source":"x"}]"#,
            at: "[0].source",
            "must be an object"
        ),
        Bad(
            "unknown source",
            content: #"[{"type":"image","source":{"type":"text"}}]"#,
            at: "[0].source.type",
            "must be \"base64\", \"url\" or \"file\""
        ),
        Bad(
            "broken base64",
            content:
                #"[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"a b="}}]"#,
            at: "[0].source.data",
            "must be base64"
        ),
        Bad(
            "no media type",
            content: #"[{"type":"image","source":{"type":"base64","data":"AAAA"}}]"#,
            at: "[0].source.media_type",
            "is required"
        ),
        Bad(
            "no url",
            content: #"[{"type":"image","source":{"type":"url"}}]"#,
            at: "[0].source.url",
            "is required"
        ),
        Bad("limit text", member: #""max_tokens":"1""#, at: "max_tokens", "must be a whole number"),
        Bad("limit 0", member: #""max_tokens":0"#, at: "max_tokens", "must be at least 1"),
        Bad("limit 1.5", member: #""max_tokens":1.5"#, at: "max_tokens", "must be a whole number"),
        Bad("hot", member: #""temperature":1.5"#, at: "temperature", "must be from 0 to 1"),
        Bad("hot text", member: #""temperature":"1""#, at: "temperature", "must be a number"),
        Bad("top_p", member: #""top_p":-0.1"#, at: "top_p", "must be from 0 to 1"),
        Bad("top_k", member: #""top_k":-1"#, at: "top_k", "must be at least 0"),
        Bad("stream", member: #""stream":1"#, at: "stream", "must be true or false"),
        Bad(
            "stop text",
            member: #""stop_sequences":"x""#,
            at: "stop_sequences",
            "must be an array"
        ),
        Bad(
            "stop number",
            member: #""stop_sequences":["a",1]"#,
            at: "stop_sequences[1]",
            "must be a string"
        ),
        Bad(
            "system number",
            member: #""system":1"#,
            at: "system",
            "must be a string or an array of text blocks"
        ),
        Bad(
            "system image",
            member: #""system":[{"type":"image"}]"#,
            at: "system[0].type",
            "must be \"text\""
        ),
        Bad("metadata", member: #""metadata":1"#, at: "metadata", "must be an object"),
        Bad(
            "user number",
            member: #""metadata":{"user_id":1}"#,
            at: "metadata.user_id",
            "must be a string"
        ),
        Bad("tools object", member: #""tools":{}"#, at: "tools", "must be an array"),
        Bad("tool text", member: #""tools":["x"]"#, at: "tools[0]", "must be an object"),
        Bad("tool without name", member: #""tools":[{}]"#, at: "tools[0].name", "is required"),
        Bad(
            "schema list",
            member: #""tools":[{"name":"a","input_schema":[]}]"#,
            at: "tools[0].input_schema",
            "must be an object"
        ),
        Bad(
            "choice text",
            member: #""tool_choice":"auto""#,
            at: "tool_choice",
            "must be an object"
        ),
        Bad(
            "choice type",
            member: #""tool_choice":{"type":"required"}"#,
            at: "tool_choice.type",
            "must be \"auto\", \"any\", \"tool\" or \"none\""
        ),
        Bad(
            "choice without name",
            member: #""tool_choice":{"type":"tool"}"#,
            at: "tool_choice.name",
            "is required"
        ),
        Bad(
            "thinking type",
            member: #""thinking":{"type":"on"}"#,
            at: "thinking.type",
            "must be \"enabled\", \"adaptive\" or \"disabled\""
        ),
        Bad(
            "no budget",
            member: #""thinking":{"type":"enabled"}"#,
            at: "thinking.budget_tokens",
            "is required"
        ),
        Bad(
            "effort",
            member: #""output_config":{"effort":"much"}"#,
            at: "output_config.effort",
            "must be \"low\", \"medium\", \"high\", \"xhigh\" or \"max\""
        ),
        Bad(
            "format",
            member: #""output_config":{"format":{"type":"json"}}"#,
            at: "output_config.format.type",
            "must be \"json_schema\""
        ),
        Bad(
            "no schema",
            member: #""output_config":{"format":{"type":"json_schema"}}"#,
            at: "output_config.format.schema",
            "is required"
        ),
    ]

    @Test(arguments: bad)
    func refuses(_ row: Bad) throws {
        let document = try Converting.Document(row.body)
        let bytes = document.bytes.span
        let error = #expect(throws: ConversionError.self) {
            try Conversion.readRequest(.messages, document.tape, document.bytes.span)
        }
        let path = error?.path(document.tape, bytes)
        #expect(path == row.path)
        #expect(error?.message == row.message)
        #expect(error?.kind == .invalid)
    }

    @Test(arguments: [
        ("", false), ("A", false), ("AA", true), ("AA=", false), ("AA==", true), ("AAA=", true),
        ("AAAA", true), ("AAAA=", false), ("AAAAA", false), ("A+/0", true), ("A-_0", false),
        (#"A\/A\/"#, true), (#"A\nAA"#, false), ("A AA", false), ("=AAA", false),
        (#"AAA\""#, false),
    ])
    func checksBase64(_ content: String, _ isValid: Bool) throws {
        // Through the reader, which is what clients see.
        let text =
            #"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","#
            + #""media_type":"image/png","data":"\#(content)"}}]}]}"#
        let document = try Converting.Document(text)
        var wasRead = true
        do throws(ConversionError) {
            _ = try Conversion.readRequest(.messages, document.tape, document.bytes.span)
        } catch {
            wasRead = false
        }
        #expect(wasRead == isValid)
    }
}
