// SPDX-License-Identifier: Apache-2.0
import Support

/// One server-sent event as a client's SDK sees it.
struct ClientEvent: Equatable {
    var name: String?
    var data: String

    /// The events of a stream; everything that would trouble an SDK is a problem.
    ///
    /// Comments are left out.
    static func all(in body: String, _ problems: inout [String]) -> [ClientEvent] {
        var events: [ClientEvent] = []
        var rest = body[...]
        while !rest.isEmpty {
            guard let end = rest.firstRange(of: "\n\n") else {
                problems.append("a stream that ends inside an event: \(rest.prefix(200))")
                break
            }
            let block = rest[..<end.lowerBound]
            rest = rest[end.upperBound...]
            var name: String?
            var data: String?
            // Characters would join CR and LF, and some signs with what follows.
            for bytes in block.utf8.split(separator: 0x0A, omittingEmptySubsequences: false) {
                let line = String(decoding: bytes, as: UTF8.self)
                if line.hasPrefix(":") { continue }
                if line.hasPrefix("event: ") {
                    name = String(line.dropFirst(7))
                } else if line.hasPrefix("data: ") {
                    let text = String(line.dropFirst(6))
                    data = data.map { $0 + "\n" + text } ?? text
                } else {
                    problems.append("a strange line: \(line.prefix(200))")
                }
            }
            if let data {
                events.append(ClientEvent(name: name, data: data))
            } else if name != nil {
                problems.append("an event without data")
            }
        }
        return events
    }
}

extension [String] {
    /// Notes `problem` unless `isRight`.
    mutating func check(_ isRight: Bool, _ problem: @autoclosure () -> String) {
        if !isRight { append(problem()) }
    }

    /// The JSON in `text`, `null` and a problem if there is none.
    mutating func json(_ text: String) -> JSONValue {
        do {
            return try JSONValue(text)
        } catch {
            append("no JSON: \(text.prefix(300)) (\(error))")
            return .null
        }
    }
}

extension JSONValue {
    /// Names of the members of an object.
    var names: Set<String> { Set(object.map { Array($0.keys) } ?? []) }
    var isString: Bool { string != nil }
}
