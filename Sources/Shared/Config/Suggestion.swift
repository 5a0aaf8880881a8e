// SPDX-License-Identifier: Apache-2.0

/// Finds what a misspelt word was meant to be.
package enum Suggestion {
    /// Changes up to which two words are taken for the same.
    private static let distanceMax = 2
    /// Longer words are not compared: nothing that we know is longer.
    private static let bytesMax = 64

    /// ` , did you mean "..."?` for the known word closest to `word`; empty when none is close.
    package static func text(for word: String, among known: [String]) -> String {
        let letters = Array(word.utf8)
        guard letters.count <= bytesMax else { return "" }
        var best: (word: String, distance: Int)?
        for candidate in known {
            let distance = distance(letters, Array(candidate.utf8))
            if distance < best?.distance ?? min(distanceMax + 1, letters.count) {
                best = (candidate, distance)
            }
        }
        return best.map { ", did you mean \"\($0.word)\"?" } ?? ""
    }

    /// Insertions, deletions, exchanges and swaps of neighbours that lead from one to the other;
    /// letters that differ in case only and `-` for `_` cost nothing.
    private static func distance(_ one: [UInt8], _ two: [UInt8]) -> Int {
        let one = one.map(fold)
        let two = two.map(fold)
        var beforeLast: [Int] = []
        var last = Array(0...two.count)
        for row in one.indices {
            var current = [row + 1]
            for column in two.indices {
                let differs = one[row] == two[column] ? 0 : 1
                var cost = min(last[column] + differs, last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, one[row] == two[column - 1], one[row - 1] == two[column] {
                    cost = min(cost, beforeLast[column - 1] + 1)
                }
                current.append(cost)
            }
            beforeLast = last
            last = current
        }
        return last[two.count]
    }

    private static func fold(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
        case UInt8(ascii: "-"): UInt8(ascii: "_")
        default: byte
        }
    }
}
