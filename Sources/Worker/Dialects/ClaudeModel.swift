// SPDX-License-Identifier: Apache-2.0

/// A Claude model as its name tells, in whatever spelling: `claude-3-5-sonnet-20241022`,
/// `claude-opus-4-7`, `anthropic--claude-4.6-sonnet`, `eu.anthropic.claude-sonnet-4-5-20250929-v1:0`.
struct ClaudeModel: Equatable {
    enum Family: Equatable {
        case opus
        case sonnet
        case haiku
        /// A name without one that is known.
        case other
    }

    struct Version: Comparable {
        let major: Int
        let minor: Int

        init(_ major: Int, _ minor: Int) {
            self.major = major
            self.minor = minor
        }

        static func < (left: Version, right: Version) -> Bool {
            (left.major, left.minor) < (right.major, right.minor)
        }
    }

    let family: Family
    let version: Version

    /// Numbers of more digits are dates.
    private static let versionDigitsMax = 2

    /// Nil for a name that is not Claude's or has no version.
    init?(_ name: String) {
        var words = Words(name)
        var word = words.next()
        while let found = word, !words.equal(found, "claude") { word = words.next() }
        guard word != nil else { return nil }
        var family = Family.other
        var major: Int?
        var minor: Int?
        var hasEnded = false
        while let word = words.next() {
            if words.equal(word, "opus") {
                family = .opus
            } else if words.equal(word, "sonnet") {
                family = .sonnet
            } else if words.equal(word, "haiku") {
                family = .haiku
            } else if !hasEnded, let number = words.number(word) {
                if major == nil {
                    major = number
                } else {
                    minor = minor ?? number
                }
            } else if words.startsNumber(word) {
                // A date or a revision: numbers behind it do not belong to the version.
                hasEnded = true
            }
        }
        guard let major else { return nil }
        self.family = family
        version = Version(major, minor ?? 0)
    }

    /// Runs of ASCII letters and digits of a name, which is looked through once per request.
    private struct Words {
        private let name: String.UTF8View
        private var at: String.UTF8View.Index

        init(_ name: String) {
            self.name = name.utf8
            at = name.utf8.startIndex
        }

        private func isPart(_ byte: UInt8) -> Bool {
            isDigit(byte) || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
        }

        private func isDigit(_ byte: UInt8) -> Bool {
            byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
        }

        mutating func next() -> Substring.UTF8View? {
            while at < name.endIndex, !isPart(name[at]) { at = name.index(after: at) }
            guard at < name.endIndex else { return nil }
            let start = at
            while at < name.endIndex, isPart(name[at]) { at = name.index(after: at) }
            return Substring(name[start..<at]).utf8
        }

        /// Whether a word is `text`, which is in lower case.
        func equal(_ word: Substring.UTF8View, _ text: StaticString) -> Bool {
            guard word.count == text.utf8CodeUnitCount else { return false }
            var index = 0
            for byte in word {
                // SAFETY: below the count of the static string.
                guard unsafe byte | 0x20 == text.utf8Start[index] else { return false }
                index += 1
            }
            return true
        }

        /// The number that a word is; nil for other words and for dates.
        func number(_ word: Substring.UTF8View) -> Int? {
            guard word.count <= ClaudeModel.versionDigitsMax else { return nil }
            var number = 0
            for byte in word {
                guard isDigit(byte) else { return nil }
                number = number * 10 + Int(byte - UInt8(ascii: "0"))
            }
            return number
        }

        /// Whether a word begins with a digit, or like the `v1` of `-v1:0`.
        func startsNumber(_ word: Substring.UTF8View) -> Bool {
            guard let first = word.first else { return false }
            if isDigit(first) { return true }
            guard first | 0x20 == UInt8(ascii: "v") else { return false }
            return word.dropFirst().first.map { isDigit($0) } ?? false
        }
    }
}
