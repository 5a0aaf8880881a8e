// SPDX-License-Identifier: Apache-2.0

/// What a model of Google is, as its name tells.
package struct GeminiModel: Equatable, Sendable {
    package enum Line: Equatable, Sendable {
        case pro, flash, flashLite
    }

    package private(set) var line = Line.pro
    /// 25 for 2.5; nil for names without one, such as `gemini-flash-latest`.
    package private(set) var version: Int?
    /// Whether the name says that it makes something else than text.
    package private(set) var isSpecial = false

    /// Nil for models that are not of the Gemini family.
    package init?(_ name: String) {
        // `models/` or a publisher may stand before the name.
        guard let name = name.split(separator: "/").last else { return nil }
        var words = name.split(separator: "-").makeIterator()
        guard words.next() == "gemini" else { return nil }
        while let word = words.next() {
            switch word {
            case "flash": if line == .pro { line = .flash }
            case "lite": line = .flashLite
            case "image", "tts", "live", "embedding", "audio": isSpecial = true
            default: version = version ?? Self.version(word)
            }
        }
    }

    /// `2.5` is 25, `3` is 30; nil for dates and words.
    private static func version(_ word: Substring) -> Int? {
        let digits = word.split(separator: ".")
        guard let major = digits.first.flatMap({ Int($0) }), (1..<10).contains(major) else {
            return nil
        }
        guard digits.count > 1 else { return major * 10 }
        return Int(digits[1]).flatMap { (0..<10).contains($0) ? major * 10 + $0 : nil }
    }

    /// Whether it takes `thinkingLevel` and demands signatures of calls.
    var isThird: Bool { (version ?? 0) >= 30 }

    var thinking: ModelRules.Thinking {
        if isSpecial { return .unsupported }
        // Names without a version point to the newest models, which take budgets as well.
        guard let version else { return .budget }
        if version >= 30 { return .adaptive }
        return version >= 25 ? .budget : .unsupported
    }

    /// Budgets that are taken, 0 aside.
    ///
    /// Spec: the table of thinking budgets in Google's guide.
    var budgets: ClosedRange<Int> {
        switch line {
        case .pro: 128...32_768
        case .flash: 1...24_576
        case .flashLite: 512...24_576
        }
    }

    /// Whether it can be told not to think.
    var canStopThinking: Bool { line != .pro }
}
