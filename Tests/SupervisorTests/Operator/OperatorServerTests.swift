// SPDX-License-Identifier: Apache-2.0
import Bytes
import Log
import Loop
import Support
import System
import Testing

@testable import Supervisor

/// An operator server on a loop that the test turns; operations end when the test says so.
private final class Harness {
    let loop: EventLoop
    let server: OperatorServer
    private let asked: Asked

    /// What hooks were called with.
    final class Asked {
        var requests: [OperatorRequest] = []
        var done: [OperatorHooks.Done] = []
        var progress = "half way"
    }

    init(_ patience: OperatorConnection.Patience = OperatorConnection.Patience()) throws {
        loop = try EventLoop()
        let asked = Asked()
        self.asked = asked
        var hooks = OperatorHooks()
        hooks.reload = { done in
            asked.requests.append(.reload)
            asked.done.append(done)
        }
        hooks.scale = { count, done in
            asked.requests.append(.scale(count))
            asked.done.append(done)
        }
        hooks.stop = { now, done in
            asked.requests.append(.stop(now: now))
            asked.done.append(done)
        }
        hooks.progress = { _ in asked.progress }
        let null = try Syscalls.openForReading("/dev/null")
        let log = FleetLog(LogSink(descriptor: null.raw, level: .error), loop: loop)
        server = OperatorServer(loop: loop, log: log, hooks: hooks, patience: patience)
    }

    var requests: [OperatorRequest] { asked.requests }

    func finish(_ reply: OperatorReply) {
        let done = asked.done
        asked.done = []
        for done in done { done(reply) }
    }

    func connect(sendBuffer: Int32? = nil) throws -> StatusHarness.Client {
        let pair = try Syscalls.pairs(seqpacket: false)
        if let sendBuffer { Syscalls.setSendBuffer(pair.first.raw, bytes: sendBuffer) }
        return pair.split { first, second in
            server.accepted(first, listener: 0)
            return StatusHarness.Client(second)
        }
    }

    func settle(_ client: StatusHarness.Client) throws {
        var quiet = 0
        while quiet < 5 {
            try loop.turn(waitMax: 0)
            quiet = client.receive() ? 0 : quiet + 1
        }
    }

    func turn(until what: String, _ condition: () -> Bool) throws {
        let deadline = Deadline.soon
        while !condition() {
            if deadline.hasPassed { throw TestFailure("in time there was no \(what)") }
            try loop.turn(waitMax: 5)
        }
    }
}

@Suite struct OperatorServerTests {
    @Test("A request is carried out once and answered with details and result")
    func answer() throws {
        let harness = try Harness()
        let client = try harness.connect()
        for byte in "apus/1 reload\n" {
            #expect(harness.requests.isEmpty)
            try client.send(String(byte))
            try harness.settle(client)
        }
        #expect(harness.requests == [.reload])
        #expect(client.text.isEmpty)
        harness.finish(.failed("invalid", lines: ["a.json:1:1: x", "a.json:2:2: y"]))
        try harness.settle(client)
        #expect(client.text == "line a.json:1:1: x\nline a.json:2:2: y\nfailed invalid\n")
        #expect(client.hasEnded)
        #expect(harness.server.connections.isEmpty)
    }

    @Test(
        "Garbage is answered, closed and harms nobody",
        arguments: [
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\n", "\u{0}\u{FF}\n", "apus/9 reload\n",
            String(repeating: "x", count: 4_000), "apus/1 scale 1e9\n",
        ]
    )
    func garbage(text: String) throws {
        let harness = try Harness()
        let client = try harness.connect()
        try client.send(text)
        try harness.settle(client)
        #expect(client.text.hasPrefix("failed "))
        #expect(client.text.hasSuffix("\n") && client.text.filter { $0 == "\n" }.count == 1)
        #expect(client.hasEnded)
        #expect(harness.requests.isEmpty)
        #expect(harness.server.connections.isEmpty)
    }

    @Test("A request that stays incomplete runs into a deadline")
    func slow() throws {
        let harness = try Harness(OperatorConnection.Patience(request: 20_000_000))
        let client = try harness.connect()
        try client.send("apus/1 rel")
        try harness.turn(until: "end") { harness.server.connections.isEmpty }
        try harness.settle(client)
        #expect(client.text == "failed the request did not arrive in time\n")
        #expect(harness.requests.isEmpty)
    }

