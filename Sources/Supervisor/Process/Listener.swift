// SPDX-License-Identifier: Apache-2.0
import Loop
import Metrics
import System

/// Takes what a listener accepts.
class ConnectionTaker {
    /// Whether another connection can be taken now.
    var hasRoom: Bool { true }

    /// A connection to the listener with the index; the taker owns the descriptor.
    func accepted(_ fd: consuming OwnedFD, listener: Int) {}

    /// The listener has nothing more for now.
    func acceptEnded() {}

    /// A connection that was accepted with the last descriptor: to be told so and closed.
    ///
    /// False to be given it like any other.
    var refusesAtLimit: Bool { false }
    func refuse(_ fd: consuming OwnedFD) {}

    init() {}
}

/// One listening socket.
///
/// Accepts while its taker has room; what it does not accept waits in the kernel's queue.
final class Listener: EventHandler {
    /// Why accepting rests.
    enum Pause: String {
        /// The taker has no room.
        case full
        /// This process or the machine has no descriptor left.
        case descriptors = "no descriptors"
        /// An error that a retry may cure.
        case error
        /// For good: see `finish`.
        case finished = "closed"

        /// The same as a metric has it; nil for what is no pause.
        var reason: FleetSnapshot.PauseReason? {
            switch self {
            case .full: .full
            case .descriptors: .descriptors
            case .error: .error
            case .finished: nil
            }
        }
    }

    /// What outlives the program.
    struct Counts: Equatable {
        var accepted: UInt64 = 0
        var refused: UInt64 = 0
        /// Nanoseconds for which accepting rested.
        var paused = FleetSnapshot.Counts<FleetSnapshot.PauseReason>()
    }

    /// Connections per turn: a flood on one listener must not starve the rest of the loop.
    static let acceptsPerTurn = 64
    /// Rest after an error that would repeat at once: long enough not to spin, short enough that
    /// no client notices.
    static let rest: UInt64 = 100_000_000
    private static let restKind: UInt32 = 1

    let index: Int
    var address: SocketAddress { socket.address }
    private(set) var acceptedCount: UInt64
    private(set) var pause: Pause? {
        didSet { pauseChanged(from: oldValue) }
    }
    /// Nanoseconds for which accepting rested, and since when it does.
    private var pausedFor: FleetSnapshot.Counts<FleetSnapshot.PauseReason>
    private var pausedSince: UInt64 = 0

    private let socket: ListenerSocket
    private let loop: EventLoop
    private let log: FleetLog
    private let taker: ConnectionTaker
    private var token: EventToken?
    private var restTimer: TimerID?
    private let reserve = DescriptorReserve()
    /// Clients that were told that there is no descriptor for them.
    private(set) var refusedCount: UInt64
    /// Connections that are refused in a row before the others of the loop get their turn.
    private static let refusalsPerTurn = 64

    init(
        _ socket: ListenerSocket,
        index: Int,
        loop: EventLoop,
        log: FleetLog,
        taker: ConnectionTaker,
        counts: Counts = Counts()
    ) {
        acceptedCount = counts.accepted
        refusedCount = counts.refused
        pausedFor = counts.paused
        self.socket = socket
        self.index = index
        self.loop = loop
        self.log = log
        self.taker = taker
    }

    /// Connections that wait in the kernel, and how many may; nil for Unix sockets, and when
    /// nothing is accepted any more.
    var acceptQueue: (waiting: Int, limit: Int)? {
        pause == .finished ? nil : Syscalls.acceptQueue(socket.raw)
    }

    private func pauseChanged(from old: Pause?) {
        guard pause != old else { return }
        if let reason = old?.reason { pausedFor[reason] += loop.now - min(pausedSince, loop.now) }
        pausedSince = loop.now
    }

    /// Nanoseconds for which accepting rested for the reason.
    func paused(_ reason: FleetSnapshot.PauseReason, now: UInt64) -> UInt64 {
        pausedFor[reason] + (pause?.reason == reason ? now - min(pausedSince, now) : 0)
    }

