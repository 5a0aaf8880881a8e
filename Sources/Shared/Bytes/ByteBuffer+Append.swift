// SPDX-License-Identifier: Apache-2.0

extension ByteBuffer {
    @inlinable package func append(_ byte: UInt8) {
        reserve(1)
        // SAFETY: reserve made room for one byte.
        unsafe storage.storeBytes(of: byte, toByteOffset: tail, as: UInt8.self)
        advanceTail(1)
    }

    @inlinable package func append(_ bytes: Span<UInt8>) {
        // SAFETY: the span is readable for its count; reserve made room for as many.
        unsafe bytes.withUnsafeBytes { source in
            unsafe append(copying: source)
        }
    }

    /// Appends raw memory.
    @inlinable @unsafe package func append(copying source: UnsafeRawBufferPointer) {
        guard source.count > 0, let base = source.baseAddress else { return }
        reserve(source.count)
        // SAFETY: room was reserved; source is readable by the caller's contract.
        unsafe (storage + tail).copyMemory(from: base, byteCount: source.count)
        advanceTail(source.count)
    }

    @inlinable package func append(_ bytes: [UInt8]) {
        // SAFETY: the array lives through the call.
        unsafe bytes.withUnsafeBytes { unsafe append(copying: $0) }
    }

    @inlinable package func append(_ text: StaticString) {
        // SAFETY: a static string's bytes live forever.
        unsafe append(
            copying: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        )
    }

    @inlinable package func append(_ text: String) {
        var text = text
        // SAFETY: the string lives through the call.
        text.withUTF8 { unsafe append(copying: UnsafeRawBufferPointer($0)) }
    }

    /// Appends the readable bytes of another buffer.
    @inlinable package func append(_ other: ByteBuffer) {
        precondition(other !== self, "a buffer cannot be appended to itself")
        // SAFETY: the other buffer is not changed meanwhile.
        unsafe other.withUnsafeReadable { unsafe append(copying: $0) }
    }

    /// Appends `value` in decimal digits.
    package func append(decimal value: Int) {
        if value < 0 {
            append(UInt8(ascii: "-"))
        }
        append(decimal: value.magnitude)
    }

    /// Appends `value` in decimal digits.
    package func append(decimal value: UInt) {
        // 20 digits hold the largest UInt.
        var digits: InlineArray<20, UInt8> = .init(repeating: 0)
        var first = 20
        var rest = value
        repeat {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        append(digits.span.extracting(first..<20))
    }

    /// Appends `value` in lower-case hexadecimal digits, without leading zeros.
    package func append(hexadecimal value: UInt) {
        var shift = (UInt.bitWidth - 1 - value.leadingZeroBitCount) / 4 * 4
        if value == 0 { shift = 0 }
        while shift >= 0 {
            append(Self.hexadecimalDigit(UInt8(truncatingIfNeeded: value >> UInt(shift)) & 15))
            shift -= 4
        }
    }

    /// The lower-case hexadecimal digit of `value`, which is below 16.
    @inlinable package static func hexadecimalDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + (value - 10)
    }

    /// The readable bytes as text; bytes that are not UTF-8 become U+FFFD.
    ///
    /// For tests and messages.
    package var text: String {
        withBytes { String(copying: $0) }
    }

    /// The readable bytes as an array.
    package var array: [UInt8] {
        // SAFETY: the bytes are copied inside the closure.
        withBytes { bytes in unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) } }
    }
}

extension String {
    /// The text of `bytes`; bytes that are not UTF-8 become U+FFFD.
    package init(copying bytes: Span<UInt8>) {
        // SAFETY: the buffer is valid inside the closure and copied there.
        self = unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }
}
