// SPDX-License-Identifier: Apache-2.0
import HTTP
import Dialects
import Scoreboard

/// Keeps the record of one connection in the scoreboard.
///
/// What it says is stored before it is done, so that whoever reads the record after a crash can
/// compare it with the kernel's own counts: bytes are noted as read before they are looked at, and
/// where a write will reach before it begins. Only stores: no system call, no allocation.
struct ConnectionJournal {
    private let board: Scoreboard
    let record: Int
    /// Whether the supervisor has left the connection to this worker; see `ConnectionClaim`.
    private(set) var isTaken = false
    private var phase = ConnectionPhase.fresh
    private var form = AnswerForm()
    /// Phase or form have changed since they were stored.
    private var hasNews = false
    /// Totals over the life of the connection, from what the supervisor has offered it with.
    private(set) var consumed: UInt64
    private(set) var written: UInt64

    init(_ board: Scoreboard, record: Int) {
        self.board = board
        self.record = record
        let offered = board.record(record)
        consumed = offered.consumed
        written = offered.written
    }

    /// Whether no worker has ever read from the connection, as far as the kernel counts.
    var isFresh: Bool { consumed == 0 }

    // MARK: The claim

    /// To be called before anything is done with a connection that was not read from; false when
    /// the supervisor has given it to another worker.
    mutating func take() -> Bool {
        if isTaken { return true }
        // A supervisor that makes no claims leaves the word alone.
        isTaken = board.take(record) || board.claim(record) != .revoked
        return isTaken
    }

    /// Nothing has come yet: the supervisor may take the connection back again.
    mutating func giveBack() {
        isTaken = false
        board.giveBack(record)
    }

    /// The worker is done with the record.
    func free() {
        board.free(record)
    }

    /// The connection is what this process works for from here on.
    func isAtWork() {
        board.working(for: record)
    }

    // MARK: Requests

    /// To be called before anything else happens with bytes that were received.
    ///
    /// The phase first: an idle connection whose counts agree goes to another worker, which would
    /// wait for the bytes that this one has.
    mutating func received(_ bytes: Int) {
        switch phase {
        case .fresh, .idle: set(.reading)
        case .reading, .answering, .closing: break
        }
        consumed &+= UInt64(bytes)
        board.set(record, consumed: consumed)
    }

    /// A request has begun, with bytes that were received just now or along with the last one.
    func requestBegan(at now: UInt64, _ id: RequestID) {
        if case .generated(let high, let low) = id {
            board.beginRequest(record, at: now, id: high, low)
        }
    }

    /// The head of the request is known.
    mutating func headRead(_ endpoint: Endpoint?, isHead: Bool) {
        let format = endpoint?.format ?? .chat
        form.errors = format.errorDialect
        form.stream = format.streamDialect
        form.isHead = isHead
        set(.reading)
    }

    /// The client has named the request.
    func requestNamed(_ id: Span<UInt8>) {
        board.set(record, clientID: id)
    }

    /// The request is whole.
    mutating func requestRead() {
        set(.answering)
    }

    // MARK: Answers

    /// `queued` bytes come before the answer and are no part of it.
    func interimQueued(_ queued: Int) {
        board.set(record, answerStart: written &+ UInt64(queued))
    }

    /// The next bytes that are queued are an answer's; `queued` are others' and come before.
    mutating func answerBegan(queued: Int) {
        board.set(record, answerStart: written &+ UInt64(queued))
        if phase != .answering { set(.answering) }
    }

    /// The answer will be written piece by piece.
    mutating func streamBegan(isChunked: Bool, isArray: Bool) {
        form.isStream = true
        form.isChunked = isChunked
        if isArray { form.stream = .geminiArray }
        hasNews = true
    }

    /// Something of the body is queued.
    mutating func bodyBegan() {
        guard !form.hasBody else { return }
        form.hasBody = true
        hasNews = true
    }

    /// All of the answer is queued; `queued` bytes of it have still to be written.
    mutating func answerCompleted(queued: Int) {
        form.isComplete = true
        hasNews = true
        // The end of a body without framing adds no bytes, so no write will say it.
        if queued == 0 { set(phase) }
    }

    /// A write of the `queued` bytes is about to begin: whole pieces of the answer.
    ///
    /// The boundary first: until the write begins, the kernel's count then matches neither the old
    /// answer's form nor the new one's.
    mutating func willWrite(_ queued: Int) {
        board.writing(record, upTo: written &+ UInt64(queued))
        if hasNews { set(phase) }
    }

    mutating func wrote(_ bytes: Int) {
        written &+= UInt64(bytes)
        board.wrote(record, total: written)
    }

    /// The answer is out; `holdsNext` says whether bytes of the next request were read already.
    ///
    /// The id first: what follows is no longer this request. The beginning of the next answer last:
    /// before the phase it would say that nothing of an answer is out.
    mutating func answerEnded(holdsNext: Bool, isClosing: Bool) {
        form = AnswerForm()
        board.forgetID(record)
        set(isClosing ? .closing : holdsNext ? .reading : .idle)
        board.set(record, answerStart: written)
    }

    /// The connection is about to end.
    mutating func closing() {
        set(.closing)
    }

    private mutating func set(_ phase: ConnectionPhase) {
        self.phase = phase
        hasNews = false
        board.set(record, phase, form)
    }
}

extension WireFormat {
    fileprivate var errorDialect: ErrorDialect {
        switch errorShape {
        case .openAI: .openAI
        case .anthropic: .anthropic
        case .gemini: .gemini
        }
    }

    fileprivate var streamDialect: StreamDialect {
        switch self {
        case .chat: .chat
        case .completions: .completions
        case .responses: .responses
        case .messages: .messages
        case .gemini, .converse: .gemini
        }
    }
}