    /// What another program needs to go on with the listener.
    var upgradeState: UpgradeState.Socket {
        var counts = Counts()
        counts.accepted = acceptedCount
        counts.refused = refusedCount
        for reason in FleetSnapshot.PauseReason.allCases {
            counts.paused[reason] = paused(reason, now: loop.now)
        }
        return socket.upgradeState(counts)
    }

    /// Begins to accept.
    func start() {
        guard token == nil, pause != .finished else { return }
        do throws(SystemError) {
            token = try loop.register(socket.raw, .read, self)
        } catch {
            rest(.error)
        }
    }

    /// Accepts again after the taker had no room.
    func resumeIfFull() {
        guard pause == .full else { return }
        pause = nil
        start()
    }

    /// Accepts what waits in the kernel, in reason, and then never again.
    ///
    /// The taker no longer waits for anybody: when it has no room, it makes some.
    func finish() {
        for _ in 0..<Int(ListenerSocket.backlog) {
            if !taker.hasRoom { taker.acceptEnded() }
            guard taker.hasRoom, acceptOne() else { break }
        }
        taker.acceptEnded()
        disarm()
        if let restTimer { loop.cancel(restTimer) }
        restTimer = nil
        pause = .finished
    }

    override func ready(_ readiness: Readiness, token: EventToken) {
        for _ in 0..<Self.acceptsPerTurn {
            guard taker.hasRoom else {
                disarm()
                pause = .full
                break
            }
            guard acceptOne() else { break }
        }
        taker.acceptEnded()
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        restTimer = nil
        pause = nil
        reserve.refill()
        start()
    }

    /// False when there is nothing to accept, or accepting rests.
    private func acceptOne() -> Bool {
        let connection: OwnedFD
        do throws(Errno) {
            connection = try Syscalls.accept(socket.raw)
        } catch {
            return failed(error)
        }
        acceptedCount += 1
        // Set here once, for every worker that may get the connection. Unix sockets have no such
        // option and no port.
        if address.port != nil { Syscalls.setNoDelay(connection.raw) }
        taker.accepted(connection, listener: index)
        return true
    }

    private func failed(_ errno: Errno) -> Bool {
        switch errno {
        case .tryAgain:
            return false
        case .tooManyOpenFiles, .fileTableFull:
            refuseWaiting()
            rest(.descriptors)
            log.acceptFailed(address, errno, now: loop.now)
            return false
        case .noBufferSpace, .noMemory:
            rest(.descriptors)
            log.acceptFailed(address, errno, now: loop.now)
            return false
        case .badDescriptor, .invalid, .notSocket:
            rest(.error)
            log.acceptFailed(address, errno, now: loop.now)
            return false
        default:
            // The connection broke while it waited, or its network did: accept(2) hands such
            // errors over, and the next connection may be fine.
            log.acceptFailed(address, errno, now: loop.now)
            return true
        }
    }

    /// Tells clients that there is no room for them, with the descriptor that is kept for it.
    private func refuseWaiting() {
        for _ in 0..<Self.refusalsPerTurn {
            guard reserve.release() else { return }
            do throws(Errno) {
                let connection = try Syscalls.accept(socket.raw)
                if taker.refusesAtLimit {
                    refusedCount += 1
                    taker.refuse(connection)
                } else {
                    acceptedCount += 1
                    taker.accepted(connection, listener: index)
                }
            } catch {
                reserve.refill()
                return
            }
            reserve.refill()
        }
    }

    /// Level-triggered readiness would report the waiting connection again at once.
    private func rest(_ reason: Pause) {
        disarm()
        pause = reason
        guard restTimer == nil else { return }
        restTimer = loop.schedule(at: loop.now + Self.rest, self, kind: Self.restKind)
    }

    private func disarm() {
        if let token { loop.deregister(token) }
        token = nil
    }

    /// Closes the socket: from here on the kernel refuses connections.
    func close() {
        disarm()
        if let restTimer { loop.cancel(restTimer) }
        restTimer = nil
        pause = .finished
        socket.close()
    }

    /// Removes the socket file of a Unix listener.
    func removeFile() {
        socket.removeFile()
    }
}
