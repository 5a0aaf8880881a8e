// SPDX-License-Identifier: Apache-2.0
import System

/// What follows when a process does not live, or does not end.
extension FleetMachine {
    mutating func lost(
        _ serial: WorkerSerial,
        _ loss: BootFailure,
        now: UInt64,
        jitter: UInt64
    ) {
        guard let index = index(of: serial) else { return }
        let failure = BootFailure(of: slots[index], loss)
        let wasReplacement = slots[index].purpose == .replace
        let action = slots[index].exited(now: now, jitter: jitter, budget: &budget)
        capacityLost(index, failure, action, wasReplacement: wasReplacement, now: now)
    }

    /// A process that was killed does not end: another slot takes its place.
    mutating func abandon(_ index: Int, now: UInt64) {
        guard slots[index].purpose != .leave else { return }
        let failure = BootFailure(of: slots[index], .stuck)
        let wasReplacement = slots[index].purpose == .replace
        slots[index].abandoned()
        capacityLost(index, failure, .wait, wasReplacement: wasReplacement, now: now)
        switch state {
        case .starting, .running, .rolling, .lameDuck:
            guard slots.count(where: { $0.purpose == .serve }) < desired else { return }
            // The same number: a replacement that boots may be for it.
            slots.append(
                WorkerSlot(number: slots[index].number, generation: generation, purpose: .serve)
            )
            spawn(slots.count - 1, now: now)
        case .draining, .stopping, .stopped:
            break
        }
    }

    /// The slot at `index` has no process any more that could serve; what follows.
    private mutating func capacityLost(
        _ index: Int,
        _ failure: BootFailure,
        _ action: WorkerSlot.ExitAction,
        wasReplacement: Bool,
        now: UInt64
    ) {
        let isOfRoll = isOfRoll(index)
        let serial = slots[index].serial
        switch state {
        case .starting where action != .end:
            bootFailures += 1
            if failure == .exited(.exited(code: ExitCode.badConfiguration)) {
                bootFailuresByConfiguration += 1
            }
            if bootFailures >= limits.bootFailuresPerSlot * desired {
                giveUp(now: now)
                return
            }
        case .rolling(let roll) where wasReplacement && isOfRoll && !roll.isProven:
            if !slots[index].isRunning { slots.remove(at: index) }
            state = .running
            limits = limitsBefore ?? limits
            actions.append(.reloadEnded(.canaryFailed(failure)))
            beginPendingReload()
            return
        case .rolling(var roll) where isOfRoll && roll.rollback == nil && action != .end:
            roll.failures += 1
            state = .rolling(roll)
            if roll.failures >= limits.rollFailuresMax {
                limits = limitsBefore ?? limits
                rollBack(index, failure, now: now)
                return
            }
        case .running where !wasReplacement && action != .end:
            yieldToReplacement(index)
        case .rolling(let roll) where roll.isProven && !wasReplacement && action != .end:
            yieldToReplacement(index)
        case .starting, .running, .rolling, .lameDuck, .draining, .stopping, .stopped:
            break
        }
        if action == .start,
            let index = slots.firstIndex(where: {
                $0.serial == serial && $0.state == .vacant
            })
        {
            spawn(index, now: now)
        }
        removeEnded()
        continueRoll(now: now)
        beginRecycle(now: now)
    }

    private func isOfRoll(_ index: Int) -> Bool {
        guard case .rolling(let roll) = state else { return false }
        return slots[index].generation == roll.generation
    }

    mutating func giveUp(now: UInt64) {
        let isConfiguration = bootFailures > 0 && bootFailures == bootFailuresByConfiguration
        stopAll(
            exitCode: isConfiguration ? ExitCode.badConfiguration : ExitCode.unavailable,
            now: now
        )
    }
}
