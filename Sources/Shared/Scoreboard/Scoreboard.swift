// SPDX-License-Identifier: Apache-2.0
package import System

/// One worker's page: heartbeat, load, the phase of every connection, and what a crash leaves.
///
/// The worker writes, the supervisor reads, also after the worker's death. Only the claims of
/// connections are written by both, with compare and exchange. Layout in bytes, native byte order:
///
///     0     header: magic, version, heartbeat, load (see `Field`)
///     512   crash note (see `SharedMemory.keepCrashNotes`)
///     4096  connection records, 128 bytes each (see `ConnectionRecord`)
///
/// The file is sparse: records that were never used take no memory.
package final class Scoreboard {
    /// Connections of one worker.
    ///
    /// Limit: 2 MiB of address space; beyond, another worker is the better place.
    package static let recordsMax = 16_384

    package static let version: UInt32 = 1
    /// "APSB", little endian.
    private static let magic: UInt32 = 0x4253_5041
    static let crashNote = 512
    static let records = 4096
    static let recordBytes = 128
    package static let bytes = records + recordsMax * recordBytes

    /// Offsets of the header's words.
    enum Field {
        static let magic = 0
        static let version = 4
        /// Nanoseconds at which the turn began that runs, 0 while the loop waits.
        static let turnStartedAt = 8
        static let turns = 16
        /// Nanoseconds at which the last turn ended.
        static let turnEndedAt = 24
        /// Nanoseconds that turns take, a moving average.
        static let lag = 32
        static let requests = 40
        static let streams = 44
        static let connections = 48
        /// 1 more than the record at work, 0 for none.
        static let current = 52
        static let bytesQueued = 56
        static let bytesOut = 64
        static let requestsTotal = 72
        /// Nanoseconds at which the oldest open stream began, 0 for none.
        static let oldestStream = 80
        static let streamsAborted = 88
    }

    let memory: SharedMemory

    /// A page for a worker that is about to start.
    package init() throws(Errno) {
        memory = try SharedMemory("apus-scoreboard", count: Self.bytes)
        memory.store32(Field.version, Self.version)
        memory.store32(Field.magic, Self.magic)
    }

    /// The page that another process made.
    ///
    /// - Throws: `invalid` when it is none, or one of another version.
    package init(mapping fd: consuming OwnedFD) throws(Errno) {
        memory = try SharedMemory(mapping: fd, count: Self.bytes)
        guard memory.load32(Field.magic) == Self.magic,
            memory.load32(Field.version) == Self.version
        else { throw .invalid }
    }

    /// The descriptor, to be passed on.
    package var descriptor: Int32 { memory.fd.raw }

    #if DEBUG
    /// Calls `body` after every store; see `SharedMemory.stored`.
    package func afterEveryStore(_ body: (() -> Void)?) {
        memory.stored = body
    }
    #endif

    // MARK: The worker's loop

    /// Events have come; a turn of the loop begins.
    package func turnBegan(at now: UInt64) {
        memory.store64(Field.turnStartedAt, max(now, 1))
    }

    /// The turn is over; the loop waits again.
    package func turnEnded(at now: UInt64) {
        let started = memory.load64(Field.turnStartedAt)
        let taken = now > started ? now - started : 0
        let lag = memory.load64(Field.lag)
        // An eighth of the newest turn: a burst shows at once and is forgotten after some turns.
        memory.store64(Field.lag, lag - lag / 8 + taken / 8)
        memory.store64(Field.turnEndedAt, now)
        memory.store64(Field.turns, memory.load64(Field.turns) &+ 1)
        memory.store32(Field.current, 0)
        memory.store64(Field.turnStartedAt, 0)
    }

    /// The connection of the record is being worked for.
    package func working(for record: Int) {
        memory.store32(Field.current, UInt32(record + 1))
    }

    /// What is done now is for no connection.
    package func workingForNone() {
        memory.store32(Field.current, 0)
    }

    // MARK: The worker's load

    package func set(requests: Int, streams: Int, connections: Int) {
        memory.store32(Field.requests, UInt32(clamping: requests))
        memory.store32(Field.streams, UInt32(clamping: streams))
        memory.store32(Field.connections, UInt32(clamping: connections))
    }

    package func set(bytesQueued: Int) {
        memory.store64(Field.bytesQueued, UInt64(clamping: bytesQueued))
    }

    package func sent(_ bytes: Int) {
        memory.store64(Field.bytesOut, memory.load64(Field.bytesOut) &+ UInt64(clamping: bytes))
    }

    package func requestEnded() {
        memory.store64(Field.requestsTotal, memory.load64(Field.requestsTotal) &+ 1)
    }

    /// A stream had to be cut because the worker has to end.
    package func streamAborted() {
        memory.store64(Field.streamsAborted, memory.load64(Field.streamsAborted) &+ 1)
    }

    /// When the oldest open stream began, 0 for none.
    package func set(oldestStream: UInt64) {
        memory.store64(Field.oldestStream, oldestStream)
    }

    /// What the worker does, as far as it has said.
    package var load: WorkerLoad {
        WorkerLoad(
            turnStartedAt: time(Field.turnStartedAt),
            turnEndedAt: time(Field.turnEndedAt),
            turns: memory.load64(Field.turns),
            lag: time(Field.lag),
            requests: Int(memory.load32(Field.requests)),
            streams: Int(memory.load32(Field.streams)),
            connections: Int(memory.load32(Field.connections)),
            bytesQueued: Int(clamping: memory.load64(Field.bytesQueued)),
            bytesOut: total(Field.bytesOut),
            requestsTotal: total(Field.requestsTotal),
            oldestStream: time(Field.oldestStream),
            streamsAborted: total(Field.streamsAborted)
        )
    }

    /// Nanoseconds of the clock; 146 years, so that sums of two do not overflow.
    private static let timeMax: UInt64 = 1 << 62
    /// What a number in JSON holds exactly, so that sums over a fleet do not overflow.
    private static let totalMax: UInt64 = 1 << 53

    /// A time that a worker wrote; a broken one can have written anything.
    private func time(_ field: Int) -> UInt64 { min(memory.load64(field), Self.timeMax) }

    /// A total that a worker wrote, likewise.
    private func total(_ field: Int) -> UInt64 { min(memory.load64(field), Self.totalMax) }

    // MARK: Crashes

    /// A crash of this process leaves a note here from now on.
    package func keepCrashNotes() throws(Errno) {
        try memory.keepCrashNotes(at: Self.crashNote)
    }

    /// What the worker left when it crashed, with the request it worked at.
    package var crashNote: CrashNote {
        CrashNote(memory, at: Self.crashNote, requestID: currentRequestID)
    }

    /// The id of the request that the worker was at.
    private var currentRequestID: String? {
        let current = Int(memory.load32(Field.current))
        guard (1...Self.recordsMax).contains(current) else { return nil }
        return requestID(current - 1)
    }
}

