// SPDX-License-Identifier: Apache-2.0

package import Bytes

/// The first bytes of a record on a metrics pipe.
///
/// All integers are little endian:
///
///     0  magic       u16    6  header check u16   12  sequence   u32
///     2  version     u8     8  generation   u32   16  body check u32
///     3  kind        u8
///     4  length      u16, header included
///
/// The header check covers the other header bytes, so that a reader finds the next record after
/// garbage; the body check covers the rest.
package struct RecordHeader: Equatable {
    /// What the body holds; `MetricsEncoder` describes both formats.
    package enum Kind: UInt8 {
        case names = 1
        case values = 2
    }

    package static let size = 20

    /// Longest record, header included.
    ///
    /// Limit: PIPE_BUF. A longer write may be cut, and then mixed with the rest of the pipe.
    package static let recordBytesMax = 4096

    /// Raised by every change of the format and of `Cells`, `Route` and the other label sets.
    static let version: UInt8 = 2
    private static let magic: UInt16 = 0xA6D5

    var kind: Kind
    var length: Int
    var generation: UInt32
    var sequence: UInt32
    var bodyCheck: UInt32

    /// Whether a byte can be the first of a header.
    static func startsHeader(_ byte: UInt8) -> Bool {
        byte == UInt8(truncatingIfNeeded: magic)
    }

    /// The header at `offset`, or nil if none of this version is there; needs `size` bytes.
    static func read(_ bytes: Span<UInt8>, at offset: Int) -> RecordHeader? {
        guard integer(bytes, at: offset, size: 2) == UInt32(magic) else { return nil }
        guard bytes[offset + 2] == version, let kind = Kind(rawValue: bytes[offset + 3]) else {
            return nil
        }
        let header = RecordHeader(
            kind: kind,
            length: Int(integer(bytes, at: offset + 4, size: 2)),
            generation: integer(bytes, at: offset + 8, size: 4),
            sequence: integer(bytes, at: offset + 12, size: 4),
            bodyCheck: integer(bytes, at: offset + 16, size: 4)
        )
        guard header.length > size, header.length <= recordBytesMax else { return nil }
        guard integer(bytes, at: offset + 6, size: 2) == header.check else { return nil }
        return header
    }

    /// Appends a whole record: the header for `body`, and `body`.
    ///
    /// `body` must fit `recordBytesMax` with its header.
    package static func appendRecord(
        _ kind: Kind,
        generation: UInt32,
        sequence: UInt32,
        _ body: Span<UInt8>,
        to out: ByteBuffer
    ) {
        precondition(size + body.count <= recordBytesMax, "a record has a place in one write")
        let header = RecordHeader(
            kind: kind,
            length: size + body.count,
            generation: generation,
            sequence: sequence,
            bodyCheck: check(of: body)
        )
        header.write(to: out)
        out.append(body)
    }

    private func write(to out: ByteBuffer) {
        Self.append(UInt32(Self.magic), size: 2, to: out)
        out.append(Self.version)
        out.append(kind.rawValue)
        Self.append(UInt32(length), size: 2, to: out)
        Self.append(check, size: 2, to: out)
        Self.append(generation, size: 4, to: out)
        Self.append(sequence, size: 4, to: out)
        Self.append(bodyCheck, size: 4, to: out)
    }

    /// The record check of a body: FNV-1a, 32 bits.
    ///
    /// It finds accidents; against a hostile worker only the validation of the values helps.
    static func check(of body: Span<UInt8>) -> UInt32 {
        var hash: UInt32 = 2_166_136_261
        for index in body.indices {
            hash = (hash ^ UInt32(body[index])) &* 16_777_619
        }
        return hash
    }

    /// The two halves of a hash over the fields, folded into 16 bits.
    private var check: UInt32 {
        var hash: UInt32 = 2_166_136_261
        let fields: InlineArray<5, UInt32> = [
            UInt32(kind.rawValue), UInt32(length), generation, sequence, bodyCheck,
        ]
        for index in fields.indices {
            hash = (hash ^ fields[index]) &* 16_777_619
            hash ^= hash >> 15
        }
        return (hash ^ hash >> 16) & 0xFFFF
    }

    private static func integer(_ bytes: Span<UInt8>, at offset: Int, size: Int) -> UInt32 {
        var value: UInt32 = 0
        for index in 0..<size {
            value |= UInt32(bytes[offset + index]) << UInt32(8 * index)
        }
        return value
    }

    private static func append(_ value: UInt32, size: Int, to out: ByteBuffer) {
        for index in 0..<size {
            out.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * index)))
        }
    }
}
