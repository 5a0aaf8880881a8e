// SPDX-License-Identifier: Apache-2.0
import Testing

/// What a client has that saw the first bytes of a connection's output, and nothing after them.
///
/// Written from the client's side alone: it knows its requests and HTTP, and no record.
struct CrashSight {
    /// What a client has asked.
    struct Request {
        let bytes: Int
        var isHead = false
    }

    /// What there is behind the last whole answer.
    enum Rest: Equatable {
        case nothing
        /// A head that is not whole, or a body of a known length that is not.
        case part
        /// A chunked body that stands between two chunks, or inside of one.
        case chunks(body: String, isBetween: Bool)
        /// A body that the end of the connection ends.
        case bare(body: String)
    }

    private(set) var answers = 0
    private(set) var rest = Rest.nothing
    /// Bodies of whole answers.
    private(set) var bodies: [String] = []

    /// `isEnded` says that the connection has ended in order behind the bytes.
    init(_ bytes: ArraySlice<UInt8>, _ requests: [Request], isEnded: Bool = false) {
        var left = bytes
        while rest == .nothing, !left.isEmpty {
            let isHead = answers < requests.count && requests[answers].isHead
            left = take(left, isHead: isHead, isEnded: isEnded)
        }
    }

    /// Takes one answer, or all that there is of it; what is behind it.
    private mutating func take(
        _ bytes: ArraySlice<UInt8>,
        isHead: Bool,
        isEnded: Bool
    ) -> ArraySlice<UInt8> {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
            rest = .part
            return []
        }
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).lowercased()
        let body = bytes[end.upperBound...]
        // An interim answer is none.
        if head.hasPrefix("http/1.1 100") { return body }
        let lines = head.split(separator: "\r\n")
        if isHead || head.hasPrefix("http/1.1 204") {
            return ended("", body)
        }
        if let line = lines.first(where: { $0.hasPrefix("content-length: ") }),
            let length = Int(line.dropFirst(16))
        {
            guard body.count >= length else {
                rest = .part
                return []
            }
            return ended(Self.text(body.prefix(length)), body.dropFirst(length))
        }
        guard lines.contains("transfer-encoding: chunked") else {
            if isEnded { return ended(Self.text(body), []) }
            rest = .bare(body: Self.text(body))
            return []
        }
        return takeChunks(body)
    }

    private mutating func takeChunks(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var left = bytes
        var body = ""
        while !left.isEmpty {
            guard let line = left.firstRange(of: [13, 10]),
                let length = Int(Self.text(left[..<line.lowerBound]), radix: 16),
                left.endIndex - line.upperBound >= length + 2
            else {
                rest = .chunks(body: body, isBetween: false)
                return []
            }
            body += Self.text(left[line.upperBound...].prefix(length))
            left = left[(line.upperBound + length + 2)...]
            if length == 0 { return ended(body, left) }
        }
        rest = .chunks(body: body, isBetween: true)
        return []
    }

    private mutating func ended(
        _ body: String,
        _ left: ArraySlice<UInt8>
    ) -> ArraySlice<UInt8> {
        answers += 1
        bodies.append(body)
        return left
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}
