// SPDX-License-Identifier: Apache-2.0
import Scoreboard
import System

/// A worker process that was just started, and the supervisor's ends of its channels.
struct SpawnedWorker: ~Copyable {
    let pid: Int32
    var pidfd: OwnedFD
    var control: OwnedFD
    var metrics: OwnedFD
    var output: OwnedFD
    let scoreboard: Scoreboard
}

/// Starts worker processes.
///
/// Descriptors of a worker: 0 /dev/null, 1 and 2 write end of its output pipe, 3 control socket,
/// 4 write end of the metrics pipe, 5 configuration, 6 scoreboard, 7 standard error of this process,
/// for its log. Nothing else is inherited. What a worker prints that is no log, as a trap of the
/// runtime is, comes through the output pipe; the pipe never makes it wait. A worker whose
/// supervisor dies reads the end of its control socket, finishes what runs, and exits.
final class Spawner {
    /// Numbers under which a worker finds its descriptors.
    enum Descriptor {
        static let control: Int32 = 3
        static let metrics: Int32 = 4
        static let configuration: Int32 = 5
        static let scoreboard: Int32 = 6
        static let log: Int32 = 7
    }

    let path: String
    let children = Children()
    private let environment: [String]
    private let emptyInput: OwnedFD

    /// - Throws: when /dev/null cannot be opened.
    init(path: String, environment: [String]) throws(SystemError) {
        self.path = path
        self.environment = environment
        do throws(Errno) {
            emptyInput = try Syscalls.openForReading("/dev/null")
        } catch {
            throw SystemError(.open, error)
        }
    }

    /// The worker's program: `APUS_WORKER_PATH`, else `apus-worker` beside this executable.
    static func workerPath(environment: [String]) -> String {
        let override = WorkerEnvironment.value(of: "APUS_WORKER_PATH", in: environment)
        if let override, !override.isEmpty { return override }
        do throws(Errno) {
            let own = try Syscalls.linkTarget("/proc/self/exe")
            guard let slash = own.lastIndex(of: "/") else { return "apus-worker" }
            return String(own[...slash]) + "apus-worker"
        } catch {
            return "apus-worker"
        }
    }

    /// Starts a worker that reads its configuration from `configuration`.
    func spawn(
        slot: Int,
        generation: UInt32,
        _ configuration: borrowing OwnedFD
    ) throws(SystemError) -> SpawnedWorker {
        let control = try attempt(.socketpair) { () throws(Errno) in
            try Syscalls.pairs(seqpacket: true)
        }
        let metrics = try attempt(.pipe) { () throws(Errno) in try Syscalls.pipe() }
        let output = try attempt(.pipe) { () throws(Errno) in try Syscalls.pipe() }
        let scoreboard: Scoreboard
        do throws(Errno) {
            scoreboard = try Scoreboard()
        } catch {
            throw SystemError(.memfd, error)
        }
        let arguments = [
            path, "--slot", "\(slot)", "--generation", "\(generation)",
            "--supervisor", "\(Syscalls.processID)",
        ]
        let descriptors = [
            InheritedFD(source: emptyInput.raw, target: 0),
            InheritedFD(source: output.second.raw, target: 1),
            InheritedFD(source: output.second.raw, target: 2),
            InheritedFD(source: control.second.raw, target: Descriptor.control),
            InheritedFD(source: metrics.second.raw, target: Descriptor.metrics),
            InheritedFD(source: configuration.raw, target: Descriptor.configuration),
            InheritedFD(source: scoreboard.descriptor, target: Descriptor.scoreboard),
            InheritedFD(source: 2, target: Descriptor.log),
        ]
        let pid: Int32
        do throws(Errno) {
            // A group of its own: Ctrl-C in a terminal is for the supervisor, which then drains.
            pid = try Syscalls.spawn(
                path,
                arguments: arguments,
                environment: environment,
                descriptors: descriptors,
                ownGroup: true
            )
        } catch {
            throw SystemError(.spawn, error)
        }
        let pidfd: OwnedFD
        do throws(Errno) {
            // The process is not reaped yet, so its number cannot name another one.
            pidfd = try Syscalls.pidfd(pid)
        } catch {
            // Without a pidfd it could not be watched.
            children.abandon(pid)
            throw SystemError(.pidfdOpen, error)
        }
        return SpawnedWorker(
            pid: pid,
            pidfd: pidfd,
            control: control.takeFirst(),
            metrics: metrics.takeFirst(),
            output: output.takeFirst(),
            scoreboard: scoreboard
        )
    }

    private func attempt<Result: ~Copyable>(
        _ call: StaticCallName,
        _ body: () throws(Errno) -> Result
    ) throws(SystemError) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw SystemError(call, error)
        }
    }
}
