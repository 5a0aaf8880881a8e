// SPDX-License-Identifier: Apache-2.0

/// How one worker after the other is replaced: by a reload, or because it is old.
extension FleetMachine {
    mutating func beginPendingReload() {
        guard isReloadPending, state == .running else { return }
        isReloadPending = false
        actions.append(.readConfiguration)
    }

    /// A slot crashed while its replacement boots: the replacement takes the place at once.
    mutating func yieldToReplacement(_ index: Int) {
        let number = slots[index].number
        guard
            let replacement = slots.firstIndex(where: {
                $0.number == number && $0.purpose == .replace
            })
        else { return }
        slots[replacement].promoted()
        _ = slots[index].leave(now: 0, deadline: 0)
    }

    /// The replacement is ready: the old worker of its slot finishes what runs.
    mutating func promote(_ index: Int, now: UInt64) {
        let number = slots[index].number
        slots[index].promoted()
        let plan = replacementPlan(now: now)
        for old in slots.indices
        where old != index && slots[old].number == number && slots[old].purpose == .serve {
            leave(old, now: now, plan)
        }
        removeEnded()
        endOldestLeavers(now: now)
    }

    /// Bounds the processes that finish old streams: several reloads in a row must not pile up.
    ///
    /// The oldest ones end their answers now, with an error event where that is possible.
    private mutating func endOldestLeavers(now: UInt64) {
        let end = now + limits.fastStop
        // Those that end soon anyway make room by themselves.
        let leaving = slots.indices.filter {
            slots[$0].isDraining && (slots[$0].deadline ?? 0) > end
        }
        let oldest = leaving.sorted {
            (slots[$0].serial?.number ?? 0) < (slots[$1].serial?.number ?? 0)
        }
        for index in oldest.dropLast(2 * mostDesired) {
            leave(index, now: now, DrainPlan(soft: now, hard: end, spread: 0, returnsIdle: true))
        }
    }

    /// Starts the next replacement, or ends the roll when none is left.
    mutating func continueRoll(now: UInt64) {
        guard case .rolling(let roll) = state else { return }
        guard !slots.contains(where: { $0.purpose == .replace }) else { return }
        for index in slots.indices
        where slots[index].purpose == .serve && slots[index].generation != roll.generation {
            // A slot that waits to restart will do so with the proven generation by itself.
            if roll.isProven, !slots[index].isRunning { continue }
            replace(index, generation: roll.generation, now: now)
            return
        }
        guard roll.isProven else { return }
        generation = roll.generation
        state = .running
        if let failure = roll.rollback {
            actions.append(.reloadEnded(.rolledBack(failure)))
        } else {
            actions.append(
                .reloadEnded(
                    .succeeded(generation: roll.generation, replaced: roll.replaced)
                )
            )
        }
        beginPendingReload()
        beginRecycle(now: now)
    }

    /// Starts a process that is to take the place of a slot's.
    private mutating func replace(_ index: Int, generation: UInt32, now: UInt64) {
        slots.append(
            WorkerSlot(number: slots[index].number, generation: generation, purpose: .replace)
        )
        spawn(slots.count - 1, now: now)
    }

    /// Processes of the new generation do not live: every slot goes back to the old one.
    ///
    /// `index` is the slot whose process was lost last.
    mutating func rollBack(_ index: Int, _ failure: BootFailure, now: UInt64) {
        guard case .rolling(let roll) = state else {
            preconditionFailure("rollBack in \(state)")
        }
        if slots[index].purpose == .replace { slots.remove(at: index) }
        // One that boots with the new configuration must not take the place of a healthy old one.
        let plan = replacementPlan(now: now)
        for replacement in slots.indices where slots[replacement].purpose == .replace {
            leave(replacement, now: now, plan)
        }
        state = .rolling(
            Roll(
                generation: generation,
                desired: roll.desiredBefore,
                desiredBefore: roll.desiredBefore,
                isProven: true,
                failures: roll.failures,
                rollback: failure
            )
        )
        resize(roll.desiredBefore, now: now)
        // A slot whose process is gone comes back with the old configuration, after its pause.
        for vacant in slots.indices where slots[vacant].state == .vacant {
            spawn(vacant, now: now)
        }
        continueRoll(now: now)
    }

    /// Replaces one worker that is old, if no other is being replaced: there is one token for the
    /// whole fleet, so that capacity never dips.
    mutating func beginRecycle(now: UInt64) {
        guard state == .running, !slots.contains(where: { $0.purpose == .replace }) else { return }
        let due = slots.indices.first {
            slots[$0].recycling != nil && slots[$0].purpose == .serve && slots[$0].isReady
        }
        guard let due else { return }
        replace(due, generation: generation, now: now)
    }
}
