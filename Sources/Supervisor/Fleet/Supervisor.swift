// SPDX-License-Identifier: Apache-2.0
import Config
import Log
import Loop
import Metrics
import System

/// The running supervisor: listeners, fleet, signals and the service manager on one loop.
final class Supervisor {
    static let version = Version.text

    /// What cannot be changed while it runs.
    struct Options {
        var configuration: ConfigurationSource
        var environment: [String]
        /// Overrides of the command line; they win over the configuration, reloads included.
        var listen: [SocketAddress]?
        var status: SocketAddress?
        var workers: Int?
        /// Where operators find it; nil for nowhere.
        var runtime: RuntimeDirectory?
    }

    let loop: EventLoop
    let log: FleetLog
    private var settingsInUse: SettingsInUse
    var settings: FleetSettings { settingsInUse.current }
    private(set) var fleet: Fleet
    let handoff: Handoff
    // The setters are for the files of this class.
    var listeners: [Listener] = []
    var statusListener: Listener?
    private(set) var workerCount: WorkerCount
    /// Seconds since 1970.
    let startedAt: Int
    let startedNanoseconds: UInt64
    /// Programs that have taken over from another one.
    let upgrades: UInt64
    private(set) var reloads = Reloads()
    private(set) var descriptorLimit: UInt64
    private(set) var changes: ReloadHistory
    private var changeBeganAt: UInt64 = 0
    private var isUpgrading: Bool
    /// Workers that an operator wanted from the program before this one.
    private let scaledBefore: Int?
    /// Differs when the configuration does, and tells nothing about it.
    private(set) var configurationHash = ""
    let hashKey: [UInt8]

    /// What became of reloads.
    struct Reloads: Equatable {
        var succeeded: UInt64 = 0
        var failed: UInt64 = 0
        var lastSucceeded = true
        /// Seconds since 1970 of the configuration in use.
        var configurationLoadedAt: Int?
    }

    private(set) lazy var desk = OperatorDesk(self)
    private(set) lazy var upgrader = Upgrader(self)
    let lag: LoopLag
    /// What another program of this process has left, until it is taken over.
    private var inherited: UpgradeState?
    let options: Options
    private let notifier: ServiceNotifier
    private var watchdog: WatchdogPing?
    private var signals: SignalReader?
    private var exitCode: Int32 = ExitCode.success

    /// Opens the listeners, reads nothing from clients yet.
    init(
        _ options: Options,
        settings: FleetSettings,
        log sink: LogSink,
        resuming state: UpgradeState? = nil
    ) throws(StartError) {
        self.options = options
        settingsInUse = SettingsInUse(settings)
        inherited = state
        isUpgrading = state != nil
        scaledBefore = state?.scaledTo
        changes = state?.changes ?? ReloadHistory()
        lag = LoopLag(state?.lag ?? Histogram())
        hashKey = state?.hashKey ?? Self.randomKey()
        upgrades = state.map { $0.upgrades + 1 } ?? 0
        startedAt = state?.startedAt ?? Syscalls.wallClock().seconds
        notifier = ServiceNotifier(environment: options.environment)
        descriptorLimit = Self.raiseDescriptorLimit()
        do throws(SystemError) {
            loop = try EventLoop()
            let spawner = try Spawner(
                path: Spawner.workerPath(environment: options.environment),
                environment: WorkerEnvironment.make(from: options.environment)
            )
            log = FleetLog(sink, loop: loop)
            handoff = Handoff(loop: loop)
            workerCount = MachineFacts.workerCount(override: options.workers ?? settings.workers)
            startedNanoseconds = state?.startedNanoseconds ?? loop.now
            let limits = settings.applied(to: FleetMachine.Limits())
            let machine: FleetMachine
            let configuration: ConfigurationMemory
            if let state {
                machine = FleetMachine(
                    adopting: state.slots,
                    desired: state.desired,
                    generation: state.generation,
                    limits: limits
                )
                configuration = ConfigurationMemory(
                    adopting: OwnedFD(owning: state.configuration),
                    upstreams: settings.upstreams,
                    limits: limits,
                    loadedAt: state.configurationLoadedAt
                )
            } else {
                machine = FleetMachine(desired: workerCount.count, limits: limits)
                configuration = try ConfigurationMemory(settings)
            }
            fleet = Fleet(
                machine,
                configuration: configuration,
                spawner: spawner,
                handoff: handoff,
                loop: loop,
                log: log
            )
        } catch {
            throw .system(error)
        }
        hashConfiguration()
        reloads = state?.reloads ?? Reloads()
        reloads.configurationLoadedAt = reloads.configurationLoadedAt ?? startedAt
    }

