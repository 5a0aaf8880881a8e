// SPDX-License-Identifier: Apache-2.0

/// Why text is not Base64.
package enum Base64Error: Error, Equatable, Sendable {
    /// The length is no multiple of four.
    case length
    /// A byte outside of the alphabet, or padding before the end, at this offset.
    case byte(offset: Int)
    /// The last digit says more than the bytes before the padding hold.
    case spareBits
}

/// Base64 with padding.
///
/// Strict: no line breaks, no white space, no digits that are not needed. Digits and padding need no
/// escapes in JSON, so the content of a string without escapes can be passed as it stands.
///
/// Spec: RFC 4648 section 4.
package enum Base64 {
    /// What `values` says of bytes outside of the alphabet.
    private static let none: UInt8 = 0xFF

    private static let digits: [64 of UInt8] = {
        var digits: [64 of UInt8] = .init(repeating: 0)
        let text = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for (index, byte) in text.utf8.enumerated() { digits[index] = byte }
        return digits
    }()

    private static let values: [256 of UInt8] = {
        var values: [256 of UInt8] = .init(repeating: none)
        for index in 0..<64 { values[Int(digits[index])] = UInt8(index) }
        return values
    }()

    /// Bytes of the text for as many bytes.
    package static func encodedCount(_ bytes: Int) -> Int {
        (bytes + 2) / 3 * 4
    }

    /// Appends `bytes` as text.
    package static func append(encoding bytes: Span<UInt8>, to out: ByteBuffer) {
        let alphabet = Self.digits
        let digits = alphabet.span
        let whole = bytes.count / 3 * 3
        out.reserve(encodedCount(bytes.count))
        var at = 0
        while at < whole {
            let group = UInt32(bytes[at]) << 16 | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2])
            out.append(digits[Int(group >> 18)])
            out.append(digits[Int(group >> 12 & 63)])
            out.append(digits[Int(group >> 6 & 63)])
            out.append(digits[Int(group & 63)])
            at += 3
        }
        guard at < bytes.count else { return }
        let hasTwo = at + 1 < bytes.count
        let group = UInt32(bytes[at]) << 16 | (hasTwo ? UInt32(bytes[at + 1]) << 8 : 0)
        out.append(digits[Int(group >> 18)])
        out.append(digits[Int(group >> 12 & 63)])
        out.append(hasTwo ? digits[Int(group >> 6 & 63)] : UInt8(ascii: "="))
        out.append(UInt8(ascii: "="))
    }

    /// `bytes` as text.
    package static func text(_ bytes: Span<UInt8>) -> String {
        let buffer = ByteBuffer(capacity: encodedCount(bytes.count))
        append(encoding: bytes, to: buffer)
        return buffer.text
    }

    /// Appends the bytes that `text` stands for; nothing when it throws.
    package static func append(
        decoding text: Span<UInt8>,
        to out: ByteBuffer
    ) throws(Base64Error) {
        let start = out.count
        do {
            out.reserve(text.count / 4 * 3)
            try walk(text) { group, count in
                out.append(UInt8(truncatingIfNeeded: group >> 16))
                if count > 1 { out.append(UInt8(truncatingIfNeeded: group >> 8)) }
                if count > 2 { out.append(UInt8(truncatingIfNeeded: group)) }
            }
        } catch {
            out.truncate(to: start)
            throw error
        }
    }

    /// Finds out whether `text` is Base64 without writing anything.
    ///
    /// - Returns: Bytes that it stands for.
    @discardableResult
    package static func validate(_ text: Span<UInt8>) throws(Base64Error) -> Int {
        var bytes = 0
        try walk(text) { _, count in bytes += count }
        return bytes
    }

    /// Calls `body` with each group of up to three bytes, the first one in bits 16 to 23.
    @inline(__always)
    private static func walk(
        _ text: Span<UInt8>,
        _ body: (_ group: UInt32, _ count: Int) -> Void
    ) throws(Base64Error) {
        guard text.count % 4 == 0 else { throw .length }
        guard text.count > 0 else { return }
        // Indexing the array itself costs four times as much as its span.
        let table = Self.values
        let values = table.span
        let last = text.count - 4
        var at = 0
        while at < last {
            let (a, b) = (values[Int(text[at])], values[Int(text[at + 1])])
            let (c, d) = (values[Int(text[at + 2])], values[Int(text[at + 3])])
            // Values are below 64, what stands for none is above.
            if a | b | c | d > 63 { throw firstBad(in: text, from: at, values) }
            body(group(a, b, c, d), 3)
            at += 4
        }
        let padding = UInt8(ascii: "=")
        let count = text[at + 3] != padding ? 3 : text[at + 2] != padding ? 2 : 1
        let (a, b) = (values[Int(text[at])], values[Int(text[at + 1])])
        let c = count > 1 ? values[Int(text[at + 2])] : 0
        let d = count > 2 ? values[Int(text[at + 3])] : 0
        if a | b | c | d > 63 { throw firstBad(in: text, from: at, values) }
        let spare = count == 1 ? b & 0x0F : count == 2 ? c & 0x03 : 0
        if spare != 0 { throw .spareBits }
        body(group(a, b, c, d), count)
    }

    @inline(__always)
    private static func group(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) -> UInt32 {
        UInt32(a) << 18 | UInt32(b) << 12 | UInt32(c) << 6 | UInt32(d)
    }

    private static func firstBad(
        in text: Span<UInt8>,
        from start: Int,
        _ values: Span<UInt8>
    ) -> Base64Error {
        var at = start
        while values[Int(text[at])] != none { at += 1 }
        return .byte(offset: at)
    }
}
