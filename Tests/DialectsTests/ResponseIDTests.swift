// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Support
import Testing

/// Ids that lead back to where a response is stored, and streams that are relayed verbatim.
struct ResponseIDTests {
    @Test func tagAndBack() {
        #expect(ResponseID.tag("resp_abc", pin: 0xDEAD_BEEF) == "resp_abc_adeadbeef")
        #expect(ResponseID.tag("resp_abc", pin: 1) == "resp_abc_a00000001")
        for pin: UInt32 in [0, 1, 0x0FFF_FFFF, 0x8000_0000, .max] {
            let back = ResponseID.untag(ResponseID.tag("resp_é", pin: pin))
            #expect(back?.original == "resp_é")
            #expect(back?.pin == pin)
        }
        // Another gateway behind this one tags as well.
        let twice = ResponseID.tag(ResponseID.tag("r", pin: 2), pin: 3)
        #expect(ResponseID.untag(twice)?.original == "r_a00000002")
    }

    @Test(arguments: [
        "", "resp_abc", "_adeadbeef", "resp_adeadbee", "resp_aDEADBEEF", "resp_bdeadbeef",
        "resp_axeadbeef", "respXadeadbeef",
    ])
    func isNotTagged(_ id: String) {
        #expect(ResponseID.untag(id) == nil)
    }

    private static func spliced(
        _ text: String,
        _ edit: (JSONTape, Span<UInt8>, inout JSONSplice) -> Void
    ) throws -> String {
        let document = try Converting.Document(text)
        var splice = JSONSplice()
        let bytes = document.bytes.span
        edit(document.tape, bytes, &splice)
        let out = ByteBuffer()
        splice.append(original: bytes, to: out)
        return out.text
    }

    struct Row: CustomTestStringConvertible, Sendable {
        let text: String
        let expected: String

        var testDescription: String { text }
    }

    @Test(arguments: [
        Row(
            text:
                #"{"id": "resp_1","object":"response","previous_response_id":"resp_0","output":[{"id":"msg_1"}]}"#,
            expected:
                #"{"id": "resp_1_a0000000f","object":"response","previous_response_id":"resp_0_a0000000f","output":[{"id":"msg_1"}]}"#
        ),
        Row(
            text:
                #"{"id":"resp_1","object":"response.deleted","deleted":true,"previous_response_id":null}"#,
            expected:
                #"{"id":"resp_1_a0000000f","object":"response.deleted","deleted":true,"previous_response_id":null}"#
        ),
        Row(text: #"{"error":{"id":"x"}}"#, expected: #"{"error":{"id":"x"}}"#),
        Row(text: #"{"id":7}"#, expected: #"{"id":7}"#),
        Row(text: "[]", expected: "[]"),
    ])
    func answers(_ row: Row) throws {
        let text = try Self.spliced(row.text) { tape, bytes, splice in
            ResponseID.tagResponse(tape.root, pin: 15, tape, bytes, into: &splice)
        }
        #expect(text == row.expected)
    }

    @Test(arguments: [
        Row(
            text:
                #"{"type":"response.created","response":{"id":"resp_1","previous_response_id":null}}"#,
            expected:
                #"{"type":"response.created","response":{"id":"resp_1_a0000000f","previous_response_id":null}}"#
        ),
        Row(
            text: #"{"type":"response.output_item.added","item":{"id":"msg_1"}}"#,
            expected: #"{"type":"response.output_item.added","item":{"id":"msg_1"}}"#
        ),
        Row(text: #"{"response":null}"#, expected: #"{"response":null}"#),
    ])
    func events(_ row: Row) throws {
        let text = try Self.spliced(row.text) { tape, bytes, splice in
            ResponseID.tagEvent(tape.root, pin: 15, tape, bytes, into: &splice)
        }
        #expect(text == row.expected)
    }

    @Test(
        arguments: [
            (#"{"previous_response_id":"resp_1_a0000000f"}"#, 15),
            (#"{"previous_response_id":"resp_1"}"#, nil), (#"{"previous_response_id":null}"#, nil),
            ("{}", nil),
        ] as [(String, UInt32?)]
    )
    func pinOfARequest(_ text: String, _ pin: UInt32?) throws {
        let document = try Converting.Document(text)
        let found = ResponseID.pin(
            ofRequest: document.tape.root,
            document.tape,
            document.bytes.span
        )
        #expect(found == pin)
    }

    // MARK: Relays

    private static let error = APIError(
        504,
        .upstream,
        "upstream_timeout",
        "The upstream is silent."
    )

    /// What ends a stream after `events` have passed.
    private static func end(_ events: [String], pin: UInt32? = nil) throws -> String {
        var state = ResponseRelayState(Converting.identity, pin: pin)
        for event in events {
            let document = try Converting.Document(event)
            let bytes = document.bytes
            if StreamReader.isPlainContent(.responses, bytes.span) {
                state.passContent(bytes.span)
            } else {
                state.pass(document.tape.root, document.tape, bytes.span)
            }
        }
        let out = ByteBuffer()
        state.fail(Self.error, to: out)
        state.fail(Self.error, to: out)
        return out.text
    }

    @Test func aCutStreamEndsProperly() throws {
        let text = try Self.end(
            [
                #"{"type":"response.created","sequence_number":0,"response":{"id":"resp_up","created_at":5,"model":"gpt-5.4-x"}}"#,
                #"{"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_up"}}"#,
                #"{"type":"response.output_text.delta","sequence_number":7,"delta":"\"sequence_number\":99"}"#,
            ],
            pin: 15
        )
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 4)
        #expect(lines[0] == "event: response.failed")
        let event = try JSONValue(String(lines[1].dropFirst(6)))
        #expect(event["type"]?.string == "response.failed")
        #expect(event["sequence_number"]?.int == 8)
        let response = event["response"]
        #expect(response?["id"]?.string == "resp_up_a0000000f")
        #expect(response?["created_at"]?.int == 5)
        #expect(response?["model"]?.string == "gpt-5.4-x")
        #expect(response?["status"]?.string == "failed")
        #expect(response?["error"]?["code"]?.string == "server_error")
        #expect(response?["error"]?["message"]?.string == "The upstream is silent.")
        #expect(response?["output"]?.array == [])
    }

    @Test func aStreamThatNeverBegan() throws {
        let transcript = try ResponsesTranscript(try Self.end([]))
        #expect(transcript.faults == [])
        #expect(transcript.steps == ["created", "failed"])
        #expect(transcript.response?["id"]?.string == "resp_0123456789abcdef")
    }

    @Test(arguments: ["completed", "incomplete", "failed", "cancelled"])
    func aStreamThatIsOver(_ end: String) throws {
        #expect(try Self.end(["{\"type\":\"response.\(end)\",\"response\":{\"id\":\"r\"}}"]) == "")
    }

    @Test func anErrorIsNotTheEnd() throws {
        let text = try Self.end([
            #"{"type":"response.created","response":{"id":"r"}}"#,
            #"{"type":"response.output_text.delta","delta":"a"}"#,
            #"{"type":"error","code":"x","message":"y","sequence_number":null}"#,
        ])
        #expect(text.hasPrefix("event: response.failed\n"))
        // Servers that number nothing are counted.
        #expect(text.contains(#""sequence_number":3,"#))
    }
}
