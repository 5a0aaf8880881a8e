// SPDX-License-Identifier: Apache-2.0
import Config
import Log
import System

/// `apus serve`: runs the supervisor in the foreground.
struct ServeCommand: Equatable {
    enum UsageError: Error, Equatable, CustomStringConvertible {
        case unknownArgument(String)
        case missingValue(String)
        case badValue(String, String)

        var description: String {
            switch self {
            case .unknownArgument(let argument): "unknown argument \(argument)"
            case .missingValue(let option): "\(option) needs a value"
            case .badValue(let option, let value): "\(option) \(value) is not valid"
            }
        }
    }

    static let usage =
        "apus serve [--config FILE] [--listen ADDR]... [--status ADDR] [--workers N]"

    var configPath: String?
    private(set) var overrides = ConfigOverrides()

    init(arguments: [String]) throws(UsageError) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            // Both `--name value` and `--name=value`.
            let parts = argument.split(
                separator: "=",
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            let option = String(parts[0])
            guard ["--config", "--listen", "--status", "--workers"].contains(option) else {
                throw .unknownArgument(argument)
            }
            guard let value = parts.count > 1 ? String(parts[1]) : rest.popFirst() else {
                throw .missingValue(option)
            }
            try apply(option, value)
        }
    }

    private mutating func apply(_ option: String, _ value: String) throws(UsageError) {
        switch option {
        case "--config":
            configPath = value
        case "--listen":
            guard SocketAddress(value) != nil else { throw .badValue(option, value) }
            overrides.listen.append(value)
        case "--status":
            guard SocketAddress(value) != nil else { throw .badValue(option, value) }
            overrides.statusListen = value
        default:
            guard let count = Int(value), ConfigLimits.workers.contains(count) else {
                throw .badValue(option, value)
            }
            overrides.workers = value
        }
    }

    /// Runs until the fleet has stopped.
    ///
    /// Returns the exit code.
    func run(log: LogSink) -> Int32 {
        let source = ConfigurationFile(path: configPath, overrides: overrides)
        switch source.read() {
        case .invalid(let errors):
            for error in errors { log.log(.error, text: error) }
            log.flush()
            return ExitCode.badConfiguration
        case .valid(let settings):
            let options = Supervisor.Options(
                configuration: source,
                environment: Syscalls.environment()
            )
            return run(options, settings, log)
        }
    }

    private func run(
        _ options: Supervisor.Options,
        _ settings: FleetSettings,
        _ log: LogSink
    ) -> Int32 {
        do throws(StartError) {
            let supervisor = try Supervisor(options, settings: settings, log: log)
            return try supervisor.run(statusTaker: nil)
        } catch {
            log.log(.error, text: error.description)
            log.flush()
            return error.exitCode
        }
    }
}
