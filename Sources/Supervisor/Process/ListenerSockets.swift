// SPDX-License-Identifier: Apache-2.0
import Log
import System

/// The sockets that a supervisor starts with: the service manager's, its own from before, new ones.
struct ListenerSockets {
    private(set) var clients: [ListenerSocket] = []
    private(set) var status: ListenerSocket?

    /// `listen` and `status` are what the configuration wants; `status` is nil for none.
    ///
    /// - Throws: why an address cannot be opened.
    init(
        listen: [SocketAddress],
        status: SocketAddress?,
        environment: [String],
        notifier: ServiceNotifier,
        log: FleetLog
    ) throws(StartError) {
        let sockets = InheritedListeners.take(environment, notifier: notifier, log: log)
        let given = sockets.map { ListenerPlan.Given(name: $0.name, address: $0.address) }
        let plan = ListenerPlan(given, listen: listen, status: status)
        for refused in plan.refused {
            sockets[refused.index].close()
            log.warning("socket of the service manager is not used") { record in
                record.field("name", given[refused.index].name)
                record.field("address", "\(given[refused.index].address)")
                record.field("reason", refused.reason.rawValue)
            }
        }
        let names = plan.namesToRemove(given)
        for name in names { notifier.removeStored(name: name) }
        // What is opened next may overlap with what the manager still holds.
        if !names.isEmpty { notifier.barrier() }
        for source in plan.clients {
            clients.append(try Self.socket(source, sockets, notifier))
        }
        if let source = plan.status {
            self.status = try Self.socket(source, sockets, notifier)
        }
    }

    private static func socket(
        _ source: ListenerPlan.Source,
        _ sockets: [ListenerSocket],
        _ notifier: ServiceNotifier
    ) throws(StartError) -> ListenerSocket {
        switch source {
        case .given(let index):
            return sockets[index]
        case .open(let address, let storeName):
            let socket = try ListenerSocket.open(address)
            if let storeName { notifier.store(socket.raw, name: storeName) }
            return socket
        }
    }
}
