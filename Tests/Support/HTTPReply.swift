// SPDX-License-Identifier: Apache-2.0

/// One header line, as it was on the wire.
package struct WireField: Equatable, Sendable, CustomStringConvertible {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    package var description: String { "\(name): \(value)" }
}

extension [WireField] {
    /// The values of all fields of that name, in order.
    package func values(_ name: String) -> [String] {
        filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    /// The value of a field that may appear once.
    package func value(_ name: String) -> String? {
        values(name).first
    }
}

/// The head of an answer.
package struct HTTPReplyHead: Equatable, Sendable {
    package let status: Int
    package let reason: String
    package let fields: [WireField]

    /// Parses the lines of a head, strictly: anything odd is a fault of the product.
    init(lines: [String]) throws {
        guard let first = lines.first else { throw TestFailure("an answer without a status line") }
        let parts = first.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "HTTP/1.1", parts[1].utf8.count == 3,
            let status = Int(parts[1]), (100...599).contains(status)
        else { throw TestFailure("not a status line: \(first)") }
        self.status = status
        reason = String(parts[2])
        fields = try lines.dropFirst().map { line in
            guard let colon = line.firstIndex(of: ":"), colon != line.startIndex,
                !line[..<colon].contains(where: { $0 == " " || $0 == "\t" })
            else { throw TestFailure("not a header line: \(line)") }
            let value = line[line.index(after: colon)...]
            return WireField(String(line[..<colon]), String(value.trimmedBlanks))
        }
    }

    package func value(_ name: String) -> String? { fields.value(name) }
}

/// A whole answer.
package struct HTTPReply: Sendable {
    package let head: HTTPReplyHead
    /// The body with the transfer coding removed.
    package var body: [UInt8] = []
    /// The chunks as they were cut on the wire; empty when the body was not chunked.
    package var chunks: [[UInt8]] = []
    /// Whether the framing said that the body had ended, rather than the connection.
    package var isComplete = false

    package var status: Int { head.status }
    package var text: String { String(decoding: body, as: UTF8.self) }

    package func value(_ name: String) -> String? { head.value(name) }

    /// The body as JSON.
    package func json() throws -> JSONValue { try JSONValue(bytes: body) }

    /// The `error` member that every error of the product has.
    package func error() throws -> JSONValue {
        guard let error = try json()["error"] else { throw TestFailure("no error in: \(text)") }
        return error
    }

    /// The body as server-sent events.
    package func events() throws -> [StreamEvent] {
        var splitter = StreamEventReader()
        splitter.append(body)
        var events: [StreamEvent] = []
        while let event = splitter.next() { events.append(event) }
        guard splitter.rest.isEmpty else {
            throw TestFailure("a stream that ends inside an event: \(splitter.rest.count) bytes")
        }
        return events
    }
}

/// One server-sent event, with its bytes.
package struct StreamEvent: Equatable, Sendable {
    /// The event as it was sent, with its blank line.
    package let raw: [UInt8]
    /// Field lines in order; a comment has an empty name.
    package let lines: [WireField]

    init(raw: [UInt8]) {
        self.raw = raw
        lines = String(decoding: raw, as: UTF8.self)
            .split(omittingEmptySubsequences: true) { $0 == "\n" || $0 == "\r" || $0 == "\r\n" }
            .map { line in
                guard let colon = line.firstIndex(of: ":") else {
                    return WireField(String(line), "")
                }
                var value = line[line.index(after: colon)...]
                if value.first == " " { value = value.dropFirst() }
                return WireField(String(line[..<colon]), String(value))
            }
    }

    package var text: String { String(decoding: raw, as: UTF8.self) }

    /// The data lines joined, nil when the event has none (a comment).
    package var data: String? {
        let values = lines.filter { $0.name == "data" }.map(\.value)
        return values.isEmpty ? nil : values.joined(separator: "\n")
    }

    package var isDone: Bool { data == "[DONE]" }

    /// The data as JSON.
    package func json() throws -> JSONValue {
        guard let data else { throw TestFailure("an event without data: \(text)") }
        return try JSONValue(data)
    }
}

/// Cuts a stream into events at their blank lines.
package struct StreamEventReader: Sendable {
    package private(set) var rest: [UInt8] = []

    package init() {}

    package mutating func append(_ bytes: [UInt8]) {
        rest += bytes
    }

    /// The next whole event, nil when more bytes are needed.
    package mutating func next() -> StreamEvent? {
        var index = 0
        while index < rest.count {
            let length: Int
            if rest[index...].starts(with: [0x0A, 0x0A]) {
                length = 2
            } else if rest[index...].starts(with: [0x0D, 0x0A, 0x0D, 0x0A]) {
                length = 4
            } else {
                index += 1
                continue
            }
            let event = StreamEvent(raw: Array(rest[..<(index + length)]))
            rest.removeFirst(index + length)
            return event
        }
        return nil
    }
}

extension Substring {
    /// Without spaces and tabs at both ends.
    var trimmedBlanks: Substring {
        var text = self
        while let first = text.first, first == " " || first == "\t" { text = text.dropFirst() }
        while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
        return text
    }
}
