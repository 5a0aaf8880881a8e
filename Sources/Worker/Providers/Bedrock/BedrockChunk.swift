// SPDX-License-Identifier: Apache-2.0
package import Bytes
package import JSON

/// Why the payload of a Bedrock event is not what it should be.
package enum BedrockChunkError: Error, Equatable, Sendable {
    case json(JSONError)
    /// No member `bytes` that is a string.
    case noBytes
    case base64(Base64Error)
}

/// Reads the payloads of Bedrock's two kinds of streams into plain JSON events.
///
/// Keep one per stream: it reuses its memory.
package struct BedrockChunkReader: ~Copyable {
    private var scanner = JSONScanner()
    private let unescaped = ByteBuffer()

    package init() {}

    /// Appends the event inside a `chunk` of `invoke-with-response-stream`.
    ///
    /// The payload is `{"bytes":"...","p":"..."}`: the event in Base64, and padding that hides its
    /// length. Nothing is appended when it throws.
    package mutating func append(
        chunk payload: Span<UInt8>,
        to out: ByteBuffer
    ) throws(BedrockChunkError) {
        scanner.reset()
        do {
            _ = try scanner.scan(payload, isFinal: true)
        } catch {
            throw .json(error)
        }
        let tape = scanner.tape
        guard let node = tape.member("bytes", of: tape.root, in: payload),
            tape.kind(of: node) == .string
        else { throw .noBytes }
        do {
            if tape.hasEscapes(node) {
                // A slash may be escaped.
                unescaped.clear()
                tape.appendUnescaped(node, in: payload, to: unescaped)
                try unescaped.withBytes { text throws(Base64Error) in
                    try Base64.append(decoding: text, to: out)
                }
            } else {
                try Base64.append(
                    decoding: payload.extracting(tape.contentRange(of: node)),
                    to: out
                )
            }
        } catch {
            throw .base64(error)
        }
    }

    /// Appends an event of `converse-stream` as one object: `{"contentBlockDelta":{...}}`.
    ///
    /// In binary framing the header `:event-type` names the event and the payload is only its value;
    /// everywhere else the name stands around it. The payload is not looked into.
    package static func append(
        converseEvent name: Span<UInt8>,
        payload: Span<UInt8>,
        to out: ByteBuffer
    ) {
        out.append(UInt8(ascii: "{"))
        JSONWriter.appendQuoted(name, to: out)
        out.append(UInt8(ascii: ":"))
        out.append(payload)
        out.append(UInt8(ascii: "}"))
    }
}
