// SPDX-License-Identifier: Apache-2.0

/// What the name of a model says, whoever spells it.
///
/// `claude-sonnet-4-5-20250929`, `anthropic--claude-4.5-sonnet` and
/// `eu.anthropic.claude-sonnet-4-5-20250929-v1:0` have the same family, version and variants. Names
/// are cut into words; nothing is searched for inside of a word.
package struct ModelIdentity: Equatable, Sendable {
    /// The maker, when the name says it: `anthropic` of `anthropic--claude-4.5-sonnet`.
    package private(set) var vendor: String?
    /// The line of models, such as `claude`, `gpt` or `o`; nil when no word is the name of one.
    package private(set) var family: String?
    /// The parts of the version, without zeros at the end; empty when the name has none.
    package private(set) var version: [Int] = []
    /// All other words, in alphabetical order: `["sonnet"]`, `["mini"]`, `["o"]` of `gpt-4o`.
    package private(set) var variants: [String] = []
    /// The digits of a date or revision: `20250929`, `0613`, `001`.
    package private(set) var date: String?
    /// The size of the context, when the name ends with one: `32k`.
    package private(set) var context: String?

    /// Longer names are no names of models; what is behind is not looked at.
    private static let nameBytesMax = 256

    package init(_ name: String) {
        let folded = name.lowercased().utf8.prefix(Self.nameBytesMax)
        var text = Substring(String(decoding: folded, as: UTF8.self))
        // Paths and resource names end with the name of the model.
        if let slash = text.lastIndex(of: "/") { text = text[text.index(after: slash)...] }
        text = Self.withoutBracket(text)
        if let mark = text.firstIndex(of: "@") {
            let revision = text[text.index(after: mark)...]
            if !revision.isEmpty, Self.isDigits(revision) { date = String(revision) }
            text = text[..<mark]
        }
        let isBedrock = takeVendor(from: &text)
        if isBedrock, let colon = text.firstIndex(of: ":") { text = text[..<colon] }
        var words = ModelWords()
        words.read(text)
        date = date ?? words.date
        context = words.context
        version = words.version
        while let last = version.last, last == 0, version.count > 1 { version.removeLast() }
        family = Self.family(of: words)
        // Azure spells gpt-3.5 without its point.
        if family == "gpt", version == [35] { version = [3, 5] }
        var rest = words.words.map(\.text)
        if let family, let index = rest.firstIndex(of: family) { rest.remove(at: index) }
        variants = rest.sorted()
    }

    /// The name without a suffix in brackets: Claude Code appends `[1m]`.
    static func withoutBracket(_ name: Substring) -> Substring {
        guard name.hasSuffix("]"), let bracket = name.lastIndex(of: "["), bracket > name.startIndex
        else { return name }
        return name[..<bracket]
    }

    private static func isDigits(_ text: some StringProtocol) -> Bool {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }

    // MARK: Vendor

    /// Makers in front of a point, as Bedrock names them.
    private static let bedrockVendors: Set<String> = [
        "ai21", "amazon", "anthropic", "cohere", "deepseek", "google", "meta", "minimax", "mistral",
        "moonshot", "nvidia", "openai", "qwen", "stability", "twelvelabs", "writer",
    ]
    /// What Bedrock puts before the maker when a request may leave its region.
    static let regionPrefixes: Set<String> = [
        "apac", "au", "ca", "eu", "global", "jp", "sa", "us", "us-gov",
    ]

    /// Takes the maker from the front of the name.
    ///
    /// - Returns: Whether the name is one of Bedrock's.
    private mutating func takeVendor(from text: inout Substring) -> Bool {
        if let range = text.firstRange(of: "--"), range.lowerBound > text.startIndex {
            vendor = String(text[..<range.lowerBound])
            text = text[range.upperBound...]
            return false
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let isRegional = parts.count > 2 && Self.regionPrefixes.contains(String(parts[0]))
        let index = isRegional ? 1 : 0
        guard parts.count > index + 1, Self.bedrockVendors.contains(String(parts[index])) else {
            return false
        }
        vendor = String(parts[index])
        text = parts[index + 1].base[parts[index + 1].startIndex...]
        return true
    }

    // MARK: Family

    private static let families: Set<String> = [
        "chatgpt", "claude", "codestral", "codex", "command", "davinci", "deepseek", "embed",
        "gemini", "gemma", "glm", "gpt", "granite", "grok", "jamba", "kimi", "llama", "ministral",
        "mistral", "mixtral",
        "nova", "o", "phi", "pixtral", "qwen", "rerank", "sonar", "text", "titan", "whisper",
    ]
    /// Variants that only one family has, for names that leave it out.
    private static let claudeVariants: Set<String> = ["haiku", "opus", "sonnet"]

    private static func family(of words: ModelWords) -> String? {
        for word in words.words where word.canBeFamily && families.contains(word.text) {
            return word.text
        }
        return words.words.contains { claudeVariants.contains($0.text) } ? "claude" : nil
    }
}

/// The words of a model's name, sorted by what they mean.
private struct ModelWords {
    struct Word {
        let text: String
        /// Letters behind a number, as in `4o`, name no family.
        let canBeFamily: Bool
    }

    private(set) var words: [Word] = []
    private(set) var version: [Int] = []
    private(set) var date: String?
    private(set) var context: String?

    mutating func read(_ name: Substring) {
        let tokens = name.split { $0 == "-" || $0 == "_" || $0 == " " || $0 == ":" }
        var index = 0
        // The place behind the number that a minor version may follow.
        var minorAt = -1
        while index < tokens.count {
            let token = tokens[index]
            if let length = readDate(tokens[index...]) {
                index += length
                continue
            }
            let word = Token(token)
            switch word {
            case .ignored: break
            case .context: context = String(token)
            case .number(let parts):
                if version.isEmpty {
                    version = parts
                    if parts.count == 1 { minorAt = index + 1 }
                } else if index == minorAt, parts.count == 1 {
                    version += parts
                } else {
                    words.append(Word(text: String(token), canBeFamily: false))
                }
            case .numberAndLetters(let parts, let letters):
                if version.isEmpty, letters != "b" {
                    version = parts
                    words.append(Word(text: letters, canBeFamily: false))
                } else {
                    words.append(Word(text: String(token), canBeFamily: false))
                }
            case .lettersAndNumber(let letters, let parts):
                if version.isEmpty {
                    version = parts
                    if parts.count == 1 { minorAt = index + 1 }
                    words.append(Word(text: letters, canBeFamily: true))
                } else {
                    words.append(Word(text: String(token), canBeFamily: false))
                }
            case .word:
                words.append(Word(text: String(token), canBeFamily: true))
            }
            index += 1
        }
    }

    /// Reads a date or revision at the front of `tokens`.
    ///
    /// - Returns: Tokens that it takes, or nil.
    private mutating func readDate(_ tokens: ArraySlice<Substring>) -> Int? {
        func digits(_ offset: Int, _ count: Int) -> Substring? {
            guard tokens.count > offset else { return nil }
            let token = tokens[tokens.startIndex + offset]
            guard token.utf8.count == count, token.utf8.allSatisfy({ (0x30...0x39).contains($0) })
            else { return nil }
            return token
        }
        if let day = digits(0, 8), day.hasPrefix("19") || day.hasPrefix("20") {
            date = String(day)
            return 1
        }
        if let year = digits(0, 4), year.hasPrefix("19") || year.hasPrefix("20"),
            let month = digits(1, 2), let day = digits(2, 2)
        {
            date = "\(year)\(month)\(day)"
            return 3
        }
        if let revision = digits(0, 4) {
            date = String(revision)
            return 1
        }
        if let revision = digits(0, 3), revision.hasPrefix("0") {
            date = String(revision)
            return 1
        }
        if tokens.first == "preview", let month = digits(1, 2), let day = digits(2, 2) {
            date = "\(month)\(day)"
            return 3
        }
        return nil
    }

    private enum Token {
        /// Says how mature a model is, or counts revisions (`v2`).
        case ignored
        /// `32k`, `1m`.
        case context
        /// `4`, `4.5`.
        case number([Int])
        /// `4o`, `70b`.
        case numberAndLetters([Int], String)
        /// `o3`, `llama3.1`.
        case lettersAndNumber(String, [Int])
        case word

        private static let maturities: Set<Substring> = ["latest", "preview", "exp"]

        init(_ token: Substring) {
            let isDigit = { (character: Character) in character.isASCII && character.isNumber }
            let isNumeric = { (character: Character) in isDigit(character) || character == "." }
            let isLetter = { (character: Character) in !isNumeric(character) }
            if Self.maturities.contains(token) {
                self = .ignored
                return
            }
            let front = token.prefix(while: isNumeric)
            if !front.isEmpty, let parts = Self.version(front) {
                let letters = token[front.endIndex...]
                guard letters.allSatisfy(isLetter) else {
                    self = .word
                    return
                }
                if letters.isEmpty {
                    self = .number(parts)
                } else if letters == "k" || letters == "m", parts.count == 1 {
                    self = .context
                } else {
                    self = .numberAndLetters(parts, String(letters))
                }
                return
            }
            let letters = token.prefix(while: isLetter)
            let back = token[letters.endIndex...]
            guard !letters.isEmpty, !back.isEmpty, let parts = Self.version(back) else {
                self = .word
                return
            }
            self = letters == "v" ? .ignored : .lettersAndNumber(String(letters), parts)
        }

        /// The parts of a version of one or two digits each.
        private static func version(_ text: Substring) -> [Int]? {
            var parts: [Int] = []
            for part in text.split(separator: ".", omittingEmptySubsequences: false) {
                guard (1...2).contains(part.utf8.count) || (parts.isEmpty && part.utf8.count == 3),
                    let value = Int(part), part.utf8.allSatisfy({ (0x30...0x39).contains($0) })
                else { return nil }
                parts.append(value)
            }
            return parts
        }
    }
}
