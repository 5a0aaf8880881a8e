// SPDX-License-Identifier: Apache-2.0
import Bytes
import Metrics
import Scoreboard
import System

/// How a process ended, with all that is known about it.
struct WorkerEnd: Equatable {
    var exit: ProcessExit
    /// What it left in its page.
    var note: CrashNote
    /// The last lines that it printed.
    var output: [UInt8] = []
    /// The kernel has killed it for want of memory.
    var wasOutOfMemory = false
    /// Seconds since 1970.
    var at: Int
}

/// How workers ended, for the status plane.
struct WorkerHistory {
    private(set) var restarts = FleetSnapshot.Counts<FleetSnapshot.RestartReason>()
    /// Bounded by the slot numbers, which are bounded by `FleetMachine.workersMax`.
    private var slots: [Int: Slot] = [:]

    private struct Slot {
        var restarts: UInt64 = 0
        var lastExit: FleetSnapshot.Exit?
    }

    mutating func code(_ coder: inout StateCoder) {
        for reason in FleetSnapshot.RestartReason.allCases { coder.code(&restarts[reason]) }
        var numbers = slots.keys.sorted()
        coder.code(list: &numbers)
        for number in numbers where !coder.isBroken {
            var slot = slots[number] ?? Slot()
            coder.code(&slot.restarts)
            let none = FleetSnapshot.Exit(code: nil, signal: nil, reason: .exit, at: 0)
            coder.code(optional: &slot.lastExit, new: none) { exit, coder in
                coder.code(&exit.code)
                coder.code(&exit.signal)
                coder.code(&exit.reason)
                coder.code(&exit.at)
                coder.code(&exit.requestID)
                coder.code(list: &exit.backtrace, new: "") { $1.code(&$0) }
                coder.code(&exit.output)
            }
            slots[number] = slot
        }
    }

    func restarts(slot: Int) -> UInt64 { slots[slot]?.restarts ?? 0 }

    func lastExit(slot: Int) -> FleetSnapshot.Exit? { slots[slot]?.lastExit }

    /// A worker was replaced by one with a new configuration.
    mutating func replaced(_ reason: FleetSnapshot.RestartReason) {
        restarts[reason] += 1
    }

    /// A process could not even be started.
    mutating func bootFailed(slot: Int, at time: Int) {
        record(slot, FleetSnapshot.Exit(code: nil, signal: nil, reason: .bootFailed, at: time))
    }

    /// A worker was replaced because it was old.
    mutating func recycled() {
        restarts[.recycle] += 1
    }

    /// A process ended.
    ///
    /// Returns why it has to be replaced; nil when it was told to leave.
    mutating func exited(
        _ slot: WorkerSlot,
        _ end: WorkerEnd
    ) -> FleetSnapshot.RestartReason? {
        guard slot.purpose != .leave || slot.fault != nil else { return nil }
        let reason = Self.reason(slot, end)
        var shown = FleetSnapshot.Exit(
            code: nil,
            signal: nil,
            reason: reason,
            at: end.at,
            requestID: end.note.requestID,
            backtrace: end.note.backtrace,
            output: end.output.isEmpty ? nil : String(decoding: end.output, as: UTF8.self)
        )
        switch end.exit {
        case .exited(let code): shown.code = Int(code)
        case .signaled(let signal): shown.signal = Int(signal)
        case .unknown: break
        }
        record(slot.number, shown)
        return reason
    }

    private mutating func record(_ number: Int, _ exit: FleetSnapshot.Exit) {
        restarts[exit.reason] += 1
        slots[number, default: Slot()].restarts += 1
        slots[number, default: Slot()].lastExit = exit
    }

    private static func reason(
        _ slot: WorkerSlot,
        _ end: WorkerEnd
    ) -> FleetSnapshot.RestartReason {
        switch slot.fault {
        case .hang: return .hang
        case .stopped: return .stopped
        case .protocolError: return .protocolError
        case .bootTimeout, .probeFailed: return .bootFailed
        case nil: break
        }
        if end.wasOutOfMemory { return .outOfMemory }
        if slot.readySince == nil { return .bootFailed }
        switch end.exit {
        case .exited, .unknown: return .exit
        case .signaled: return .crash
        }
    }
}
