// SPDX-License-Identifier: Apache-2.0

/// Decodes one upstream response: interim heads, the final head, body and trailers.
///
/// Call `begin` when a request goes out, then `next` with the unread bytes of the connection until
/// it says `needMore` or `end`, dropping what each event consumed. Data or a head may be the last
/// thing in the buffer while the end is already known: only those two events mean stop. Bytes left
/// over after `end` answer no request, so the connection must not be used again.
///
/// Spec: RFC 9112 sections 4, 6.3 and 9.3.
package struct ResponseDecoder {
    package enum Event: Equatable {
        /// Nothing whole is there. In a head nothing is consumed: it must stay in one piece.
        case needMore(consumed: Int)
        /// A 1xx response, which another one follows.
        case interim(status: Int, consumed: Int)
        /// The final head; `head` describes it while the bytes of this call are there.
        case head(consumed: Int)
        /// Body bytes at `Range` of what was given.
        case data(Range<Int>, consumed: Int)
        /// The response is complete.
        case end(consumed: Int)
    }

    /// What it means that the server closed the connection.
    package enum Ending: Equatable {
        /// The response is complete: it was before, or the end of the connection is its end.
        case complete
        /// Part of a response came.
        case truncated
        /// Not one byte came; on a reused connection the request may be sent again.
        case nothingReceived
    }

    private enum State: Equatable {
        /// A head, interim or final. Exits: `length`, `chunked`, `untilClose`.
        case head
        /// A body of known length; also no body at all. Exits: `ended`.
        case length(remaining: Int)
        /// Chunks and trailers. Exits: `ended`.
        case chunked
        /// A body that ends with the connection. Exits: `ended`.
        case untilClose
        /// All of it was there.
        case ended
    }

    private let limits: HTTPLimits
    private var state = State.head
    private var requestMethod = HTTPMethod.get
    private var interimResponses = 0
    private var parser: ResponseHeadParser
    private var chunks: ChunkedDecoder
    /// Set if the head of a response without a body announces one: servers disagree on what follows.
    private var isDoubtful = false

    /// The head of the last `head` or `interim` event.
    package private(set) var head = ResponseHead()

    package init(limits: HTTPLimits = .response) {
        self.limits = limits
        parser = ResponseHeadParser(limits: limits)
        chunks = ChunkedDecoder(limits: limits)
    }

    /// Starts over for the response to a request with `requestMethod`.
    package mutating func begin(requestMethod: HTTPMethod) {
        self.requestMethod = requestMethod
        state = .head
        interimResponses = 0
        isDoubtful = false
        parser.reset()
    }

    /// Bytes of heads looked at since the current one began: what a slow server costs.
    package var bytesExamined: Int { parser.bytesExamined }

    /// Whether the connection may carry another request; true only after `end`.
    ///
    /// The caller adds what only it knows: the request was sent whole, and no byte is left unread.
    package var isReusable: Bool {
        state == .ended && head.keepAlive && head.framing != .untilClose && !isDoubtful
    }

    /// Takes the unread bytes of the connection.
    package mutating func next(_ bytes: Span<UInt8>) throws(HTTPParseError) -> Event {
        switch state {
        case .head:
            return try nextHead(bytes)
        case .length(let remaining):
            if remaining == 0 {
                state = .ended
                return .end(consumed: 0)
            }
            if bytes.isEmpty { return .needMore(consumed: 0) }
            let taken = min(remaining, bytes.count)
            state = .length(remaining: remaining - taken)
            return .data(0..<taken, consumed: taken)
        case .chunked:
            switch try chunks.next(bytes) {
            case .needMore(let consumed): return .needMore(consumed: consumed)
            case .data(let range, let consumed): return .data(range, consumed: consumed)
            case .end(let consumed):
                state = .ended
                return .end(consumed: consumed)
            }
        case .untilClose:
            if bytes.isEmpty { return .needMore(consumed: 0) }
            return .data(0..<bytes.count, consumed: bytes.count)
        case .ended:
            return .end(consumed: 0)
        }
    }

    /// Tells that the server closed its side; all bytes before that were given to `next`.
    package mutating func endOfInput() -> Ending {
        switch state {
        case .ended, .length(remaining: 0):
            state = .ended
            return .complete
        case .untilClose:
            state = .ended
            return .complete
        case .head:
            return parser.hasStarted || interimResponses > 0 ? .truncated : .nothingReceived
        case .length, .chunked:
            return .truncated
        }
    }

    private mutating func nextHead(_ bytes: Span<UInt8>) throws(HTTPParseError) -> Event {
        guard let consumed = try parser.parse(bytes, into: &head) else {
            return .needMore(consumed: 0)
        }
        let facts = parser.facts
        if head.status < 200 {
            // The gateway asks no upstream to upgrade, so what would follow has no meaning.
            if head.status == 101 { throw .switchingProtocolsRefused }
            interimResponses += 1
            if interimResponses > HTTPLimits.interimResponsesMax { throw .tooManyInterimResponses }
            head.framing = .none
            head.keepAlive = facts.keepsAlive(head.version)
            parser.reset()
            return .interim(status: head.status, consumed: consumed)
        }
        head.framing = facts.responseFraming(status: head.status, requestMethod: requestMethod)
        head.keepAlive = facts.keepsAlive(head.version)
        switch head.framing {
        case .none:
            // Lengths are in order for HEAD and 304 (RFC 9110 section 8.6), but not for 204.
            isDoubtful = head.status == 204 && (facts.isChunked || (facts.contentLength ?? 0) > 0)
            state = .length(remaining: 0)
        case .length(let length):
            state = .length(remaining: length)
        case .chunked:
            chunks = ChunkedDecoder(limits: limits)
            state = .chunked
        case .untilClose:
            state = .untilClose
        }
        return .head(consumed: consumed)
    }
}
