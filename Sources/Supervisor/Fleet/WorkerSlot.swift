// SPDX-License-Identifier: Apache-2.0
import Bytes
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
        /// Started, not yet ready. Exits: `probing`, `ready`, `stopping`, `killed`, `vacant`,
        /// `backoff`, `ended`.
        case booting(deadline: UInt64)
        /// Ready by its own word; a request that it has to answer is under way. Exits: as above.
        case probing(deadline: UInt64)
        /// Takes connections. Exits: `draining`, `stopping`, `killed`, `vacant`, `backoff`.
        case ready(since: UInt64)
        /// Told to finish. Exits: `stopping`, `killed`, `ended`.
        case draining(deadline: UInt64)
        /// Has to end by itself until the deadline: it said that it is done, was sent TERM, or
        /// closed its control socket. Exits: `killed`, `ended`, `vacant`, `backoff`.
        case stopping(deadline: UInt64)
        /// Does not get on: ABRT was sent, so that it tells where it stands. Exits: `killed`,
        /// `ended`, `vacant`, `backoff`.
        case aborting(deadline: UInt64)
        /// KILL was sent; only the exit is missing. Past the deadline the kernel holds the process,
        /// and its place goes to another slot. Exits: `ended`, `vacant`, `backoff`.
        case killed(deadline: UInt64)
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
        case bootTimeout, probeFailed, hang, stopped, protocolError
    }

    /// What is to be sent to a process that cannot be trusted any more.
    enum FaultAction: Equatable {
        case nothing, abort, kill
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
        /// Not even KILL has ended it: the place is to be filled by another slot.
        case abandon
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
    /// A crash note is written in milliseconds; a process that is stopped never writes one.
    static let abortGrace: UInt64 = 2_000_000_000
    /// A killed process is gone in milliseconds, unless a device or a file system holds it.
    static let killGrace: UInt64 = 5_000_000_000
    /// The probe is one small request to an idle worker.
    static let probeTimeout: UInt64 = 5_000_000_000

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
    /// When its process is to be replaced although nothing is wrong with it.
    private(set) var recycling: RecycleReason?

    init(number: Int, generation: UInt32, purpose: Purpose) {
        self.number = number
        self.generation = generation
        self.purpose = purpose
    }

    /// Whether a process exists.
    var isRunning: Bool {
        switch state {
        case .booting, .probing, .ready, .draining, .stopping, .aborting, .killed: true
        case .vacant, .backoff, .ended: false
        }
    }

    var isReady: Bool {
        switch state {
        case .ready: true
        case .vacant, .backoff, .booting, .probing, .draining, .stopping, .aborting, .killed,
            .ended:
            false
        }
    }

    var isDraining: Bool {
        switch state {
        case .draining: true
        case .vacant, .backoff, .booting, .probing, .ready, .stopping, .aborting, .killed, .ended:
            false
        }
    }

    /// When `timePassed` has something to do.
    var deadline: UInt64? {
        switch state {
        case .backoff(let until): until
        case .booting(let deadline), .probing(let deadline), .draining(let deadline),
            .stopping(let deadline), .aborting(let deadline), .killed(let deadline):
            deadline
        case .vacant, .ready, .ended: nil
        }
    }

    /// All that another program needs to go on with the slot; a fault is told before it goes on.
    mutating func codeFacts(_ coder: inout StateCoder) {
        coder.code(&generation)
        state.code(&coder)
        purpose.code(&coder)
        var number = serial?.number
        coder.code(&number)
        serial = number.map { WorkerSerial(number: $0) }
        coder.code(&failures)
        coder.code(&restarts)
        coder.code(&readySince)
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
        recycling = nil
        state = .booting(deadline: now + Self.bootTimeout)
    }

    /// The process says READY; false when it had no business to.
    mutating func readyReceived(now: UInt64, isProbed: Bool = false) -> Bool {
        switch state {
        case .booting:
            if isProbed {
                state = .probing(deadline: now + Self.probeTimeout)
            } else {
                becomeReady(now)
            }
            return true
        case .stopping, .aborting, .killed:
            // Sent before it learnt of its end.
            return true
        case .probing, .ready, .draining:
            return false
        case .vacant, .backoff, .ended:
            preconditionFailure("readyReceived in \(state)")
        }
    }

    /// The process has answered its probe; false when nobody waits for that any more.
    mutating func probePassed(now: UInt64) -> Bool {
        switch state {
        case .probing:
            becomeReady(now)
            return true
        case .vacant, .backoff, .booting, .ready, .draining, .stopping, .aborting, .killed,
            .ended:
            return false
        }
    }

    private mutating func becomeReady(_ now: UInt64) {
        state = .ready(since: now)
        readySince = now
    }

    /// The process is to be replaced when its turn comes.
    mutating func recycle(_ reason: RecycleReason) {
        guard case .ready = state, purpose == .serve, recycling == nil else { return }
        recycling = reason
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
        case .booting, .probing:
            state = .stopping(deadline: now + Self.exitGrace)
            return .terminate
        case .ready:
            state = .draining(deadline: deadline)
            return .drain
        case .draining(let earlier):
            guard deadline < earlier else { return .nothing }
            state = .draining(deadline: deadline)
            return .drain
        case .stopping, .aborting, .killed, .ended:
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
        case .booting, .probing, .ready, .draining:
            state = .stopping(deadline: deadline)
            return .terminate
        case .stopping(let earlier):
            state = .stopping(deadline: min(earlier, deadline))
            return .nothing
        case .aborting(let earlier):
            state = .aborting(deadline: min(earlier, deadline))
            return .nothing
        case .killed, .ended:
            return .nothing
        }
    }

    /// The process says that nothing runs any more, or it closed its control socket: its exit
    /// must follow.
    mutating func exitAnnounced(now: UInt64) {
        switch state {
        case .booting, .probing, .ready, .draining:
            state = .stopping(deadline: now + Self.exitGrace)
        case .stopping, .aborting, .killed:
            return
        case .vacant, .backoff, .ended:
            preconditionFailure("exitAnnounced in \(state)")
        }
    }

    /// The process cannot be trusted any more.
    mutating func failed(_ fault: Fault, now: UInt64) -> FaultAction {
        switch state {
        case .booting, .probing, .ready, .draining, .stopping:
            self.fault = fault
            guard fault == .hang else {
                _ = kill(now: now)
                return .kill
            }
            state = .aborting(deadline: now + Self.abortGrace)
            return .abort
        case .aborting, .killed:
            return .nothing
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
            return kill(now: now)
        case .probing(let deadline) where deadline <= now:
            fault = .probeFailed
            return kill(now: now)
        case .aborting(let deadline) where deadline <= now:
            return kill(now: now)
        case .draining(let deadline) where deadline <= now:
            state = .stopping(deadline: now + Self.exitGrace)
            return .terminate
        case .stopping(let deadline) where deadline <= now:
            return kill(now: now)
        case .killed(let deadline) where deadline <= now:
            state = .killed(deadline: .max)
            return .abandon
        case .vacant, .backoff, .booting, .probing, .ready, .draining, .stopping, .aborting,
            .killed, .ended:
            return .nothing
        }
    }

    private mutating func kill(now: UInt64) -> TimeAction {
        state = .killed(deadline: now + Self.killGrace)
        return .kill
    }

    /// Nobody waits any more for the end of a process that was killed.
    mutating func abandoned() {
        purpose = .leave
    }

    /// The process is gone, or could not be started.
    mutating func exited(
        now: UInt64,
        jitter: UInt64,
        budget: inout RestartBudget
    ) -> ExitAction {
        guard isRunning else { preconditionFailure("exited in \(state)") }
        recycling = nil
        switch purpose {
        case .leave:
            state = .ended
            return .end
        case .serve, .replace:
            if let readySince, now >= readySince + RestartPolicy.stableAfter { failures = 0 }
            // A process that never became ready does not get the first restart for free.
            if readySince == nil { failures = max(failures, 1) }
            let delay = max(
                RestartPolicy.delay(after: failures, jitter: jitter),
                budget.delay(now: now)
            )
            failures += 1
            state = delay == 0 ? .vacant : .backoff(until: now + delay)
            return delay == 0 ? .start : .wait
        }
    }
}
