// SPDX-License-Identifier: Apache-2.0

/// Which call gets which connection of one upstream.
///
/// Pure: it knows neither sockets nor time. A *slot* is a connection that exists or is being made;
/// there are at most `connectionsMax`. Idle connections are used again in LIFO order, so that in
/// quiet times the oldest ones time out. Calls wait in order only while every slot is taken and no
/// connection is idle.
struct PoolMachine<Connection: AnyObject, Call: AnyObject> {
    enum BeginAction {
        /// The call goes out on this connection, which is idle no more.
        case use(Connection)
        /// A slot was taken: make a connection.
        case connect
        case wait
        /// Too many wait already.
        case refuse
    }

    enum ReleaseAction {
        /// The longest waiting call goes out on the connection.
        case carry(Call)
        /// The connection idles; the least recently used one may have to go for it, and has been
        /// taken off the list.
        case keep(evicted: Connection?)
        /// The pool is draining: close the connection.
        case close
    }

    private let connectionsMax: Int
    private let idleMax: Int
    private let waitingMax: Int

    /// Connections that exist or are being made.
    private(set) var slots = 0
    /// Oldest first.
    private(set) var idle: [Connection] = []
    /// First come first.
    private(set) var waiting: [Call] = []
    private(set) var isDraining = false

    init(connectionsMax: Int, idleMax: Int, waitingMax: Int) {
        precondition(connectionsMax > 0, "an upstream needs at least one connection")
        self.connectionsMax = connectionsMax
        self.idleMax = idleMax
        self.waitingMax = waitingMax
    }

    mutating func callBegan(_ call: Call) -> BeginAction {
        if let connection = idle.popLast() { return .use(connection) }
        if slots < connectionsMax {
            slots += 1
            return .connect
        }
        if waiting.count >= waitingMax { return .refuse }
        waiting.append(call)
        return .wait
    }

    /// A connection can carry another call.
    mutating func connectionReleased(_ connection: Connection) -> ReleaseAction {
        if !waiting.isEmpty { return .carry(waiting.removeFirst()) }
        if isDraining || idleMax == 0 { return .close }
        let evicted = idle.count >= idleMax ? idle.removeFirst() : nil
        idle.append(connection)
        return .keep(evicted: evicted)
    }

    /// A connection was closed or could not be made.
    ///
    /// The call returned has taken the slot over and needs a connection made.
    mutating func slotFreed() -> Call? {
        precondition(slots > 0, "a slot was freed twice")
        if !waiting.isEmpty { return waiting.removeFirst() }
        slots -= 1
        return nil
    }

    /// An idle connection ends; its slot is freed separately.
    ///
    /// False when it was not idle.
    mutating func idleEnded(_ connection: Connection) -> Bool {
        guard let place = idle.firstIndex(where: { $0 === connection }) else { return false }
        idle.remove(at: place)
        return true
    }

    /// A call does not want to wait any longer.
    ///
    /// False when it did not wait.
    mutating func waitingEnded(_ call: Call) -> Bool {
        guard let place = waiting.firstIndex(where: { $0 === call }) else { return false }
        waiting.remove(at: place)
        return true
    }

    /// From here on no connection is kept.
    ///
    /// The idle ones are off the list and must be closed.
    mutating func drain() -> [Connection] {
        isDraining = true
        defer { idle.removeAll() }
        return idle
    }
}
