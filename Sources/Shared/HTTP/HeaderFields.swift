// SPDX-License-Identifier: Apache-2.0

/// One field line of a head: where its name and value lie.
///
/// Offsets count from the first byte of the head. 32 bits each, so that a usual head of 20 fields
/// is 400 bytes of them.
package struct HeaderField: Equatable, Sendable {
    private let nameStart: UInt32
    private let nameCount: UInt32
    private let valueStart: UInt32
    private let valueCount: UInt32
    /// Which header it is, if it is one that the gateway knows.
    package let known: KnownHeader

    package init(name: Range<Int>, value: Range<Int>, known: KnownHeader) {
        nameStart = UInt32(truncatingIfNeeded: name.lowerBound)
        nameCount = UInt32(truncatingIfNeeded: name.count)
        valueStart = UInt32(truncatingIfNeeded: value.lowerBound)
        valueCount = UInt32(truncatingIfNeeded: value.count)
        self.known = known
    }

    /// The name as it was sent.
    package var name: Range<Int> {
        Int(nameStart)..<(Int(nameStart) + Int(nameCount))
    }

    /// The value without the white space around it; may be empty.
    package var value: Range<Int> {
        Int(valueStart)..<(Int(valueStart) + Int(valueCount))
    }
}

/// The field lines of a head in the order in which they came, duplicates included.
///
/// Keeps its memory over messages: copy it only to keep it, since a copy makes the next parse
/// allocate.
package struct HeaderFields: RandomAccessCollection {
    private var fields: [HeaderField] = []
    /// Bit n is set if the known header with raw value n is there.
    private var present: UInt64 = 0

    package init() {
        // Enough for what SDKs and edge networks send; grows once to the most a connection sees.
        fields.reserveCapacity(32)
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { fields.count }
    package subscript(index: Int) -> HeaderField { fields[index] }

    mutating func removeAll() {
        fields.removeAll(keepingCapacity: true)
        present = 0
    }

    mutating func append(_ field: HeaderField) {
        fields.append(field)
        present |= 1 << UInt64(field.known.rawValue)
    }

    /// Whether `known` is among the fields.
    package func contains(_ known: KnownHeader) -> Bool {
        present & (1 << UInt64(known.rawValue)) != 0
    }

    /// The first field that is `known`.
    package func first(_ known: KnownHeader) -> HeaderField? {
        guard contains(known) else { return nil }
        return fields.first { $0.known == known }
    }

    /// How many fields are `known`.
    package func count(of known: KnownHeader) -> Int {
        guard contains(known) else { return 0 }
        return fields.reduce(0) { $0 + ($1.known == known ? 1 : 0) }
    }

    /// The first field called `name` (lower case), for names that are not in `KnownHeader`.
    package func first(named name: StaticString, in bytes: Span<UInt8>) -> HeaderField? {
        for field in fields where bytes.equalsIgnoringCase(field.name, name) {
            return field
        }
        return nil
    }

    /// Whether `token` (lower case) is in the comma-separated lists of all fields that are `known`.
    ///
    /// Parameters of a list element (`;q=0`) are not looked at: the element must be the bare token.
    package func containsToken(
        _ token: StaticString,
        in known: KnownHeader,
        bytes: Span<UInt8>
    ) -> Bool {
        guard contains(known) else { return false }
        for field in fields where field.known == known {
            var list = TokenList(field.value)
            while let element = list.next(bytes) {
                if bytes.equalsIgnoringCase(element, token) { return true }
            }
        }
        return false
    }

    /// Whether `field` speaks about this connection only, so that a proxy must not pass it on.
    ///
    /// These are the fields of RFC 9110 section 7.6.1, and whatever a Connection field names.
    package func isHopByHop(_ field: HeaderField, bytes: Span<UInt8>) -> Bool {
        switch field.known {
        case .connection, .keepAlive, .proxyConnection, .proxyAuthorization, .proxyAuthenticate,
            .te, .trailer, .transferEncoding, .upgrade:
            return true
        default:
            break
        }
        guard contains(.connection) else { return false }
        for connection in fields where connection.known == .connection {
            var list = TokenList(connection.value)
            while let element = list.next(bytes) {
                if bytes.equalsIgnoringCase(element, field.name) { return true }
            }
        }
        return false
    }
}

/// The elements of a comma-separated value, white space trimmed, empty ones left out.
///
/// Spec: RFC 9110 section 5.6.1.
struct TokenList {
    private var rest: Range<Int>

    init(_ value: Range<Int>) {
        rest = value
    }

    mutating func next(_ bytes: Span<UInt8>) -> Range<Int>? {
        while !rest.isEmpty {
            var end = rest.lowerBound
            while end < rest.upperBound, bytes[end] != ASCII.comma { end += 1 }
            let element = bytes.trimmed(rest.lowerBound..<end)
            rest = min(end + 1, rest.upperBound)..<rest.upperBound
            if !element.isEmpty { return element }
        }
        return nil
    }
}