    /// Runs until the fleet has stopped.
    ///
    /// Returns the exit code.
    ///
    /// `statusTaker` serves connections to the status address.
    func run(statusTaker: ConnectionTaker?) throws(StartError) -> Int32 {
        let inherited = inherited
        self.inherited = nil
        if let inherited {
            try adopt(inherited, statusTaker)
        } else {
            try openListeners(statusTaker)
        }
        desk.open()
        watchdog = WatchdogPing(notifier, environment: options.environment, loop: loop)
        watchdog?.start()
        do throws(SystemError) {
            let reader = try SignalReader { [unowned self] in signalReceived($0) }
            try reader.start(on: loop)
            signals = reader
        } catch {
            throw .system(error)
        }
        connectHooks()
        loop.observer = lag
        applyLimits()
        log.info(inherited == nil ? "starting" : "taking over") { record in
            record.field("version", Self.version)
            record.field("workers", workerCount.count)
            record.field("reason", workerCount.explanation)
        }
        if let inherited {
            for listener in listeners { listener.start() }
            if let waiting = inherited.waiting { desk.adopt(waiting) }
            fleet.resume()
        } else {
            fleet.start()
        }
        if let statusListener {
            statusListener.start()
            log.info("status listening") { $0.field("address", "\(statusListener.address)") }
        }
        do throws(SystemError) {
            try loop.run()
        } catch {
            throw .system(error)
        }
        for listener in listeners { listener.removeFile() }
        statusListener?.removeFile()
        desk.close(exitCode: exitCode)
        log.flush()
        return exitCode
    }

    // MARK: Listeners

    private func openListeners(_ statusTaker: ConnectionTaker?) throws(StartError) {
        let sockets = try ListenerSockets(
            listen: options.listen ?? settings.listen,
            status: statusTaker == nil ? nil : options.status ?? settings.status,
            environment: options.environment,
            notifier: notifier,
            log: log
        )
        for socket in sockets.clients {
            listeners.append(listener(socket, index: listeners.count, handoff))
        }
        if let statusTaker, let socket = sockets.status {
            statusListener = listener(socket, index: 0, statusTaker)
        }
    }

    func listener(
        _ socket: ListenerSocket,
        index: Int,
        _ taker: ConnectionTaker,
        counts: Listener.Counts = Listener.Counts()
    ) -> Listener {
        Listener(socket, index: index, loop: loop, log: log, taker: taker, counts: counts)
    }

    // MARK: What the fleet asks for

    private func connectHooks() {
        handoff.roomReturned = { [unowned self] in
            for listener in listeners { listener.resumeIfFull() }
        }
        fleet.hooks.announceReady = { [unowned self] in announceReady() }
        fleet.hooks.announceLameDuck = { [unowned self] in announceLameDuck() }
        fleet.health.hooks.looked = { [unowned self] in
            fleet.watchAdopted()
            fleet.reapChildren()
            drainMoved()
        }
        fleet.hooks.stopAccepting = { [unowned self] in stopAccepting() }
        fleet.hooks.readConfiguration = { [unowned self] in readConfiguration() }
        fleet.hooks.reloadEnded = { [unowned self] in reloadEnded($0) }
        fleet.hooks.stop = { [unowned self] in stop($0) }
    }

