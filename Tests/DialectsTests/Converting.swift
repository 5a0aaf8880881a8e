// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON

/// Conversions of whole texts, as tests want them.
enum Converting {
    /// A scanned text.
    struct Document {
        let bytes: [UInt8]
        let tape: JSONTape

        init(_ text: String) throws(JSONError) {
            let bytes = Array(text.utf8)
            var scanner = JSONScanner()
            _ = try scanner.scan(bytes.span, isFinal: true)
            self.bytes = bytes
            tape = scanner.tape
        }
    }

    /// What becomes of a request.
    struct Request {
        let body: String
        let dropped: [String]
    }

    static func conversation(_ format: WireFormat, _ text: String) throws -> Conversation {
        let document = try Document(text)
        return try Conversion.readRequest(format, document.tape, document.bytes.span)
    }

    /// A client's request in the format of `plan`.
    static func request(
        _ text: String,
        from format: WireFormat,
        _ plan: RequestPlan
    ) throws -> Request {
        let document = try Document(text)
        let bytes = document.bytes.span
        var conversation = try Conversion.readRequest(format, document.tape, bytes)
        conversation.isStream = plan.isStream
        let out = ByteBuffer()
        var omissions = Omissions()
        try Conversion.writeRequest(
            conversation,
            plan,
            from: bytes,
            ConversionScratch(),
            &omissions,
            to: out
        )
        return Request(body: out.text, dropped: omissions.names)
    }

    /// A request whose upstream speaks the client's format.
    static func adapted(_ text: String, _ plan: RequestPlan) throws -> Request {
        let document = try Document(text)
        var splice = JSONSplice()
        var omissions = Omissions()
        let bytes = document.bytes.span
        try Conversion.adaptRequest(plan, document.tape, bytes, &omissions, into: &splice)
        let out = ByteBuffer()
        splice.append(original: bytes, to: out)
        return Request(body: out.text, dropped: omissions.names)
    }

    static let identity = AnswerIdentity(
        unique: "0123456789abcdef",
        created: 1_772_000_000,
        model: "m"
    )

    /// An upstream's whole answer in the client's format.
    static func answer(
        _ text: String,
        from format: WireFormat,
        to client: WireFormat,
        _ identity: AnswerIdentity = identity
    ) throws -> String {
        let document = try Document(text)
        let bytes = document.bytes.span
        let answer = try Conversion.readAnswer(format, document.tape.root, document.tape, bytes)
        let out = ByteBuffer()
        Conversion.writeAnswer(answer, client, identity, from: bytes, ConversionScratch(), to: out)
        return out.text
    }

    /// The steps that the data of a stream's events mean, and how they read in the client's format.
    ///
    /// `ends` says whether the stream's framing ends behind the last event.
    static func stream(
        _ events: [String],
        from format: WireFormat,
        to client: WireFormat,
        wantsUsage: Bool = false,
        ends: Bool = true
    ) throws -> (steps: [StreamEvent], text: String) {
        var reader = StreamReader(format)
        var writer = StreamWriter(client, identity, wantsUsage: wantsUsage)
        let scratch = ConversionScratch()
        let out = ByteBuffer()
        var all: [StreamEvent] = []
        for event in events where event != "[DONE]" {
            let document = try Document(event)
            let bytes = document.bytes.span
            var steps: [StreamEvent] = []
            reader.read(document.tape.root, document.tape, bytes, into: &steps)
            for step in steps { writer.write(step, from: bytes, scratch, to: out) }
            all += steps
        }
        if ends {
            var steps: [StreamEvent] = []
            reader.finish(into: &steps)
            for step in steps { writer.write(step, from: Span(), scratch, to: out) }
            all += steps
        }
        return (all, out.text)
    }
}
