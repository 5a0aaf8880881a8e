// SPDX-License-Identifier: Apache-2.0
import JSON

/// Signatures as Gemini's format has them.
///
/// Google and Anthropic refuse requests with a signature of the other, and clients hand back what
/// they got without saying whose it is. So of Google's signatures only those of calls leave its
/// format, which need to come back and for which other formats have a place of their own; those of
/// thoughts and texts may be missing.
enum GeminiSignature {
    /// A signature as it may stand in Gemini's format: Google parses it, as its SDK does, so that
    /// anything but base64 would break the whole.
    static func usable(_ signature: JSONText?, _ bytes: Span<UInt8>) -> JSONText? {
        switch signature {
        case .slice(let range):
            if GeminiBase64.isAny(bytes.extracting(range)) { return signature }
            // Some writers of JSON escape slashes.
            let text = JSONText.slice(range).value(from: bytes)
            return GeminiBase64.isAny(text.utf8.span) ? .text(text) : nil
        case .text(let text): return GeminiBase64.isAny(text.utf8.span) ? signature : nil
        case nil: return nil
        }
    }
}