    private func announceReady() {
        for listener in listeners {
            listener.start()
            log.info("listening") { $0.field("address", "\(listener.address)") }
        }
        let addresses = listeners.map { Self.location($0.address) }.joined(separator: ", ")
        var text = "apus \(Self.version) ready: \(addresses) (\(workerCount.count) workers)"
        if let statusListener { text += ", status \(Self.location(statusListener.address))" }
        log.info("ready") { $0.field("text", text) }
        notifier.ready(status: text)
    }

    private static func location(_ address: SocketAddress) -> String {
        switch address {
        case .ipv4, .ipv6: "http://\(address)"
        case .unix: "\(address)"
        }
    }

    private func announceLameDuck() {
        log.info("lame duck: health checks fail, everything is still served")
        drainMoved()
    }

    private func stopAccepting() {
        drainMoved()
        log.info("draining") { $0.field("workers", fleet.processes.count) }
        handoff.stop()
        for listener in listeners { listener.finish() }
        for listener in listeners { listener.close() }
    }

    /// How much longer the service manager is to wait, told once a second while a drain goes on.
    private static let drainExtension: UInt64 = 15_000_000

    /// Tells the service manager how far the drain is, and that it is not stuck.
    private func drainMoved() {
        guard let progress = DrainProgress(fleet, now: loop.now) else { return }
        notifier.stopping(
            status: progress.text,
            extendMicroseconds: Self.drainExtension
        )
    }

    private func stop(_ code: Int32) {
        exitCode = code
        handoff.stop()
        if code == ExitCode.success {
            log.info("stopped")
        } else {
            log.error("stopped") { $0.field("code", Int(code)) }
            notifier.status("failed with exit code \(code)")
        }
        loop.stop()
    }

    // MARK: Reload

    private static func randomKey() -> [UInt8] {
        do throws(Errno) {
            return try Syscalls.random(16)
        } catch {
            preconditionFailure("getrandom: \(error)")
        }
    }

    private func hashConfiguration() {
        let digest = SHA256.digest(of: (hashKey + settings.bundle).span)
        configurationHash = String(digest.hexadecimal.prefix(12))
    }

    private func readConfiguration() {
        changeBeganAt = Syscalls.monotonicNanoseconds()
        notifier.reloading(now: loop.now)
        desk.reloadBegan()
        switch options.configuration.read() {
        case .invalid(let errors):
            for error in errors { log.error("configuration") { $0.field("error", error) } }
            desk.configurationErrors = errors
            fleet.configurationRejected()
        case .valid(let fresh):
            warnAboutAddresses(fresh)
            do throws(SystemError) {
                let memory = try ConfigurationMemory(fresh)
                let count = MachineFacts.workerCount(override: options.workers ?? fresh.workers)
                let changesWorkers = settingsInUse.read(fresh)
                fleet.configurationAccepted(
                    memory,
                    workers: (isUpgrading ? scaledBefore : nil) ?? count.count,
                    // Whatever the file says, workers go on with the old program until replaced.
                    changesWorkers: isUpgrading || changesWorkers
                )
            } catch {
                log.error("configuration") { $0.field("error", "\(error)") }
                desk.configurationErrors = ["\(error)"]
                fleet.configurationRejected()
            }
        }
    }

    /// Descriptors that the supervisor keeps for itself: channels of workers, status connections,
    /// listeners, files it reads.
    private static func ownDescriptors(_ workers: Int) -> Int { 128 + 16 * workers }

    private func applyLimits() {
        var limits = settings.applied(to: Dispatcher.Limits())
        let own = Self.ownDescriptors(workerCount.count)
        let room = max(16, Int(clamping: descriptorLimit) - own)
        limits.descriptorsMax = room
        // Half of them at most outlive the first byte: fresh connections come first.
        limits.keptMax = room - min(limits.pendingMax, room / 2)
        handoff.apply(limits)
        fleet.health.settings = settings.fleet
    }

    private func warnAboutAddresses(_ fresh: FleetSettings) {
        guard fresh.listen != settings.listen || fresh.status != settings.status else { return }
        log.warning("listen addresses change only with a restart")
    }

