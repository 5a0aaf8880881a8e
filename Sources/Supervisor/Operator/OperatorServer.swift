// SPDX-License-Identifier: Apache-2.0
import Log
import Loop
import System

/// Serves the operator socket, on the supervisor's own loop.
///
/// Whoever connects must not be able to hold the supervisor up: connections, their bytes and their
/// time are bounded. Only the supervisor's own user and root are listened to.
final class OperatorServer: ConnectionTaker {
    /// Connections at a time.
    ///
    /// Limit: operators and their scripts; each waits for one operation.
    static let connectionsMax = 16

    let loop: EventLoop
    let log: FleetLog
    let hooks: OperatorHooks
    let patience: OperatorConnection.Patience
    private let userID: UInt32
    /// In the order in which they were accepted.
    private(set) var connections: [OperatorConnection] = []

    init(
        loop: EventLoop,
        log: FleetLog,
        hooks: OperatorHooks,
        patience: OperatorConnection.Patience = OperatorConnection.Patience(),
        userID: UInt32 = Syscalls.userID
    ) {
        self.loop = loop
        self.log = log
        self.hooks = hooks
        self.patience = patience
        self.userID = userID
        super.init()
    }

    override func accepted(_ fd: consuming OwnedFD, listener: Int) {
        guard let peer = Self.peer(fd.raw) else { return }
        guard Self.isHeard(peer.userID, by: userID) else {
            log.warning("operator refused: another user") { record in
                record.field("uid", Int(peer.userID))
                record.field("peer_pid", Int(peer.processID))
            }
            Self.refuse(fd.raw, "only the user of the supervisor and root are heard")
            return
        }
        if connections.count >= Self.connectionsMax, !makeRoom() {
            Self.refuse(fd.raw, "too many operations wait")
            return
        }
        let connection = OperatorConnection(fd, peer: peer, server: self)
        connections.append(connection)
        connection.start()
    }

    /// Whether a supervisor of `owner` does what `user` asks for.
    static func isHeard(_ user: UInt32, by owner: UInt32) -> Bool { user == owner || user == 0 }

    /// The operator that waits for an operation which another program of this process has begun;
    /// nil when it has left.
    func adopt(_ fd: consuming OwnedFD, _ request: OperatorRequest) -> OperatorConnection? {
        guard let peer = Self.peer(fd.raw) else { return nil }
        let connection = OperatorConnection(fd, peer: peer, server: self)
        connections.append(connection)
        connection.resume(request)
        return connection
    }

    private static func peer(_ fd: Int32) -> PeerCredentials? {
        do throws(Errno) {
            return try Syscalls.peerCredentials(fd)
        } catch {
            return nil
        }
    }

    /// Closes the oldest connection that has not asked for anything; false when all have.
    private func makeRoom() -> Bool {
        guard let silent = connections.first(where: { $0.state == .reading }) else { return false }
        silent.close()
        return true
    }

    private static func refuse(_ fd: Int32, _ reason: String) {
        let line = OperatorMessage.failed(reason).line + "\n"
        // A fresh socket has room for it; whoever does not read it sees the end.
        _ = Syscalls.send(fd, Array(line.utf8).span)
    }

    func closed(_ connection: OperatorConnection) {
        connections.removeAll { $0 === connection }
    }

    /// The supervisor ends: answers whoever still waits.
    func finish(_ reply: OperatorReply) {
        for connection in connections { connection.answer(reply) }
        for connection in connections { connection.close() }
    }
}
