// SPDX-License-Identifier: Apache-2.0
import Metrics
import System

/// How workers ended, for the status plane.
struct WorkerHistory {
    private(set) var restarts = FleetSnapshot.Counts<FleetSnapshot.RestartReason>()
    /// Bounded by the slot numbers, which are bounded by `FleetMachine.workersMax`.
    private var slots: [Int: Slot] = [:]

    private struct Slot {
        var restarts: UInt64 = 0
        var lastExit: FleetSnapshot.Exit?
    }

    func restarts(slot: Int) -> UInt64 { slots[slot]?.restarts ?? 0 }

    func lastExit(slot: Int) -> FleetSnapshot.Exit? { slots[slot]?.lastExit }

    /// A worker was replaced by one with a new configuration.
    mutating func replaced() {
        restarts[.reload] += 1
    }

    /// A process could not even be started.
    mutating func bootFailed(slot: Int, at time: Int) {
        record(slot, FleetSnapshot.Exit(code: nil, signal: nil, reason: .bootFailed, at: time))
    }

    /// A process ended.
    ///
    /// Returns why it has to be replaced; nil when it was told to leave.
    mutating func exited(
        _ slot: WorkerSlot,
        _ exit: ProcessExit,
        at time: Int
    ) -> FleetSnapshot.RestartReason? {
        guard slot.purpose != .leave else { return nil }
        let reason = Self.reason(slot, exit)
        switch exit {
        case .exited(let code):
            record(
                slot.number,
                FleetSnapshot.Exit(code: Int(code), signal: nil, reason: reason, at: time)
            )
        case .signaled(let signal):
            record(
                slot.number,
                FleetSnapshot.Exit(code: nil, signal: Int(signal), reason: reason, at: time)
            )
        }
        return reason
    }

    private mutating func record(_ number: Int, _ exit: FleetSnapshot.Exit) {
        restarts[exit.reason] += 1
        slots[number, default: Slot()].restarts += 1
        slots[number, default: Slot()].lastExit = exit
    }

    private static func reason(
        _ slot: WorkerSlot,
        _ exit: ProcessExit
    ) -> FleetSnapshot.RestartReason {
        switch slot.fault {
        case .unresponsive: return .hang
        case .protocolError: return .protocolError
        case .bootTimeout: return .bootFailed
        case nil: break
        }
        if slot.readySince == nil { return .bootFailed }
        switch exit {
        case .exited: return .exit
        case .signaled: return .crash
        }
    }
}
