// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import JSON

/// A request head and the parser that fills it.
///
/// One per worker serves all requests that arrive in one piece; a connection gets its own only
/// while it holds a part of a head.
final class HeadScratch {
    var parser = RequestHeadParser()
    var head = RequestHead()
}

/// Validates JSON while it arrives; keeps the first error.
final class BodyScan {
    var scanner = JSONScanner()
    private(set) var error: JSONError?

    var tape: JSONTape { scanner.tape }

    func reset() {
        scanner.reset()
        error = nil
    }

    /// Goes on with the document that `bytes` begin; nothing happens after an error.
    func advance(_ bytes: Span<UInt8>, isFinal: Bool) {
        guard error == nil else { return }
        do throws(JSONError) {
            _ = try scanner.scan(bytes, isFinal: isFinal)
        } catch {
            self.error = error
        }
    }
}

/// Collects one request at a time from the bytes of a connection.
///
/// Pure: it owns buffers only.
///
/// The head stays where it was read until `finishRequest`, because ranges into it are used until
/// the answer is out. A small body lies behind it in the same buffer; a large or chunked one has a
/// buffer of its own, and is checked to be JSON piece by piece, so that no single step takes long.
struct RequestIntake {
    enum Step: Equatable {
        case needMore
        /// The head is whole: look at it, then call `takeBody`.
        case head
        /// The body is whole.
        case body
    }

    private enum Phase: Equatable {
        case head
        /// The head is whole and nothing was decided about the body.
        case decision
        /// The body lies in `input` behind the head.
        case inline
        /// The body goes to a buffer of its own.
        case separate
        case chunked
        case complete
    }

    /// A body read into a buffer of its own is checked whenever so many bytes have come.
    private static let scanStepBytes = 64 << 10

    /// The head, with a small body behind it and whatever follows.
    private(set) var input: ByteBuffer?
    private(set) var headBytes = 0
    /// Where the body lies once it is whole; offsets into `bodyBuffer`.
    private(set) var bodyRange = 0..<0
    /// Set when the body was checked while it came.
    private(set) var scan: BodyScan?

    private var phase = Phase.head
    private var own: HeadScratch?
    private var framing = BodyFraming.none
    private var body: ByteBuffer?
    private var bodyBytes = 0
    private var scanned = 0
    /// Undecoded bytes of a chunked body, and what follows it.
    private var raw: ByteBuffer?
    private var decoder: RequestBodyDecoder?

    /// Whether a request has begun and is not whole.
    var isInBody: Bool { phase == .inline || phase == .separate || phase == .chunked }
    var isComplete: Bool { phase == .complete }
    var holdsBytes: Bool { input.map { !$0.isEmpty } ?? false }

    /// The buffer that holds the body.
    var bodyBuffer: ByteBuffer? { body ?? input }

    /// Where the next bytes of the connection go, and how many at most.
    mutating func readTarget(_ pool: BufferPool) -> (buffer: ByteBuffer, limit: Int) {
        if phase == .separate, let body { return (body, bodyBytes - body.count) }
        if phase == .chunked, let raw { return (raw, .max) }
        if let input { return (input, .max) }
        let fresh = pool.take()
        input = fresh
        return (fresh, .max)
    }

    /// Goes on with what has been read.
    mutating func next(_ shared: HeadScratch) throws(HTTPParseError) -> Step {
        switch phase {
        case .head: return try nextHead(shared)
        case .decision: preconditionFailure("next before takeBody")
        case .inline: return finishInline()
        case .separate: return finishSeparate()
        case .chunked: return try nextChunks()
        case .complete: return .body
        }
    }

