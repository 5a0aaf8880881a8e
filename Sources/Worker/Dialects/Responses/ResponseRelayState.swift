// SPDX-License-Identifier: Apache-2.0
package import Bytes
package import JSON

/// What has to be known of a stream of Responses that passes verbatim, to end it when it is cut.
///
/// Agents wait for a terminal event: one that never comes leaves them hanging.
package struct ResponseRelayState {
    private let identity: AnswerIdentity
    /// Where the response is stored, if the client may ask for it again.
    private let pin: UInt32?
    /// The response as the events name it.
    private var object: ResponseObject?
    /// The number of the next event.
    private var sequence = 0
    /// Whether the terminal event has passed.
    package private(set) var isOver = false

    package init(_ identity: AnswerIdentity, pin: UInt32?) {
        self.identity = identity
        self.pin = pin
    }

    /// Takes the data of an event that brings content and nothing else.
    package mutating func passContent(_ data: Span<UInt8>) {
        sequence = (Self.sequence(in: data) ?? sequence) + 1
    }

    /// Takes any other event, as the upstream sent it.
    package mutating func pass(_ root: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) {
        let number = tape.member("sequence_number", of: root, in: bytes)
            .flatMap { tape.integer(of: $0, in: bytes) }
        sequence = max(0, number ?? sequence) + 1
        if let response = tape.member("response", of: root, in: bytes), object == nil {
            read(response, tape, bytes)
        }
        guard let type = tape.member("type", of: root, in: bytes) else { return }
        let ends: [StaticString] = [
            "response.completed", "response.incomplete", "response.failed", "response.cancelled",
        ]
        if ends.contains(where: { tape.equals(type, $0, in: bytes) }) { isOver = true }
    }

    private mutating func read(_ response: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) {
        guard let node = tape.member("id", of: response, in: bytes),
            let id = tape.string(of: node, in: bytes)
        else { return }
        let created = tape.member("created_at", of: response, in: bytes)
            .flatMap { tape.integer(of: $0, in: bytes) }
        let model = tape.member("model", of: response, in: bytes)
            .flatMap { tape.string(of: $0, in: bytes) }
        object = ResponseObject(
            id: pin.map { ResponseID.tag(id, pin: $0) } ?? id,
            created: created ?? identity.created,
            model: model ?? identity.model
        )
    }

    /// Ends the stream with an error, unless its end has passed.
    ///
    /// The output is empty: what passed is not kept.
    package mutating func fail(_ error: APIError, to out: ByteBuffer) {
        if isOver { return }
        isOver = true
        // SDKs take nothing before they know the response.
        if object == nil { write("response.created", .inProgress, to: out) }
        let code = ResponseObject.code(of: error)
        write("response.failed", .failed(code: code, message: error.message), to: out)
    }

    private mutating func write(
        _ type: StaticString,
        _ status: ResponseObject.Status,
        to out: ByteBuffer
    ) {
        let object = object ?? ResponseObject(identity)
        out.append("event: ")
        out.append(type)
        out.append("\ndata: {\"type\":\"")
        out.append(type)
        out.append("\",\"sequence_number\":")
        out.append(decimal: sequence)
        out.append(",\"response\":")
        object.begin(status, to: out)
        object.end(nil, to: out)
        out.append("}\n\n")
        sequence += 1
    }

    /// The number that an event bears.
    ///
    /// The name cannot stand in a text: its quotes would be escaped there.
    private static func sequence(in data: Span<UInt8>) -> Int? {
        let name: StaticString = "\"sequence_number\""
        var at = 0
        while at + name.utf8CodeUnitCount < data.count {
            guard data[at] == UInt8(ascii: "\""), data.begins(at..<data.count, with: name) else {
                at += 1
                continue
            }
            at += name.utf8CodeUnitCount
            while at < data.count, data[at] == UInt8(ascii: ":") || data[at] == 0x20 { at += 1 }
            let start = at
            var value = 0
            // More digits than streams have events.
            while at < data.count, at - start < 12,
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(data[at])
            {
                value = value * 10 + Int(data[at] - UInt8(ascii: "0"))
                at += 1
            }
            return at > start ? value : nil
        }
        return nil
    }
}
