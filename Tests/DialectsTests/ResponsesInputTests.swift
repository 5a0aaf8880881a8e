// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Testing

/// What the items of an input become.
struct ResponsesInputTests {
    struct Row: CustomTestStringConvertible, Sendable {
        let name: String
        /// The value of `input`, or a whole request.
        let input: String
        let shape: String
        var dropped: [String] = []

        var testDescription: String { name }
        var request: String {
            input.hasPrefix("{") ? input : "{\"model\":\"m\",\"input\":\(input)}"
        }
    }

    private static let messages = [
        Row(name: "a string", input: #""hi \"you\"""#, shape: "U{text hi \"you\"}"),
        Row(
            name: "instructions stand first",
            input: """
                {"input":[{"role":"developer","content":"b"},{"role":"user","content":"c"}],
                "instructions":"a"}
                """,
            shape: "system{a}{b} U{text c}"
        ),
        Row(
            name: "empty instructions are none",
            input: #"{"input":"hi","instructions":""}"#,
            shape: "U{text hi}"
        ),
        Row(
            name: "instructions alone with an empty list",
            input: #"{"input":[],"instructions":"a"}"#,
            shape: "system{a}"
        ),
        Row(
            name: "messages with and without a type",
            input: """
                [{"role":"user","content":"a"},{"type":"message","role":"user","content":"b"},
                {"role":"assistant","content":"c","type":"message"}]
                """,
            shape: "U{text a} U{text b} A{text c}"
        ),
        Row(
            name: "parts of a user",
            input: """
                [{"role":"user","content":[{"type":"input_text","text":"look"},
                {"type":"input_image","image_url":"data:image/png;base64,iVBORw0=","detail":"low"},
                {"type":"input_image","image_url":"https://x.example/a.png","detail":null},
                {"type":"input_image","file_id":"file-1"}]}]
                """,
            shape: "U{text look}{image image/png base64 iVBORw0= detail low}"
                + "{image url https://x.example/a.png}{image file file-1}"
        ),
        Row(
            name: "files of a user",
            input: """
                [{"role":"user","content":[
                {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="},
                {"type":"input_file","filename":"b.pdf","file_data":"JVBERi0="},
                {"type":"input_file","file_url":"https://x.example/c.pdf"},
                {"type":"input_file","file_id":"file-2"},
                {"type":"input_file","file_data":"data:image/png;base64,iVBORw0="},
                {"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}}]}]
                """,
            shape: "U{document application/pdf base64 JVBERi0= name a.pdf}"
                + "{document application/pdf base64 JVBERi0= name b.pdf}"
                + "{document url https://x.example/c.pdf}{document file file-2}"
                + "{image image/png base64 iVBORw0=}{audio audio/wav base64 UklG}"
        ),
        Row(
            name: "a data URL with escaped slashes",
            input:
                #"[{"role":"user","content":[{"type":"input_image","image_url":"data:image\/png;base64,iVBO\/w0="}]}]"#,
            shape: "U{image image/png base64 iVBO/w0=}"
        ),
        Row(
            name: "URLs with escapes where nobody needs any",
            input:
                #"[{"role":"user","content":[{"type":"input_image","image_url":"\u0068ttps:\/\/x.example"},{"type":"input_image","image_url":"d\u0061ta:image/png;base64,AAAA"}]}]"#,
            shape: "U{image url https://x.example}{image image/png base64 AAAA}"
        ),
        Row(
            name: "parts of an assistant, as an answer had them",
            input: """
                [{"id":"msg_1","type":"message","role":"assistant","status":"completed","phase":"final_answer",
                "content":[{"type":"output_text","text":"a","annotations":[],"logprobs":[]},
                {"type":"refusal","refusal":"no"}]}]
                """,
            shape: "A{text a}{refusal no}"
        ),
        Row(
            name: "an empty content is no turn",
            input: #"[{"role":"user","content":[]},{"role":"user","content":"a"}]"#,
            shape: "U{text a}"
        ),
    ]

    private static let calls = [
        Row(
            name: "calls in a row are one turn, and so are their outputs",
            input: """
                [{"role":"user","content":"q"},
                {"type":"function_call","call_id":"c1","name":"f","arguments":"{\\"a\\":1}"},
                {"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
                {"type":"function_call_output","call_id":"c2","output":"two"},
                {"type":"function_call_output","call_id":"c1","output":"one"}]
                """,
            shape:
                #"U{text q} A{call c1 f {"a":1}}{call c2 g {}} U{result c2 g: text two}{result c1 f: text one}"#
        ),
        Row(
            name: "calls that an output parts stay apart",
            input: """
                [{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
                {"type":"function_call_output","call_id":"c1","output":"one"},
                {"type":"function_call","call_id":"c2","name":"f","arguments":"{}"},
                {"type":"function_call_output","call_id":"c2","output":"two"}]
                """,
            shape:
                "A{call c1 f {}} U{result c1 f: text one} A{call c2 f {}} U{result c2 f: text two}"
        ),
        Row(
            name: "thoughts, words and calls of one answer are one turn",
            input: """
                [{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}]},
                {"role":"assistant","content":[{"type":"output_text","text":"wait"}]},
                {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
                {"type":"function_call_output","call_id":"c1","output":""}]
                """,
            shape: "A{thinking text hm}{text wait}{call c1 f {}} U{result c1 f: }"
        ),
        Row(
            name: "a developer's message between call and output",
            input: """
                [{"role":"user","content":"q"},
                {"type":"function_call","call_id":"c1","name":"shell","arguments":"{}"},
                {"type":"message","role":"developer","content":[{"type":"input_text","text":"sandbox changed"}]},
                {"type":"function_call_output","call_id":"c1","output":"ok"}]
                """,
            shape:
                "system{sandbox changed} U{text q} A{call c1 shell {}} U{result c1 shell: text ok}"
        ),
        Row(
            name: "a user's message between call and output",
            input: """
                [{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
                {"role":"user","content":"hurry"},
                {"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
                {"type":"function_call_output","call_id":"c1","output":"one"},
                {"type":"function_call_output","call_id":"c2","output":"two"}]
                """,
            shape: "A{call c1 f {}} U{result c1 f: text one} U{text hurry} "
                + "A{call c2 g {}} U{result c2 g: text two}"
        ),
        Row(
            name: "an answer between the outputs of one turn",
            input: """
                [{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
                {"type":"function_call","call_id":"c2","name":"f","arguments":"{}"},
                {"type":"function_call_output","call_id":"c1","output":"one"},
                {"role":"assistant","content":"so far"},
                {"type":"function_call_output","call_id":"c2","output":"two"}]
                """,
            shape: "A{call c1 f {}}{call c2 f {}} U{result c1 f: text one}{result c2 f: text two} "
                + "A{text so far}"
        ),
        Row(
            name: "calls without an output are taken out",
            input: """
                [{"role":"user","content":"q"},
                {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
                {"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
                {"type":"function_call","call_id":"c3","name":"h","arguments":"{}"},
                {"type":"function_call_output","call_id":"c2","output":"two"},
                {"role":"user","content":"go on"}]
                """,
            shape: "U{text q} A{call c2 g {}} U{result c2 g: text two} U{text go on}",
            dropped: ["input[].function_call"]
        ),
        Row(
            name: "a turn that was only a lost call goes, and its thoughts too",
            input: """
                [{"role":"user","content":"q"},
                {"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},
                {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
                {"role":"user","content":"stop"}]
                """,
            shape: "U{text q} U{text stop}",
            dropped: ["input[].function_call"]
        ),
        Row(
            name: "an output of parts",
            input: """
                [{"type":"function_call","call_id":"c1","name":"shot","arguments":"{}"},
                {"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"see"},
                {"type":"input_text","text":""},
                {"type":"input_image","image_url":"data:image/png;base64,iVBORw0="}]}]
                """,
            shape: "A{call c1 shot {}} U{result c1 shot: text see, image image/png base64 iVBORw0=}"
        ),
        Row(
            name: "one id twice, one after the other",
            input: """
                [{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
                {"type":"function_call_output","call_id":"c","output":"1"},
                {"type":"function_call","call_id":"c","name":"g","arguments":"{}"},
                {"type":"function_call_output","call_id":"c","output":"2"}]
                """,
            shape: "A{call c f {}} U{result c f: text 1} A{call c g {}} U{result c g: text 2}"
        ),
        Row(
            name: "what a custom tool was given stays as its input",
            input: """
                [{"type":"custom_tool_call","call_id":"c1","name":"apply_patch","input":"*** Begin\\n+\\"x\\""},
                {"type":"custom_tool_call_output","call_id":"c1","output":"Done"}]
                """,
            shape:
                #"A{call c1 apply_patch {"input":"*** Begin\n+\"x\""}} U{result c1 apply_patch: text Done}"#
        ),
    ]

    private static let others = [
        Row(
            name: "texts of thoughts count more than summaries",
            input: """
                [{"type":"reasoning","summary":[{"type":"summary_text","text":"s"}],
                "content":[{"type":"reasoning_text","text":"a"},{"type":"reasoning_text","text":"b"}]},
                {"role":"assistant","content":"x"}]
                """,
            shape: "A{thinking text a\n\nb}{text x}"
        ),
        Row(
            name: "signed thoughts",
            input: """
                [{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],
                "encrypted_content":"apus.s.EqQB+/=="},
                {"type":"reasoning","summary":[],"encrypted_content":"apus.s.Eq"},
                {"type":"reasoning","summary":[],"encrypted_content":"apus.e.EvAF"},
                {"role":"assistant","content":"x"}]
                """,
            shape: "A{thinking text hm signature EqQB+/==}{thinking text  signature Eq}"
                + "{thinking encrypted EvAF}{text x}"
        ),
        Row(
            name: "the signature of a call",
            input: """
                [{"type":"reasoning","summary":[],"encrypted_content":"apus.c.Cg=="},
                {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
                {"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
                {"type":"function_call_output","call_id":"c1","output":"1"},
                {"type":"function_call_output","call_id":"c2","output":"2"}]
                """,
            shape: "A{call c1 f {} signed Cg==}{call c2 g {}} "
                + "U{result c1 f: text 1}{result c2 g: text 2}"
        ),
        Row(
            name: "thoughts that only OpenAI can read",
            input: """
                [{"type":"reasoning","summary":[],"encrypted_content":"gAAAAABo"},
                {"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gAAAAABo"},
                {"role":"assistant","content":"x"}]
                """,
            shape: "A{thinking text hm}{text x}",
            dropped: ["input[].encrypted_content"]
        ),
        Row(
            name: "what OpenAI's servers did is left out",
            input: """
                [{"type":"web_search_call","id":"ws_1","status":"completed"},
                {"role":"assistant","content":"x"},{"type":"mcp_list_tools","id":"m","tools":[]}]
                """,
            shape: "A{text x}",
            dropped: ["input[].web_search_call", "input[].mcp_list_tools"]
        ),
    ]

    @Test(arguments: messages + calls + others)
    func becomes(_ row: Row) throws {
        let conversation = try Converting.conversation(.responses, row.request)
        #expect(ResponsesShape.of(conversation, row.request) == row.shape)
        #expect(conversation.omissions.names == row.dropped)
    }

    @Test func manyOpenCallsAreRefused() throws {
        let call = #"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#
        let input = Array(repeating: call, count: 1025).joined(separator: ",")
        #expect(throws: ConversionError.self) {
            try Converting.conversation(.responses, "{\"input\":[\(input)]}")
        }
    }
}
