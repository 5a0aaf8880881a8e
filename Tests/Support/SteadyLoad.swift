// SPDX-License-Identifier: Apache-2.0
import Synchronization
package import System

/// Clients that ask without a pause, each over a connection that it keeps, until they are told to
/// stop.
///
/// Each request must be answered with 200, unless the connection was closed before any byte of an
/// answer: a server may close an idle connection at any time, and the client asks again over a new
/// one, once.
package final class SteadyLoad: Sendable {
    private let request: [UInt8]
    /// How long an answer may take.
    private let patience: Duration
    private let state = Mutex(State())

    private struct State {
        var threads: [TestThread] = []
        var answers = 0
        var reconnects = 0
        var problems: [String] = []
        var isStopping = false
    }

    package convenience init(
        _ fleet: Fleet,
        connections: Int,
        patience: Duration = .seconds(10)
    ) throws {
        try self.init(
            at: fleet.address,
            target: "/health",
            connections: connections,
            patience: patience
        )
    }

    package init(
        at address: SocketAddress,
        target: String,
        connections: Int,
        patience: Duration = .seconds(10)
    ) throws {
        self.patience = patience
        request = HTTPRequestText.bytes("GET", target)
        for _ in 0..<connections {
            let thread = try TestThread { [self] in run(address) }
            state.withLock { $0.threads.append(thread) }
        }
    }

    package var answers: Int { state.withLock { $0.answers } }
    /// Connections that were closed between two requests.
    package var reconnects: Int { state.withLock { $0.reconnects } }
    /// What went wrong, at most some of it.
    package var problems: [String] { state.withLock { $0.problems } }

    package func stop() {
        state.withLock { $0.isStopping = true }
        while let thread = state.withLock({ $0.threads.popLast() }) { thread.join() }
    }

    private func run(_ address: SocketAddress) {
        do {
            var connection = try HTTPConnection(to: address, by: .after(patience))
            while !state.withLock({ $0.isStopping }) {
                do {
                    try ask(connection, request)
                } catch is ConnectionLost {
                    state.withLock { $0.reconnects += 1 }
                    connection = try HTTPConnection(to: address, by: .after(patience))
                    try ask(connection, request)
                }
                _ = pollDescriptors([], until: .after(.milliseconds(1)))
            }
        } catch {
            note("\(error)")
        }
    }

    private func ask(_ connection: HTTPConnection, _ request: [UInt8]) throws {
        let deadline = Deadline.after(patience)
        try connection.send(request, by: deadline)
        let reply = try connection.readReply(by: deadline)
        guard reply.status == 200, reply.isComplete else {
            note("\(reply.status) \(reply.text)")
            return
        }
        state.withLock { $0.answers += 1 }
    }

    private func note(_ problem: String) {
        state.withLock { if $0.problems.count < 10 { $0.problems.append(problem) } }
    }
}
