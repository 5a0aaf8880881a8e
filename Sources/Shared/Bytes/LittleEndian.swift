// SPDX-License-Identifier: Apache-2.0

extension ByteBuffer {
    /// Appends `value`, lowest byte first.
    @inlinable
    package func append<Value: FixedWidthInteger & UnsignedInteger>(littleEndian value: Value) {
        var rest = value
        for _ in 0..<(Value.bitWidth / 8) {
            append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }
}

extension Span where Element == UInt8 {
    /// The integer whose lowest byte is at `offset`.
    ///
    /// Traps when it does not fit.
    @inlinable
    package func integer<Value: FixedWidthInteger & UnsignedInteger>(
        at offset: Int,
        _ type: Value.Type
    ) -> Value {
        var value: Value = 0
        for index in (0..<(Value.bitWidth / 8)).reversed() {
            value = value << 8 | Value(self[offset + index])
        }
        return value
    }
}
