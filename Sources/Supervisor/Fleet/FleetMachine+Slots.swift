// SPDX-License-Identifier: Apache-2.0

/// How slots are filled and emptied.
extension FleetMachine {
    func index(of serial: WorkerSerial) -> Int? {
        slots.firstIndex { $0.serial == serial && $0.isRunning }
    }

    var isRolling: Bool {
        if case .rolling = state { true } else { false }
    }

    /// Time until even a killed process must be gone.
    func hardEnd(after deadline: UInt64) -> UInt64 {
        deadline + WorkerSlot.exitGrace + limits.unkillable
    }

    mutating func append(_ action: (WorkerSerial) -> FleetAction, _ index: Int) {
        guard let serial = slots[index].serial else {
            preconditionFailure("no process in \(slots[index].state)")
        }
        actions.append(action(serial))
    }

    mutating func spawn(_ index: Int, now: UInt64) {
        let serial = WorkerSerial(number: nextSerial)
        nextSerial += 1
        slots[index].started(serial, generation: generationForSpawn(index), now: now)
        actions.append(
            .spawn(serial, slot: slots[index].number, generation: slots[index].generation)
        )
    }

    /// A configuration that no worker has proven yet is tried by the replacement alone.
    func generationForSpawn(_ index: Int) -> UInt32 {
        switch state {
        case .rolling(let roll) where roll.isProven || slots[index].purpose == .replace:
            roll.generation
        case .starting, .running, .rolling, .lameDuck, .draining, .stopping, .stopped:
            generation
        }
    }

    /// Adds slots until as many serve as should.
    mutating func fill(now: UInt64) {
        while slots.count(where: { $0.purpose == .serve }) < desired {
            // A number that a leaving worker still has would mix up their metrics.
            let taken = Set(slots.map(\.number))
            guard let number = (0...slots.count).first(where: { !taken.contains($0) }) else {
                preconditionFailure("no number is free among \(slots.count) slots")
            }
            slots.append(WorkerSlot(number: number, generation: generation, purpose: .serve))
            spawn(slots.count - 1, now: now)
        }
    }

    mutating func resize(_ count: Int, now: UInt64) {
        desired = count
        mostDesired = max(mostDesired, count)
        budget.resize(workers: count)
        let serving = slots.filter { $0.purpose == .serve }.map(\.number).sorted()
        let surplus = Set(serving.dropFirst(count))
        let plan = replacementPlan(now: now)
        for index in slots.indices
        where surplus.contains(slots[index].number) && slots[index].purpose != .leave {
            leave(index, now: now, plan)
        }
        removeEnded()
        fill(now: now)
    }

    /// How a worker finishes whose place another one takes: nobody waits for it.
    func replacementPlan(now: UInt64) -> DrainPlan {
        let end = now + limits.replacedDrain
        return DrainPlan(
            soft: min(end, now + limits.drainStalled),
            hard: end,
            spread: limits.closeSpread,
            returnsIdle: true
        )
    }

    mutating func leave(_ index: Int, now: UInt64, _ plan: DrainPlan) {
        switch slots[index].leave(now: now, deadline: plan.hard) {
        case .nothing, .end:
            break
        case .terminate:
            append(FleetAction.terminate, index)
        case .drain:
            append({ .drain($0, plan) }, index)
        }
    }

    /// Removes slots that are over; while the fleet stops, the last one ends it.
    mutating func removeEnded() {
        slots.removeAll { $0.state == .ended }
        if !slots.contains(where: \.isDraining) { mostDesired = desired }
        guard slots.isEmpty else { return }
        switch state {
        case .draining: end(ExitCode.success)
        case .stopping(_, let exitCode): end(exitCode)
        case .starting, .running, .rolling, .lameDuck, .stopped: break
        }
    }

    mutating func end(_ exitCode: Int32) {
        state = .stopped(exitCode: exitCode)
        actions.append(.stop(exitCode: exitCode))
    }

    mutating func stopAll(exitCode: Int32, now: UInt64) {
        let deadline = now + limits.fastStop
        state = .stopping(deadline: deadline, exitCode: exitCode)
        for index in slots.indices {
            switch slots[index].stop(deadline: deadline) {
            case .nothing, .end, .drain: break
            case .terminate: append(FleetAction.terminate, index)
            }
        }
        removeEnded()
    }
}