    /// Calls `look` with the head that `next` reported, which is valid until `takeBody`.
    func withHead<Result, Failure: Error>(
        _ shared: HeadScratch,
        _ look: (borrowing RequestHead, Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(phase == .decision, "the head is looked at once, when it is whole")
        let scratch = own ?? shared
        guard let input else { preconditionFailure("a head without bytes") }
        return try input.withBytes { bytes throws(Failure) in try look(scratch.head, bytes) }
    }

    private mutating func nextHead(_ shared: HeadScratch) throws(HTTPParseError) -> Step {
        guard let input, !input.isEmpty else { return .needMore }
        let scratch = own ?? shared
        if own == nil { shared.parser.reset() }
        if let consumed = try Self.parse(input, scratch) {
            headBytes = consumed
            framing = scratch.head.framing
            phase = .decision
            return .head
        }
        if own == nil {
            let fresh = HeadScratch()
            own = fresh
            _ = try Self.parse(input, fresh)
        }
        return .needMore
    }

    private static func parse(
        _ input: ByteBuffer,
        _ scratch: HeadScratch
    ) throws(HTTPParseError) -> Int? {
        try input.withBytes { bytes throws(HTTPParseError) in
            try scratch.parser.parse(bytes, into: &scratch.head)
        }
    }

    // MARK: Body

    /// Decides where the body of at most `limit` bytes goes; then call `next` again.
    ///
    /// - Throws: `bodyTooLarge` if Content-Length passes the limit.
    mutating func takeBody(
        limit: Int,
        checksJSON: Bool,
        pool: BufferPool
    ) throws(HTTPParseError) {
        guard let input else { preconditionFailure("a body before its head") }
        own = nil
        switch framing {
        case .none:
            bodyBytes = 0
            phase = .inline
        case .length(let length):
            guard length <= limit else { throw .bodyTooLarge }
            bodyBytes = length
            if headBytes + length <= BufferPool.bufferBytes {
                input.reserve(max(0, headBytes + length - input.count))
                phase = .inline
                return
            }
            let separate = pool.take()
            separate.reserve(length)
            let early = min(input.count - headBytes, length)
            input.withBytes(in: headBytes..<(headBytes + early)) { separate.append($0) }
            keepRest(of: input, from: headBytes + early, pool)
            body = separate
            phase = .separate
        case .chunked:
            decoder = RequestBodyDecoder(framing: .chunked, limit: limit)
            body = pool.take()
            keepRest(of: input, from: headBytes, pool)
            if raw == nil { raw = pool.take() }
            phase = .chunked
        case .untilClose:
            preconditionFailure("a request body does not end with the connection")
        }
        if checksJSON { scan = BodyScan() }
    }

    /// Moves what follows the head out of its buffer, so that the head can stay in place.
    private mutating func keepRest(of input: ByteBuffer, from offset: Int, _ pool: BufferPool) {
        if offset < input.count {
            let rest = pool.take()
            input.withBytes(in: offset..<input.count) { rest.append($0) }
            raw = rest
        }
        input.truncate(to: headBytes)
    }

    private mutating func finishInline() -> Step {
        guard let input, input.count >= headBytes + bodyBytes else { return .needMore }
        bodyRange = headBytes..<(headBytes + bodyBytes)
        phase = .complete
        return .body
    }

    private mutating func finishSeparate() -> Step {
        guard let body else { preconditionFailure("a separate body without its buffer") }
        let isWhole = body.count == bodyBytes
        scanBody(body, isFinal: isWhole)
        guard isWhole else { return .needMore }
        bodyRange = 0..<bodyBytes
        phase = .complete
        return .body
    }

    private mutating func nextChunks() throws(HTTPParseError) -> Step {
        guard let raw, let body else { preconditionFailure("a chunked body without its buffers") }
        while true {
            let step = try raw.withBytes { bytes throws(HTTPParseError) -> BodyStep? in
                let step = try decoder?.next(bytes)
                if case .data(let range, _) = step { body.append(bytes.extracting(range)) }
                return step
            }
            switch step {
            case .needMore(let consumed):
                raw.consume(consumed)
                scanBody(body, isFinal: false)
                return .needMore
            case .data(_, let consumed):
                raw.consume(consumed)
            case .end(let consumed):
                raw.consume(consumed)
                scanBody(body, isFinal: true)
                bodyRange = 0..<body.count
                phase = .complete
                return .body
            case nil:
                preconditionFailure("a chunked body without its decoder")
            }
        }
    }

    private mutating func scanBody(_ body: ByteBuffer, isFinal: Bool) {
        guard let scan, isFinal || body.count - scanned >= Self.scanStepBytes else { return }
        body.withBytes { scan.advance($0, isFinal: isFinal) }
        scanned = body.count
    }

    // MARK: The end

    /// Forgets the request and keeps what the client sent behind it.
    ///
    /// A request that was refused on its head alone must have no body.
    mutating func finishRequest(_ pool: BufferPool) {
        if phase == .decision, let input {
            input.consume(headBytes)
        } else if phase == .complete, let input {
            if body == nil {
                input.consume(bodyRange.upperBound)
            } else {
                input.clear()
                if let raw, !raw.isEmpty {
                    pool.give(input)
                    self.input = raw
                    self.raw = nil
                }
            }
        }
        if let body { pool.give(body) }
        if let raw { pool.give(raw) }
        body = nil
        raw = nil
        decoder = nil
        scan = nil
        own = nil
        scanned = 0
        headBytes = 0
        bodyRange = 0..<0
        phase = .head
        releaseIfEmpty(pool)
    }

    /// Gives the buffer back when there is nothing in it.
    mutating func releaseIfEmpty(_ pool: BufferPool) {
        guard let input, input.isEmpty, phase == .head else { return }
        pool.give(input)
        self.input = nil
    }

    /// Gives every buffer back; the connection is over.
    mutating func release(_ pool: BufferPool) {
        for buffer in [input, body, raw] {
            if let buffer { pool.give(buffer) }
        }
        input = nil
        body = nil
        raw = nil
    }
}
