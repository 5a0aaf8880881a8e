// SPDX-License-Identifier: Apache-2.0

/// A client connection on its way to a worker.
package struct HandedConnection: Equatable, Sendable {
    /// Unique among the connections that the supervisor knows at one time.
    package let id: UInt32
    /// Index of the listener that accepted it.
    package let listener: UInt8
    /// Whether the supervisor keeps its copy for the life of the connection: then the worker may
    /// return it between two requests, and must shut it down, or have it reset, before it closes its
    /// own copy.
    package let isKept: Bool
    /// The connection's record in the worker's scoreboard.
    package let record: UInt16

    package init(id: UInt32, listener: UInt8 = 0, isKept: Bool = true, record: UInt16 = 0) {
        self.id = id
        self.listener = listener
        self.isKept = isKept
        self.record = record
    }
}

/// How a worker is to finish.
package struct DrainOrder: Equatable, Sendable {
    /// From here on only answers that make progress may go on.
    package let softMilliseconds: UInt32
    /// From here on nothing may go on.
    package let hardMilliseconds: UInt32
    /// Idle connections are closed one after the other over so long, lest their clients all come
    /// back at once.
    package let spreadMilliseconds: UInt16
    /// Idle connections that the supervisor keeps are returned instead, for another worker.
    package let returnsIdle: Bool

    package init(
        softMilliseconds: UInt32,
        hardMilliseconds: UInt32,
        spreadMilliseconds: UInt16 = 0,
        returnsIdle: Bool = false
    ) {
        self.softMilliseconds = softMilliseconds
        // The top bit of the argument is the last member's.
        self.hardMilliseconds = min(hardMilliseconds, .max >> 1)
        self.spreadMilliseconds = spreadMilliseconds
        self.returnsIdle = returnsIdle
    }

    var argument: UInt64 {
        UInt64(softMilliseconds) | UInt64(hardMilliseconds) << 32 | (returnsIdle ? 1 << 63 : 0)
    }

    init(argument: UInt64, detail: UInt16) {
        softMilliseconds = UInt32(truncatingIfNeeded: argument)
        hardMilliseconds = UInt32(truncatingIfNeeded: argument >> 32) & (.max >> 1)
        spreadMilliseconds = detail
        returnsIdle = argument >> 63 == 1
    }
}

/// What became of one handed connection.
package struct ConnectionReport: Equatable, Sendable {
    package enum Event: UInt8, Sendable, CaseIterable {
        /// The worker owns the descriptor.
        case received = 1
        /// The first byte was read: from here on nobody else may serve it.
        case started = 2
        /// The connection is over.
        case closed = 3
        /// The worker does not take it; the supervisor's copy goes elsewhere.
        case refused = 4
        /// Between two requests the worker has let go of it; the supervisor's copy goes elsewhere.
        case returned = 5
    }

    package enum Reason: UInt8, Sendable, CaseIterable {
        case none = 0
        case draining = 1
        /// The descriptor was lost on the way, or the worker has no room for another one.
        case noDescriptor = 2
        case overloaded = 3
    }

    package let id: UInt32
    package let event: Event
    package let reason: Reason

    package init(id: UInt32, event: Event, reason: Reason = .none) {
        self.id = id
        self.event = event
        self.reason = reason
    }
}
