// SPDX-License-Identifier: Apache-2.0

import Bytes
import HTTP

/// A named input, for tables.
struct Input: CustomStringConvertible, Sendable {
    let name: String
    let bytes: [UInt8]

    init(_ name: String, _ text: String) {
        self.name = name
        bytes = Array(text.utf8)
    }

    init(_ name: String, _ bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }

    var description: String { name }
}

/// What a connection of requests said, however it was cut.
struct RequestTranscript: Equatable {
    /// One line per request: method, target, version, framing, connection, body.
    var requests: [String] = []
    var error: HTTPParseError?
    /// Bytes that belong to no complete request.
    var unread = 0
    /// Set once a head is there whose body is not complete.
    var inBody = false

    init(
        _ pieces: [ArraySlice<UInt8>],
        limits: HTTPLimits = .request,
        bodyMax: Int = 1 << 20
    ) {
        let buffer = ByteBuffer()
        var head = RequestHead()
        var parser = RequestHeadParser(limits: limits)
        var body: RequestBodyDecoder?
        var line = ""
        var data: [UInt8] = []
        do throws(HTTPParseError) {
            for piece in pieces {
                buffer.append(piece.span)
                feed: while true {
                    if var decoder = body {
                        let step = try buffer.withBytes { bytes throws(HTTPParseError) in
                            let step = try decoder.next(bytes)
                            if case .data(let range, _) = step {
                                for index in range { data.append(bytes[index]) }
                            }
                            return step
                        }
                        body = decoder
                        switch step {
                        case .needMore(let consumed):
                            buffer.consume(consumed)
                            break feed
                        case .data(_, let consumed):
                            buffer.consume(consumed)
                        case .end(let consumed):
                            buffer.consume(consumed)
                            if !data.isEmpty {
                                line += " \"\(String(decoding: data, as: UTF8.self))\""
                            }
                            requests.append(line)
                            data = []
                            body = nil
                            inBody = false
                            parser.reset()
                        }
                    } else {
                        let length = try buffer.withBytes { bytes throws(HTTPParseError) in
                            guard let length = try parser.parse(bytes, into: &head) else {
                                return Int?.none
                            }
                            line = describe(head, bytes)
                            return length
                        }
                        guard let length else { break feed }
                        buffer.consume(length)
                        body = RequestBodyDecoder(
                            framing: head.framing,
                            limit: bodyMax,
                            limits: limits
                        )
                        inBody = true
                    }
                }
            }
        } catch {
            self.error = error
            // What a failed message had given out must not depend on the cut either.
            requests.append("failed \(data.count)")
        }
        if error == nil { unread = buffer.count + data.count }
    }
}

/// What an upstream connection said in answer to one request, however it was cut.
struct ResponseTranscript: Equatable {
    /// Interim responses, the head, the body.
    var lines: [String] = []
    var body: [UInt8] = []
    var error: HTTPParseError?
    var isComplete = false
    var isReusable = false
    /// Bytes behind the end, or of an incomplete head.
    var unread = 0
    /// What the server's closing meant, had it come after the last byte.
    var ending: String?

    init(
        _ pieces: [ArraySlice<UInt8>],
        method: HTTPMethod = .post,
        limits: HTTPLimits = .response
    ) {
        let buffer = ByteBuffer()
        var decoder = ResponseDecoder(limits: limits)
        decoder.begin(requestMethod: method)
        do throws(HTTPParseError) {
            for piece in pieces {
                buffer.append(piece.span)
                try drain(buffer, &decoder)
            }
        } catch {
            self.error = error
        }
        if error == nil {
            unread = buffer.count
            isReusable = decoder.isReusable
            ending = "\(decoder.endOfInput())"
        }
    }

