// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Embeddings that depend on the text alone: equal texts are equal vectors of length 1.
enum DemoEmbedding {
    static func vector(_ text: String, dimensions: Int) -> [Float] {
        // FNV-1a over the text seeds SplitMix64, which any other program can repeat.
        var state: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { state = (state ^ UInt64(byte)) &* 0x0100_0000_01B3 }
        var values: [Float] = []
        values.reserveCapacity(dimensions)
        var sum: Float = 0
        for _ in 0..<dimensions {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            mixed ^= mixed >> 31
            let value = Float(Int64(bitPattern: mixed) >> 40) / Float(1 << 23)
            values.append(value)
            sum += value * value
        }
        let length = sum.squareRoot()
        guard length > 0 else { return values }
        return values.map { $0 / length }
    }

    /// Little-endian 32-bit floats in base64, as OpenAI's `encoding_format: "base64"` has them.
    static func appendBase64(_ values: [Float], to out: ByteBuffer) {
        let raw = ByteBuffer(capacity: values.count * 4)
        for value in values { raw.append(littleEndian: value.bitPattern) }
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
        )
        var index = 0
        while index < raw.count {
            let present = min(3, raw.count - index)
            var group: UInt32 = 0
            for offset in 0..<3 {
                group = group << 8 | (offset < present ? UInt32(raw[index + offset]) : 0)
            }
            for position in 0..<4 {
                if position > present {
                    out.append(UInt8(ascii: "="))
                } else {
                    out.append(alphabet[Int(group >> UInt32(18 - 6 * position)) & 63])
                }
            }
            index += 3
        }
    }

    static func append(_ values: [Float], to writer: inout JSONWriter) {
        writer.beginArray()
        for value in values { writer.value(Double(value)) }
        writer.endArray()
    }
}
