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
        let log = LogSink(descriptor: 2, level: .info)
        let source = ConfigurationFile(
            path: configPath,
            overrides: overrides,
            environment: ConfigLoader.processEnvironment()
        )
        switch source.read() {
        case .invalid(let errors):
            for error in errors { log.log(.error, text: error) }
            log.flush()
            return ExitCode.badConfiguration
        case .valid(let settings):
            let options = Supervisor.Options(
                configuration: source,
                environment: Syscalls.environment(),
                listen: listen,
                status: status,
                workers: workers.flatMap { Int($0) }
            )
            return run(options, settings, log)
        }
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
        do throws(StartError) {
            var options = given
            options.runtime = try Self.runtimeDirectory(given.environment)
            let supervisor = try Supervisor(options, settings: settings, log: log)
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
