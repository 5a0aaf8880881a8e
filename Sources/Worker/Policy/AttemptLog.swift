// SPDX-License-Identifier: Apache-2.0

/// One attempt, for `Server-Timing` and the access log; times in nanoseconds.
package struct AttemptRecord: Equatable, Sendable {
    package enum Outcome: Equatable, Sendable {
        case running
        /// The client has its answer from here.
        case answered
        /// Ended by us: the client left.
        case cancelled
        case failed(FailureReason)
    }

    package let target: TargetID
    package let startedAt: UInt64
    package var endedAt: UInt64?
    package var outcome: Outcome

    package init(
        target: TargetID,
        startedAt: UInt64,
        endedAt: UInt64? = nil,
        outcome: Outcome = .running
    ) {
        self.target = target
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.outcome = outcome
    }
}

/// The attempts of one request, in order: the first seven and the latest.
///
/// The first is kept apart: most requests have no other, and need no array.
package struct AttemptLog: RandomAccessCollection, Equatable, Sendable {
    /// Limit: 8, which makes a `Server-Timing` value of some 300 bytes.
    package static let recordsMax = 8

    private var first: AttemptRecord?
    private var later: [AttemptRecord] = []
    /// All attempts, also those that are not kept.
    package private(set) var total = 0

    package init() {}

    package var startIndex: Int { 0 }
    package var endIndex: Int { first == nil ? 0 : later.count + 1 }

    package subscript(place: Int) -> AttemptRecord {
        if place == 0, let first { return first }
        return later[place - 1]
    }

    mutating func begin(_ target: TargetID, now: UInt64) {
        let record = AttemptRecord(target: target, startedAt: now)
        total += 1
        if first == nil {
            first = record
        } else if later.count < Self.recordsMax - 1 {
            later.append(record)
        } else {
            later[later.count - 1] = record
        }
    }

    /// Ends the latest attempt.
    mutating func end(_ outcome: AttemptRecord.Outcome, now: UInt64) {
        if later.isEmpty {
            first?.outcome = outcome
            first?.endedAt = now
        } else {
            later[later.count - 1].outcome = outcome
            later[later.count - 1].endedAt = now
        }
    }
}
