// SPDX-License-Identifier: Apache-2.0
import JSON

/// Checks base64 in JSON strings without decoding it.
enum GeminiBase64 {
    /// The string at `node` as standard base64, as it stands where it is that already; nil for
    /// what is none.
    ///
    /// Google takes the URL-safe alphabet and missing padding too; nobody else does.
    static func standard(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> JSONText? {
        guard tape.kind(of: node) == .string else { return nil }
        let range = tape.contentRange(of: node)
        if isStandard(bytes.extracting(range)) { return .slice(range) }
        guard let text = tape.string(of: node, in: bytes) else { return nil }
        var fixed: [UInt8] = []
        fixed.reserveCapacity(text.utf8.count + 3)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "-"): fixed.append(UInt8(ascii: "+"))
            case UInt8(ascii: "_"): fixed.append(UInt8(ascii: "/"))
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"): break
            default: fixed.append(byte)
            }
        }
        let isPadded = fixed.last == UInt8(ascii: "=")
        while !isPadded, fixed.count % 4 != 0 { fixed.append(UInt8(ascii: "=")) }
        guard isStandard(fixed.span) else { return nil }
        return .text(String(decoding: fixed, as: UTF8.self))
    }

    /// Whether `bytes` are base64 with padding and nothing else.
    ///
    /// Spec: RFC 4648 section 4.
    static func isStandard(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count % 4 == 0, bytes.count > 0 else { return false }
        var end = bytes.count
        while end > bytes.count - 2, bytes[end - 1] == UInt8(ascii: "=") { end -= 1 }
        var index = 0
        while index < end {
            guard isLetter(bytes[index]) else { return false }
            index += 1
        }
        return true
    }

    /// Whether `bytes` are base64 in either alphabet, with or without padding.
    static func isAny(_ bytes: Span<UInt8>) -> Bool {
        var end = bytes.count
        while end > 0, end > bytes.count - 2, bytes[end - 1] == UInt8(ascii: "=") { end -= 1 }
        guard end > 0, end % 4 != 1 else { return false }
        for index in 0..<end {
            let byte = bytes[index]
            guard isLetter(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") else {
                return false
            }
        }
        return true
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}
