// SPDX-License-Identifier: Apache-2.0
import Control

/// What a draining worker does with each of its connections, and when.
///
/// Pure. Idle connections leave at once or one after the other. Answers go on as they like until
/// the soft deadline, from there only while their clients take bytes, or while there is nothing to
/// take yet; shortly before the hard deadline all of them are ended with an error, and at it
/// whatever is left is cut.
struct DrainPolicy: Equatable {
    /// A client that has taken nothing for so long does not prolong a drain: it is longer than the
    /// default pause between two signs of life of a stream, and shorter than an operator's patience.
    static let stall: UInt64 = 20_000_000_000
    /// How often connections are looked at after the soft deadline.
    static let lookInterval: UInt64 = 1_000_000_000
    /// Time before the hard deadline in which errors reach their clients, at most.
    static let graceMax: UInt64 = 2_000_000_000

    /// What a connection does.
    enum Activity: Equatable {
        /// Nothing was ever read from it.
        case fresh
        /// Between two requests; `isKept` when the supervisor has a copy for another worker.
        case idle(isKept: Bool)
        /// A part of a request was read.
        case reading
        /// A request was read, and nothing of its answer is there: a model that answers in one
        /// piece says nothing for minutes.
        case preparing
        /// An answer is written; `movedAt` is when the client last took bytes of it.
        case answering(isComplete: Bool, movedAt: UInt64?)
        /// Answered; what its client still sends is thrown away.
        case lingering
    }

    enum Action: Equatable {
        case keep
        /// Back to the supervisor, for another worker.
        case handBack
        case close
        /// Ends the answer with an error, and properly.
        case end
        case cut
    }

    /// When idle connections are all closed.
    private(set) var spreadEnd: UInt64
    private(set) var soft: UInt64
    /// When answers are ended.
    private(set) var ending: UInt64
    private(set) var hard: UInt64
    private(set) var returnsIdle: Bool
    /// When an idle connection was last closed, or the drain began.
    private var closedAt: UInt64

    init(_ order: DrainOrder, now: UInt64) {
        let limit = Self.nanoseconds(order.hardMilliseconds)
        hard = now &+ limit
        ending = hard &- min(Self.graceMax, limit / 4)
        soft = min(now &+ Self.nanoseconds(order.softMilliseconds), hard)
        spreadEnd = min(now &+ Self.nanoseconds(UInt32(order.spreadMilliseconds)), soft)
        returnsIdle = order.returnsIdle
        closedAt = now
    }

    /// Another order has come: of both, what is earlier counts.
    mutating func tighten(_ order: DrainOrder, now: UInt64) {
        let other = DrainPolicy(order, now: now)
        spreadEnd = min(spreadEnd, other.spreadEnd)
        soft = min(soft, other.soft)
        ending = min(ending, other.ending)
        hard = min(hard, other.hard)
        // Where nobody takes connections any more, returning one would end it all the same.
        returnsIdle = returnsIdle && other.returnsIdle
    }

    /// Whether a connection may stay open behind an answer, to be handed back.
    func outlivesAnswer(isKept: Bool) -> Bool { returnsIdle && isKept }

    func action(for activity: Activity, now: UInt64) -> Action {
        switch activity {
        case .fresh:
            return .handBack
        case .idle(let isKept):
            if outlivesAnswer(isKept: isKept) { return .handBack }
            return now >= spreadEnd ? .close : .keep
        case .reading:
            if now >= hard { return .cut }
            return now >= min(soft, ending) ? .end : .keep
        case .preparing:
            if now >= hard { return .cut }
            return now >= ending ? .end : .keep
        case .answering(let isComplete, let movedAt):
            if now >= hard { return .cut }
            let isMoving = movedAt.map { now < $0 &+ Self.stall } ?? false
            if now >= soft, !isMoving { return isComplete ? .cut : .end }
            return now >= ending && !isComplete ? .end : .keep
        case .lingering:
            return now >= hard ? .cut : .keep
        }
    }

    /// How many of the `idle` connections are to be closed now, so that all are at the end of the
    /// spread and the intervals are even.
    mutating func closesDue(_ idle: Int, now: UInt64) -> Int {
        guard now < spreadEnd else { return idle }
        guard idle > 0 else { return 0 }
        let (steps, overflow) = UInt64(idle).multipliedReportingOverflow(by: now &- closedAt)
        let due = overflow ? UInt64(idle) : min(UInt64(idle), steps / (spreadEnd &- closedAt))
        if due > 0 { closedAt = now }
        return Int(due)
    }

    /// When connections are to be looked at again, if `idle` of them are to be closed.
    func nextLook(_ idle: Int, now: UInt64) -> UInt64? {
        var next: UInt64?
        func consider(_ time: UInt64) {
            if time > now { next = min(next ?? .max, time) }
        }
        if idle > 0, now < spreadEnd {
            let count = UInt64(idle)
            consider(min(closedAt &+ (spreadEnd &- closedAt &+ count &- 1) / count, spreadEnd))
        }
        consider(spreadEnd)
        consider(soft)
        if now >= min(soft, ending) { consider(now &+ Self.lookInterval) }
        consider(ending)
        if now < hard { consider(hard) } else { next = nil }
        return next
    }

    private static func nanoseconds(_ milliseconds: UInt32) -> UInt64 {
        UInt64(milliseconds) * 1_000_000
    }
}
