// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import Control
import Metrics
import Scoreboard
import System

/// All that the program knows which takes over the process of a running supervisor.
///
/// Descriptors keep their numbers over execve(2), so numbers are what is written.
struct UpgradeState {
    /// A listening socket.
    struct Socket: Equatable {
        var descriptor: Int32 = -1
        var address = ""
        var name = ""
        var isOwner = false
        var counts = Listener.Counts()
    }

    /// A worker process and its channels.
    struct Process: Equatable {
        var serial: UInt64 = 0
        var slot = 0
        var generation: UInt32 = 0
        var pid: Int32 = 0
        var pidfd: Int32 = -1
        var control: Int32 = -1
        var metrics: Int32 = -1
        var scoreboard: Int32 = -1
        var output: Int32 = -1
        /// The last lines that it printed, and what came behind them and is not in the log yet.
        var printed: [UInt8] = []
        var unlogged: [UInt8] = []
        var startedAt = 0
        var spawnedAt: UInt64 = 0
        var readyAt: Int?

        var descriptors: [Int32] { [pidfd, control, metrics, scoreboard, output] }
    }

    var startedAt = 0
    var startedNanoseconds: UInt64 = 0
    var upgrades: UInt64 = 0
    var desired = 1
    /// What an operator asked for; nil when the number is that of the configuration.
    var scaledTo: Int?
    var generation: UInt32 = 1
    var slots: [WorkerSlot] = []
    var processes: [Process] = []
    /// The configuration in use, in its sealed memory.
    var configuration: Int32 = -1
    var configurationLoadedAt = 0
    var listeners: [Socket] = []
    var status: Socket?
    var lock: Int32?
    /// The operator who waits for the result.
    var waiting: Int32?
    var reloads = Supervisor.Reloads()
    var changes = ReloadHistory()
    /// With it the same configuration has the same hash again.
    var hashKey: [UInt8] = []
    var dispatcher = Dispatcher()
    var metrics = FleetMetrics()
    var history = WorkerHistory()
    var bootDuration = Histogram()
    var streamsAborted: UInt64 = 0
    var lag = Histogram()
    /// Children that were killed and are not reaped yet.
    var abandoned: [Int32] = []
    var crashAnswers = CrashAnswers()
    var durations = HandoffDurations()

    /// What both programs must agree on: forms of the state, of metrics, of what goes on between the
    /// supervisor and workers that run, and of their configuration.
    static var format: String {
        "3.\(FleetMetrics.stateVersion).\(ControlMessage.version).\(Scoreboard.version)"
            + ".\(ConfigBundle.version)"
    }

    /// Every descriptor that the next program needs.
    var descriptors: [Int32] {
        var all = processes.flatMap(\.descriptors) + listeners.map(\.descriptor)
        all += dispatcher.entries.map(\.descriptor)
        all += [configuration, status?.descriptor, lock, waiting].compactMap { $0 }
        return all.filter { $0 >= 0 }
    }

    /// The state as bytes.
    func encoded() -> [UInt8] {
        var coder = StateCoder()
        var copy = self
        copy.code(&coder)
        return coder.bytes
    }

    init() {}

    /// Nil when the bytes are damaged, or of another format.
    init?(decoding bytes: [UInt8]) {
        var coder = StateCoder(reading: bytes)
        code(&coder)
        guard coder.isExhausted else { return nil }
    }

    private mutating func code(_ coder: inout StateCoder) {
        var format = Self.format
        coder.code(&format)
        guard format == Self.format else {
            coder.fail()
            return
        }
        coder.code(&startedAt)
        coder.code(&startedNanoseconds)
        coder.code(&upgrades)
        coder.code(&desired)
        coder.code(&scaledTo)
        coder.code(&generation)
        coder.code(
            list: &slots,
            new: WorkerSlot(number: 0, generation: 0, purpose: .serve)
        ) { $0.code(&$1) }
        coder.code(list: &processes, new: Process()) { $0.code(&$1) }
        coder.code(&configuration)
        coder.code(&configurationLoadedAt)
        coder.code(list: &listeners, new: Socket()) { $0.code(&$1) }
        coder.code(optional: &status, new: Socket()) { $0.code(&$1) }
        coder.code(&lock)
        coder.code(&waiting)
        coder.code(&reloads.succeeded)
        coder.code(&reloads.failed)
        coder.code(&reloads.lastSucceeded)
        coder.code(&reloads.configurationLoadedAt)
        changes.code(&coder)
        coder.code(list: &hashKey)
        dispatcher.code(&coder)
        metrics.code(&coder)
        history.code(&coder)
        bootDuration.code(&coder)
        coder.code(&streamsAborted)
        lag.code(&coder)
        coder.code(list: &abandoned)
        crashAnswers.code(&coder)
        durations.code(&coder)
    }
}

extension UpgradeState.Socket {
    fileprivate mutating func code(_ coder: inout StateCoder) {
        coder.code(&descriptor)
        coder.code(&address)
        coder.code(&name)
        coder.code(&isOwner)
        coder.code(&counts.accepted)
        coder.code(&counts.refused)
        for reason in FleetSnapshot.PauseReason.allCases { coder.code(&counts.paused[reason]) }
    }
}

extension UpgradeState.Process {
    fileprivate mutating func code(_ coder: inout StateCoder) {
        coder.code(&serial)
        coder.code(&slot)
        coder.code(&generation)
        coder.code(&pid)
        coder.code(&pidfd)
        coder.code(&control)
        coder.code(&metrics)
        coder.code(&scoreboard)
        coder.code(&output)
        coder.code(list: &printed)
        coder.code(list: &unlogged)
        coder.code(&startedAt)
        coder.code(&spawnedAt)
        coder.code(&readyAt)
    }
}
