// SPDX-License-Identifier: Apache-2.0
import Log
import Loop
import Metrics
import System

/// Carries out what operators ask of a supervisor, and keeps who waits for what.
final class OperatorDesk {
    private struct Scaling {
        let count: Int
        let before: Int
        let deadline: UInt64
        let done: OperatorHooks.Done
    }

    /// How often is looked whether the workers are ready.
    private static let scalingLook: UInt64 = 20_000_000
    /// Workers that take longer have trouble; they go on trying.
    private static let scalingMax: UInt64 = 60_000_000_000

    /// What is wrong with the configuration that was read last.
    var configurationErrors: [String] = []

    private unowned let supervisor: Supervisor
    private let relay: TimerRelay
    private var server: OperatorServer?
    private var listener: Listener?
    private var socket: ListenerSocket?
    /// Who asked for a reload that has not begun: the one that runs may have read an older file.
    private var waitingReloads: [OperatorHooks.Done] = []
    private var runningReloads: [OperatorHooks.Done] = []
    private var reloadBeganAt: UInt64 = 0
    private var scalings: [Scaling] = []
    private var stops: [OperatorHooks.Done] = []
    private var waitingUpgrade: OperatorHooks.Done?
    private var stopAskedAt: UInt64 = 0

    init(_ supervisor: Supervisor) {
        self.supervisor = supervisor
        relay = TimerRelay(loop: supervisor.loop)
        relay.timeCame = { [unowned self] in lookAtScalings() }
    }

    // MARK: The socket

    /// Begins to listen for operators; a supervisor that cannot is still one, and says so.
    func open() {
        guard let runtime = supervisor.options.runtime else { return }
        let server = OperatorServer(loop: supervisor.loop, log: supervisor.log, hooks: hooks)
        do throws(SystemError) {
            let socket = try ListenerSocket.openPrivate(runtime.socketPath)
            let listener = Listener(
                socket,
                index: 0,
                loop: supervisor.loop,
                log: supervisor.log,
                taker: server
            )
            listener.start()
            self.socket = socket
            self.listener = listener
            self.server = server
        } catch {
            supervisor.log.warning("operator commands are not available") { record in
                record.field("socket", runtime.socketPath)
                record.field("error", "\(error)")
            }
        }
    }

    /// The supervisor has stopped: tells everybody who waits, last of all those who wait for that.
    func close(exitCode: Int32) {
        let ended = OperatorReply.failed("the supervisor has stopped")
        for done in waitingReloads + runningReloads { done(ended) }
        for scaling in scalings { scaling.done(ended) }
        let milliseconds = (Syscalls.monotonicNanoseconds() - stopAskedAt) / 1_000_000
        for done in stops {
            done(
                exitCode == ExitCode.success
                    ? .done("stopped in \(milliseconds) ms")
                    : .failed("stopped with exit code \(exitCode): its log tells why")
            )
        }
        socket?.removeFile()
        listener?.close()
        server?.finish(ended)
    }

    private var hooks: OperatorHooks {
        var hooks = OperatorHooks()
        hooks.reload = { [unowned self] done in reload(done) }
        hooks.scale = { [unowned self] count, done in scale(to: count, done) }
        hooks.stop = { [unowned self] now, done in stop(now: now, done) }
        hooks.upgrade = { [unowned self] connection, done in upgrade(connection, done) }
        hooks.progress = { [unowned self] request in progress(of: request) }
        return hooks
    }

    /// Nil while the fleet takes orders.
    private var stopping: OperatorReply? {
        switch supervisor.fleet.machine.state {
        case .starting, .running, .rolling: nil
        case .lameDuck, .draining, .stopping, .stopped: .failed("the supervisor is stopping")
        }
    }

    // MARK: Reload

    private func reload(_ done: @escaping OperatorHooks.Done) {
        if let stopping {
            done(stopping)
            return
        }
        waitingReloads.append(done)
        supervisor.fleet.reload()
    }

    /// The configuration is being read: what was asked for up to here gets it.
    func reloadBegan() {
        runningReloads += waitingReloads
        waitingReloads = []
        configurationErrors = []
        reloadBeganAt = Syscalls.monotonicNanoseconds()
    }

    func reloadEnded(_ result: ReloadResult) {
        if let done = waitingUpgrade {
            waitingUpgrade = nil
            upgradeEnded(result, done)
        }
        var answered = runningReloads
        runningReloads = []
        let reply: OperatorReply
        switch result {
        case .succeeded(let generation, let replaced):
            reply = .done(
                "reloaded: generation \(generation), \(Self.workers(replaced)) replaced "
                    + "in \(reloadMilliseconds) ms"
            )
        case .scaled(let workers):
            reply = .done(
                "reloaded: only the number of workers changed, to \(workers); "
                    + "those that stay were not touched"
            )
        case .invalid:
            reply = .failed(
                "reload failed: the configuration is invalid; the old one stays in use",
                lines: configurationErrors
            )
        case .canaryFailed, .rolledBack:
            let reason = result.failureText(probe: supervisor.fleet.probeFailure) ?? ""
            reply = .failed("reload failed: \(reason)")
        case .abandoned:
            reply = .failed("reload failed: the supervisor stops")
            answered += waitingReloads
            waitingReloads = []
        }
        for done in answered { done(reply) }
    }

