// SPDX-License-Identifier: Apache-2.0
import JSON

/// Walks over a scanned configuration and collects what is wrong with it.
///
/// Every method that reads a value returns nil after noting an error, so that a parse goes on and
/// finds the rest.
struct ConfigReader {
    let tape: JSONTape
    let bytes: [UInt8]
    let file: String
    private(set) var errors: [ConfigError] = []
    private(set) var hasMoreErrors = false

    init(tape: JSONTape, bytes: [UInt8], file: String) {
        self.tape = tape
        self.bytes = bytes
        self.file = file
    }

    // MARK: Errors

    /// Notes an error at a value.
    mutating func fail(_ node: JSONNode, _ message: String) {
        fail(at: tape.valueRange(of: node).lowerBound, path(node), message)
    }

    private mutating func fail(at offset: Int, _ path: String, _ message: String) {
        guard errors.count < ConfigErrors.countMax else {
            hasMoreErrors = true
            return
        }
        errors.append(remark(at: offset, path, message))
    }

    private func remark(at offset: Int, _ path: String, _ message: String) -> ConfigError {
        let place = JSONPosition(of: offset, in: bytes.span)
        return ConfigError(
            file: file,
            line: place.line,
            column: place.column,
            path: path,
            message
        )
    }

    /// What is worth saying about a value that is not wrong.
    func remark(_ node: JSONNode, _ message: String) -> ConfigError {
        remark(at: tape.valueRange(of: node).lowerBound, path(node), message)
    }

    /// What is worth saying about the key of a member.
    func remark(_ entry: Entry, _ message: String) -> ConfigError {
        remark(at: tape.valueRange(of: entry.nameNode).lowerBound, path(entry.value), message)
    }

    /// Everything that was noted, in the order of the text.
    var allErrors: [ConfigError] {
        let sorted = errors.sorted { ($0.line, $0.column) < ($1.line, $1.column) }
        return sorted + (hasMoreErrors ? [ConfigError(file: file, "there are more errors")] : [])
    }

    func path(_ node: JSONNode) -> String {
        tape.path(of: node, in: bytes.span)
    }

    /// How a value of the wrong kind is called; the value itself may be a secret.
    private func describe(_ node: JSONNode) -> String {
        switch tape.kind(of: node) {
        case .object: "an object"
        case .array: "an array"
        case .string: "a string"
        case .number: "a number"
        case .bool: tape.bool(of: node) == true ? "true" : "false"
        case .null: "null"
        }
    }

    // MARK: Objects

    /// A member of an object whose keys the user chooses.
    struct Entry {
        let name: String
        let nameNode: JSONNode
        let value: JSONNode
    }

    /// The members of an object in order, without those whose key stood before.
    mutating func entries(_ node: JSONNode, _ what: String = "an object") -> [Entry]? {
        guard tape.kind(of: node) == .object else {
            fail(node, "expected \(what), found \(describe(node))")
            return nil
        }
        var entries: [Entry] = []
        var seen: Set<String> = []
        for member in tape.members(of: node) {
            let name = tape.string(of: member.name, in: bytes.span) ?? ""
            if seen.insert(name).inserted {
                entries.append(Entry(name: name, nameNode: member.name, value: member.value))
            } else {
                let offset = tape.valueRange(of: member.name).lowerBound
                fail(at: offset, path(member.value), "the key stands twice in this object")
            }
        }
        return entries
    }

    /// The members of an object with known keys.
    mutating func members(_ node: JSONNode, _ section: ConfigSection) -> [String: JSONNode]? {
        guard let entries = entries(node) else { return nil }
        var members: [String: JSONNode] = [:]
        for entry in entries {
            if section.keys.contains(entry.name) {
                members[entry.name] = entry.value
            } else {
                let hint = Suggestion.text(for: entry.name, among: section.keys)
                fail(entry, "unknown key" + hint)
            }
        }
        return members
    }

    /// Notes an error at the key of a member.
    mutating func fail(_ entry: Entry, _ message: String) {
        let offset = tape.valueRange(of: entry.nameNode).lowerBound
        fail(at: offset, path(entry.value), message)
    }

    // MARK: Values

