// SPDX-License-Identifier: Apache-2.0
import System

/// Names one worker process for the life of the supervisor; never used twice.
struct WorkerSerial: Hashable, Comparable {
    let number: UInt64

    static func < (one: WorkerSerial, other: WorkerSerial) -> Bool { one.number < other.number }
}

/// One place in the fleet and the process that fills it.
///
/// Pure: no clock, no descriptors, no logging. Inputs are facts with the time at which they became
/// known (nanoseconds); results say what to do. Every state but `vacant`, `ready` and `ended` has
/// exactly one deadline.
struct WorkerSlot {
    enum State: Equatable {
        /// Nothing runs. Exits: `booting`, `ended`.
        case vacant
        /// Nothing runs until the time has come. Exits: `vacant`, `ended`.
        case backoff(until: UInt64)
        /// Started, not yet ready. Exits: `ready`, `stopping`, `killed`, `vacant`, `backoff`,
        /// `ended`.
        case booting(deadline: UInt64)
        /// Takes connections. Exits: `draining`, `stopping`, `killed`, `vacant`, `backoff`.
        case ready(since: UInt64)
        /// Told to finish. Exits: `stopping`, `killed`, `ended`.
        case draining(deadline: UInt64)
        /// Has to end by itself until the deadline: it said that it is done, was sent TERM, or
        /// closed its control socket. Exits: `killed`, `ended`, `vacant`, `backoff`.
        case stopping(deadline: UInt64)
        /// KILL was sent; only the exit is missing. Exits: `ended`, `vacant`, `backoff`.
        case killed
        /// Over: the slot is to be removed. No exits.
        case ended
    }

    /// What happens when the process is gone.
    enum Purpose: Equatable {
        /// The place is to be filled again.
        case serve
        /// To take the place of another slot with the same number, once it is ready.
        case replace
        /// The place goes away.
        case leave
    }

    /// Why the supervisor itself ended the process.
    enum Fault: Equatable {
        case bootTimeout, unresponsive, protocolError
    }

    enum LeaveAction: Equatable {
        case nothing
        /// Nothing ran: the slot is over.
        case end
        case drain
        case terminate
    }

    enum TimeAction: Equatable {
        case nothing, start, terminate, kill
    }

    enum ExitAction: Equatable {
        /// The slot is over.
        case end
        case start
        /// `timePassed` will say when.
        case wait
    }

    /// Loading a configuration with thousands of keys takes milliseconds, a cold disk seconds.
    static let bootTimeout: UInt64 = 10_000_000_000
    /// A worker that says it is done, or was sent TERM, only has to leave its loop.
    static let exitGrace: UInt64 = 2_000_000_000

    let number: Int
    private(set) var generation: UInt32
    private(set) var state = State.vacant
    private(set) var purpose: Purpose
    /// The process that runs, or ran last.
    private(set) var serial: WorkerSerial?
    /// Failures in a row; see `RestartPolicy`.
    private(set) var failures = 0
    /// Processes after the first one.
    private(set) var restarts: UInt64 = 0
    private(set) var fault: Fault?
    /// When the process that runs, or ran last, became ready.
    private(set) var readySince: UInt64?

    init(number: Int, generation: UInt32, purpose: Purpose) {
        self.number = number
        self.generation = generation
        self.purpose = purpose
    }

    /// Whether a process exists.
    var isRunning: Bool {
        switch state {
        case .booting, .ready, .draining, .stopping, .killed: true
        case .vacant, .backoff, .ended: false
        }
    }

    var isReady: Bool {
        switch state {
        case .ready: true
        case .vacant, .backoff, .booting, .draining, .stopping, .killed, .ended: false
        }
    }

    var isDraining: Bool {
        switch state {
        case .draining: true
        case .vacant, .backoff, .booting, .ready, .stopping, .killed, .ended: false
        }
    }

    /// When `timePassed` has something to do.
    var deadline: UInt64? {
        switch state {
        case .backoff(let until): until
        case .booting(let deadline), .draining(let deadline), .stopping(let deadline): deadline
        case .vacant, .ready, .killed, .ended: nil
        }
    }

    // MARK: Inputs

