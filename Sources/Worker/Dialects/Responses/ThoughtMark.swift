// SPDX-License-Identifier: Apache-2.0
package import Bytes
import JSON

/// Tells whose thoughts a signed or encrypted text is, where it stands in another vendor's place.
///
/// A vendor takes back only thoughts of its own, byte by byte, and refuses all others. Clients hand
/// them back as opaque text: a client of OpenAI Responses has `encrypted_content` for them, also
/// when Claude thought. So what does not belong to the vendor of the client's format is marked
/// there; on the way back the mark tells what it was, and a mark keeps it away from the wrong vendor.
package enum ThoughtMark: UInt8, CaseIterable, Sendable {
    /// A signature (Anthropic, Gemini) of the thoughts whose text stands beside it.
    case signature
    /// Encrypted thoughts of somebody else than OpenAI, in OpenAI's place.
    case encrypted
    /// The signature of the tool call that follows (Gemini).
    case call
    /// OpenAI's encrypted thoughts in somebody else's place.
    case openAI

    /// What stands before the text; no Base64 has a dot, so nothing real begins so.
    package var prefix: StaticString {
        switch self {
        case .signature: "apus.s."
        case .encrypted: "apus.e."
        case .call: "apus.c."
        case .openAI: "apus.o."
        }
    }

    /// Bytes of every prefix.
    static let prefixBytes = 7

    /// The mark before `text`.
    package static func find(_ text: JSONText, in bytes: Span<UInt8>) -> ThoughtMark? {
        switch text {
        case .slice(let range):
            allCases.first { bytes.begins(range, with: $0.prefix) }
        case .text(let text):
            allCases.first { text.hasPrefix($0.prefix.description) }
        }
    }

    /// What stands behind the mark of `text`, which has one.
    package static func unmarked(_ text: JSONText) -> JSONText {
        switch text {
        case .slice(let range): .slice(range.lowerBound + prefixBytes..<range.upperBound)
        case .text(let text): .text(String(text.dropFirst(prefixBytes)))
        }
    }

    /// `text` with the mark, as text of ours; for the few whose reader cannot mark it elsewhere.
    package func marked(_ text: JSONText, from bytes: Span<UInt8>) -> JSONText {
        .text(prefix.description + text.value(from: bytes))
    }

    /// Appends the mark and `text` as the content of a string.
    package func append(_ text: JSONText, from bytes: Span<UInt8>, to out: ByteBuffer) {
        out.append(prefix)
        text.append(from: bytes, to: out)
    }
}

extension Span<UInt8> {
    /// Whether the bytes in `range` begin with `text`.
    func begins(_ range: Range<Int>, with text: StaticString) -> Bool {
        guard text.utf8CodeUnitCount <= range.count else { return false }
        // SAFETY: a static string's bytes live forever; the span ends with this call.
        let wanted = unsafe UnsafeBufferPointer(
            start: text.utf8Start,
            count: text.utf8CodeUnitCount
        ).span
        for index in 0..<wanted.count where self[range.lowerBound + index] != wanted[index] {
            return false
        }
        return true
    }
}
