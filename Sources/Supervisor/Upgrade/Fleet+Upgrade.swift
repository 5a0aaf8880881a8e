// SPDX-License-Identifier: Apache-2.0
import Control
import Log
import Loop
import Metrics
import System

/// How workers go on under another program of the process.
extension Fleet {
    /// Whether another program could take over now: nothing is half done.
    var canBeHandedOver: Bool {
        machine.state == .running && machine.readyCount > 0
            && !machine.slots.contains { $0.purpose == .replace && $0.isRunning }
    }

    /// Goes on with the workers of another program, and with what it has counted.
    func adopt(_ processes: [WorkerProcess], _ state: UpgradeState) {
        metrics = state.metrics
        history = state.history
        bootDuration = state.bootDuration
        streamsAborted = state.streamsAborted
        children.adopt(abandoned: state.abandoned)
        for process in processes { self.processes[process.serial] = process }
    }

    /// Begins to watch adopted workers, and replaces them.
    func resume() {
        unwatched = Set(processes.keys)
        watchAdopted()
        drainAgain()
        health.start()
        setTimer()
        rollReason = .upgrade
        reload()
    }

    /// Watches adopted workers and has them say again what the other program knew.
    ///
    /// One that the loop does not take now is healthy and serves: it is tried again with the next look.
    func watchAdopted() {
        for serial in unwatched {
            guard let process = processes[serial] else {
                unwatched.remove(serial)
                continue
            }
            do throws(SystemError) {
                try process.start()
                unwatched.remove(serial)
                _ = process.send(.recount)
            } catch {
                log.warning("worker cannot be watched yet") { record in
                    record.field("slot", process.slot)
                    record.field("worker_pid", Int(process.pid))
                    record.field("error", "\(error)")
                }
            }
        }
    }

    /// Tells every worker that leaves so once more: the other program may have found its socket full.
    ///
    /// A worker that knows takes of two orders the earlier ends.
    private func drainAgain() {
        let usual = machine.replacementPlan(now: loop.now)
        for slot in machine.slots {
            guard case .draining(let deadline) = slot.state, let serial = slot.serial else {
                continue
            }
            drain(
                serial,
                DrainPlan(
                    soft: min(usual.soft, deadline),
                    hard: deadline,
                    spread: usual.spread,
                    returnsIdle: usual.returnsIdle
                )
            )
        }
    }
}