    @Test("An operation that takes long says how far it is")
    func notes() throws {
        let harness = try Harness(OperatorConnection.Patience(note: 5_000_000))
        let client = try harness.connect()
        try client.send("apus/1 stop now\n")
        try harness.turn(until: "notes") {
            _ = client.receive()
            return client.text.hasPrefix("note half way\nnote half way\n")
        }
        #expect(harness.requests == [.stop(now: true)])
        harness.finish(.done("stopped"))
        try harness.settle(client)
        #expect(client.text.hasSuffix("\nok stopped\n"))
    }

    @Test("An operator that leaves takes nothing back, and its result goes nowhere")
    func leaver() throws {
        let harness = try Harness()
        var client: StatusHarness.Client? = try harness.connect()
        try client?.send("apus/1 scale 3\n")
        try harness.turn(until: "request") { harness.requests == [.scale(3)] }
        client = nil
        try harness.turn(until: "end") { harness.server.connections.isEmpty }
        harness.finish(.done("scaled"))
        let next = try harness.connect()
        try next.send("apus/1 scale 4\n")
        try harness.settle(next)
        harness.finish(.done("scaled"))
        try harness.settle(next)
        #expect(next.text == "ok scaled\n")
    }

    @Test("An operator that ends only its own side still gets the result, and spins nothing")
    func halfClosed() throws {
        let harness = try Harness()
        let client = try harness.connect()
        try client.send("apus/1 reload\n")
        Syscalls.shutdown(client.fd.raw, .write)
        try harness.settle(client)
        // Its half of the end is not reported again and again: a turn waits its time out.
        let before = Syscalls.monotonicNanoseconds()
        try harness.loop.turn(waitMax: 30)
        #expect(Syscalls.monotonicNanoseconds() - before >= 29_000_000)
        harness.finish(.done("reloaded"))
        try harness.settle(client)
        #expect(client.text == "ok reloaded\n")
    }

    @Test("One that never reads its answer is cut")
    func reader() throws {
        let harness = try Harness(OperatorConnection.Patience(answer: 20_000_000))
        let client = try harness.connect(sendBuffer: 1)
        try client.send("apus/1 reload\n")
        try harness.turn(until: "request") { !harness.requests.isEmpty }
        let line = String(repeating: "x", count: 10_000)
        harness.finish(.failed("no", lines: [String](repeating: line, count: 200)))
        #expect(harness.server.connections.count == 1)
        try harness.turn(until: "end") { harness.server.connections.isEmpty }
    }

    @Test("Connections have a limit: silent ones make room, waiting ones do not")
    func limit() throws {
        let harness = try Harness()
        var clients: [StatusHarness.Client] = []
        for _ in 0..<OperatorServer.connectionsMax { clients.append(try harness.connect()) }
        #expect(harness.server.connections.count == OperatorServer.connectionsMax)
        for index in 0..<OperatorServer.connectionsMax {
            let client = try harness.connect()
            clients.append(client)
            try client.send("apus/1 scale \(index + 1)\n")
            try harness.settle(client)
        }
        #expect(harness.requests.count == OperatorServer.connectionsMax)
        let late = try harness.connect()
        try harness.settle(late)
        #expect(late.text == "failed too many operations wait\n" && late.hasEnded)
        harness.finish(.done("scaled"))
        for client in clients.suffix(OperatorServer.connectionsMax) {
            try harness.settle(client)
            #expect(client.text == "ok scaled\n")
        }
        #expect(harness.server.connections.isEmpty)
    }

    @Test("Only the supervisor's user and root are heard")
    func users() {
        #expect(OperatorServer.isHeard(1_000, by: 1_000))
        #expect(OperatorServer.isHeard(0, by: 1_000))
        #expect(!OperatorServer.isHeard(1_001, by: 1_000))
        #expect(!OperatorServer.isHeard(1_000, by: 0))
    }

    @Test("The end of the supervisor answers whoever still waits")
    func end() throws {
        let harness = try Harness()
        let waiting = try harness.connect()
        let silent = try harness.connect()
        try waiting.send("apus/1 reload\n")
        try harness.settle(waiting)
        harness.server.finish(.failed("the supervisor has stopped"))
        try harness.settle(waiting)
        try harness.settle(silent)
        #expect(waiting.text == "failed the supervisor has stopped\n" && waiting.hasEnded)
        #expect(silent.text == "failed the supervisor has stopped\n" && silent.hasEnded)
        #expect(harness.server.connections.isEmpty)
    }
}
