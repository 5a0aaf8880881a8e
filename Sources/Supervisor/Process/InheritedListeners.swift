// SPDX-License-Identifier: Apache-2.0
import Log
import System

/// Listening sockets that the service manager opened: sd_listen_fds(3) without libsystemd.
struct InheritedListeners {
    /// A socket of the service manager, and the name that its unit gives it.
    struct Entry: Equatable {
        let fd: Int32
        let name: String
    }

    /// First descriptor by the rules of sd_listen_fds(3).
    static let firstDescriptor: Int32 = 3
    /// No unit has more sockets; a larger number is an accident of the environment.
    static let countMax = 64
    /// Name of the socket for the status address; every other one is for clients.
    static let statusName = "status"

    /// What the environment announces for the process `pid`; empty when it means another one.
    ///
    /// Pure: only looks at the texts.
    static func announced(environment: [String], pid: Int32) -> [Entry] {
        guard let forPID = WorkerEnvironment.value(of: "LISTEN_PID", in: environment),
            Int32(forPID) == pid,
            let text = WorkerEnvironment.value(of: "LISTEN_FDS", in: environment),
            let count = Int(text), count > 0, count <= countMax
        else { return [] }
        let names = (WorkerEnvironment.value(of: "LISTEN_FDNAMES", in: environment) ?? "")
            .split(separator: ":", omittingEmptySubsequences: false)
        return (0..<count).map { index in
            Entry(
                fd: firstDescriptor + Int32(index),
                name: index < names.count ? String(names[index]) : ""
            )
        }
    }

    /// Why descriptors that somebody announced are left alone; nil when there are none or they
    /// are ours.
    static func problem(environment: [String], pid: Int32) -> String? {
        guard let count = WorkerEnvironment.value(of: "LISTEN_FDS", in: environment),
            count != "0", announced(environment: environment, pid: pid).isEmpty
        else { return nil }
        guard let given = WorkerEnvironment.value(of: "LISTEN_PID", in: environment) else {
            return "LISTEN_FDS is set without LISTEN_PID"
        }
        return Int32(given) == pid
            ? "LISTEN_FDS is no number from 1 to \(countMax)"
            : "LISTEN_PID names another process"
    }

    /// The sockets for this process; what is no listening socket is closed, told, and not kept by
    /// the manager either.
    static func take(
        _ environment: [String],
        notifier: ServiceNotifier,
        log: FleetLog
    ) -> [ListenerSocket] {
        let pid = Syscalls.processID
        if let problem = problem(environment: environment, pid: pid) {
            log.warning("sockets of the service manager are ignored") { record in
                record.field("reason", problem)
            }
        }
        return announced(environment: environment, pid: pid).compactMap { entry in
            if let socket = adopt(entry) { return socket }
            log.warning("descriptor of the service manager is not a listening socket") { record in
                record.field("fd", Int(entry.fd))
                record.field("name", entry.name)
            }
            if !entry.name.isEmpty { notifier.removeStored(name: entry.name) }
            return nil
        }
    }

    /// Takes over an announced descriptor; nil (and closed) when it is no listening socket.
    static func adopt(_ entry: Entry) -> ListenerSocket? {
        guard Syscalls.kind(of: entry.fd) != nil else { return nil }
        let original = OwnedFD(owning: entry.fd)
        guard Syscalls.isListening(original.raw) else { return nil }
        do throws(Errno) {
            // The copy is close-on-exec: no worker may hold a listener.
            let copy = try original.duplicate()
            try Syscalls.setNonBlocking(copy.raw)
            let address = try Syscalls.localAddress(copy.raw)
            return ListenerSocket(inherited: copy, address: address, name: entry.name)
        } catch {
            return nil
        }
    }
}
