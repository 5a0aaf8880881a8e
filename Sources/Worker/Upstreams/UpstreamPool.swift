// SPDX-License-Identifier: Apache-2.0
import CCurl
import Loop
import System

/// What the connections of all upstreams of a worker share.
final class LaneResources {
    let loop: EventLoop
    let buffers = BufferPool()
    private(set) var multi: CurlMulti?
    private(set) var share: CurlShare?

    init(loop: EventLoop) {
        self.loop = loop
    }

    /// The multi that makes all connections.
    ///
    /// Made on first use: it starts libcurl.
    func makeMulti() -> CurlMulti? {
        if let multi { return multi }
        share = CurlShare()
        multi = CurlMulti(loop: loop)
        return multi
    }

    func close() {
        multi?.close()
        multi = nil
        share = nil
    }
}

/// What happened to the connections of one upstream since the worker began.
struct UpstreamCounters: Equatable {
    /// Connections made.
    var connectionsOpened: UInt64 = 0
    var connectFailures: UInt64 = 0
    /// Calls that went out on a connection used before.
    var reuses: UInt64 = 0
    /// Calls sent again because the reused connection was dead.
    var staleRetries: UInt64 = 0
    /// Idle connections that ended: closed by the upstream, timed out, or evicted.
    var idleEnds: UInt64 = 0
}

/// The connections of one upstream, and the calls that want one.
final class UpstreamPool {
    /// Connect handles kept for the next connection; more are only needed in a burst.
    private static let easiesMax = 16

    let settings: UpstreamSettings
    private let resources: LaneResources
    private var machine: PoolMachine<UpstreamConnection, UpstreamCall>
    private var easies: [CurlEasy] = []
    private(set) var counters = UpstreamCounters()

    init(_ settings: UpstreamSettings, resources: LaneResources) {
        self.settings = settings
        self.resources = resources
        machine = PoolMachine(
            connectionsMax: settings.connectionsMax,
            idleMax: settings.idleMax,
            waitingMax: settings.waitingMax
        )
    }

    private var loop: EventLoop { resources.loop }

    var openConnections: Int { machine.slots }
    var idleConnections: Int { machine.idle.count }
    var waitingCalls: Int { machine.waiting.count }

    // MARK: Texts

    func text(_ words: String) -> String { "\(settings.address): \(words)" }

    func text(_ kind: UpstreamFailure.Kind, _ cause: String?) -> String {
        let words: String
        switch kind {
        case .closedBeforeResponse: words = "the upstream closed the connection without an answer"
        case .truncated: words = "the upstream closed the connection inside the response"
        case .protocolError: words = "the upstream sent bytes before the request"
        default: words = "the connection broke"
        }
        return text(cause.map { "\(words) (\($0))" } ?? words)
    }

    var waitingText: String {
        text("all \(settings.connectionsMax) connections stayed in use for the connect timeout")
    }

    var connectTimeoutText: String { text("no connection within the connect timeout") }

    // MARK: Calls

    func begin(_ call: UpstreamCall) {
        switch machine.callBegan(call) {
        case .use(let connection):
            counters.reuses += 1
            connection.start(call, reused: true)
        case .connect:
            call.armConnectDeadline()
            connect(call)
        case .wait:
            call.armConnectDeadline()
        case .refuse:
            call.failLater(
                .tooManyConnections,
                text(
                    "all \(settings.connectionsMax) connections are in use and "
                        + "\(settings.waitingMax) calls wait"
                )
            )
        }
    }

    func waitingCancelled(_ call: UpstreamCall) {
        _ = machine.waitingEnded(call)
    }

    /// Sends a call again.
    ///
    /// It has kept the slot of the connection that turned out dead.
    func retryStale(_ call: UpstreamCall) {
        counters.staleRetries += 1
        call.retriedStale()
        call.armConnectDeadline()
        connect(call)
    }

    // MARK: Connecting

    /// Has a connection made in a slot that is taken already.
    private func connect(_ call: UpstreamCall) {
        guard let multi = resources.makeMulti() else {
            connectFailed(call, "libcurl could not be started")
            return
        }
        guard
            let easy = easies.popLast()
                ?? ConnectAttempt.makeEasy(settings, share: resources.share)
        else {
            connectFailed(call, "libcurl refuses the upstream's settings")
            return
        }
        let attempt = ConnectAttempt(easy: easy, for: call, pool: self)
        guard multi.add(attempt) else {
            connectFailed(call, "libcurl refuses the connection")
            return
        }
        call.connecting(attempt)
    }

    private func connectFailed(_ call: UpstreamCall, _ words: String) {
        counters.connectFailures += 1
        connectionClosed()
        call.failLater(.connectFailed, text(words))
    }