    private func reloadEnded(_ result: ReloadResult) {
        if settingsInUse.reloadEnded(result) {
            workerCount = MachineFacts.workerCount(override: options.workers ?? settings.workers)
            applyLimits()
            hashConfiguration()
        }
        switch result {
        case .succeeded(let generation, let replaced):
            note(isUpgrading ? .upgrade : .reload, true, "\(replaced) workers replaced")
            reloadSucceeded("reloaded") { record in
                record.field("generation", Int(generation))
                record.field("replaced", replaced)
            }
        case .scaled(let workers):
            note(.reload, true, "only the number of workers changed, to \(workers)")
            reloadSucceeded("reloaded: only the number of workers changed") { record in
                record.field("workers", workers)
            }
        case .invalid:
            let first = desk.configurationErrors.first.map { ": \($0)" } ?? ""
            reloadFailed("the configuration is invalid; the old one stays in use\(first)")
        case .canaryFailed, .rolledBack:
            reloadFailed(result.failureText(probe: fleet.probeFailure) ?? "")
        case .abandoned:
            reloadFailed("abandoned: the fleet stops")
        }
        desk.reloadEnded(result)
        isUpgrading = false
    }

    /// Keeps what became of a change that was asked for.
    private func note(_ kind: FleetSnapshot.ReloadKind, _ isSuccessful: Bool, _ reason: String) {
        let elapsed = Syscalls.monotonicNanoseconds() - changeBeganAt
        changes.ended(
            kind: kind,
            at: Syscalls.wallClock().seconds,
            ok: isSuccessful,
            generation: fleet.machine.generation,
            reason: reason,
            durationMilliseconds: Int(elapsed / 1_000_000)
        )
    }

    /// What an operator asked for; nil while the number is that of the configuration.
    var scaledTo: Int? {
        let desired = fleet.machine.desired
        return desired == workerCount.count ? nil : desired
    }

    /// Runs so many workers, until the next reload says something else.
    func scale(to count: Int) {
        let before = fleet.machine.desired
        changeBeganAt = Syscalls.monotonicNanoseconds()
        fleet.scale(to: count)
        guard fleet.machine.desired != before else { return }
        note(.scale, true, "\(before) to \(fleet.machine.desired) workers")
    }

    private func reloadSucceeded(
        _ message: StaticString,
        _ fields: (inout LogRecord) -> Void
    ) {
        reloads.succeeded += 1
        reloads.lastSucceeded = true
        reloads.configurationLoadedAt = Syscalls.wallClock().seconds
        log.info(message, fields)
        notifier.ready(status: "running, generation \(fleet.machine.generation)")
    }

    private func reloadFailed(_ reason: String) {
        reloads.failed += 1
        reloads.lastSucceeded = false
        note(isUpgrading ? .upgrade : .reload, false, reason)
        log.error("reload failed") { $0.field("reason", reason) }
        notifier.ready(status: "reload failed: \(reason)")
    }

    // MARK: Signals

    private func signalReceived(_ signal: Signal) {
        switch signal {
        case .terminate, .interrupt: fleet.terminate()
        case .hangup: fleet.reload()
        case .ttyIn: scale(to: min(fleet.machine.desired + 1, FleetMachine.workersMax))
        case .ttyOut: scale(to: max(fleet.machine.desired - 1, 1))
        case .user2: upgrade { _, _, _ in }
        case .abort, .kill, .user1, .pipe, .child, .continue, .stop:
            preconditionFailure("a signal that was not asked for: \(signal)")
        }
    }

    /// Descriptors bound connections and handovers under way: the soft limit of a shell is low.
    private static func raiseDescriptorLimit() -> UInt64 {
        var soft: UInt64 = 0
        do throws(Errno) {
            let limit = try Syscalls.descriptorLimit()
            soft = limit.soft
            if limit.soft < limit.hard { try Syscalls.setDescriptorLimit(soft: limit.hard) }
            return try Syscalls.descriptorLimit().soft
        } catch {
            // The limit stays as it was; `status` shows it.
            return soft
        }
    }
}
