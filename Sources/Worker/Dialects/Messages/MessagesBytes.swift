// SPDX-License-Identifier: Apache-2.0

/// Comparisons of bytes.
enum MessagesBytes {
    static func equal(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        for index in left.indices where left[index] != right[index] { return false }
        return true
    }

    static func equal(_ left: Span<UInt8>, _ right: StaticString) -> Bool {
        guard left.count == right.utf8CodeUnitCount else { return false }
        // SAFETY: a static string's bytes live forever; the span ends with this call.
        let text = unsafe UnsafeBufferPointer(start: right.utf8Start, count: left.count)
        return unsafe equal(left, text.span)
    }
}
