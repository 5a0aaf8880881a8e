// SPDX-License-Identifier: Apache-2.0
import Log
import Loop
import System

/// Replaces the program of this process by the one on disk, without a client noticing.
///
/// The process stays, and with it its number, its children and its descriptors: listeners,
/// channels of workers, and the copies of all connections. The next program finds them in an
/// `UpgradeState`, and replaces the workers like a reload does. Until execve(2) succeeds nothing is
/// given up, so every failure leaves the fleet as it was.
final class Upgrader {
    typealias Done = (Bool, String, [String]) -> Void

    /// How long last words to clients are waited for, which the next program does not know.
    private static let farewellPatience: UInt64 = 2_000_000_000
    private static let farewellLook: UInt64 = 20_000_000

    private unowned let supervisor: Supervisor
    private let relay: TimerRelay
    private var check: UpgradeCheck?
    private var done: Done?
    /// A descriptor of its own: the operator may leave, and the number name something else then.
    private var waiting: OwnedFD?
    /// The configuration that the program on disk has read.
    private var checked: ConfigurationMemory?
    private var giveUpAt: UInt64 = 0

    init(_ supervisor: Supervisor) {
        self.supervisor = supervisor
        relay = TimerRelay(loop: supervisor.loop)
        relay.timeCame = { [unowned self] in replaceWhenQuiet() }
    }

    /// The program to run: the one that was started, by the name it was started with, so that a link
    /// which points elsewhere now is followed.
    static func program() -> String {
        if let name = CommandLine.arguments.first, name.contains("/") { return name }
        do throws(Errno) {
            let path = try Syscalls.linkTarget("/proc/self/exe")
            let suffix = " (deleted)"
            return path.hasSuffix(suffix) ? String(path.dropLast(suffix.count)) : path
        } catch {
            return CommandLine.arguments.first ?? "apus"
        }
    }

    /// `done` is told about failures only: after a success nobody is left here to call it, and the
    /// next program answers on the descriptor `waiting`.
    func begin(waiting: consuming OwnedFD?, done: @escaping Done) {
        let fleet = supervisor.fleet
        guard fleet.canBeHandedOver, check == nil, let configuration = fleet.configuration else {
            done(false, "workers are being replaced, or do not run yet: try again then", [])
            return
        }
        self.waiting = waiting
        self.done = done
        checked = configuration
        let check = UpgradeCheck(loop: supervisor.loop, children: fleet.children) {
            [unowned self] in answered($0)
        }
        self.check = check
        supervisor.log.info("upgrade: asking the program on disk") { record in
            record.field("path", Self.program())
        }
        check.start(
            Self.program(),
            arguments: CommandLine.arguments,
            environment: supervisor.options.environment,
            configuration: configuration.fd.raw
        )
    }

    private func answered(_ result: UpgradeCheck.Result) {
        switch result {
        case .passed:
            giveUpAt = supervisor.loop.now + Self.farewellPatience
            relay.set(supervisor.loop.now)
        case .failed(let reason, let lines):
            fail(reason, lines)
        }
    }

    private func fail(_ reason: String, _ lines: [String] = []) {
        supervisor.log.error("upgrade failed") { $0.field("reason", reason) }
        for line in lines { supervisor.log.error("upgrade") { $0.field("said", line) } }
        check = nil
        checked = nil
        waiting = nil
        let done = done
        self.done = nil
        done?(false, reason, lines)
    }

    private func replaceWhenQuiet() {
        guard supervisor.fleet.canBeHandedOver else {
            fail("workers are being replaced: try again when that is over")
            return
        }
        guard supervisor.fleet.configuration === checked else {
            fail("the configuration has changed meanwhile: try again")
            return
        }
        let now = supervisor.loop.now
        if supervisor.handoff.hasFarewells, now < giveUpAt {
            relay.set(now + Self.farewellLook)
            return
        }
        replace()
    }

    private func replace() {
        let state = supervisor.upgradeState(waiting: waiting?.raw)
        let descriptors = state.descriptors
        do throws(Errno) {
            let memory = try Syscalls.sealedMemory("apus-upgrade", state.encoded().span)
            for descriptor in descriptors + [memory.raw] {
                try Syscalls.setCloseOnExec(descriptor, false)
            }
            supervisor.log.info("upgrade: replacing the program") { record in
                record.field("connections", descriptors.count)
            }
            supervisor.log.flush()
            let environment =
                UpgradeHandover.cleaned(supervisor.options.environment)
                + ["\(UpgradeHandover.stateVariable)=\(memory.raw)"]
            try Syscalls.replaceProgram(
                Self.program(),
                arguments: CommandLine.arguments,
                environment: environment
            )
        } catch {
            for descriptor in descriptors { Self.protect(descriptor) }
            fail("\(Self.program()) cannot be run: \(error.text)")
        }
    }

    /// No worker may inherit the descriptor, now that this program goes on.
    private static func protect(_ descriptor: Int32) {
        do throws(Errno) {
            try Syscalls.setCloseOnExec(descriptor, true)
        } catch {
            // What is not open, nobody inherits.
            return
        }
    }
}
