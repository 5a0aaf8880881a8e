// SPDX-License-Identifier: Apache-2.0
import Loop
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

    /// `extendMicroseconds`: time that the manager grants from now on, whatever its unit says.
    func stopping(status: String, extendMicroseconds: UInt64? = nil) {
        let grace = extendMicroseconds.map { "\nEXTEND_TIMEOUT_USEC=\($0)" } ?? ""
        send("STOPPING=1\nSTATUS=\(status)\(grace)")
    }

    func status(_ text: String) { send("STATUS=\(text)") }

    // MARK: Watchdog

    /// Nanoseconds between two signs of life: half of what the manager waits, as sd_watchdog_enabled(3)
    /// recommends.
    ///
    /// Nil when it does not watch this process.
    static func watchdogInterval(environment: [String], pid: Int32) -> UInt64? {
        guard let text = WorkerEnvironment.value(of: "WATCHDOG_USEC", in: environment),
            let microseconds = UInt64(text), microseconds > 1, microseconds < .max / 1_000
        else { return nil }
        if let watched = WorkerEnvironment.value(of: "WATCHDOG_PID", in: environment),
            Int32(watched) != pid
        {
            return nil
        }
        return microseconds * 1_000 / 2
    }

    func isAlive() { send("WATCHDOG=1") }

    // MARK: Descriptor store

    /// Leaves a copy of a descriptor with the manager, which hands it to the next process of the
    /// unit under that name.
    ///
    /// FDPOLL: what the manager sees of the socket is no reason to drop it.
    func store(_ fd: Int32, name: String) {
        send("FDSTORE=1\nFDNAME=\(name)\nFDPOLL=0", descriptors: [fd])
    }

    /// Makes the manager close what it keeps under the name.
    func removeStored(name: String) { send("FDSTOREREMOVE=1\nFDNAME=\(name)") }

    /// Waits until the manager has done what was asked before.
    ///
    /// sd_notify_barrier(3): it closes the descriptor that it gets once it comes to this message.
    func barrier(millisecondsMax: Int32 = 1_000) {
        guard path != nil else { return }
        do throws(Errno) {
            let pair = try Syscalls.pipe()
            let read = try pair.first.duplicate()
            pair.split { first, second in
                first.close()
                send("BARRIER=1", descriptors: [second.raw])
                second.close()
            }
            do throws(SystemError) {
                let loop = try EventLoop()
                let token = try loop.register(read.raw, .peerEnd, EventHandler())
                try loop.turn(waitMax: millisecondsMax)
                loop.deregister(token)
            } catch {
                throw error.errno
            }
        } catch {
            // Only a wait is lost: an address that the manager still holds shows as in use.
            return
        }
    }

    private func send(_ message: String, descriptors: [Int32]) {
        guard let path else { return }
        let bytes = Array(message.utf8)
        do throws(Errno) {
            try Syscalls.sendDatagram(bytes.span, descriptors: descriptors, to: path)
        } catch {
            // As below; without its listeners the next process opens them itself.
            return
        }
    }

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
