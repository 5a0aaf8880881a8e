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
        let words = Self.words(name)
        guard let start = words.firstIndex(of: "claude") else { return nil }
        var family = Family.other
        var numbers: [Int] = []
        var hasEnded = false
        for word in words[(start + 1)...] {
            switch word {
            case "opus": family = .opus
            case "sonnet": family = .sonnet
            case "haiku": family = .haiku
            default:
                guard !hasEnded else { continue }
                if let number = Int(word), word.utf8.count <= Self.versionDigitsMax {
                    if numbers.count < 2 { numbers.append(number) }
                } else if word.utf8.first.map({ $0 >= 0x30 && $0 <= 0x39 }) ?? false
                    || Self.isRevision(word)
                {
                    // A date or a revision: numbers behind it do not belong to the version.
                    hasEnded = true
                }
            }
        }
        guard let major = numbers.first else { return nil }
        self.family = family
        version = Version(major, numbers.count > 1 ? numbers[1] : 0)
    }

    /// Whether a word is like the `v1` of `-v1:0`.
    private static func isRevision(_ word: Substring) -> Bool {
        word.first == "v" && word.count > 1 && Int(word.dropFirst()) != nil
    }

    /// Runs of letters and digits in lower case.
    private static func words(_ name: String) -> [Substring] {
        name.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
    }
}
