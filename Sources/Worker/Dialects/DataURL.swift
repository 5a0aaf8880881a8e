// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import JSON

/// The parts of a `data:` URL that holds base64.
///
/// Spec: RFC 2397. Percent-encoded data is refused: no vendor takes it.
struct DataURL: Equatable {
    /// Nil where the URL names none.
    let mediaType: JSONText?
    let data: JSONText

    /// Longest stretch before the comma: media types with parameters are far shorter.
    private static let headBytesMax = 256

    /// Whether the text of `node`, a string, is a `data:` URL at all.
    static func isOne(_ node: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) -> Bool {
        let content = bytes.extracting(tape.contentRange(of: node))
        if content.beginsWithDataScheme { return true }
        guard tape.hasEscapes(node) else { return false }
        return unescaped(content).withBytes { $0.beginsWithDataScheme }
    }

    /// Reads the text of `node`, a string.
    ///
    /// - Throws: That it is no `data:` URL, or not with base64.
    init(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        let range = tape.contentRange(of: node)
        let content = bytes.extracting(range)
        if let head = Head(content),
            Base64Text.check(content.extracting(head.dataStart..<content.count)) == .valid
        {
            let type = range.lowerBound + 5..<range.lowerBound + head.typeEnd
            mediaType = type.isEmpty ? nil : .slice(type)
            data = .slice(range.lowerBound + head.dataStart..<range.upperBound)
            return
        }
        if tape.hasEscapes(node),
            let plain = Self.unescaped(content).withBytes({ Self.parse($0) })
        {
            self = plain
            return
        }
        throw .invalid(node, tape, "must be an http(s) URL or a data: URL with valid base64")
    }

    private static func unescaped(_ content: Span<UInt8>) -> ByteBuffer {
        let buffer = ByteBuffer(capacity: content.count)
        JSONStringContent.appendUnescaped(content, to: buffer)
        return buffer
    }

    private init(mediaType: JSONText?, data: JSONText) {
        self.mediaType = mediaType
        self.data = data
    }

    /// Reads a URL that needs no unescaping.
    private static func parse(_ url: Span<UInt8>) -> DataURL? {
        guard let head = Head(url) else { return nil }
        let data = url.extracting(head.dataStart..<url.count)
        guard Base64Text.check(data) == .valid else { return nil }
        let type = String(copying: url.extracting(5..<head.typeEnd))
        return DataURL(
            mediaType: type.isEmpty ? nil : .text(type),
            data: .text(String(copying: data))
        )
    }

    /// What stands before the data.
    private struct Head {
        let typeEnd: Int
        let dataStart: Int

        init?(_ url: Span<UInt8>) {
            guard url.beginsWithDataScheme else { return nil }
            let limit = min(url.count, DataURL.headBytesMax)
            var comma = 5
            while comma < limit, url[comma] != UInt8(ascii: ",") { comma += 1 }
            guard comma < limit else { return nil }
            var semicolon = 5
            while semicolon < comma, url[semicolon] != UInt8(ascii: ";") { semicolon += 1 }
            let mark: StaticString = ";base64"
            let markStart = comma - mark.utf8CodeUnitCount
            guard markStart >= semicolon, url.equalsIgnoringCase(markStart..<comma, mark)
            else { return nil }
            typeEnd = semicolon
            dataStart = comma + 1
        }
    }
}

extension Span<UInt8> {
    fileprivate var beginsWithDataScheme: Bool {
        count >= 5 && equalsIgnoringCase(0..<5, "data:")
    }
}
