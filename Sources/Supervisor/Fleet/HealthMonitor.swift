// SPDX-License-Identifier: Apache-2.0
import Config
import Loop
import Scoreboard
import System

/// Looks at every worker once a second: whether it gets on, and whether it is due to be replaced.
final class HealthMonitor: EventHandler {
    /// What it found out.
    struct Hooks {
        var hung: (WorkerProcess) -> Void = { _ in }
        var stopped: (WorkerProcess) -> Void = { _ in }
        /// What the worker has not begun should go to others.
        var unresponsive: (WorkerProcess) -> Void = { _ in }
        var recycle: (WorkerProcess, RecycleReason) -> Void = { _, _ in }
        /// Connections that the worker has not begun with, or that were taken back from it.
        var owesHandovers: (WorkerProcess) -> Bool = { _ in false }
        var looked: () -> Void = {}
    }

    static let interval: UInt64 = 1_000_000_000
    private static let kind: UInt32 = 1
    /// Share of an interval for which a cgroup may withhold CPU time before it excuses a worker.
    private static let throttledPart: UInt64 = 4

    var hooks = Hooks()
    var settings = FleetConfig()
    private let loop: EventLoop
    private let workers: () -> [WorkerProcess]
    private var watches: [WorkerSerial: HangWatch] = [:]
    private var lookedAt: UInt64?
    private var throttled: UInt64?

    init(loop: EventLoop, workers: @escaping () -> [WorkerProcess]) {
        self.loop = loop
        self.workers = workers
        super.init()
    }

    func start() {
        _ = loop.schedule(at: loop.now + Self.interval, self, kind: Self.kind)
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        look()
        _ = loop.schedule(at: loop.now + Self.interval, self, kind: Self.kind)
    }

    private func look() {
        let elapsed = lookedAt.map { loop.now - $0 } ?? 0
        lookedAt = loop.now
        // Twice the interval: this process was stopped, starved or busy itself.
        let isLate = elapsed == 0 || elapsed > 2 * Self.interval
        let heldBack = isHeldBack(elapsed)
        let processes = workers()
        let alive = Set(processes.map(\.serial))
        watches = watches.filter { alive.contains($0.key) }
        for process in processes where process.readyAt != nil {
            examine(process, elapsed: elapsed, isLate: isLate, isHeldBack: heldBack)
        }
        hooks.looked()
    }

    private func examine(
        _ process: WorkerProcess,
        elapsed: UInt64,
        isLate: Bool,
        isHeldBack: Bool
    ) {
        guard let status = ProcessStatus(pid: process.pid) else { return }
        let load = process.scoreboard.load
        var look = HangWatch.Look()
        look.load = load
        look.state = HangWatch.ProcessState(letter: status.state)
        look.processor = status.processorNanoseconds
        look.isHeldBack = isHeldBack
        look.owesClients = load.requests > 0 || hooks.owesHandovers(process)
        let verdict = watches[process.serial, default: HangWatch()]
            .looked(look, elapsed: elapsed, isLate: isLate, limit: settings.hang)
        switch verdict {
        case .fine: checkAge(process, load.requestsTotal, status.privateBytes)
        case .suspicious: hooks.unresponsive(process)
        case .hung: hooks.hung(process)
        case .stopped: hooks.stopped(process)
        }
    }

    private func checkAge(_ process: WorkerProcess, _ requests: UInt64, _ memory: UInt64) {
        let age = loop.now - min(process.spawnedAt, loop.now)
        if let limit = settings.recycleRequests, requests >= UInt64(limit) {
            hooks.recycle(process, .requests)
        } else if let limit = settings.recycleMemory, memory >= UInt64(limit) {
            hooks.recycle(process, .memory)
        } else if let limit = settings.recycleAge, age >= limit {
            hooks.recycle(process, .age)
        }
    }

    /// Whether the cgroup of the fleet was throttled for much of the interval.
    private func isHeldBack(_ elapsed: UInt64) -> Bool {
        let before = throttled
        throttled = MachineFacts.throttledNanoseconds()
        guard let before, let throttled, throttled > before else { return false }
        return throttled - before > elapsed / Self.throttledPart
    }
}