    func attemptDone(_ attempt: ConnectAttempt, _ code: Int32) {
        guard let multi = resources.multi, let call = attempt.takeCall() else { return }
        guard code == 0 else {
            let failure = ConnectFailure(code: code, of: attempt.easy)
            counters.connectFailures += 1
            release(attempt)
            connectionClosed()
            call.fail(failure.kind(usesProxy: settings.proxy != nil), failure.detail(settings))
            return
        }
        let easy = attempt.easy
        let tcp = easy.nanoseconds(CURLINFO_CONNECT_TIME_T)
        let resolved = easy.nanoseconds(CURLINFO_NAMELOOKUP_TIME_T)
        let tls = easy.nanoseconds(CURLINFO_APPCONNECT_TIME_T)
        call.noteConnectTimes(
            resolve: resolved,
            tcp: tcp > resolved ? tcp - resolved : 0,
            tls: tls > tcp ? tls - tcp : 0
        )
        let descriptor = easy.socket
        guard descriptor >= 0 else {
            release(attempt)
            connectionClosed()
            call.fail(.connectFailed, text("libcurl gave no connection"))
            return
        }
        let registration = attempt.takeRegistration()
        let transport: UpstreamTransport
        if settings.needsLibraryIO {
            transport = UpstreamTransport(library: attempt, descriptor: descriptor)
        } else {
            multi.removeKeeping(attempt, descriptor: descriptor)
            recycle(easy)
            transport = UpstreamTransport(plain: OwnedFD(owning: descriptor))
        }
        let connection = UpstreamConnection(
            transport,
            registration: registration,
            pool: self,
            loop: loop,
            buffers: resources.buffers
        )
        counters.connectionsOpened += 1
        guard connection.open() else {
            connection.close()
            call.fail(.connectFailed, text("epoll refused the connection"))
            return
        }
        // Attaches the connection to its transfer, as any read or write does: an unattached one may
        // be closed by libcurl at any time. Takes session tickets, and finds a refusal at once.
        let outcome = settings.needsLibraryIO ? transport.probe() : .wouldBlock
        guard outcome == .wouldBlock else {
            let (kind, words) = refusal(outcome, attempt)
            connection.close()
            call.fail(kind, text(words))
            return
        }
        connection.start(call, reused: false)
    }

    /// What it means that a new TLS connection has something to read, or has ended.
    private func refusal(
        _ outcome: ReadOutcome,
        _ attempt: ConnectAttempt
    ) -> (UpstreamFailure.Kind, String) {
        switch outcome {
        case .bytes, .wouldBlock:
            return (.protocolError, "the upstream sent bytes before the request")
        case .endOfStream:
            return (.closedBeforeResponse, "the upstream closed the connection at once")
        case .failed(let errno):
            return brokenAfterHandshake(attempt.failureText(errno))
        }
    }

    /// With TLS 1.3 a server refuses our certificate after the handshake, by an alert, which a reset
    /// may overtake.
    func brokenAfterHandshake(_ cause: String) -> (UpstreamFailure.Kind, String) {
        let hint = settings.clientCertificate == nil ? "; it may want a client certificate" : ""
        let words = "the upstream broke the new TLS connection (\(cause))\(hint)"
        return (cause.contains("alert") ? .tlsFailed : .reset, words)
    }

    /// The call of this attempt wants no connection any more.
    func abandon(_ attempt: ConnectAttempt) {
        _ = attempt.takeCall()
        release(attempt)
        connectionClosed()
    }

    /// Closes the connection that lives in this attempt; the slot is not touched.
    func abandonConnected(_ attempt: ConnectAttempt) {
        release(attempt)
    }

    private func release(_ attempt: ConnectAttempt) {
        resources.multi?.remove(attempt)
        recycle(attempt.easy)
    }

    private func recycle(_ easy: CurlEasy) {
        if easies.count < Self.easiesMax { easies.append(easy) }
    }

    // MARK: Connections

    func connectionReleased(_ connection: UpstreamConnection) {
        switch machine.connectionReleased(connection) {
        case .carry(let call):
            counters.reuses += 1
            connection.start(call, reused: true)
        case .keep(let evicted):
            connection.rest(until: loop.now.addingClamped(settings.idleTimeout))
            if let evicted {
                counters.idleEnds += 1
                evicted.close()
            }
        case .close:
            connection.close()
        }
    }

    /// An idle connection is about to be closed.
    func idleEnded(_ connection: UpstreamConnection) {
        if machine.idleEnded(connection) { counters.idleEnds += 1 }
    }

    /// A slot is free: of a connection that was closed or could not be made.
    func connectionClosed() {
        if let next = machine.slotFreed() { connect(next) }
    }

    /// Closes what idles now, and from here on what would idle.
    func drainIdle() {
        for connection in machine.drain() { connection.close() }
    }

    func close() {
        drainIdle()
        easies.removeAll()
    }
}