    mutating func elements(_ node: JSONNode, max: Int) -> [JSONNode]? {
        guard tape.kind(of: node) == .array else {
            fail(node, "expected an array, found \(describe(node))")
            return nil
        }
        let elements = Array(tape.elements(of: node))
        guard elements.count <= max else {
            fail(node, "at most \(max) elements are allowed, found \(elements.count)")
            return nil
        }
        return elements
    }

    mutating func string(_ node: JSONNode) -> String? {
        guard let text = tape.string(of: node, in: bytes.span) else {
            fail(node, "expected a string, found \(describe(node))")
            return nil
        }
        return text
    }

    /// A string of 1 to `max` bytes without control characters.
    mutating func name(_ node: JSONNode, max: Int = ConfigLimits.nameBytesMax) -> String? {
        guard let text = string(node) else { return nil }
        guard Self.isName(text, max: max) else {
            fail(node, "expected 1 to \(max) bytes without control characters")
            return nil
        }
        return text
    }

    static func isName(_ text: String, max: Int) -> Bool {
        !text.isEmpty && text.utf8.count <= max && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    /// One of the words of `T`.
    mutating func choice<T: RawRepresentable & CaseIterable>(_ node: JSONNode, of _: T.Type) -> T?
    where T.RawValue == String {
        choice(node, among: Array(T.allCases))
    }

    /// One of some words of `T`.
    mutating func choice<T: RawRepresentable>(_ node: JSONNode, among values: [T]) -> T?
    where T.RawValue == String {
        let words = values.map(\.rawValue)
        let text = tape.string(of: node, in: bytes.span)
        if let value = values.first(where: { $0.rawValue == text }) { return value }
        let hint = text.map { Suggestion.text(for: $0, among: words) } ?? ""
        fail(node, "expected \(Self.choices(words))" + hint)
        return nil
    }

    /// `words` as a sentence has them: `"a", "b" or "c"`.
    static func choices(_ words: [String]) -> String {
        let quoted = words.map { "\"\($0)\"" }
        guard quoted.count > 1, let last = quoted.last else { return quoted.joined() }
        return quoted.dropLast().joined(separator: ", ") + " or " + last
    }

    mutating func bool(_ node: JSONNode) -> Bool? {
        guard let truth = tape.bool(of: node) else {
            fail(node, "expected true or false, found \(describe(node))")
            return nil
        }
        return truth
    }

    mutating func integer(_ node: JSONNode, in range: ClosedRange<Int>) -> Int? {
        guard let number = tape.integer(of: node, in: bytes.span), range.contains(number) else {
            fail(node, "expected a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    /// Nanoseconds of a duration with its unit.
    mutating func duration(_ node: JSONNode) -> UInt64? {
        let text = tape.string(of: node, in: bytes.span)
        guard let nanoseconds = text.flatMap(Quantity.duration) else {
            let message =
                if let number = tape.integer(of: node, in: bytes.span), number >= 0 {
                    "a duration carries its unit: write \"\(number)s\" or \"\(number)ms\""
                } else {
                    "expected a duration like \"200ms\", \"5s\", \"10m\" or \"1h\""
                }
            fail(node, message)
            return nil
        }
        guard ConfigLimits.timeoutNanoseconds.contains(nanoseconds) else {
            fail(node, "expected a duration from 1ms to 24h")
            return nil
        }
        return nanoseconds
    }

    /// Bytes of a size with its unit.
    mutating func size(_ node: JSONNode, in range: ClosedRange<Int>) -> Int? {
        let text = tape.string(of: node, in: bytes.span)
        guard let size = text.flatMap(Quantity.size) else {
            let message =
                if let number = tape.integer(of: node, in: bytes.span), number >= 0 {
                    "a size carries its unit: write \"\(number)B\" or \"\(number)MiB\""
                } else {
                    "expected a size like \"100B\", \"64KB\" or \"32MiB\""
                }
            fail(node, message)
            return nil
        }
        guard range.contains(size) else {
            let lowest = Quantity.text(size: range.lowerBound)
            fail(node, "expected a size from \(lowest) to \(Quantity.text(size: range.upperBound))")
            return nil
        }
        return size
    }
}
