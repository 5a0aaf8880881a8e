// SPDX-License-Identifier: Apache-2.0
import Log
import Loop
import Scoreboard
import System

/// What is done about workers that do not get on, and about orphans.
extension Fleet {
    func watchHealth() {
        health.hooks.hung = { [unowned self] in failed($0, .hang, "does not get on") }
        health.hooks.stopped = { [unowned self] in
            failed($0, .stopped, "is stopped while clients wait")
        }
        health.hooks.unresponsive = { [unowned self] process in
            if handoff.takeBack(from: process.serial) > 0 { unresponsive.insert(process.serial) }
        }
        health.hooks.recycle = { [unowned self] process, reason in
            machine.recycleRequested(process.serial, reason, now: loop.now)
            perform()
        }
        health.hooks.owesHandovers = { [unowned self] process in
            unresponsive.contains(process.serial) || handoff.isOwed(by: process.serial)
        }
    }

    /// Orphans that are reaped per look.
    private static let orphansPerLook = 256

    /// Reaps what ended and what nobody waits for.
    func reapChildren() {
        children.reapAbandoned()
        if Syscalls.processID == 1 { reapOrphans() }
    }

    /// Process 1 of a container gets all children that an orphan's end left behind.
    ///
    /// Children of this program are reaped where their ends are handled.
    private func reapOrphans() {
        do throws(Errno) {
            for _ in 0..<Self.orphansPerLook {
                guard let pid = try Syscalls.endedChild() else { return }
                if isAwaited(pid) { return }
                guard try Syscalls.reap(process: pid) else { return }
                log.sink.log(.debug, "orphan reaped") { $0.field("orphan_pid", Int(pid)) }
            }
        } catch {
            log.warning("orphans cannot be reaped") { $0.field("error", "\(error)") }
        }
    }

    private func isAwaited(_ pid: Int32) -> Bool {
        children.contains(pid) || processes.values.contains { $0.pid == pid }
    }

    func failed(_ worker: WorkerProcess, _ fault: WorkerSlot.Fault, _ what: String) {
        log.error("worker is replaced by force") { record in
            record.field("slot", worker.slot)
            record.field("worker_pid", Int(worker.pid))
            record.field("reason", what)
        }
        machine.failed(worker.serial, fault, now: loop.now)
        perform()
    }
}
