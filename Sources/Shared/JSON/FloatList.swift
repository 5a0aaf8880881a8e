// SPDX-License-Identifier: Apache-2.0
package import Bytes

/// Why a vector of an embedding cannot be written in the other form.
package enum FloatListError: Error, Equatable, Sendable {
    case base64(Base64Error)
    /// The bytes are no multiple of four.
    case length
    /// A number that JSON cannot say, or that does not fit into 32 bits, at this place.
    case notFinite(index: Int)
    /// The value is not an array of numbers.
    case notNumbers
}

/// The two forms of an embedding's vector: an array of numbers, and the Base64 text of 32-bit
/// floating-point numbers, lowest byte first, which the official OpenAI clients ask for.
package enum FloatList {
    private static let bytesPerNumber = 4

    /// Appends the text for a JSON array of numbers, without quotes; nothing when it throws.
    ///
    /// Each number becomes the nearest one of 32 bits.
    package static func appendBase64(
        ofNumbers array: JSONNode,
        tape: JSONTape,
        bytes: Span<UInt8>,
        to out: ByteBuffer
    ) throws(FloatListError) {
        guard tape.kind(of: array) == .array else { throw .notNumbers }
        // Eight digits and more for each.
        let raw = ByteBuffer(capacity: tape.valueRange(of: array).count / 2)
        var index = 0
        for element in tape.elements(of: array) {
            guard tape.kind(of: element) == .number else { throw .notNumbers }
            let number = DecimalFloat.nearest(bytes.extracting(tape.valueRange(of: element)))
            guard let number, number.isFinite else { throw .notFinite(index: index) }
            // The generic function is not specialised in another module, and ten times slower.
            let bits = number.bitPattern
            raw.append(UInt8(truncatingIfNeeded: bits))
            raw.append(UInt8(truncatingIfNeeded: bits >> 8))
            raw.append(UInt8(truncatingIfNeeded: bits >> 16))
            raw.append(UInt8(truncatingIfNeeded: bits >> 24))
            index += 1
        }
        raw.withBytes { Base64.append(encoding: $0, to: out) }
    }

    /// Appends a JSON array with the numbers that `text` stands for; nothing when it throws.
    ///
    /// The fewest digits that read back as the same number of 32 bits.
    package static func appendNumbers(
        ofBase64 text: Span<UInt8>,
        to out: ByteBuffer
    ) throws(FloatListError) {
        let raw = ByteBuffer(capacity: text.count / 4 * 3)
        do {
            try Base64.append(decoding: text, to: raw)
        } catch {
            throw .base64(error)
        }
        guard raw.count % bytesPerNumber == 0 else { throw .length }
        let start = out.count
        do {
            try raw.withBytes { bytes throws(FloatListError) in
                try append(numbers: bytes, to: out)
            }
        } catch {
            out.truncate(to: start)
            throw error
        }
    }

    private static func append(
        numbers bytes: Span<UInt8>,
        to out: ByteBuffer
    ) throws(FloatListError) {
        out.append(UInt8(ascii: "["))
        var at = 0
        while at < bytes.count {
            let low = UInt32(bytes[at]) | UInt32(bytes[at + 1]) << 8
            let high = UInt32(bytes[at + 2]) | UInt32(bytes[at + 3]) << 8
            let number = Float(bitPattern: low | high << 16)
            guard number.isFinite else { throw .notFinite(index: at / bytesPerNumber) }
            if at > 0 { out.append(UInt8(ascii: ",")) }
            out.append(number.description)
            at += bytesPerNumber
        }
        out.append(UInt8(ascii: "]"))
    }
}
