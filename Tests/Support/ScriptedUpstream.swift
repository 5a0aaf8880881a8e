// SPDX-License-Identifier: Apache-2.0
import Bytes
import Synchronization
package import System

/// An HTTP server that does what a test tells it to, however wrong that is.
///
/// Each connection has a thread and runs through the steps its script gave for a request. It reads
/// requests with a parser of its own, strictly: what the product sends upstream is judged here too
/// (`problems`).
package final class ScriptedUpstream: Sendable {
    /// What to do for a request, decided when it has been read whole.
    package typealias Script = @Sendable (UpstreamRequestRecord) -> [UpstreamStep]
    /// What to do as soon as a head has been read, before its body; nil reads on.
    package typealias EarlyScript = @Sendable (_ index: Int) -> [UpstreamStep]?

    package let address: SocketAddress
    private let listener: Int32
    private let script: Script
    private let early: EarlyScript?
    private let changes: ChangeSignal
    private let stopping: Gate
    private let state = Mutex(State())

    private struct State {
        var requests: [UpstreamRequestRecord] = []
        var connections: [UpstreamConnectionRecord] = []
        var problems: [String] = []
        var threads: [TestThread] = []
        var headsSeen = 0
        var isStopped = false
    }

    /// Starts to listen on a free port of 127.0.0.1, or on `address`.
    package init(
        at address: SocketAddress = .ipv4(octets: [127, 0, 0, 1], port: 0),
        early: EarlyScript? = nil,
        script: @escaping Script
    ) throws {
        changes = try ChangeSignal()
        stopping = try Gate()
        self.script = script
        self.early = early
        let socket = try Syscalls.streamSocket(for: address)
        Syscalls.setReuseAddress(socket.raw)
        try Syscalls.bind(socket.raw, address)
        try Syscalls.listen(socket.raw, backlog: 512)
        self.address = try Syscalls.localAddress(socket.raw)
        listener = socket.release()
        let acceptor = try TestThread { [self] in acceptLoop() }
        state.withLock { $0.threads.append(acceptor) }
    }

    /// Answers everything with one chat completion, streamed when the request asks for it.
    package static func answering() throws -> ScriptedUpstream {
        try ScriptedUpstream { request in
            if request.text.contains("\"stream\":true") || request.text.contains("\"stream\": true")
            {
                return UpstreamAnswer.stream(ChatEvents.whole(3))
            }
            return UpstreamAnswer.json(ChatEvents.completion())
        }
    }

    /// `http://127.0.0.1:PORT/v1`, as an upstream of kind `openai` is configured.
    package var baseURL: String { "http://\(address)/v1" }

    /// Stops listening, ends every connection and waits for the threads.
    package func stop() {
        let wasStopped = state.withLock { state in
            defer { state.isStopped = true }
            return state.isStopped
        }
        if wasStopped { return }
        stopping.open()
        while let thread = state.withLock({ $0.threads.popLast() }) { thread.join() }
        OwnedFD(owning: listener).close()
    }

    // MARK: What happened

    package var requests: [UpstreamRequestRecord] { state.withLock { $0.requests } }
    package var connections: [UpstreamConnectionRecord] { state.withLock { $0.connections } }
    /// What the product sent that no HTTP/1.1 client should.
    package var problems: [String] { state.withLock { $0.problems } }

    /// Bytes written on a connection, 0 when there is none of that number yet.
    package func bytesWritten(connection: Int) -> Int {
        let connections = connections
        return connection < connections.count ? connections[connection].bytesWritten : 0
    }

    /// Waits until `count` requests have been read whole and returns them.
    package func waitForRequests(
        _ count: Int,
        by deadline: Deadline = .soon
    ) throws -> [UpstreamRequestRecord] {
        try changes.wait(for: "request \(count) at the upstream", until: deadline) {
            let requests = self.requests
            return requests.count >= count ? requests : nil
        }
    }

    /// Waits until the peer has left a connection and returns when that was.
    package func waitForPeerToLeave(
        connection: Int,
        by deadline: Deadline = .soon
    ) throws -> UInt64 {
        try changes.wait(for: "end of connection \(connection) at the upstream", until: deadline) {
            let connections = self.connections
            return connection < connections.count ? connections[connection].peerLeftAt : nil
        }
    }

    /// Waits until `condition` holds, looking at it whenever something happened here.
    package func wait(
        for what: String,
        by deadline: Deadline = .soon,
        _ condition: (ScriptedUpstream) -> Bool
    ) throws {
        try changes.wait(for: what, until: deadline) { condition(self) ? () : nil }
    }

    // MARK: Threads

    private func acceptLoop() {
        while true {
            let events = pollDescriptors(
                [(listener, .readable), (stopping.descriptor, .readable)],
                until: .after(.seconds(3_600))
            )
            if events[1].contains(.readable) { return }
            do {
                let socket = try Syscalls.accept(listener)
                let index = state.withLock { state in
                    state.connections.append(UpstreamConnectionRecord())
                    return state.connections.count - 1
                }
                let raw = socket.release()
                let thread = try TestThread { [self] in serve(raw, connection: index) }
                state.withLock { $0.threads.append(thread) }
                changes.notify()
            } catch let error as Errno where error == .tryAgain {
                continue
            } catch {
                note("accept: \(error)")
                return
            }
        }
    }

    private func serve(_ raw: Int32, connection: Int) {
        Syscalls.setNoDelay(raw)
        let peer = UpstreamPeer(descriptor: raw, stop: stopping.descriptor)
        do {
            while try serveRequest(peer, connection: connection) {}
        } catch let failure as UpstreamPeer.RequestProblem {
            note(failure.text)
        } catch {
            note("\(error)")
        }
        // A peer that left while nobody looked is recorded with the time of this look.
        if let left = peer.leftAt { recordLeft(connection, at: left) }
        OwnedFD(owning: raw).close()
        update(connection) { $0.isClosed = true }
    }

    /// Reads and answers one request.
    ///
    /// False when the connection is over.
    private func serveRequest(_ peer: UpstreamPeer, connection: Int) throws -> Bool {
        guard let head = try peer.readHead() else { return false }
        let index = state.withLock { state in
            state.headsSeen += 1
            return state.headsSeen - 1
        }
        if let steps = early?(index) {
            return run(steps, peer, connection)
        }
        guard let body = try peer.readBody(of: head) else { return false }
        let record = UpstreamRequestRecord(
            index: index,
            connection: connection,
            method: head.method,
            target: head.target,
            fields: head.fields,
            body: body
        )
        state.withLock { state in
            state.requests.append(record)
            state.connections[connection].requests += 1
        }
        changes.notify()
        return run(script(record), peer, connection)
    }

    /// Runs through the steps.
    ///
    /// False when the connection is over.
    private func run(_ steps: [UpstreamStep], _ peer: UpstreamPeer, _ connection: Int) -> Bool {
        for step in steps {
            switch step {
            case .send(let bytes):
                peer.write(bytes, times: 1) { self.recordWritten(connection, $0) }
            case .flood(let piece, let total):
                let times = (total + piece.count - 1) / piece.count
                peer.write(piece, times: times) { self.recordWritten(connection, $0) }
            case .pause(let duration): peer.wait(until: .after(duration))
            case .wait(let gate): peer.wait(until: .after(.seconds(60)), gate: gate.descriptor)
            case .hold: peer.wait(until: .after(.seconds(600)))
            case .end: return false
            case .reset:
                Syscalls.setResetOnClose(peer.descriptor)
                return false
            }
            if let left = peer.leftAt {
                recordLeft(connection, at: left)
                return false
            }
            if peer.isStopped { return false }
        }
        return true
    }

    // MARK: Records

    private func update(_ connection: Int, _ change: (inout UpstreamConnectionRecord) -> Void) {
        state.withLock { change(&$0.connections[connection]) }
        changes.notify()
    }

    private func recordWritten(_ connection: Int, _ bytes: Int) {
        update(connection) { $0.bytesWritten += bytes }
    }

    private func recordLeft(_ connection: Int, at time: UInt64) {
        update(connection) { record in
            if record.peerLeftAt == nil { record.peerLeftAt = time }
        }
    }

    private func note(_ problem: String) {
        state.withLock { $0.problems.append(problem) }
        changes.notify()
    }
}
