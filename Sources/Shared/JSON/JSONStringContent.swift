// SPDX-License-Identifier: Apache-2.0
package import Bytes

/// What stands between the quotes of a JSON string.
package enum JSONStringContent {
    /// Appends the text that `content` stands for to `buffer`, which does not hold `content`.
    ///
    /// - Precondition: `content` comes from a scanned document.
    /// - Returns: Whether the text is exact; false when half a surrogate pair became U+FFFD.
    @discardableResult
    package static func appendUnescaped(_ content: Span<UInt8>, to buffer: ByteBuffer) -> Bool {
        var unescaper = JSONUnescaper()
        while unescaper.offset < content.count {
            let run = unescaper.offset
            unescaper.skipPlain(in: content)
            buffer.append(content.extracting(run..<unescaper.offset))
            if let piece = unescaper.next(in: content) {
                for index in 0..<piece.count {
                    buffer.append(piece[index])
                }
            }
        }
        return unescaper.isExact
    }
}