    private mutating func drain(
        _ buffer: ByteBuffer,
        _ decoder: inout ResponseDecoder
    ) throws(HTTPParseError) {
        while !isComplete {
            var line: String?
            var data: [UInt8] = []
            let event = try buffer.withBytes { bytes throws(HTTPParseError) in
                let event = try decoder.next(bytes)
                switch event {
                case .head: line = describe(decoder.head, bytes)
                case .interim(let status, _): line = "interim \(status)"
                case .data(let range, _): for index in range { data.append(bytes[index]) }
                case .needMore, .end: break
                }
                return event
            }
            if let line { lines.append(line) }
            body += data
            switch event {
            case .needMore(let consumed):
                buffer.consume(consumed)
                return
            case .interim(_, let consumed), .head(let consumed), .data(_, let consumed):
                buffer.consume(consumed)
            case .end(let consumed):
                buffer.consume(consumed)
                isComplete = true
            }
        }
    }

    /// The lines, and the body if there is one.
    var summary: [String] {
        body.isEmpty ? lines : lines + ["\"\(String(decoding: body, as: UTF8.self))\""]
    }
}

/// What a chunked body said, however it was cut.
struct ChunkedTranscript: Equatable {
    var data: [UInt8] = []
    var error: HTTPParseError?
    var isComplete = false
    var unread = 0

    init(_ pieces: [ArraySlice<UInt8>], limits: HTTPLimits = .request, bodyMax: Int = .max) {
        var decoder = ChunkedDecoder(limits: limits, bodyMax: bodyMax)
        let buffer = ByteBuffer()
        do throws(HTTPParseError) {
            for piece in pieces {
                buffer.append(piece.span)
                try drain(buffer, &decoder)
            }
        } catch {
            self.error = error
        }
        if error == nil { unread = buffer.count }
    }

    private mutating func drain(
        _ buffer: ByteBuffer,
        _ decoder: inout ChunkedDecoder
    ) throws(HTTPParseError) {
        while !isComplete {
            var data: [UInt8] = []
            let step = try buffer.withBytes { bytes throws(HTTPParseError) in
                let step = try decoder.next(bytes)
                if case .data(let range, _) = step {
                    for index in range { data.append(bytes[index]) }
                }
                return step
            }
            self.data += data
            switch step {
            case .needMore(let consumed):
                buffer.consume(consumed)
                return
            case .data(_, let consumed):
                buffer.consume(consumed)
            case .end(let consumed):
                buffer.consume(consumed)
                isComplete = true
            }
        }
    }
}

/// The events of a stream, however it was cut.
struct EventTranscript: Equatable {
    /// Whole events, byte for byte.
    var events: [[UInt8]] = []
    /// Bytes behind the last whole event.
    var unread = 0

    init(_ pieces: [ArraySlice<UInt8>]) {
        var splitter = EventStreamSplitter()
        let buffer = ByteBuffer()
        for piece in pieces {
            buffer.append(piece.span)
            while let length = buffer.withBytes({ splitter.next($0) }) {
                take(length, from: buffer)
            }
        }
        if let length = buffer.withBytes({ splitter.endOfStream($0) }) {
            take(length, from: buffer)
        }
        unread = buffer.count
    }

    private mutating func take(_ length: Int, from buffer: ByteBuffer) {
        events.append(buffer.withBytes(in: 0..<length) { bytes in bytes.array })
        buffer.consume(length)
    }
}

extension Span<UInt8> {
    /// A copy of the bytes.
    var array: [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(count)
        for index in indices { copy.append(self[index]) }
        return copy
    }

    /// The text of a part.
    func text(_ range: Range<Int>) -> String {
        String(copying: extracting(range))
    }
}

private func describe(_ head: RequestHead, _ bytes: Span<UInt8>) -> String {
    var line = "\(bytes.text(head.methodRange)) \(bytes.text(head.target))"
    if head.targetForm != .origin { line += " path=\(bytes.text(head.path))" }
    if let query = head.query { line += " query=\(bytes.text(query))" }
    line += " \(head.version) \(head.framing) \(head.keepAlive ? "keep" : "close")"
    if head.expectContinue { line += " continue" }
    return line
}

private func describe(_ head: ResponseHead, _ bytes: Span<UInt8>) -> String {
    "\(head.status) [\(bytes.text(head.reason))] \(head.version) \(head.framing)"
        + " fields=\(head.fields.count)"
}
