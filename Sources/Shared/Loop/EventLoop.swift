// SPDX-License-Identifier: Apache-2.0
internal import CLinux
package import System

/// Receives the events of the descriptors, timers and turns it asked for.
///
/// A class to inherit from instead of a protocol: one virtual call per event, no existential. Open,
/// and with it what its methods name, because Swift lets no other module inherit from a `package`
/// class.
open class EventHandler {
    public init() {}

    /// The descriptor behind `token` is ready.
    open func ready(_ readiness: Readiness, token: EventToken) {}

    /// A timer that was scheduled with `kind` is due.
    open func timerFired(kind: UInt32, id: TimerID) {}

    /// The turn in which `EventLoop.atEndOfTurn` was called ends.
    open func turnEnded() {}
}

/// Learns when turns begin and end: the heartbeat of a process.
///
/// Open for the same reason as `EventHandler`.
open class TurnObserver {
    public init() {}

    /// The wait is over.
    open func turnBegan(at now: UInt64) {}

    /// The work of the turn is done; the loop is about to wait.
    open func turnEnded(at now: UInt64) {}
}

/// What a descriptor waits for.
package struct Interest: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// EPOLLIN and EPOLLRDHUP: data, or the peer's end.
    package static let read = Interest(rawValue: 0x1 | 0x2000)
    /// EPOLLRDHUP alone: the peer's end, while data stays where it is.
    package static let peerEnd = Interest(rawValue: 0x2000)
    /// EPOLLOUT.
    package static let write = Interest(rawValue: 0x4)
}

/// What epoll reported, with errors folded in so that some handler always runs.
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let readable = Readiness(rawValue: 0x1)
    package static let writable = Readiness(rawValue: 0x4)
    package static let failed = Readiness(rawValue: 0x8)
    package static let hangup = Readiness(rawValue: 0x10)
    package static let peerEnded = Readiness(rawValue: 0x2000)

    package var canRead: Bool {
        !isDisjoint(with: [.readable, .failed, .hangup, .peerEnded])
    }
    package var canWrite: Bool { !isDisjoint(with: [.writable, .failed, .hangup]) }
    /// The peer has ended its side or the connection broke.
    package var isPeerGone: Bool { !isDisjoint(with: [.peerEnded, .failed, .hangup]) }
}

/// Names one registration.
///
/// Events of an earlier registration of the same slot are dropped.
public struct EventToken: Equatable, Hashable, Sendable {
    package static let none = EventToken(slot: .max, generation: 0)

    let slot: UInt32
    let generation: UInt32

    init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }

    init(raw: UInt64) {
        slot = UInt32(truncatingIfNeeded: raw)
        generation = UInt32(truncatingIfNeeded: raw >> 32)
    }

    var raw: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
}

