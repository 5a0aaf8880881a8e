// SPDX-License-Identifier: Apache-2.0

/// A name in which `*` stands for any run of bytes, even an empty one.
package struct NamePattern: Equatable, Sendable {
    package let text: String
    private let bytes: [UInt8]
    /// Bytes that are no `*`: the more, the closer the pattern.
    package let literalCount: Int

    package init(_ text: String) {
        self.text = text
        bytes = Array(text.utf8)
        literalCount = bytes.count { $0 != UInt8(ascii: "*") }
    }

    package var isExact: Bool { literalCount == bytes.count }

    /// Whether the pattern covers all of `name`, in at most name times pattern steps.
    package func matches(_ name: Span<UInt8>) -> Bool {
        var at = 0
        var inPattern = 0
        // Where to go on when the run of the last `*` has to take one byte more.
        var star: (pattern: Int, name: Int)?
        while at < name.count {
            if inPattern < bytes.count, bytes[inPattern] == UInt8(ascii: "*") {
                star = (inPattern, at)
                inPattern += 1
            } else if inPattern < bytes.count, bytes[inPattern] == name[at] {
                inPattern += 1
                at += 1
            } else if let last = star {
                star = (last.pattern, last.name + 1)
                inPattern = last.pattern + 1
                at = last.name + 1
            } else {
                return false
            }
        }
        return bytes[inPattern...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
