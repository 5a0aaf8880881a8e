// SPDX-License-Identifier: Apache-2.0
import Dialects
import JSON
import Testing

@Suite("The plain chat contract")
struct PlainChatTests {
    @Test func reads() throws {
        let text =
            #"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],"#
            + #""temperature":2,"max_tokens":1,"model":"m"}"#
        let document = try Converting.Document(text)
        let bytes = document.bytes.span
        let conversation = try PlainChatReader.read(document.tape, bytes)
        #expect(conversation.isStream && !conversation.wantsUsage)
        #expect(conversation.format == .chat)
        #expect(conversation.temperature == 2)
        #expect(conversation.maxTokens == 1)
        #expect(conversation.messages.count == 1)
        #expect(conversation.system.count == 1)
    }

    struct Bad: CustomTestStringConvertible {
        let input: String
        let path: String

        var testDescription: String { input }
    }

    private static let hi = #""messages":[{"role":"user","content":"hi"}]"#

    @Test(
        "Everything else names the field",
        arguments: [
            Bad(input: "1", path: ""),
            Bad(input: "{}", path: "messages"),
            Bad(input: #"{"messages":"hi"}"#, path: "messages"),
            Bad(input: #"{"messages":[{"role":"user"}]}"#, path: "messages[0].content"),
            Bad(
                input: #"{"messages":[{"role":"user","content":"a","mood":"b"}]}"#,
                path: "messages[].mood"
            ),
            Bad(input: #"{\#(hi),"temperature":2.1}"#, path: "temperature"),
            Bad(input: #"{\#(hi),"temperature":-1}"#, path: "temperature"),
            Bad(input: #"{\#(hi),"temperature":"1"}"#, path: "temperature"),
            Bad(input: #"{\#(hi),"max_tokens":0}"#, path: "max_tokens"),
            Bad(input: #"{\#(hi),"max_tokens":1.5}"#, path: "max_tokens"),
            Bad(input: #"{\#(hi),"max_tokens":"1"}"#, path: "max_tokens"),
            Bad(input: #"{\#(hi),"model":""}"#, path: "model"),
            Bad(input: #"{\#(hi),"model":5}"#, path: "model"),
            Bad(input: #"{\#(hi),"stream":true}"#, path: "stream"),
            Bad(input: #"{\#(hi),"top_p":1}"#, path: "top_p"),
            Bad(input: #"{\#(hi),"x y":null}"#, path: #"["x y"]"#),
        ]
    )
    func refuses(_ row: Bad) throws {
        let document = try Converting.Document(row.input)
        let bytes = document.bytes.span
        do throws(ConversionError) {
            _ = try PlainChatReader.read(document.tape, bytes)
            Issue.record("it was read")
        } catch {
            let path = error.path(document.tape, bytes)
            #expect(path == row.path)
            #expect(error.kind == .invalid)
        }
    }
}
