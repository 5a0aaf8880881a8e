// SPDX-License-Identifier: Apache-2.0
import System

/// Who may read from a connection.
///
/// The supervisor offers a connection to a worker and may take it back while the worker has not
/// begun with it: both change the claim with compare and exchange, so exactly one of them wins,
/// also when the worker is stopped for an hour between any two instructions.
package enum ConnectionClaim: UInt32, Sendable {
    case free = 0
    /// Handed over; the worker has not read from it. Exits: `taken`, `revoked`.
    case offered = 1
    /// The worker reads from it, or is about to. Exits: `offered` when nothing was there.
    case taken = 2
    /// The supervisor has given it to another worker: this one must close its copy unread.
    case revoked = 3
}

/// How far the exchange on a connection is.
package enum ConnectionPhase: UInt8, Sendable, CaseIterable {
    /// Nothing was ever read from it.
    case fresh = 0
    /// Between two requests; nothing of the next one was read.
    case idle = 1
    /// A part of a request was read.
    case reading = 2
    /// A request was read, and its answer is made or written.
    case answering = 3
    /// The last answer is out and the connection ends.
    case closing = 4
}

/// The client's vendor, whose shape its errors have.
package enum ErrorDialect: UInt8, Sendable, CaseIterable {
    case openAI = 0, anthropic, gemini
}

/// How an error inside of a stream is said.
package enum StreamDialect: UInt8, Sendable, CaseIterable {
    case chat = 0, completions, responses, messages, gemini
    /// One JSON array that is written piece by piece.
    case geminiArray
}

/// What the answer under way looks like, for whoever has to end it.
package struct AnswerForm: Equatable, Sendable {
    package var errors = ErrorDialect.openAI
    package var stream = StreamDialect.chat
    /// The request was HEAD: answers have no body.
    package var isHead = false
    package var isStream = false
    /// Chunked, so that an end can be told from a cut.
    package var isChunked = false
    /// The end of the answer is among the bytes up to the boundary.
    package var isComplete = false
    /// Something of the body is among the bytes up to the boundary.
    package var hasBody = false

    package init() {}
}

/// One connection as its worker last described it.
package struct ConnectionRecord: Equatable, Sendable {
    package var phase = ConnectionPhase.fresh
    package var form = AnswerForm()
    /// Bytes read from the connection, over all its requests and workers.
    package var consumed: UInt64 = 0
    /// Bytes written to it.
    package var written: UInt64 = 0
    /// `written` when the answer under way began.
    package var answerStart: UInt64 = 0
    /// `written` once all bytes that are queued are out: there the answer can be ended.
    package var boundary: UInt64 = 0
    /// Whether a call is under way that writes, so that `written` may lag.
    package var isWriting = false
    /// Nanoseconds at which the request under way began.
    package var requestStartedAt: UInt64 = 0

    package init() {}
}

/// Offsets inside of a record.
private enum Word {
    static let claim = 0
    static let state = 4
    static let isWriting = 8
    static let idForm = 12
    static let consumed = 16
    static let written = 24
    static let answerStart = 32
    static let boundary = 40
    static let requestStartedAt = 48
    /// Two words of a generated id, or up to 64 bytes of a client's.
    static let id = 56
    static let idBytesMax = 64
    /// The form of a generated id; a client's has its length.
    static let generated: UInt32 = 0xFFFF_FFFF
}

extension AnswerForm {
    /// Phase and form in one word, so that a reader never sees half of a change.
    func packed(_ phase: ConnectionPhase) -> UInt32 {
        var flags: UInt32 = 0
        if isHead { flags |= 1 }
        if isStream { flags |= 2 }
        if isChunked { flags |= 4 }
        if isComplete { flags |= 8 }
        if hasBody { flags |= 16 }
        return UInt32(phase.rawValue) | UInt32(errors.rawValue) << 8
            | UInt32(stream.rawValue) << 16 | flags << 24
    }

    /// What `packed` made; a worker can have written anything, so unknown values read as defaults.
    init(unpacking word: UInt32) {
        errors = ErrorDialect(rawValue: UInt8(truncatingIfNeeded: word >> 8)) ?? .openAI
        stream = StreamDialect(rawValue: UInt8(truncatingIfNeeded: word >> 16)) ?? .chat
        let flags = word >> 24
        isHead = flags & 1 != 0
        isStream = flags & 2 != 0
        isChunked = flags & 4 != 0
        isComplete = flags & 8 != 0
        hasBody = flags & 16 != 0
    }
}

extension Scoreboard {
    private func at(_ record: Int, _ word: Int) -> Int {
        precondition(record >= 0 && record < Self.recordsMax, "no such connection record")
        return Self.records + record * Self.recordBytes + word
    }

    // MARK: Claims

