// SPDX-License-Identifier: Apache-2.0

import Bytes
import HTTP

/// Feeds changed messages to every parser of the HTTP module.
///
/// Method: take a message of the corpus, change it in a few places, parse it whole, byte by byte
/// and in random pieces, and compare transcripts of everything the parser said. A difference or a
/// trap is a finding.
enum HTTPFuzz {
    /// What one input is given to.
    private enum Target: CaseIterable {
        case request, response, responseToHead, chunks, events
    }

    static func run(_ run: inout FuzzRun) {
        while run.advance() {
            let bytes = mutate(
                corpus[run.below(corpus.count)],
                with: corpus[run.below(corpus.count)],
                &run
            )
            let limits = run.below(2) == 0 ? HTTPLimits.request : smallLimits
            let pieces = cut(bytes, &run)
            for target in Target.allCases {
                let whole = transcript(target, [bytes[...]], limits)
                let bytewise = transcript(target, bytes.indices.map { bytes[$0...$0] }, limits)
                run.check(whole == bytewise, "\(target) says the same byte by byte", bytes)
                let cut = transcript(target, pieces, limits)
                run.check(whole == cut, "\(target) says the same in pieces", bytes)
            }
        }
    }

    private static let smallLimits = HTTPLimits(
        startLineBytes: 40,
        headBytes: 120,
        fields: 4,
        chunkExtensionBytes: 6,
        chunkExtensionBytesTotal: 9,
        trailerBytes: 16
    )

    private static let corpus: [[UInt8]] = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET http://a/b?c HTTP/1.0\r\n\r\n",
        "\r\nPOST /v1/x?y HTTP/1.1\r\nHost: a:1\r\nExpect: 100-continue\r\n"
            + "Content-Length: 5\r\nConnection: close, x\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: [::1]:2\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\nOPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "d\r\ndata: {\"a\":1}\r\n2\r\n\n\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nuntil close",
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        "5\r\nhello\r\nA \t;x=\"y\"\r\n0123456789\r\n000\r\nTrailer: x\r\n\r\n",
        "\u{feff}data: a\ndata: b\n\n: ping\r\n\r\nevent: x\rid: 1\rdata\r\rretry: 5\n\r\n",
    ].map { Array($0.utf8) }

    private static func transcript(
        _ target: Target,
        _ pieces: [ArraySlice<UInt8>],
        _ limits: HTTPLimits
    ) -> [String] {
        switch target {
        case .request: requests(pieces, limits)
        case .response: response(pieces, .post, limits)
        case .responseToHead: response(pieces, .head, limits)
        case .chunks: chunks(pieces, limits)
        case .events: events(pieces)
        }
    }

    private static func requests(_ pieces: [ArraySlice<UInt8>], _ limits: HTTPLimits) -> [String] {
        var said: [String] = []
        var body: [UInt8] = []
        var parser = RequestHeadParser(limits: limits)
        var head = RequestHead()
        var decoder: RequestBodyDecoder?
        let buffer = ByteBuffer()
        do throws(HTTPParseError) {
            for piece in pieces {
                buffer.append(piece.span)
                reading: while true {
                    if var current = decoder {
                        let step = try buffer.withBytes { bytes throws(HTTPParseError) in
                            let step = try current.next(bytes)
                            if case .data(let range, _) = step { body += copy(bytes, range) }
                            return step
                        }
                        decoder = current
                        switch step {
                        case .needMore(let consumed):
                            buffer.consume(consumed)
                            break reading
                        case .data(_, let consumed):
                            buffer.consume(consumed)
                        case .end(let consumed):
                            buffer.consume(consumed)
                            said.append("body \(body)")
                            body = []
                            decoder = nil
                            parser.reset()
                        }
                        continue
                    }
                    let length = try buffer.withBytes { bytes throws(HTTPParseError) in
                        let length = try parser.parse(bytes, into: &head)
                        if length != nil { said += describe(head, bytes) }
                        return length
                    }
                    guard let length else { break reading }
                    buffer.consume(length)
                    decoder = RequestBodyDecoder(framing: head.framing, limit: 64, limits: limits)
                }
            }
        } catch {
            return said + ["\(error) behind \(body)"]
        }
        return said + ["\(body) and \(buffer.count) left"]
    }

    private static func describe(_ head: RequestHead, _ bytes: Span<UInt8>) -> [String] {
        ["\(head.method) \(head.version) \(head.framing) \(head.keepAlive) \(head.expectContinue)"]
            + [head.methodRange, head.target, head.path, head.query ?? 0..<0]
            .map { "\(copy(bytes, $0))" }
            + head.fields.map { "\($0.known) \(copy(bytes, $0.name)) \(copy(bytes, $0.value))" }
            + head.fields.map { "\(head.fields.isHopByHop($0, bytes: bytes))" }
    }

