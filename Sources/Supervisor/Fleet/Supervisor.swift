// SPDX-License-Identifier: Apache-2.0
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
    }

    let loop: EventLoop
    let log: FleetLog
    private var settingsInUse: SettingsInUse
    var settings: FleetSettings { settingsInUse.current }
    private(set) var fleet: Fleet
    let handoff: Handoff
    private(set) var listeners: [Listener] = []
    private(set) var statusListener: Listener?
    private(set) var workerCount: WorkerCount
    /// Seconds since 1970.
    let startedAt = Syscalls.wallClock().seconds
    let startedNanoseconds: UInt64
    private(set) var reloads = Reloads()
    private(set) var descriptorLimit: UInt64

    /// What became of reloads.
    struct Reloads: Equatable {
        var succeeded: UInt64 = 0
        var failed: UInt64 = 0
        var lastSucceeded = true
        /// Seconds since 1970 of the configuration in use.
        var configurationLoadedAt: Int?
    }

    private let options: Options
    private let notifier: ServiceNotifier
    private var signals: SignalReader?
    private var exitCode: Int32 = ExitCode.success

    /// Opens the listeners, reads nothing from clients yet.
    init(
        _ options: Options,
        settings: FleetSettings,
        log sink: LogSink
    ) throws(StartError) {
        self.options = options
        settingsInUse = SettingsInUse(settings)
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
            startedNanoseconds = loop.now
            let limits = settings.applied(to: FleetMachine.Limits())
            fleet = Fleet(
                FleetMachine(desired: workerCount.count, limits: limits),
                configuration: try ConfigurationMemory(settings),
                spawner: spawner,
                handoff: handoff,
                loop: loop,
                log: log
            )
        } catch {
            throw .system(error)
        }
        reloads.configurationLoadedAt = startedAt
    }

    /// Runs until the fleet has stopped.
    ///
    /// Returns the exit code.
    ///
    /// `statusTaker` serves connections to the status address.
    func run(statusTaker: ConnectionTaker?) throws(StartError) -> Int32 {
        try openListeners(statusTaker)
        do throws(SystemError) {
            let reader = try SignalReader { [unowned self] in signalReceived($0) }
            try reader.start(on: loop)
            signals = reader
        } catch {
            throw .system(error)
        }
        connectHooks()
        applyLimits()
        log.info("starting") { record in
            record.field("version", Self.version)
            record.field("workers", workerCount.count)
            record.field("reason", workerCount.explanation)
        }
        fleet.start()
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
        log.flush()
        return exitCode
    }

    // MARK: Listeners

    private func openListeners(_ statusTaker: ConnectionTaker?) throws(StartError) {
        var given = InheritedListeners.take(options.environment, log: log)
        let statusIndex = given.firstIndex { $0.name == InheritedListeners.statusName }
        let givenStatus = statusIndex.map { given.remove(at: $0) }
        if given.isEmpty {
            for address in options.listen ?? settings.listen {
                let socket = try ListenerSocket.open(address)
                listeners.append(listener(socket, index: listeners.count, handoff))
            }
        } else {
            for socket in given {
                listeners.append(listener(socket, index: listeners.count, handoff))
            }
        }
        guard let statusTaker else { return }
        if let givenStatus {
            statusListener = listener(givenStatus, index: 0, statusTaker)
        } else if let address = options.status ?? settings.status {
            statusListener = listener(try ListenerSocket.open(address), index: 0, statusTaker)
        }
    }

    private func listener(
        _ socket: ListenerSocket,
        index: Int,
        _ taker: ConnectionTaker
    ) -> Listener {
        Listener(socket, index: index, loop: loop, log: log, taker: taker)
    }

    // MARK: What the fleet asks for

    private func connectHooks() {
        handoff.roomReturned = { [unowned self] in
            for listener in listeners { listener.resumeIfFull() }
        }
        fleet.hooks.announceReady = { [unowned self] in announceReady() }
        fleet.hooks.announceLameDuck = { [unowned self] in announceLameDuck() }
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
        notifier.stopping(status: "lame duck")
    }

    private func stopAccepting() {
        notifier.stopping(status: "draining")
        log.info("draining") { $0.field("workers", fleet.machine.readyCount) }
        for listener in listeners { listener.finish() }
        handoff.stop()
        for listener in listeners { listener.close() }
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

    private func readConfiguration() {
        notifier.reloading(now: loop.now)
        switch options.configuration.read() {
        case .invalid(let errors):
            for error in errors { log.error("configuration") { $0.field("error", error) } }
            fleet.configurationRejected()
        case .valid(let fresh):
            warnAboutAddresses(fresh)
            do throws(SystemError) {
                let memory = try ConfigurationMemory(fresh)
                let count = MachineFacts.workerCount(override: options.workers ?? fresh.workers)
                fleet.configurationAccepted(
                    memory,
                    workers: count.count,
                    changesWorkers: settingsInUse.read(fresh)
                )
            } catch {
                log.error("configuration") { $0.field("error", "\(error)") }
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
        }
        switch result {
        case .succeeded(let generation, let replaced):
            reloadSucceeded("reloaded") { record in
                record.field("generation", Int(generation))
                record.field("replaced", replaced)
            }
        case .scaled(let workers):
            reloadSucceeded("reloaded: only the number of workers changed") { record in
                record.field("workers", workers)
            }
        case .invalid:
            reloadFailed("the configuration is invalid; the old one stays in use")
        case .canaryFailed(let failure):
            let detail = failure == .probeFailed ? fleet.probeFailure.map { ": \($0)" } : nil
            reloadFailed(
                "the new worker \(failure.text)\(detail ?? ""); the old configuration stays in use"
            )
        case .rolledBack(let failure):
            reloadFailed(
                "the new worker \(failure.text); all workers have the old configuration again"
            )
        case .abandoned:
            reloadFailed("abandoned: the fleet stops")
        }
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
        log.error("reload failed") { $0.field("reason", reason) }
        notifier.ready(status: "reload failed: \(reason)")
    }

    // MARK: Signals

    private func signalReceived(_ signal: Signal) {
        switch signal {
        case .terminate, .interrupt: fleet.terminate()
        case .hangup: fleet.reload()
        case .ttyIn: fleet.scale(by: 1)
        case .ttyOut: fleet.scale(by: -1)
        case .user2: log.warning("upgrade in place is not available")
        case .abort, .kill, .user1, .pipe, .child, .continue, .stop:
            preconditionFailure("a signal that was not asked for: \(signal)")
        }
    }

    /// Descriptors bound connections and handovers under way: the soft limit of a shell is low.
    private static func raiseDescriptorLimit() -> UInt64 {
        do throws(Errno) {
            let limit = try Syscalls.descriptorLimit()
            if limit.soft < limit.hard { try Syscalls.setDescriptorLimit(soft: limit.hard) }
            return try Syscalls.descriptorLimit().soft
        } catch {
            // The limit stays as it was; `status` shows it.
            return 0
        }
    }
}

/// Why the supervisor cannot run.
enum StartError: Error, Equatable, CustomStringConvertible {
    case listen(ListenError)
    case system(SystemError)

    var exitCode: Int32 {
        switch self {
        case .listen: ExitCode.unavailable
        case .system: ExitCode.failure
        }
    }

    var description: String {
        switch self {
        case .listen(let error): "\(error)"
        case .system(let error): "\(error)"
        }
    }
}
