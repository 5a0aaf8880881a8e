// SPDX-License-Identifier: Apache-2.0

/// A regular expression over model names, as the proxies of SAP AI Core have them, as patterns.
///
/// Understood are `^`, `$`, `.*`, `|` outside of groups, escaped punctuation and plain text, which
/// is all that patterns can say as well. A name passes if the expression is found anywhere in it.
struct NameFilter: Equatable {
    enum Failure: Error, Equatable {
        /// What stands there means something that no pattern says.
        case construct(String)
        /// No name could pass.
        case nothing

        var message: String {
            switch self {
            case .construct(let text):
                "\(text) cannot be translated; use ^, $, .* and plain text, or several filters"
            case .nothing: "this matches no name"
            }
        }
    }

    /// The expression as it was written.
    let text: String
    /// A name passes if one of them covers it.
    let patterns: [NamePattern]
    /// Whether a single `.` was taken for the letter, which is what names have there.
    let hasPlainDots: Bool

    init(_ text: String) throws(Failure) {
        self.text = text
        var patterns: [NamePattern] = []
        var hasPlainDots = false
        for branch in try Self.branches(text, &hasPlainDots) {
            patterns.append(NamePattern(try Self.pattern(branch)))
        }
        self.patterns = patterns
        self.hasPlainDots = hasPlainDots
    }

    func passes(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        for pattern in patterns where pattern.matches(bytes.span) {
            return true
        }
        return false
    }

    private enum Token: Equatable {
        case literal(Character)
        case anyRun
        case start
        case end
    }

    /// What may stand behind a backslash and then means itself; `*` would be a pattern's sign.
    private static let punctuation = ".-_/:+@#%&=~,;!<>^$|()[]{}?"

    /// The tokens between each two `|`.
    private static func branches(
        _ text: String,
        _ hasPlainDots: inout Bool
    ) throws(Failure) -> [[Token]] {
        var branches: [[Token]] = [[]]
        var rest = text[...]
        func add(_ token: Token) {
            branches[branches.count - 1].append(token)
        }
        while let letter = rest.popFirst() {
            switch letter {
            case "|": branches.append([])
            case "^": add(.start)
            case "$": add(.end)
            case "." where rest.first == "*":
                rest.removeFirst()
                if let letter = rest.first, letter == "?" || letter == "+" {
                    throw .construct("the repetition \".*\(letter)\"")
                }
                add(.anyRun)
            case "\\":
                let escaped = rest.popFirst().map(String.init) ?? ""
                guard escaped.count == 1, punctuation.contains(escaped) else {
                    throw .construct("the escape \"\\\(escaped)\"")
                }
                add(.literal(Character(escaped)))
            case "*", "+", "?": throw .construct("the repetition \"\(letter)\"")
            case "(", ")": throw .construct("the group \"\(letter)\"")
            case "[", "]": throw .construct("the set \"\(letter)\"")
            case "{", "}": throw .construct("the count \"\(letter)\"")
            case ".":
                hasPlainDots = true
                add(.literal(letter))
            default: add(.literal(letter))
            }
        }
        return branches
    }

    private static func pattern(_ tokens: [Token]) throws(Failure) -> String {
        var tokens = tokens[...]
        var pattern = "*"
        if tokens.first == .start {
            tokens.removeFirst()
            pattern = ""
        }
        var tail = "*"
        if tokens.last == .end {
            tokens.removeLast()
            tail = ""
        }
        for token in tokens {
            switch token {
            case .literal(let letter): pattern.append(letter)
            case .anyRun: if !pattern.hasSuffix("*") { pattern.append("*") }
            case .start: throw .construct("\"^\" behind the start")
            case .end: throw .construct("\"$\" before the end")
            }
        }
        if !pattern.hasSuffix("*") || tail.isEmpty { pattern += tail }
        guard !pattern.isEmpty else { throw .nothing }
        return pattern
    }
}