    /// The supervisor is about to hand the connection over.
    ///
    /// `consumed` and `written` are what earlier workers read from it and wrote to it: the counts of a
    /// record are those of the connection, like the kernel's.
    package func offer(_ record: Int, consumed: UInt64 = 0, written: UInt64 = 0) {
        memory.store64(at(record, Word.consumed), consumed)
        for word in [Word.written, Word.answerStart, Word.boundary] {
            memory.store64(at(record, word), written)
        }
        memory.store64(at(record, Word.requestStartedAt), 0)
        memory.store32(at(record, Word.state), AnswerForm().packed(.fresh))
        memory.store32(at(record, Word.isWriting), 0)
        memory.store32(at(record, Word.idForm), 0)
        memory.store32(at(record, Word.claim), ConnectionClaim.offered.rawValue)
    }

    /// The worker is about to read; false when the connection was revoked.
    package func take(_ record: Int) -> Bool {
        exchange(record, .offered, .taken)
    }

    /// The worker has found nothing to read: the supervisor may revoke again.
    package func giveBack(_ record: Int) {
        memory.store32(at(record, Word.claim), ConnectionClaim.offered.rawValue)
    }

    /// The supervisor takes the connection back; false when the worker has begun with it.
    package func revoke(_ record: Int) -> Bool {
        exchange(record, .offered, .revoked)
    }

    /// The connection is over.
    package func free(_ record: Int) {
        memory.store32(at(record, Word.claim), ConnectionClaim.free.rawValue)
    }

    package func claim(_ record: Int) -> ConnectionClaim {
        ConnectionClaim(rawValue: memory.load32(at(record, Word.claim))) ?? .taken
    }

    private func exchange(_ record: Int, _ old: ConnectionClaim, _ new: ConnectionClaim) -> Bool {
        memory.exchange32(at(record, Word.claim), old.rawValue, new.rawValue)
    }

    // MARK: The worker's facts

    package func set(_ record: Int, _ phase: ConnectionPhase, _ form: AnswerForm) {
        memory.store32(at(record, Word.state), form.packed(phase))
    }

    package func set(_ record: Int, consumed: UInt64) {
        memory.store64(at(record, Word.consumed), consumed)
    }

    package func set(_ record: Int, answerStart: UInt64) {
        memory.store64(at(record, Word.answerStart), answerStart)
    }

    /// A write begins that reaches `boundary` if it takes everything.
    package func writing(_ record: Int, upTo boundary: UInt64) {
        memory.store64(at(record, Word.boundary), boundary)
        memory.store32(at(record, Word.isWriting), 1)
    }

    package func wrote(_ record: Int, total: UInt64) {
        memory.store64(at(record, Word.written), total)
        memory.store32(at(record, Word.isWriting), 0)
    }

    /// No request is under way that has an id.
    package func forgetID(_ record: Int) {
        memory.store32(at(record, Word.idForm), 0)
    }

    package func beginRequest(_ record: Int, at now: UInt64, id high: UInt64, _ low: UInt64) {
        memory.store64(at(record, Word.requestStartedAt), now)
        memory.store64(at(record, Word.id), high)
        memory.store64(at(record, Word.id + 8), low)
        memory.store32(at(record, Word.idForm), Word.generated)
    }

    /// The request brings an id of its own.
    package func set(_ record: Int, clientID: Span<UInt8>) {
        let count = min(clientID.count, Word.idBytesMax)
        memory.store32(at(record, Word.idForm), 0)
        var word: UInt64 = 0
        for index in 0..<count {
            word |= UInt64(clientID[index]) << UInt64(index % 8 * 8)
            if index % 8 == 7 || index == count - 1 {
                memory.store64(at(record, Word.id + index / 8 * 8), word)
                word = 0
            }
        }
        memory.store32(at(record, Word.idForm), UInt32(count))
    }

    // MARK: What the supervisor reads

    package func record(_ record: Int) -> ConnectionRecord {
        var result = ConnectionRecord()
        let state = memory.load32(at(record, Word.state))
        result.phase = ConnectionPhase(rawValue: UInt8(truncatingIfNeeded: state)) ?? .reading
        result.form = AnswerForm(unpacking: state)
        result.isWriting = memory.load32(at(record, Word.isWriting)) != 0
        result.consumed = memory.load64(at(record, Word.consumed))
        result.written = memory.load64(at(record, Word.written))
        result.answerStart = memory.load64(at(record, Word.answerStart))
        result.boundary = memory.load64(at(record, Word.boundary))
        result.requestStartedAt = memory.load64(at(record, Word.requestStartedAt))
        return result
    }

    /// The id of the request under way on a connection; nil when there is none.
    package func requestID(_ record: Int) -> String? {
        let form = memory.load32(at(record, Word.idForm))
        if form == Word.generated {
            return "req_" + Self.hexadecimal(memory.load64(at(record, Word.id)))
                + Self.hexadecimal(memory.load64(at(record, Word.id + 8)))
        }
        let count = Int(form)
        guard count > 0, count <= Word.idBytesMax else { return nil }
        let bytes = (0..<count).map { index in
            let word = memory.load64(at(record, Word.id + index / 8 * 8))
            return UInt8(truncatingIfNeeded: word >> UInt64(index % 8 * 8))
        }
        // Visible ASCII only: a broken worker can have left anything.
        guard bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func hexadecimal(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
