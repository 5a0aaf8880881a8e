// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Testing

/// Members of a request beside its input, and requests that are wrong.
struct ResponsesSettingsTests {
    struct Row: CustomTestStringConvertible, Sendable {
        let name: String
        let members: String
        var expected: [String: String] = [:]
        var tools: [String] = []
        var dropped: [String] = []

        var testDescription: String { name }
    }

    @Test(arguments: [
        Row(
            name: "numbers and flags",
            members:
                #""max_output_tokens":20,"temperature":0.5,"top_p":1,"parallel_tool_calls":false,"user":"u""#,
            expected: [
                "maxTokens": "20", "temperature": "0.5", "topP": "1.0",
                "parallelToolCalls": "false", "user": "u",
            ]
        ),
        Row(
            name: "another name of the user",
            members: #""safety_identifier":"s""#,
            expected: ["user": "s"]
        ),
        Row(
            name: "null is absent",
            members:
                #""max_output_tokens":null,"temperature":null,"tools":null,"tool_choice":null,"text":null,"reasoning":null,"previous_response_id":null,"conversation":null,"background":null,"stream":null,"instructions":null,"unknown":null"#
        ),
        Row(
            name: "members on which the answer does not depend are not named",
            members:
                #""store":false,"metadata":{"a":"b"},"prompt_cache_key":"k","prompt_cache_retention":"24h","truncation":"disabled","service_tier":"auto","include":["reasoning.encrypted_content"],"background":false,"stream_options":{"include_obfuscation":false}"#
        ),
        Row(
            name: "members on which it does are",
            members:
                #""store":true,"truncation":"auto","service_tier":"flex","include":["message.output_text.logprobs"],"top_logprobs":2,"max_tool_calls":3,"something_new":1"#,
            dropped: [
                "store", "truncation", "service_tier", "include", "top_logprobs",
                "max_tool_calls", "something_new",
            ]
        ),
        Row(
            name: "effort and summary",
            members: #""reasoning":{"effort":"xhigh","summary":"detailed","context":"x"}"#,
            expected: ["effort": "xhigh", "showsThoughts": "true"],
            dropped: ["reasoning.context"]
        ),
        Row(name: "an empty reasoning", members: #""reasoning":{"effort":null}"#),
        Row(
            name: "a schema",
            members:
                #""text":{"verbosity":"low","format":{"type":"json_schema","name":"n","description":"d","strict":true,"schema":{"type":"object"}}}"#,
            expected: [
                "responseFormat": "jsonSchema", "schemaName": "n", "schemaDescription": "d",
                "schema": #"{"type":"object"}"#, "schemaStrict": "true",
            ],
            dropped: ["text.verbosity"]
        ),
        Row(
            name: "JSON of any form",
            members: #""text":{"format":{"type":"json_object"}}"#,
            expected: ["responseFormat": "jsonObject"]
        ),
        Row(
            name: "plain text",
            members: #""text":{"format":{"type":"text"}}"#,
            expected: ["responseFormat": "text"]
        ),
        Row(
            name: "functions, and what is none",
            members:
                #""tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":false},{"type":"web_search"},{"type":"custom","name":"apply_patch","format":{"type":"grammar"}},{"type":"local_shell"},{"type":"function","name":"g","parameters":null,"defer_loading":true}],"tool_choice":"required""#,
            expected: ["toolChoice": "required"],
            tools: ["f", "g"],
            dropped: [
                "tools[].web_search", "tools[].custom", "tools[].local_shell",
                "tools[].defer_loading",
            ]
        ),
        Row(
            name: "a choice of a tool that stays",
            members:
                #""tools":[{"type":"function","name":"f"},{"type":"web_search"}],"tool_choice":{"type":"function","name":"f"}"#,
            expected: ["toolChoice": "named f"],
            tools: ["f"],
            dropped: ["tools[].web_search"]
        ),
        Row(
            name: "a choice of a tool that goes",
            members:
                #""tools":[{"type":"function","name":"f"},{"type":"custom","name":"p"}],"tool_choice":{"type":"custom","name":"p"}"#,
            expected: ["toolChoice": "auto"],
            tools: ["f"],
            dropped: ["tools[].custom", "tool_choice"]
        ),
        Row(
            name: "a choice of a function that was dropped as something else",
            members:
                #""tools":[{"type":"function","name":"f"},{"type":"custom","name":"p"}],"tool_choice":{"type":"function","name":"p"}"#,
            expected: ["toolChoice": "auto"],
            tools: ["f"],
            dropped: ["tools[].custom", "tool_choice"]
        ),
        Row(
            name: "no tool is left to be required",
            members: #""tools":[{"type":"web_search"}],"tool_choice":"required""#,
            dropped: ["tools[].web_search", "tool_choice"]
        ),
        Row(
            name: "no tool is left to choose from",
            members: #""tools":[{"type":"web_search"}],"tool_choice":"auto""#,
            dropped: ["tools[].web_search"]
        ),
        Row(
            name: "some of the tools are allowed",
            members:
                #""tools":[{"type":"function","name":"f"}],"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"}]}"#,
            expected: ["toolChoice": "required"],
            tools: ["f"],
            dropped: ["tool_choice.tools"]
        ),
    ])
    func settings(_ row: Row) throws {
        let text = "{\"model\":\"m\",\"input\":\"hi\",\(row.members)}"
        let conversation = try Converting.conversation(.responses, text)
        let meaning = try Meaning(conversation, of: text)
        #expect(meaning.settings == row.expected)
        #expect(meaning.tools.map(\.name) == row.tools)
        #expect(conversation.omissions.names == row.dropped)
    }

    @Test(arguments: [true, false])
    func stream(_ isStream: Bool) throws {
        let text = "{\"input\":\"hi\",\"stream\":\(isStream)}"
        #expect(try Converting.conversation(.responses, text).isStream == isStream)
    }

    struct Bad: CustomTestStringConvertible, Sendable {
        let body: String
        let path: String
        let says: String
        var kind = ConversionError.Kind.invalid

        init(_ body: String, _ path: String, _ says: String) {
            self.body = body
            self.path = path
            self.says = says
        }

        /// An item of an input.
        static func item(_ item: String, _ path: String, _ says: String) -> Bad {
            let body = "{\"input\":[{\"role\":\"user\",\"content\":\"a\"},\(item)]}"
            return Bad(body, "input[1]" + path, says)
        }

        /// A part of a user's message.
        static func part(_ part: String, _ path: String, _ says: String) -> Bad {
            item("{\"role\":\"user\",\"content\":[\(part)]}", ".content[0]" + path, says)
        }

        func unsupported() -> Bad {
            var bad = self
            bad.kind = .unsupported
            return bad
        }

        var testDescription: String { body }
    }

    @Test(arguments: [
        Bad("[]", "", "an object"),
        Bad("{}", "input", "missing"),
        Bad(#"{"input":null,"instructions":"a"}"#, "input", "missing"),
        Bad(#"{"input":7}"#, "input", "a string or an array"),
        Bad(#"{"input":[]}"#, "input", "an item"),
        Bad(#"{"input":"a","instructions":["b"]}"#, "instructions", "a string"),
        Bad(#"{"input":"a","model":1}"#, "model", "a string"),
        Bad(#"{"input":"a","stream":"yes"}"#, "stream", "true or false"),
        Bad(#"{"input":"a","max_output_tokens":0}"#, "max_output_tokens", "positive"),
        Bad(#"{"input":"a","max_output_tokens":1.5}"#, "max_output_tokens", "positive"),
        Bad(#"{"input":"a","temperature":"0"}"#, "temperature", "a number"),
        Bad(#"{"input":"a","top_p":true}"#, "top_p", "a number"),
        Bad(#"{"input":"a","parallel_tool_calls":1}"#, "parallel_tool_calls", "true or false"),
        Bad(#"{"input":"a","user":{}}"#, "user", "a string"),
        Bad(#"{"input":"a","store":"no"}"#, "store", "true or false"),
        Bad(#"{"input":"a","include":"x"}"#, "include", "an array"),
        Bad(#"{"input":"a","tools":{}}"#, "tools", "an array"),
        Bad(#"{"input":"a","tools":[1]}"#, "tools[0]", "an object"),
        Bad(#"{"input":"a","tools":[{"name":"f"}]}"#, "tools[0].type", "missing"),
        Bad(#"{"input":"a","tools":[{"type":1}]}"#, "tools[0].type", "a string"),
        Bad(#"{"input":"a","tools":[{"type":"function"}]}"#, "tools[0].name", "missing"),
        Bad(#"{"input":"a","tools":[{"type":"function","name":""}]}"#, "tools[0].name", "missing"),
        Bad(
            #"{"input":"a","tools":[{"type":"function","name":"f","parameters":"{}"}]}"#,
            "tools[0].parameters",
            "an object"
        ),
        Bad(
            #"{"input":"a","tools":[{"type":"function","name":"f","strict":1}]}"#,
            "tools[0].strict",
            "true or false"
        ),
        Bad(
            #"{"input":"a","tools":[{"type":"function","name":"f","description":1}]}"#,
            "tools[0].description",
            "a string"
        ),
        Bad(#"{"input":"a","tool_choice":"any"}"#, "tool_choice", "auto, none, required"),
        Bad(#"{"input":"a","tool_choice":{"name":"f"}}"#, "tool_choice", "auto, none, required"),
        Bad(#"{"input":"a","tool_choice":{"type":"function"}}"#, "tool_choice.name", "missing"),
        Bad(#"{"input":"a","text":"x"}"#, "text", "an object"),
        Bad(#"{"input":"a","text":{"format":"json"}}"#, "text.format", "an object"),
        Bad(#"{"input":"a","text":{"format":{}}}"#, "text.format.type", "missing"),
        Bad(#"{"input":"a","text":{"format":{"type":"xml"}}}"#, "text.format.type", "json_schema"),
        Bad(
            #"{"input":"a","text":{"format":{"type":"json_schema","name":"n"}}}"#,
            "text.format.schema",
            "missing"
        ),
        Bad(#"{"input":"a","reasoning":"high"}"#, "reasoning", "an object"),
        Bad(#"{"input":"a","reasoning":{"effort":"much"}}"#, "reasoning.effort", "minimal"),
        Bad(#"{"input":"a","previous_response_id":"r"}"#, "previous_response_id", "`input`")
            .unsupported(),
        Bad(#"{"input":"a","conversation":{"id":"c"}}"#, "conversation", "`input`").unsupported(),
        Bad(#"{"input":"a","prompt":{"id":"p"}}"#, "prompt", "`instructions`").unsupported(),
        Bad(#"{"input":"a","background":true}"#, "background", "`stream`").unsupported(),
        .item("7", "", "an object"),
        .item("{}", ".type", "missing"),
        .item(#"{"id":"msg_1"}"#, "", "stored item").unsupported(),
        .item(#"{"type":"item_reference","id":"msg_1"}"#, "", "stored item").unsupported(),
        .item(#"{"type":"compaction","encrypted_content":"x"}"#, ".type", "cannot be given")
            .unsupported(),
        .item(#"{"type":"local_shell_call","call_id":"c"}"#, ".type", "cannot be given")
            .unsupported(),
        .item(#"{"type":"message","content":"a"}"#, ".role", "missing"),
        .item(#"{"role":"tool","content":"a"}"#, ".role", "user, assistant"),
        .item(#"{"role":"user"}"#, ".content", "missing"),
        .item(#"{"role":"user","content":null}"#, ".content", "missing"),
        .item(#"{"role":"user","content":{}}"#, ".content", "a string or an array"),
        .item(
            #"{"role":"system","content":[{"type":"input_image","image_url":"https://x/y"}]}"#,
            ".content",
            "must be text"
        ).unsupported(),
        .item(
            #"{"role":"assistant","content":[{"type":"input_image","image_url":"https://x/y"}]}"#,
            ".content[0].type",
            "output_text or refusal"
        ),
        .item(#"{"type":"function_call","name":"f","arguments":"{}"}"#, ".call_id", "missing"),
        .item(
            #"{"type":"function_call","call_id":"","name":"f","arguments":"{}"}"#,
            ".call_id",
            "empty"
        ),
        .item(#"{"type":"function_call","call_id":"c","arguments":"{}"}"#, ".name", "missing"),
        .item(#"{"type":"function_call","call_id":"c","name":"f"}"#, ".arguments", "missing"),
        .item(
            #"{"type":"function_call","call_id":"c","name":"f","arguments":{}}"#,
            ".arguments",
            "a string"
        ),
        .item(#"{"type":"custom_tool_call","call_id":"c","name":"f"}"#, ".input", "missing"),
        .item(#"{"type":"function_call_output","output":"x"}"#, ".call_id", "missing"),
        .item(#"{"type":"function_call_output","call_id":"c"}"#, ".output", "missing"),
        .item(
            #"{"type":"function_call_output","call_id":"c","output":"x"}"#,
            ".call_id",
            "no call before it"
        ),
        .item(#"{"type":"reasoning","summary":"x"}"#, ".summary", "an array"),
        .item(#"{"type":"reasoning","summary":[{}]}"#, ".summary[0].text", "missing"),
        .item(#"{"type":"reasoning","encrypted_content":1}"#, ".encrypted_content", "a string"),
        .part("1", "", "an object"),
        .part("{}", ".type", "missing"),
        .part(#"{"type":"image_url"}"#, ".type", "input_text, input_image"),
        .part(#"{"type":"input_text"}"#, ".text", "missing"),
        .part(#"{"type":"input_text","text":1}"#, ".text", "a string"),
        .part(#"{"type":"input_image"}"#, ".image_url", "missing"),
        .part(#"{"type":"input_image","image_url":{"url":"x"}}"#, ".image_url", "a string"),
        .part(#"{"type":"input_image","image_url":"cat.png"}"#, ".image_url", "data URL"),
        .part(
            #"{"type":"input_image","image_url":"data:image/png,abc"}"#,
            ".image_url",
            "valid Base64"
        ),
        .part(
            #"{"type":"input_image","image_url":"data:image/png;base64,a_c="}"#,
            ".image_url",
            "valid Base64"
        ),
        .part(
            #"{"type":"input_image","image_url":"data:;base64,abcd"}"#,
            ".image_url",
            "media type"
        ),
        .part(
            #"{"type":"input_image","image_url":"data:image/png;base64,"}"#,
            ".image_url",
            "valid Base64"
        ),
        .part(#"{"type":"input_file","filename":"a"}"#, ".file_data", "missing"),
        .part(#"{"type":"input_file","file_data":"a"}"#, ".file_data", "valid Base64"),
        .part(#"{"type":"input_audio"}"#, ".input_audio", "missing"),
        .part(
            #"{"type":"input_audio","input_audio":{"data":"UklG","format":"ogg"}}"#,
            ".input_audio.format",
            "wav or mp3"
        ),
    ])
    func isRefused(_ row: Bad) throws {
        let document = try Converting.Document(row.body)
        let error = #expect(throws: ConversionError.self) {
            try Converting.conversation(.responses, row.body)
        }
        let caught = try #require(error)
        let bytes = document.bytes
        let path = caught.path(document.tape, bytes.span)
        #expect(path == row.path)
        #expect(caught.kind == row.kind)
        #expect(caught.message.contains(row.says), "\(caught.message)")
    }
}
