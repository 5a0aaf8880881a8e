// SPDX-License-Identifier: Apache-2.0

import Bytes

/// Unsigned integers in 7-bit groups, lowest first; the high bit says that more follow (LEB128).
enum Varint {
    static func append(_ value: UInt64, to out: ByteBuffer) {
        var rest = value
        while rest >= 0x80 {
            out.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        out.append(UInt8(truncatingIfNeeded: rest))
    }

    /// Reads the integer at `offset` and moves behind it.
    ///
    /// Nil at the end of the bytes, and for a value of more than 63 bits: nothing we count is that
    /// large.
    static func read(_ bytes: Span<UInt8>, at offset: inout Int) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 63, by: 7) {
            guard offset < bytes.count else { return nil }
            let byte = bytes[offset]
            offset += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
