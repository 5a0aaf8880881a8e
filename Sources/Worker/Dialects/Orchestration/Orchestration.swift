// SPDX-License-Identifier: Apache-2.0
package import Bytes
package import JSON

/// The envelope of SAP's orchestration service around OpenAI chat completions.
///
/// The service fills placeholders like `{{?name}}` in its template, so a client's text that looks
/// like one would refuse the request, or be replaced. It takes `messages_history` as it is: all
/// messages go there, and the template, which has to exist, is empty.
package enum Orchestration {
    /// What the service calls the version of a model that its deployment decides.
    package static let latestVersion = "latest"

    /// Where the members of a chat request go.
    private enum Place {
        case history
        case prompt
        case params
        /// The envelope says it elsewhere.
        case nowhere
    }

    /// Writes a request for the service.
    ///
    /// - Throws: As `Conversion.writeRequest`.
    package static func writeRequest(
        _ conversation: Conversation,
        _ plan: RequestPlan,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        _ omissions: inout Omissions,
        to out: ByteBuffer
    ) throws(ConversionError) {
        let chat = ByteBuffer(capacity: bytes.count + bytes.count / 4)
        try Conversion.writeRequest(conversation, plan, from: bytes, scratch, &omissions, to: chat)
        guard chat.withBytes({ wrap($0, plan, scratch, to: out) }) else {
            // Beyond the limits of a document, which the client's own was within.
            throw ConversionError(.unsupported, .whole, "is too large for this model")
        }
    }

    /// What the chat readers have to read: the completion in an answer, the chunk in an event, or
    /// the object with an error in it, which they report.
    ///
    /// Nil where there is neither, as in events that only tell what a module did.
    package static func result(_ tape: JSONTape, _ bytes: Span<UInt8>) -> JSONNode? {
        switch OrchestrationAnswer(tape.root, tape, bytes) {
        case .result(let node), .failure(let node): node
        case .nothing: nil
        }
    }

    /// Appends the envelope around `chat`, the body that a chat upstream would get.
    ///
    /// What the model is asked for beside messages and tools becomes a parameter of the model; its
    /// name is that of `plan`, and whether the answer is a stream too.
    /// - Returns: False, and nothing appended, if `chat` is no JSON object.
    package static func wrap(
        _ chat: Span<UInt8>,
        _ plan: RequestPlan,
        version: String = latestVersion,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) -> Bool {
        scratch.scan(chat) { tape in
            guard tape.kind(of: tape.root) == .object else { return false }
            write(tape, chat, plan, version, to: out)
            return true
        } ?? false
    }

    private static func write(
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ plan: RequestPlan,
        _ version: String,
        to out: ByteBuffer
    ) {
        var writer = JSONWriter(out)
        writer.beginObject()
        writer.name("config")
        writer.beginObject()
        writer.name("modules")
        writer.beginObject()
        writer.name("prompt_templating")
        writer.beginObject()
        writer.name("model")
        writer.beginObject()
        writer.member("name", plan.model)
        writer.member("version", version)
        writer.name("params")
        writer.beginObject()
        copy(.params, tape, bytes, to: &writer)
        writer.endObject()
        writer.endObject()
        writer.name("prompt")
        writer.beginObject()
        writer.name("template")
        writer.raw("[]")
        copy(.prompt, tape, bytes, to: &writer)
        writer.endObject()
        writer.endObject()
        writer.endObject()
        if plan.isStream {
            writer.name("stream")
            writer.raw(#"{"enabled":true}"#)
        }
        writer.endObject()
        writer.name("placeholder_values")
        writer.raw("{}")
        writer.name("messages_history")
        if let messages = tape.member("messages", of: tape.root, in: bytes) {
            writer.raw(bytes.extracting(tape.valueRange(of: messages)))
        } else {
            writer.raw("[]")
        }
        writer.endObject()
    }

    /// Copies the members that belong to `place`.
    private static func copy(
        _ place: Place,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        for member in tape.members(of: tape.root)
        where !tape.isNull(member.value) && self.place(of: member.name, tape, bytes) == place {
            writer.rawName(bytes.extracting(tape.contentRange(of: member.name)))
            writer.raw(bytes.extracting(tape.valueRange(of: member.value)))
        }
    }

    private static func place(
        of name: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Place {
        if tape.equals(name, "messages", in: bytes) { return .history }
        if tape.equals(name, "tools", in: bytes)
            || tape.equals(name, "response_format", in: bytes)
        {
            return .prompt
        }
        if tape.equals(name, "model", in: bytes) || tape.equals(name, "stream", in: bytes)
            || tape.equals(name, "stream_options", in: bytes)
        {
            return .nowhere
        }
        return .params
    }
}
