// SPDX-License-Identifier: Apache-2.0

/// Where the first line ends of what a worker has printed.
///
/// A line that is too long comes in pieces, so that every byte is accounted for and none needs more
/// memory than a piece.
struct OutputLine: Equatable {
    /// Longest piece of a line.
    ///
    /// Limit: what a field of the log shows as a whole (`LogText.bytesMax`).
    static let bytesMax = 512

    /// Bytes of its text, from the first one on.
    let length: Int
    /// Bytes that it takes, its line feed included.
    let consumed: Int
    /// The line goes on behind this piece.
    let isCut: Bool

    /// The line at the front of `bytes`; nil while its end is not there.
    ///
    /// With `isLast` nothing follows any more: what is left is a line without a line feed.
    init?(atFrontOf bytes: Span<UInt8>, isLast: Bool = false) {
        let reach = min(bytes.count, Self.bytesMax + 1)
        for index in 0..<reach where bytes[index] == UInt8(ascii: "\n") {
            self.init(length: index, consumed: index + 1, isCut: false)
            return
        }
        if bytes.count > Self.bytesMax {
            let end = Self.cut(bytes)
            self.init(length: end, consumed: end, isCut: true)
        } else if isLast, !bytes.isEmpty {
            self.init(length: bytes.count, consumed: bytes.count, isCut: false)
        } else {
            return nil
        }
    }

    private init(length: Int, consumed: Int, isCut: Bool) {
        self.length = length
        self.consumed = consumed
        self.isCut = isCut
    }

    /// In front of the character that crosses the limit; one has at most 4 bytes.
    private static func cut(_ bytes: Span<UInt8>) -> Int {
        var end = bytesMax
        while end > bytesMax - 4, bytes[end] & 0xC0 == 0x80 {
            end -= 1
        }
        return end
    }
}