    private static func response(
        _ pieces: [ArraySlice<UInt8>],
        _ method: HTTPMethod,
        _ limits: HTTPLimits
    ) -> [String] {
        var said: [String] = []
        var body: [UInt8] = []
        var decoder = ResponseDecoder(limits: limits)
        decoder.begin(requestMethod: method)
        let buffer = ByteBuffer()
        do throws(HTTPParseError) {
            for piece in pieces {
                buffer.append(piece.span)
                var event = ResponseDecoder.Event.interim(status: 0, consumed: 0)
                reading: while true {
                    event = try buffer.withBytes { bytes throws(HTTPParseError) in
                        let event = try decoder.next(bytes)
                        switch event {
                        case .data(let range, _):
                            body += copy(bytes, range)
                        case .head:
                            let head = decoder.head
                            said.append("\(head.status) \(head.framing) \(head.keepAlive)")
                            said.append("\(copy(bytes, head.reason))")
                            for field in head.fields {
                                said.append(
                                    "\(copy(bytes, field.name)) \(copy(bytes, field.value))"
                                )
                            }
                        case .interim(let status, _):
                            said.append("interim \(status)")
                        case .needMore, .end:
                            break
                        }
                        return event
                    }
                    switch event {
                    case .needMore(let consumed), .end(let consumed):
                        buffer.consume(consumed)
                        break reading
                    case .head(let consumed), .interim(_, let consumed), .data(_, let consumed):
                        buffer.consume(consumed)
                    }
                }
            }
        } catch {
            return said + ["\(error) behind \(body)"]
        }
        said.append("\(body) and \(buffer.count) left, reusable \(decoder.isReusable)")
        return said + ["\(decoder.endOfInput())"]
    }

    private static func chunks(_ pieces: [ArraySlice<UInt8>], _ limits: HTTPLimits) -> [String] {
        var body: [UInt8] = []
        var decoder = ChunkedDecoder(limits: limits, bodyMax: 64)
        let buffer = ByteBuffer()
        do throws(HTTPParseError) {
            for piece in pieces {
                buffer.append(piece.span)
                reading: while true {
                    let step = try buffer.withBytes { bytes throws(HTTPParseError) in
                        let step = try decoder.next(bytes)
                        if case .data(let range, _) = step { body += copy(bytes, range) }
                        return step
                    }
                    switch step {
                    case .needMore(let consumed), .end(let consumed):
                        buffer.consume(consumed)
                        break reading
                    case .data(_, let consumed):
                        buffer.consume(consumed)
                    }
                }
            }
        } catch {
            return ["\(error) behind \(body)"]
        }
        return ["\(body) and \(buffer.count) left"]
    }

    private static func events(_ pieces: [ArraySlice<UInt8>]) -> [String] {
        var said: [String] = []
        var splitter = EventStreamSplitter()
        let buffer = ByteBuffer()
        let data = ByteBuffer()
        for piece in pieces {
            buffer.append(piece.span)
            while let length = buffer.withBytes({ splitter.next($0) }) {
                buffer.withBytes(in: 0..<length) { bytes in
                    let event = EventStreamEvent(bytes)
                    event.appendData(of: bytes, to: data)
                    said.append("\(event) \(data.array)")
                    data.clear()
                }
                buffer.consume(length)
            }
        }
        return said + ["\(buffer.count) left"]
    }

    private static func copy(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        range.map { bytes[$0] }
    }

    /// Bytes and words that decide things in HTTP.
    private static let spices: [[UInt8]] =
        [
            "\r\n", "\r", "\n", "\r\n\r\n", "\0", " ", "\t", ":", ",", ";", "0", "%", "#", "\u{7f}",
            "\u{e4}", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "Host: b\r\n",
            "Connection: close\r\n", "Expect: 100-continue\r\n", "0\r\n\r\n", "5\r\n", "ffffffff",
            "HTTP/1.1", "HTTP/1.0", "data: ", ": ", "\n\n", "\r\r", "\u{feff}", "id: 1\n",
            "7fffffffffffffff", "9223372036854775807", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ].map { Array($0.utf8) }

    private static func mutate(
        _ bytes: [UInt8],
        with other: [UInt8],
        _ run: inout FuzzRun
    ) -> [UInt8] {
        var bytes = bytes
        for _ in 0...run.below(4) {
            let place = run.below(bytes.count + 1)
            let end = min(bytes.count, place + run.below(9))
            switch run.below(6) {
            case 0:
                bytes.insert(contentsOf: spices[run.below(spices.count)], at: place)
            case 1:
                bytes.removeSubrange(place..<end)
            case 2:
                bytes.insert(contentsOf: Array(bytes[place..<end]), at: place)
            case 3 where place < bytes.count:
                bytes[place] = UInt8(truncatingIfNeeded: run.next())
            case 4 where place < bytes.count:
                bytes[place] ^= 1 << UInt8(run.below(8))
            default:
                bytes.replaceSubrange(place..., with: other[run.below(other.count + 1)...])
            }
        }
        return bytes
    }

    private static func cut(_ bytes: [UInt8], _ run: inout FuzzRun) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + 1 + run.below(24))
            pieces.append(bytes[start..<end])
            start = end
        }
        return pieces
    }
}