    /// A process is being started.
    ///
    /// Only for a vacant slot.
    mutating func started(_ serial: WorkerSerial, generation: UInt32, now: UInt64) {
        guard state == .vacant else { preconditionFailure("started in \(state)") }
        if self.serial != nil { restarts += 1 }
        self.serial = serial
        self.generation = generation
        fault = nil
        readySince = nil
        state = .booting(deadline: now + Self.bootTimeout)
    }

    /// The process says READY; false when it had no business to.
    mutating func readyReceived(now: UInt64) -> Bool {
        switch state {
        case .booting:
            state = .ready(since: now)
            readySince = now
            return true
        case .stopping, .killed:
            // Sent before it learnt of its end.
            return true
        case .ready, .draining:
            return false
        case .vacant, .backoff, .ended:
            preconditionFailure("readyReceived in \(state)")
        }
    }

    /// The other slot that this one was to replace has gone, or been told to go.
    mutating func promoted() {
        purpose = .serve
    }

    /// The slot is no longer wanted; its process has until `deadline` to finish.
    mutating func leave(now: UInt64, deadline: UInt64) -> LeaveAction {
        purpose = .leave
        switch state {
        case .vacant, .backoff:
            state = .ended
            return .end
        case .booting:
            state = .stopping(deadline: now + Self.exitGrace)
            return .terminate
        case .ready:
            state = .draining(deadline: deadline)
            return .drain
        case .draining(let earlier):
            state = .draining(deadline: min(earlier, deadline))
            return .nothing
        case .stopping, .killed, .ended:
            return .nothing
        }
    }

    /// The process is to end now: TERM, and KILL when `deadline` passes.
    mutating func stop(deadline: UInt64) -> LeaveAction {
        purpose = .leave
        switch state {
        case .vacant, .backoff:
            state = .ended
            return .end
        case .booting, .ready, .draining:
            state = .stopping(deadline: deadline)
            return .terminate
        case .stopping(let earlier):
            state = .stopping(deadline: min(earlier, deadline))
            return .nothing
        case .killed, .ended:
            return .nothing
        }
    }

    /// The process says that nothing runs any more, or it closed its control socket: its exit
    /// must follow.
    mutating func exitAnnounced(now: UInt64) {
        switch state {
        case .booting, .ready, .draining:
            state = .stopping(deadline: now + Self.exitGrace)
        case .stopping, .killed:
            return
        case .vacant, .backoff, .ended:
            preconditionFailure("exitAnnounced in \(state)")
        }
    }

    /// The process cannot be trusted any more; true when KILL is to be sent.
    mutating func failed(_ fault: Fault) -> Bool {
        switch state {
        case .booting, .ready, .draining, .stopping:
            self.fault = fault
            state = .killed
            return true
        case .killed:
            return false
        case .vacant, .backoff, .ended:
            preconditionFailure("failed in \(state)")
        }
    }

    /// The clock shows `now`.
    mutating func timePassed(now: UInt64) -> TimeAction {
        switch state {
        case .backoff(let until) where until <= now:
            state = .vacant
            return .start
        case .booting(let deadline) where deadline <= now:
            fault = .bootTimeout
            state = .killed
            return .kill
        case .draining(let deadline) where deadline <= now:
            state = .stopping(deadline: now + Self.exitGrace)
            return .terminate
        case .stopping(let deadline) where deadline <= now:
            state = .killed
            return .kill
        case .vacant, .backoff, .booting, .ready, .draining, .stopping, .killed, .ended:
            return .nothing
        }
    }

    /// The process is gone, or could not be started.
    mutating func exited(now: UInt64, jitter: UInt64) -> ExitAction {
        guard isRunning else { preconditionFailure("exited in \(state)") }
        switch purpose {
        case .leave:
            state = .ended
            return .end
        case .serve, .replace:
            if let readySince, now >= readySince + RestartPolicy.stableAfter { failures = 0 }
            // A process that never became ready does not get the first restart for free.
            if readySince == nil { failures = max(failures, 1) }
            let delay = RestartPolicy.delay(after: failures, jitter: jitter)
            failures += 1
            state = delay == 0 ? .vacant : .backoff(until: now + delay)
            return delay == 0 ? .start : .wait
        }
    }
}