    private var reloadMilliseconds: UInt64 {
        (Syscalls.monotonicNanoseconds() - reloadBeganAt) / 1_000_000
    }

    private static func workers(_ count: Int) -> String {
        count == 1 ? "1 worker" : "\(count) workers"
    }

    // MARK: Scale

    private func scale(to count: Int, _ done: @escaping OperatorHooks.Done) {
        if let stopping {
            done(stopping)
            return
        }
        let before = supervisor.fleet.machine.desired
        supervisor.scale(to: count)
        let deadline = supervisor.loop.now + Self.scalingMax
        scalings.append(Scaling(count: count, before: before, deadline: deadline, done: done))
        lookAtScalings()
    }

    private func lookAtScalings() {
        let machine = supervisor.fleet.machine
        let waiting = scalings
        scalings = []
        for scaling in waiting {
            if let stopping {
                scaling.done(stopping)
            } else if machine.desired != scaling.count {
                scaling.done(
                    .failed("meanwhile something else asked for \(Self.workers(machine.desired))")
                )
            } else if servingCount >= scaling.count {
                scaling.done(
                    .done("scaled: \(Self.workers(scaling.count)), before \(scaling.before)")
                )
            } else if scaling.deadline <= supervisor.loop.now {
                scaling.done(
                    .failed(
                        "only \(servingCount) of \(Self.workers(scaling.count)) are ready: "
                            + "the log tells why"
                    )
                )
            } else {
                scalings.append(scaling)
            }
        }
        relay.set(scalings.isEmpty ? nil : supervisor.loop.now + Self.scalingLook)
    }

    private var servingCount: Int { supervisor.fleet.machine.readyCount }

    // MARK: Stop

    /// A second request only waits: it is no second TERM, which would cut what runs.
    private func stop(now: Bool, _ done: @escaping OperatorHooks.Done) {
        if stops.isEmpty { stopAskedAt = Syscalls.monotonicNanoseconds() }
        stops.append(done)
        let fleet = supervisor.fleet
        if now {
            fleet.stopNow()
        } else if stopping == nil {
            fleet.terminate()
        }
    }

    // MARK: Upgrade

    private func upgrade(
        _ connection: consuming OwnedFD,
        _ done: @escaping OperatorHooks.Done
    ) {
        if let stopping {
            done(stopping)
            return
        }
        supervisor.upgrade(waiting: connection) { _, reason, lines in
            done(.failed("upgrade failed: \(reason); the old program goes on", lines: lines))
        }
    }

    /// The operator that waits for the upgrade which brought this program here.
    func adopt(_ descriptor: Int32) {
        let fd = OwnedFD(owning: descriptor)
        guard let connection = server?.adopt(fd, .upgrade) else { return }
        waitingUpgrade = { [weak connection] reply in connection?.answer(reply) }
    }

    /// The workers of the program before this one are replaced, or are not.
    private func upgradeEnded(_ result: ReloadResult, _ done: OperatorHooks.Done) {
        switch result {
        case .succeeded(_, let replaced):
            done(
                .done(
                    "upgraded: version \(Version.text), \(Self.workers(replaced)) replaced "
                        + "in \(reloadMilliseconds) ms"
                )
            )
        case .scaled:
            done(.done("upgraded: version \(Version.text)"))
        case .invalid:
            done(
                .failed(
                    "upgraded to version \(Version.text), but the workers go on with the old "
                        + "program: the configuration is invalid",
                    lines: configurationErrors
                )
            )
        case .canaryFailed, .rolledBack, .abandoned:
            let reason = result.failureText(probe: supervisor.fleet.probeFailure)
            done(
                .failed(
                    "upgraded to version \(Version.text), but the workers go on with the old "
                        + "program: \(reason ?? "the supervisor stops")"
                )
            )
        }
    }

    // MARK: Progress

    private func progress(of request: OperatorRequest) -> String {
        let machine = supervisor.fleet.machine
        switch request {
        case .reload:
            guard case .rolling(let roll) = machine.state else { return "waiting for its turn" }
            let fresh = machine.slots.count { $0.isReady && $0.generation == roll.generation }
            return "replacing workers: \(fresh) of \(machine.desired)"
        case .scale:
            return "\(servingCount) of \(Self.workers(machine.desired)) ready"
        case .stop:
            return DrainProgress(supervisor.fleet, now: supervisor.loop.now)?.text ?? "stopping"
        case .upgrade:
            return "upgrading"
        }
    }
}
