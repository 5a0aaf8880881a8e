// SPDX-License-Identifier: Apache-2.0
import System

/// Tells the service manager what the supervisor does: sd_notify(3) without libsystemd.
///
/// Says nothing when there is no manager, and goes on when it does not listen.
struct ServiceNotifier {
    /// Path of the manager's socket; a name in the abstract namespace starts with `@`.
    private let path: String?

    init(environment: [String]) {
        let path = WorkerEnvironment.value(of: "NOTIFY_SOCKET", in: environment)
        // Other forms (vsock) are for virtual machines.
        self.path = path.flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
    }

    func ready(status: String) { send("READY=1\nSTATUS=\(status)") }

    /// `now`: nanoseconds of the monotonic clock.
    ///
    /// Without the time, systemd waits in vain.
    func reloading(now: UInt64) { send("RELOADING=1\nMONOTONIC_USEC=\(now / 1000)") }

    func stopping(status: String) { send("STOPPING=1\nSTATUS=\(status)") }

    func status(_ text: String) { send("STATUS=\(text)") }

    private func send(_ message: String) {
        guard let path else { return }
        let bytes = Array(message.utf8)
        do throws(Errno) {
            try Syscalls.sendDatagram(bytes.span, to: path)
        } catch {
            // The manager restarts or its queue is full: nothing here depends on it.
            return
        }
    }
}
