// SPDX-License-Identifier: Apache-2.0
import JSON

/// A place in a scanned status document; what is not there reads as nil.
///
/// The gateway that answers may be older or newer than this program.
struct StatusReader {
    private let tape: JSONTape
    private let bytes: [UInt8]
    private let node: JSONNode

    /// Nil unless `bytes` are a JSON object.
    init?(_ bytes: [UInt8]) {
        var scanner = JSONScanner()
        do throws(JSONError) {
            _ = try scanner.scan(bytes.span, isFinal: true)
        } catch {
            return nil
        }
        guard scanner.tape.kind(of: scanner.tape.root) == .object else { return nil }
        self.init(tape: scanner.tape, bytes: bytes, node: scanner.tape.root)
    }

    private init(tape: JSONTape, bytes: [UInt8], node: JSONNode) {
        self.tape = tape
        self.bytes = bytes
        self.node = node
    }

    subscript(name: String) -> StatusReader? {
        tape.member(named: name, of: node, in: bytes.span).map {
            StatusReader(tape: tape, bytes: bytes, node: $0)
        }
    }

    var elements: [StatusReader] {
        tape.elements(of: node).map { StatusReader(tape: tape, bytes: bytes, node: $0) }
    }

    /// The names and values of an object.
    var members: [(name: String, value: StatusReader)] {
        tape.members(of: node).map { member in
            let name = tape.string(of: member.name, in: bytes.span) ?? ""
            let value = StatusReader(tape: tape, bytes: bytes, node: member.value)
            return (PlainText.printable(name), value)
        }
    }

    var text: String? {
        tape.string(of: node, in: bytes.span).map(PlainText.printable)
    }

    /// The lines of a text.
    var lines: [String] {
        let text = tape.string(of: node, in: bytes.span) ?? ""
        return text.split(separator: "\n").map { PlainText.printable(String($0)) }
    }

    var int: Int? { tape.integer(of: node, in: bytes.span) }

    var number: Double? { tape.number(of: node, in: bytes.span) }

    var bool: Bool? { tape.bool(of: node) }
}
