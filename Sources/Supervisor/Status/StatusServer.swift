// SPDX-License-Identifier: Apache-2.0
import Loop
import System

/// Serves the status address, on the supervisor's own loop.
///
/// Whoever connects must not be able to hold the supervisor up: connections, their bytes and their
/// time are bounded, and a new one always finds a place.
final class StatusServer: ConnectionTaker {
    /// Connections at a time.
    ///
    /// Limit: a handful of scrapers, probes and dashboards; each may hold one document in memory.
    static let connectionsMax = 64

    let loop: EventLoop
    let pages: StatusPages
    private let patience: StatusConnection.Patience
    /// In the order in which they were accepted.
    private(set) var connections: [StatusConnection] = []

    init(
        loop: EventLoop,
        pages: StatusPages,
        patience: StatusConnection.Patience = StatusConnection.Patience()
    ) {
        self.loop = loop
        self.pages = pages
        self.patience = patience
        super.init()
    }

    override func accepted(_ fd: consuming OwnedFD, listener: Int) {
        if connections.count >= Self.connectionsMax { makeRoom() }
        let connection = StatusConnection(fd, server: self, patience: patience)
        connections.append(connection)
        connection.start()
    }

    /// Closes the connection that has been idle for the longest, else the oldest one: a probe must
    /// get through however many hang on.
    private func makeRoom() {
        let idle = connections.filter(\.isIdle).min { $0.idleSince < $1.idleSince }
        (idle ?? connections.first)?.close()
    }

    func closed(_ connection: StatusConnection) {
        connections.removeAll { $0 === connection }
    }
}
