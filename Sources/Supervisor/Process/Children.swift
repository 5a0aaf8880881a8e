// SPDX-License-Identifier: Apache-2.0
import System

/// Children of this process besides the workers in the fleet.
///
/// A worker is reaped where its exit is handled. Whatever else was started stays in the process table
/// until somebody reaps exactly it, and nobody else may: its number must not name another process
/// while it is kept here.
final class Children {
    /// Those whose end somebody waits for.
    private var awaited: Set<Int32> = []
    /// Those that were killed and are of no interest any more.
    private(set) var abandoned: [Int32] = []

    /// Somebody will reap the child and then call `reaped`.
    func watch(_ pid: Int32) { awaited.insert(pid) }

    func reaped(_ pid: Int32) { awaited.remove(pid) }

    /// Ends a child that nobody waits for, or not any more.
    func abandon(_ pid: Int32) {
        awaited.remove(pid)
        do throws(Errno) {
            try Syscalls.signal(process: pid, .kill)
        } catch {
            // It has ended by itself, and is reaped all the same.
        }
        abandoned.append(pid)
        reapAbandoned()
    }

    /// Children that the program before this one in the same process has abandoned.
    func adopt(abandoned pids: [Int32]) { abandoned += pids }

    /// Reaps those that have ended by now; the kernel can hold a killed process for a while.
    func reapAbandoned() {
        abandoned.removeAll { Self.isGone($0) }
    }

    private static func isGone(_ pid: Int32) -> Bool {
        do throws(Errno) {
            return try Syscalls.reap(process: pid)
        } catch {
            // It is no child of ours any more.
            return true
        }
    }

    /// Whether the child is reaped by its number, so that no sweep may.
    func contains(_ pid: Int32) -> Bool { awaited.contains(pid) || abandoned.contains(pid) }
}
