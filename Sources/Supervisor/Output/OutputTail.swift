// SPDX-License-Identifier: Apache-2.0

/// The last lines that a worker has printed, for the report of its end.
///
/// Without the stack trace that the runtime of debug builds prints behind a trap: it would push out
/// what happened, and the crash note says where.
struct OutputTail: Equatable {
    /// Bytes that are kept, of whole lines as long as one of them fits.
    ///
    /// Limit: what a field of the log shows as a whole. A trap of the runtime says what happened
    /// and where in less.
    static let bytesMax = 512
    /// The line in front of a stack trace, each frame of which begins with its number.
    private static let traceHead = Array("Current stack trace:".utf8)

    /// Lines with line feeds between them.
    private(set) var lines: [UInt8]
    /// The next piece belongs to the last line.
    private var isCut = false
    private var isInTrace = false

    /// `lines` are those that another program has kept.
    init(_ lines: [UInt8] = []) {
        self.lines = lines
    }

    /// The next piece of output, without its line feed.
    mutating func append(_ piece: Span<UInt8>, isCut: Bool) {
        guard !piece.isEmpty, !belongsToTrace(piece) else { return }
        if !self.isCut, !lines.isEmpty { lines.append(UInt8(ascii: "\n")) }
        self.isCut = isCut
        for index in piece.indices { lines.append(piece[index]) }
        while lines.count > Self.bytesMax { dropFront() }
    }

    private mutating func belongsToTrace(_ piece: Span<UInt8>) -> Bool {
        if isInTrace, UInt8(ascii: "0")...UInt8(ascii: "9") ~= piece[0] { return true }
        isInTrace =
            Self.traceHead.count == piece.count
            && piece.indices.allSatisfy { piece[$0] == Self.traceHead[$0] }
        return isInTrace
    }

    /// Drops the first line, or of a single one as much as is too much.
    private mutating func dropFront() {
        if let end = lines.firstIndex(of: UInt8(ascii: "\n")) {
            lines.removeFirst(end + 1)
            return
        }
        lines.removeFirst(lines.count - Self.bytesMax)
        // Not in the middle of a character, which has at most 3 bytes behind its first.
        lines.removeFirst(min(3, lines.prefix { $0 & 0xC0 == 0x80 }.count))
    }
}
