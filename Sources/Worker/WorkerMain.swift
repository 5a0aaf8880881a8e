// SPDX-License-Identifier: Apache-2.0
import Config
import Control
import Log
import Loop
import Scoreboard
import System

/// The worker program: started by the supervisor, never by hand.
@main
struct WorkerMain {
    /// Descriptors that the supervisor passes on, by number.
    private enum Inherited {
        static let control: Int32 = 3
        static let metrics: Int32 = 4
        static let configuration: Int32 = 5
        static let scoreboard: Int32 = 6
        static let log: Int32 = 7
    }

    private static let usageExit: Int32 = 64
    private static let configurationExit: Int32 = 78
    /// Largest configuration with its secrets.
    private static let configurationBytesMax = 8 << 20

    static func main() {
        guard let options = WorkerOptions(CommandLine.arguments) else {
            fail(usageExit, "apus-worker is started by 'apus serve', not by hand")
        }
        Syscalls.ignoreBrokenPipes()
        // Later its death shows as the end of the control channel, and running answers are finished.
        if Syscalls.parentProcessID != options.supervisor { Syscalls.exitNow(0) }
        do throws(SystemError) {
            try run(options)
        } catch {
            fail(1, error.description)
        }
    }

    private static func run(_ options: WorkerOptions) throws(SystemError) {
        #if DEBUG
        guard let faults = WorkerFaults.ofEnvironment(options) else {
            fail(usageExit, "APUS_WORKER_FAULT names a fault that does not exist")
        }
        try faults.atBoot(control: Inherited.control)
        #endif
        let scoreboard = mapScoreboard()
        let log = openLog(options)
        let config = readConfiguration()
        let loop = try EventLoop()
        let seed = randomSeed()
        let worker = Worker(
            options: options,
            config: config,
            loop: loop,
            channel: ControlChannel(OwnedFD(owning: Inherited.control)),
            metricsPipe: OwnedFD(owning: Inherited.metrics),
            scoreboard: scoreboard,
            log: log,
            seed: seed
        )
        #if DEBUG
        worker.faults = faults
        #endif
        try worker.start()
        try loop.run()
        log.flush()
    }

    /// The page that outlives this process, with what a crash leaves in it.
    private static func mapScoreboard() -> Scoreboard {
        do throws(Errno) {
            let scoreboard = try Scoreboard(mapping: OwnedFD(owning: Inherited.scoreboard))
            try scoreboard.keepCrashNotes()
            return scoreboard
        } catch {
            fail(usageExit, "descriptor 6 is not the supervisor's scoreboard: \(error)")
        }
    }

    /// Not standard error: what libraries and the runtime print there, the supervisor makes records of.
    private static func openLog(_ options: WorkerOptions) -> LogSink {
        guard Syscalls.kind(of: Inherited.log) != nil else {
            fail(usageExit, "descriptor 7 is not the supervisor's log")
        }
        return LogSink(descriptor: Inherited.log, level: .info, slot: options.slot)
    }

    private static func readConfiguration() -> Config {
        do {
            let bytes = try Syscalls.contents(
                of: Inherited.configuration,
                limit: configurationBytesMax
            )
            OwnedFD(owning: Inherited.configuration).close()
            guard let bundle = ConfigBundle(decoding: bytes.span) else {
                fail(configurationExit, "the supervisor's configuration is not readable")
            }
            return try bundle.config()
        } catch {
            fail(configurationExit, "the supervisor's configuration is broken: \(error)")
        }
    }

    private static func randomSeed() -> UInt64 {
        do throws(Errno) {
            return try Syscalls.random(8).reduce(0) { $0 << 8 | UInt64($1) }
        } catch {
            fail(1, "getrandom: \(error)")
        }
    }

    private static func fail(_ code: Int32, _ message: String) -> Never {
        let line = "apus-worker: \(message)\n"
        _ = Syscalls.write(2, line.utf8.span)
        Syscalls.exitNow(code)
    }
}

/// What the supervisor says on the command line.
struct WorkerOptions: Equatable {
    let slot: Int
    let generation: UInt32
    /// Process id of the supervisor.
    let supervisor: Int32

    /// Reads `--slot N --generation N --supervisor PID`; nil when one is missing or wrong.
    init?(_ arguments: [String]) {
        var values: [String: String] = [:]
        var index = 1
        while index + 1 < arguments.count {
            values[arguments[index]] = arguments[index + 1]
            index += 2
        }
        guard arguments.count == 7, let slot = values["--slot"].flatMap(Int.init), slot >= 0,
            let generation = values["--generation"].flatMap(UInt32.init),
            let supervisor = values["--supervisor"].flatMap(Int32.init)
        else { return nil }
        self.slot = slot
        self.generation = generation
        self.supervisor = supervisor
    }
}
