// SPDX-License-Identifier: Apache-2.0

/// The checksum of AWS event-stream messages.
///
/// Spec: the CRC-32 of ISO 3309, polynomial 0x04C11DB7 with the lowest bit first.
package struct CRC32: Equatable, Sendable {
    private var state: UInt32 = 0xFFFF_FFFF

    package init() {}

    /// The checksum of everything taken so far.
    package var value: UInt32 { ~state }

    package mutating func update(_ bytes: Span<UInt8>) {
        // Indexing the array itself costs four times as much as its span.
        let entries = Self.table
        let table = entries.span
        var state = state
        for index in bytes.indices {
            state = table[Int(UInt8(truncatingIfNeeded: state) ^ bytes[index])] ^ state >> 8
        }
        self.state = state
    }

    /// The checksum of `bytes`.
    package static func checksum(of bytes: Span<UInt8>) -> UInt32 {
        var checksum = CRC32()
        checksum.update(bytes)
        return checksum.value
    }

    private static let table: [256 of UInt32] = {
        var table: [256 of UInt32] = .init(repeating: 0)
        for index in 0..<256 {
            var value = UInt32(index)
            for _ in 0..<8 {
                value = value & 1 == 0 ? value >> 1 : value >> 1 ^ 0xEDB8_8320
            }
            table[index] = value
        }
        return table
    }()
}
