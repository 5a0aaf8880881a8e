// SPDX-License-Identifier: Apache-2.0

/// What a look at the bytes of a chunk finds, quicker than a scan.
///
/// Looks for quoted names. Inside of a text the closing quote of such a name is escaped, so a text
/// that speaks about `"usage"` is no match; a string that is nothing but that word is, and then the
/// chunk is not called plain.
struct ChatChunkGlance {
    private var hasContent = false
    private var isSpecial = false

    /// Whether there is content, and neither usage nor an error nor the end of a choice.
    var isPlainContent: Bool { hasContent && !isSpecial }

    /// The shortest name looked for, `"usage":`, with its colon.
    private static let nameBytesMin = 8

    init(_ data: Span<UInt8>) {
        let quote = UInt8(ascii: "\"")
        var at = 0
        while at + Self.nameBytesMin <= data.count, !isSpecial {
            if data[at] == quote { look(data, at) }
            at += 1
        }
    }

    private mutating func look(_ data: Span<UInt8>, _ at: Int) {
        switch data[at + 1] {
        case UInt8(ascii: "c"):
            noteText(data, at, "\"content\"")
        case UInt8(ascii: "r"):
            noteText(data, at, "\"reasoning_content\"")
            noteText(data, at, "\"reasoning\"")
            noteText(data, at, "\"refusal\"")
        case UInt8(ascii: "a"):
            noteText(data, at, "\"arguments\"")
        case UInt8(ascii: "u"):
            noteSpecial(data, at, "\"usage\"")
        case UInt8(ascii: "f"):
            noteSpecial(data, at, "\"finish_reason\"")
        case UInt8(ascii: "e"):
            noteSpecial(data, at, "\"error\"")
        default:
            break
        }
    }

    /// Notes content if the member `name` begins at `at` and is a string that is not empty.
    private mutating func noteText(_ data: Span<UInt8>, _ at: Int, _ name: StaticString) {
        guard let value = Self.value(data, at, name), value + 1 < data.count else { return }
        let quote = UInt8(ascii: "\"")
        if data[value] == quote, data[value + 1] != quote { hasContent = true }
    }

    /// Notes that there is more than content if `name` begins at `at`, unless its value is null.
    private mutating func noteSpecial(_ data: Span<UInt8>, _ at: Int, _ name: StaticString) {
        guard Self.stands(data, at, name) else { return }
        guard let value = Self.value(data, at, name), Self.stands(data, value, "null") else {
            isSpecial = true
            return
        }
    }

    /// Where the value of the member `name`, which begins at `at`, begins.
    private static func value(_ data: Span<UInt8>, _ at: Int, _ name: StaticString) -> Int? {
        guard stands(data, at, name) else { return nil }
        var next = at + name.utf8CodeUnitCount
        guard next < data.count, data[next] == UInt8(ascii: ":") else { return nil }
        next += 1
        while next < data.count, data[next] == UInt8(ascii: " ") { next += 1 }
        return next
    }

    private static func stands(_ data: Span<UInt8>, _ at: Int, _ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard at + count <= data.count else { return false }
        for index in 0..<count {
            // SAFETY: static text lives for ever, and the index is below its count.
            guard unsafe data[at + index] == text.utf8Start[index] else { return false }
        }
        return true
    }
}
