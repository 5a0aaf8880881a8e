// SPDX-License-Identifier: Apache-2.0
import System

/// How one supervisor leaves its state to the next program of the process, and takes it over.
extension Supervisor {
    /// What the next program of this process needs.
    func upgradeState(waiting: Int32?) -> UpgradeState {
        var state = UpgradeState()
        state.startedAt = startedAt
        state.startedNanoseconds = startedNanoseconds
        state.upgrades = upgrades
        state.desired = fleet.machine.desired
        state.scaledTo = scaledTo
        state.generation = fleet.machine.generation
        // A replacement that waits to be tried again is no process, and all of them are replaced.
        state.slots = fleet.machine.slots.filter { $0.purpose != .replace }
        state.processes = fleet.processes.values.map(\.upgradeState)
        state.configuration = fleet.configuration?.fd.raw ?? -1
        state.configurationLoadedAt = reloads.configurationLoadedAt ?? startedAt
        state.listeners = listeners.map(\.upgradeState)
        state.status = statusListener?.upgradeState
        state.lock = options.runtime?.lockDescriptor
        state.waiting = waiting
        state.reloads = reloads
        state.changes = changes
        state.hashKey = hashKey
        state.dispatcher = handoff.dispatcher
        state.metrics = fleet.metrics
        state.history = fleet.history
        state.bootDuration = fleet.bootDuration
        state.streamsAborted = fleet.streamsAborted
        state.lag = lag.histogram
        state.abandoned = fleet.children.abandoned
        state.crashAnswers = handoff.crashAnswers
        state.durations = handoff.durations
        return state
    }

    func adopt(
        _ state: UpgradeState,
        _ statusTaker: ConnectionTaker?
    ) throws(StartError) {
        for shown in state.listeners {
            guard let socket = ListenerSocket(adopting: shown) else { throw .inheritance }
            listeners.append(
                listener(socket, index: listeners.count, handoff, counts: shown.counts)
            )
        }
        if let statusTaker, let shown = state.status {
            guard let socket = ListenerSocket(adopting: shown) else { throw .inheritance }
            statusListener = listener(socket, index: 0, statusTaker, counts: shown.counts)
        }
        var processes: [WorkerProcess] = []
        do throws(Errno) {
            for process in state.processes {
                processes.append(
                    try WorkerProcess(adopting: process, loop: loop, observer: fleet)
                )
            }
        } catch {
            throw .inheritance
        }
        fleet.adopt(processes, state)
        handoff.restore(
            state.dispatcher,
            state.crashAnswers,
            state.durations,
            workers: processes.filter { fleet.machine.slot($0.serial)?.readySince != nil }
        )
    }

    /// Goes on with the program on disk; `done` is told about failures.
    func upgrade(waiting: consuming OwnedFD? = nil, done: @escaping Upgrader.Done) {
        upgrader.begin(waiting: waiting, done: done)
    }
}
