// SPDX-License-Identifier: Apache-2.0
import Config
import Log
import System

/// `apus serve`: runs the supervisor in the foreground.
struct ServeCommand: Equatable {
    var configPath: String?
    /// Addresses for clients, in place of the configuration's.
    var listen: [SocketAddress]?
    var status: SocketAddress?
    /// `auto` or a number.
    var workers: String?

    init() {}

    init(_ options: ParsedOptions) throws(UsageError) {
        configPath = options[.config]
        for text in options.all(.listen) {
            guard let address = SocketAddress(text) else {
                throw .badAddress(.listen, text, .serve)
            }
            listen = (listen ?? []) + [address]
        }
        if let text = options[.status] {
            guard let address = SocketAddress(text) else {
                throw .badAddress(.status, text, .serve)
            }
            status = address
        }
        if let text = options[.workers] {
            let isCount = Int(text).map(ConfigLimits.workers.contains) ?? false
            guard text == "auto" || isCount else { throw .badWorkers(text) }
            workers = text
        }
    }

    /// Runs until the fleet has stopped.
    ///
    /// Returns the exit code.
    func run() -> Int32 {
        let environment = Syscalls.environment()
        let log = LogSink(descriptor: 2, level: .info)
        let source = ConfigurationFile(
            path: configPath,
            overrides: overrides,
            environment: ConfigLoader.processEnvironment()
        )
        switch UpgradeHandover.take(environment) {
        case .nothing: break
        case .state(let state): return resume(state, source, environment, log)
        case .broken:
            log.log(.error, text: "the state of the program before this one cannot be read")
            log.flush()
            return ExitCode.failure
        }
        if UpgradeHandover.isCheck(environment) { return check(source, environment) }
        switch source.read() {
        case .invalid(let errors):
            for error in errors { log.log(.error, text: error) }
            log.flush()
            return ExitCode.badConfiguration
        case .valid(let settings):
            return run(options(source, environment), settings, log)
        }
    }

    private func options(
        _ source: ConfigurationFile,
        _ environment: [String]
    ) -> Supervisor.Options {
        Supervisor.Options(
            configuration: source,
            environment: UpgradeHandover.cleaned(environment),
            listen: listen,
            status: status,
            workers: workers.flatMap { Int($0) }
        )
    }

    // MARK: Upgrade

    /// Says whether this program could take over from one that runs with the same arguments.
    private func check(_ source: ConfigurationFile, _ environment: [String]) -> Int32 {
        if let problem = UpgradeHandover.problemWithConfiguration(environment) {
            TextOutput.standard.write(problem + "\n")
            return ExitCode.failure
        }
        switch source.read() {
        case .invalid(let errors):
            for error in errors { TextOutput.standard.write(error + "\n") }
            return ExitCode.badConfiguration
        case .valid:
            return TextOutput.standard.write(UpgradeHandover.answer + "\n")
        }
    }

    /// Goes on where the program before this one in the same process has stopped, with the
    /// configuration that its workers have; the file is read by the reload that follows.
    private func resume(
        _ state: UpgradeState,
        _ source: ConfigurationFile,
        _ environment: [String],
        _ log: LogSink
    ) -> Int32 {
        guard let settings = ConfigurationFile.settings(descriptor: state.configuration) else {
            log.log(.error, text: StartError.inheritance.description)
            log.flush()
            return ExitCode.failure
        }
        var options = options(source, environment)
        if let lock = state.lock {
            options.runtime = RuntimeDirectory(
                path: RuntimePlace(environment: environment).path,
                adopting: OwnedFD(owning: lock)
            )
        }
        return serve(options, settings, log, state)
    }

    private var overrides: ConfigOverrides {
        ConfigOverrides(
            listen: (listen ?? []).map(\.description),
            statusListen: status?.description,
            workers: workers
        )
    }

    private func run(
        _ given: Supervisor.Options,
        _ settings: FleetSettings,
        _ log: LogSink
    ) -> Int32 {
        var options = given
        do throws(StartError) {
            options.runtime = try Self.runtimeDirectory(given.environment)
        } catch {
            log.log(.error, text: error.description)
            log.flush()
            return error.exitCode
        }
        return serve(options, settings, log, nil)
    }

    private func serve(
        _ options: Supervisor.Options,
        _ settings: FleetSettings,
        _ log: LogSink,
        _ state: UpgradeState?
    ) -> Int32 {
        do throws(StartError) {
            let supervisor = try Supervisor(
                options,
                settings: settings,
                log: log,
                resuming: state
            )
            let pages = StatusPages(SupervisorStatus(supervisor))
            return try supervisor.run(
                statusTaker: StatusServer(loop: supervisor.loop, pages: pages)
            )
        } catch {
            log.log(.error, text: error.description)
            log.flush()
            return error.exitCode
        }
    }

    private static func runtimeDirectory(
        _ environment: [String]
    ) throws(StartError) -> RuntimeDirectory {
        do throws(RuntimeDirectoryError) {
            return try RuntimeDirectory(RuntimePlace(environment: environment))
        } catch {
            throw .runtime(error)
        }
    }
}
