// SPDX-License-Identifier: Apache-2.0
import Bytes
package import JSON

/// Ids of stored responses, with a tag that says where each one is stored.
///
/// A stored response lives in one deployment of one upstream, and every later request about it has
/// to get there: through any worker, after any restart, without a table. So the id that the client
/// sees has a tag behind the upstream's own: `_a` and the eight hexadecimal digits of a pin, which
/// is a hash of upstream and deployment that the caller gives. Upstreams see their own ids only.
package enum ResponseID {
    private static let mark: StaticString = "_a"
    private static let digits = 8
    /// Bytes of a tag.
    package static let tagBytes = 10

    /// The id as clients see it.
    package static func tag(_ id: String, pin: UInt32) -> String {
        let out = ByteBuffer(id)
        append(pin, to: out)
        return out.text
    }

    /// The upstream's id and the pin; nil for an id without a tag.
    package static func untag(_ id: String) -> (original: String, pin: UInt32)? {
        let bytes = Array(id.utf8)
        guard let pin = pin(of: bytes.span) else { return nil }
        return (String(copying: bytes.span.extracting(droppingLast: tagBytes)), pin)
    }

    /// The pin at the end of `id`; nil if it has none, or nothing before it.
    package static func pin(of id: Span<UInt8>) -> UInt32? {
        guard id.count > tagBytes else { return nil }
        let start = id.count - tagBytes
        guard id.begins(start..<id.count, with: mark) else { return nil }
        var pin: UInt32 = 0
        for index in (id.count - digits)..<id.count {
            switch id[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                pin = pin << 4 | UInt32(id[index] - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                pin = pin << 4 | UInt32(id[index] - UInt8(ascii: "a") + 10)
            default:
                return nil
            }
        }
        return pin
    }

    private static func append(_ pin: UInt32, to out: ByteBuffer) {
        out.append(mark)
        for shift in stride(from: 28, through: 0, by: -4) {
            out.append(ByteBuffer.hexadecimalDigit(UInt8(truncatingIfNeeded: pin >> shift) & 15))
        }
    }

    // MARK: Requests

    /// The pin of the response that a request goes on from.
    package static func pin(
        ofRequest root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> UInt32? {
        guard let node = tape.member("previous_response_id", of: root, in: bytes),
            tape.kind(of: node) == .string
        else { return nil }
        return pin(of: bytes.extracting(tape.contentRange(of: node)))
    }

    /// Takes the tag off the id at `node`, if it has one.
    static func untag(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into splice: inout JSONSplice
    ) {
        guard tape.kind(of: node) == .string else { return }
        let content = tape.contentRange(of: node)
        guard pin(of: bytes.extracting(content)) != nil else { return }
        splice.replace(content.upperBound - tagBytes..<content.upperBound, with: Span())
    }

    // MARK: Answers

    /// Tags the ids of the response that stands at `root`: its own and that of the one before it.
    ///
    /// For whole answers to create, retrieve, cancel and delete.
    package static func tagResponse(
        _ root: JSONNode,
        pin: UInt32,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into splice: inout JSONSplice
    ) {
        for member in tape.members(of: root)
        where tape.equals(member.name, "id", in: bytes)
            || tape.equals(member.name, "previous_response_id", in: bytes)
        {
            guard tape.kind(of: member.value) == .string else { continue }
            let end = tape.contentRange(of: member.value).upperBound
            let tag = ByteBuffer()
            append(pin, to: tag)
            tag.withBytes { splice.insert(at: end, $0) }
        }
    }

    /// Tags the response in an event of a stream; does nothing to events without one.
    package static func tagEvent(
        _ root: JSONNode,
        pin: UInt32,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into splice: inout JSONSplice
    ) {
        for member in tape.members(of: root)
        where tape.equals(member.name, "response", in: bytes) {
            tagResponse(member.value, pin: pin, tape, bytes, into: &splice)
        }
    }
}