/// One thread's readiness loop: epoll, timers, end-of-turn work.
///
/// Level-triggered. The clock is read once per turn (`now`). Handlers are kept alive by their
/// registration; deregistering one inside its own call is fine.
package final class EventLoop {
    private struct Slot {
        var generation: UInt32
        var fd: Int32
        var handler: EventHandler?
    }

    private struct TimerEntry {
        let handler: EventHandler
        let kind: UInt32
    }

    private let epoll: OwnedFD
    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []
    private var timers = TimerQueue<TimerEntry>()
    private var turnHandlers: [EventHandler] = []
    private var endingHandlers: [EventHandler] = []
    private var events: [clinux_event]
    /// Turns in a row that took as many events as fit: more may be waiting in the kernel.
    private var fullTurns = 0
    private var isStopping = false
    /// Told about every turn.
    package var observer: TurnObserver?

    /// Nanoseconds of the monotonic clock at the start of this turn.
    package private(set) var now: UInt64
    /// Turns done so far.
    package private(set) var turns: UInt64 = 0
    /// Descriptors registered at present.
    package private(set) var registrations = 0

    package init() throws(SystemError) {
        let fd = clinux_epoll_create()
        guard fd >= 0 else { throw SystemError(.epollCreate, Errno(code: -fd)) }
        epoll = OwnedFD(owning: fd)
        events = Array(repeating: clinux_event(), count: Int(CLINUX_EVENTS_MAX))
        now = Syscalls.monotonicNanoseconds()
    }

    // MARK: Descriptors

    /// Starts to report events of `fd`.
    ///
    /// The caller keeps owning the descriptor and must deregister it before closing: epoll follows
    /// the open file, not the number.
    package func register(
        _ fd: Int32,
        _ interest: Interest,
        _ handler: EventHandler
    ) throws(SystemError) -> EventToken {
        let index: UInt32
        if let reused = freeSlots.popLast() {
            index = reused
        } else {
            index = UInt32(slots.count)
            slots.append(Slot(generation: 0, fd: -1, handler: nil))
        }
        let token = EventToken(slot: index, generation: slots[Int(index)].generation)
        let result = clinux_epoll_ctl(epoll.raw, 1, fd, interest.rawValue, token.raw)
        guard result >= 0 else {
            freeSlots.append(index)
            throw SystemError(.epollControl, Errno(code: -result))
        }
        slots[Int(index)].fd = fd
        slots[Int(index)].handler = handler
        registrations += 1
        return token
    }

    /// Changes what `token` waits for.
    package func modify(_ token: EventToken, _ interest: Interest) {
        guard isCurrent(token) else { return }
        let fd = slots[Int(token.slot)].fd
        let result = clinux_epoll_ctl(epoll.raw, 3, fd, interest.rawValue, token.raw)
        precondition(result >= 0, "epoll_ctl MOD of a registered descriptor: \(result)")
    }

    /// Hands the events of `token` to another handler.
    package func setHandler(_ token: EventToken, _ handler: EventHandler) {
        guard isCurrent(token) else { return }
        slots[Int(token.slot)].handler = handler
    }

    /// Stops reporting.
    ///
    /// Events of this turn that are still to come are dropped.
    package func deregister(_ token: EventToken) {
        guard isCurrent(token) else { return }
        let index = Int(token.slot)
        // A descriptor that a library closed behind our back is gone from epoll already.
        _ = clinux_epoll_ctl(epoll.raw, 2, slots[index].fd, 0, 0)
        slots[index].generation &+= 1
        slots[index].fd = -1
        slots[index].handler = nil
        freeSlots.append(token.slot)
        registrations -= 1
    }

    private func isCurrent(_ token: EventToken) -> Bool {
        let index = Int(token.slot)
        return index < slots.count && slots[index].generation == token.generation
            && slots[index].handler != nil
    }

    // MARK: Timers

    /// Calls `handler.timerFired` once, at or after `deadline` (nanoseconds, this loop's clock).
    package func schedule(at deadline: UInt64, _ handler: EventHandler, kind: UInt32) -> TimerID {
        timers.schedule(at: deadline, TimerEntry(handler: handler, kind: kind))
    }

    package func cancel(_ id: TimerID) {
        timers.cancel(id)
    }

    // MARK: Turns

    /// Calls `handler.turnEnded` when the events of this turn are done.
    ///
    /// What is asked for while turns end happens at the end of the next one, which then does not
    /// wait: endless work cannot starve descriptors.
    package func atEndOfTurn(_ handler: EventHandler) {
        turnHandlers.append(handler)
    }

    /// Runs until `stop`.
    package func run() throws(SystemError) {
        while !isStopping { try turn() }
    }

    /// Ends `run` after the current turn.
    package func stop() {
        isStopping = true
    }

    /// One turn: wait, events, timers, end-of-turn work.
    ///
    /// `waitMax` bounds the wait in milliseconds; tests use it to stay in charge.
    package func turn(waitMax: Int32 = .max) throws(SystemError) {
        let count = try wait(waitMax)
        now = Syscalls.monotonicNanoseconds()
        turns &+= 1
        observer?.turnBegan(at: now)
        work(count)
        observer?.turnEnded(at: Syscalls.monotonicNanoseconds())
    }

    private func work(_ count: Int) {
        for index in 0..<count {
            let event = events[index]
            let token = EventToken(raw: event.token)
            guard isCurrent(token), let handler = slots[Int(token.slot)].handler else { continue }
            handler.ready(Readiness(rawValue: event.ready), token: token)
        }
        if hasTakenAllEvents(count) { runTimers() }
        guard !turnHandlers.isEmpty else { return }
        // Two arrays change places, so that no turn allocates.
        swap(&turnHandlers, &endingHandlers)
        for handler in endingHandlers { handler.turnEnded() }
        endingHandlers.removeAll(keepingCapacity: true)
    }

    /// Whether every descriptor that was ready has had its turn, so that timers may run.
    ///
    /// A process that was stopped for a while finds more events than one turn takes, and deadlines
    /// that have passed meanwhile: what has come in time must be seen before the deadline. The kernel
    /// reports ready descriptors in rounds, so once as many events were taken as there are
    /// descriptors, all that were ready at the beginning are done: a flood holds timers up for one
    /// round and no longer.
    private func hasTakenAllEvents(_ count: Int) -> Bool {
        if count == events.count {
            fullTurns += 1
            guard fullTurns * events.count >= registrations else { return false }
        }
        fullTurns = 0
        return true
    }

    private func runTimers() {
        // Timers that handlers set for now wait for the next turn.
        var budget = timers.count
        while budget > 0, let due = timers.popDue(now: now) {
            budget -= 1
            due.payload.handler.timerFired(kind: due.payload.kind, id: due.id)
        }
    }

    private func wait(_ waitMax: Int32) throws(SystemError) -> Int {
        var timeout = waitMax == .max ? Int32(-1) : waitMax
        if !turnHandlers.isEmpty {
            timeout = 0
        } else if let earliest = timers.earliest {
            let current = Syscalls.monotonicNanoseconds()
            // Rounded up: a turn that wakes before the deadline would only spin.
            let milliseconds = earliest > current ? (earliest - current + 999_999) / 1_000_000 : 0
            timeout = Int32(min(milliseconds, UInt64(timeout < 0 ? Int32.max : timeout)))
        }
        let capacity = Int32(events.count)
        // SAFETY: the callee writes at most `capacity` events.
        let count = unsafe events.withUnsafeMutableBufferPointer { buffer -> Int32 in
            guard let base = buffer.baseAddress else { return 0 }
            return unsafe clinux_epoll_wait(epoll.raw, base, capacity, timeout)
        }
        guard count >= 0 else { throw SystemError(.epollControl, Errno(code: -count)) }
        return Int(count)
    }
}
