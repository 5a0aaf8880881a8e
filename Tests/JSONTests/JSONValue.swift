// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// A document as a tree, for comparing what went in with what came out.
indirect enum JSONValue: Equatable {
    struct Member: Equatable {
        var name: String
        var value: JSONValue
    }

    case object([Member])
    case array([JSONValue])
    case string(String)
    /// As written.
    case number(String)
    case bool(Bool)
    case null

    init(_ node: JSONNode, _ tape: JSONTape, _ bytes: [UInt8]) {
        switch tape.kind(of: node) {
        case .object:
            self = .object(
                tape.members(of: node).map { member in
                    Member(
                        name: tape.string(of: member.name, in: bytes.span) ?? "no name",
                        value: JSONValue(member.value, tape, bytes)
                    )
                }
            )
        case .array:
            self = .array(tape.elements(of: node).map { JSONValue($0, tape, bytes) })
        case .string:
            self = .string(tape.string(of: node, in: bytes.span) ?? "no text")
        case .number:
            self = .number(String(decoding: bytes[tape.valueRange(of: node)], as: UTF8.self))
        case .bool:
            self = .bool(tape.bool(of: node) == true)
        case .null:
            self = .null
        }
    }

    func write(_ writer: inout JSONWriter) {
        switch self {
        case .object(let members):
            writer.beginObject()
            for member in members {
                writer.name(escaping: member.name)
                member.value.write(&writer)
            }
            writer.endObject()
        case .array(let elements):
            writer.beginArray()
            for element in elements {
                element.write(&writer)
            }
            writer.endArray()
        case .string(let text): writer.value(text)
        case .number(let digits): writer.raw(Array(digits.utf8).span)
        case .bool(let truth): writer.value(truth)
        case .null: writer.null()
        }
    }
}

/// What a scan of a whole document gave.
enum JSONOutcome: Equatable {
    case accepted(JSONValue)
    case refused(JSONError)

    /// Scans `pieces` as they would arrive, each call with all bytes so far.
    init(
        of pieces: [ArraySlice<UInt8>],
        options: JSONOptions = .strict,
        limits: JSONLimits = JSONLimits()
    ) {
        var scanner = JSONScanner(options: options, limits: limits)
        var bytes: [UInt8] = []
        do throws(JSONError) {
            for piece in pieces {
                bytes += piece
                _ = try scanner.scan(bytes.span, isFinal: false)
            }
            let isComplete = try scanner.scan(bytes.span, isFinal: true)
            precondition(isComplete, "a final scan is complete or throws")
            self = .accepted(JSONValue(scanner.tape.root, scanner.tape, bytes))
        } catch {
            self = .refused(error)
        }
    }

    init(_ bytes: [UInt8], options: JSONOptions = .strict, limits: JSONLimits = JSONLimits()) {
        self.init(of: [bytes[...]], options: options, limits: limits)
    }

    init(_ text: String, options: JSONOptions = .strict, limits: JSONLimits = JSONLimits()) {
        self.init(Array(text.utf8), options: options, limits: limits)
    }

    var error: JSONError? {
        switch self {
        case .accepted: nil
        case .refused(let error): error
        }
    }

    var isAccepted: Bool { error == nil }
}

/// A scanned document with its bytes, for tests of reading.
struct JSONSample {
    let bytes: [UInt8]
    let tape: JSONTape

    var root: JSONNode { tape.root }

    init(_ text: String, options: JSONOptions = .strict) throws(JSONError) {
        let bytes = Array(text.utf8)
        var scanner = JSONScanner(options: options)
        _ = try scanner.scan(bytes.span, isFinal: true)
        self.bytes = bytes
        tape = scanner.tape
    }

    /// The value at a way of member names and array positions.
    func node(_ way: String...) -> JSONNode? {
        var node = root
        for step in way {
            let next: JSONNode?
            if let position = Int(step) {
                next = tape.elements(of: node).dropFirst(position).first { _ in true }
            } else {
                next = tape.member(named: step, of: node, in: bytes.span)
            }
            guard let next else { return nil }
            node = next
        }
        return node
    }

    func integer(_ node: JSONNode?) -> Int? {
        node.flatMap { tape.integer(of: $0, in: bytes.span) }
    }

    func number(_ node: JSONNode) -> Double? {
        tape.number(of: node, in: bytes.span)
    }

    func string(_ node: JSONNode?) -> String? {
        node.flatMap { tape.string(of: $0, in: bytes.span) }
    }

    func path(_ node: JSONNode?) -> String? {
        node.map { tape.path(of: $0, in: bytes.span) }
    }

    func source(_ node: JSONNode?) -> String? {
        node.map { String(decoding: bytes[tape.valueRange(of: $0)], as: UTF8.self) }
    }

    func duplicate(in object: JSONNode) -> JSONNode? {
        tape.duplicateName(in: object, bytes: bytes.span)
    }

    var duplicate: JSONNode? {
        tape.duplicateName(bytes: bytes.span)
    }
}
