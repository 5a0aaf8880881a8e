// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

extension JSONWriter {
    /// A value that `fill` appends to the buffer as JSON.
    mutating func document(_ fill: (ByteBuffer) -> Void) {
        raw("")
        fill(buffer)
    }
}

/// Looks into JSON text that no scanner has read, or whose tape is gone.
enum MessagesJSON {
    /// The value of the member `name` at the top of an object that is valid JSON, as it stands.
    ///
    /// For members that stand near the beginning: whatever comes before is skipped byte by byte.
    static func member(_ name: StaticString, of object: Span<UInt8>) -> Range<Int>? {
        var at = skipSpace(object, 0)
        guard at < object.count, object[at] == UInt8(ascii: "{") else { return nil }
        at += 1
        while true {
            at = skipSpace(object, at)
            guard at < object.count, object[at] == UInt8(ascii: "\"") else { return nil }
            let nameEnd = skipString(object, at)
            guard nameEnd <= object.count, nameEnd - at >= 2 else { return nil }
            let isWanted = MessagesBytes.equal(object.extracting(at + 1..<nameEnd - 1), name)
            at = skipSpace(object, nameEnd)
            guard at < object.count, object[at] == UInt8(ascii: ":") else { return nil }
            let start = skipSpace(object, at + 1)
            let end = skipValue(object, start)
            guard end <= object.count, start < end else { return nil }
            if isWanted { return start..<end }
            at = skipSpace(object, end)
            guard at < object.count, object[at] == UInt8(ascii: ",") else { return nil }
            at += 1
        }
    }

    /// Whether an object, which is valid JSON, has no members.
    static func isEmptyObject(_ object: Span<UInt8>) -> Bool {
        let at = skipSpace(object, 1)
        return at < object.count && object[at] == UInt8(ascii: "}")
    }

    private static func skipSpace(_ bytes: Span<UInt8>, _ start: Int) -> Int {
        var at = start
        while at < bytes.count, bytes[at] <= 0x20 { at += 1 }
        return at
    }

    /// The offset behind the string that begins at `start`; more than the count if it does not end.
    private static func skipString(_ bytes: Span<UInt8>, _ start: Int) -> Int {
        var at = start + 1
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "\""): return at + 1
            case UInt8(ascii: "\\"): at += 2
            default: at += 1
            }
        }
        return bytes.count + 1
    }

    private static func skipValue(_ bytes: Span<UInt8>, _ start: Int) -> Int {
        var at = start
        var depth = 0
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "\""):
                at = skipString(bytes, at)
                if depth == 0 { return at }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return at }
                depth -= 1
                if depth == 0 { return at + 1 }
            case UInt8(ascii: ",") where depth == 0:
                return at
            default: break
            }
            at += 1
        }
        return at
    }
}