/// What one worker does.
///
/// Units: nanoseconds of the monotonic clock, bytes.
package struct WorkerLoad: Equatable, Sendable {
    /// 0 while the loop waits.
    package var turnStartedAt: UInt64 = 0
    package var turnEndedAt: UInt64 = 0
    package var turns: UInt64 = 0
    package var lag: UInt64 = 0
    package var requests = 0
    package var streams = 0
    package var connections = 0
    /// Waiting in the worker for clients to take them.
    package var bytesQueued = 0
    package var bytesOut: UInt64 = 0
    package var requestsTotal: UInt64 = 0
    package var oldestStream: UInt64 = 0
    package var streamsAborted: UInt64 = 0

    package init() {}

    init(
        turnStartedAt: UInt64,
        turnEndedAt: UInt64,
        turns: UInt64,
        lag: UInt64,
        requests: Int,
        streams: Int,
        connections: Int,
        bytesQueued: Int,
        bytesOut: UInt64,
        requestsTotal: UInt64,
        oldestStream: UInt64,
        streamsAborted: UInt64
    ) {
        self.turnStartedAt = turnStartedAt
        self.turnEndedAt = turnEndedAt
        self.turns = turns
        self.lag = lag
        self.requests = requests
        self.streams = streams
        self.connections = connections
        self.bytesQueued = bytesQueued
        self.bytesOut = bytesOut
        self.requestsTotal = requestsTotal
        self.oldestStream = oldestStream
        self.streamsAborted = streamsAborted
    }
}
