// SPDX-License-Identifier: Apache-2.0
package import Bytes
package import JSON

/// Room that conversions need for a moment; one per worker.
package final class ConversionScratch {
    private var scanner = JSONScanner()
    private let text = ByteBuffer()

    package init() {}

    /// Appends a tool's input as the JSON object that other formats want; `{}` for what is none.
    package func appendObject(_ input: ToolInput, from bytes: Span<UInt8>, to out: ByteBuffer) {
        switch input {
        case .object(let fragment):
            fragment.append(from: bytes, to: out)
        case .text(let content):
            text.clear()
            content.appendValue(from: bytes, to: text)
            if text.withBytes({ isObject($0) }) {
                text.withBytes { out.append($0) }
            } else {
                out.append("{}")
            }
        }
    }

    /// Appends the text that `content` stands for if that is one JSON object.
    ///
    /// - Returns: Whether it is one.
    package func appendIfObject(
        _ content: JSONText,
        from bytes: Span<UInt8>,
        to out: ByteBuffer
    ) -> Bool {
        text.clear()
        content.appendValue(from: bytes, to: text)
        guard text.withBytes({ isObject($0) }) else { return false }
        text.withBytes { out.append($0) }
        return true
    }

    /// Appends a tool's input as the content of a string, as OpenAI has it.
    package func appendText(_ input: ToolInput, from bytes: Span<UInt8>, to out: ByteBuffer) {
        switch input {
        case .object(let fragment): fragment.appendEscaped(from: bytes, to: out)
        case .text(let content): content.append(from: bytes, to: out)
        }
    }

    /// Whether `bytes` are one JSON object.
    package func isObject(_ bytes: Span<UInt8>) -> Bool {
        scanner.reset()
        do throws(JSONError) {
            guard try scanner.scan(bytes, isFinal: true) else { return false }
        } catch {
            return false
        }
        return scanner.tape.kind(of: scanner.tape.root) == .object
    }

    /// Scans another document, a schema for example, and reads it; nil when it is no JSON.
    ///
    /// The tape is valid inside of `body` only, which must not call this object.
    package func scan<Result>(
        _ bytes: Span<UInt8>,
        _ body: (JSONTape) -> Result
    ) -> Result? {
        scanner.reset()
        do throws(JSONError) {
            guard try scanner.scan(bytes, isFinal: true) else { return nil }
        } catch {
            return nil
        }
        return body(scanner.tape)
    }
}
