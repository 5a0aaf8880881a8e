// SPDX-License-Identifier: Apache-2.0
import Loop
import System
import Testing

@testable import Supervisor

@Suite struct StatusServerTests {
    private static let request = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"

    @Test("A connection too many closes the one that is idle for the longest")
    func oldestIdleGoes() throws {
        let harness = try StatusHarness()
        let reading = try harness.connect()
        try reading.send("GET")
        let used = try harness.connect()
        let idle = try harness.connect()
        var others: [StatusHarness.Client] = []
        for _ in 3..<StatusServer.connectionsMax { others.append(try harness.connect()) }
        try harness.settle(reading)
        try used.send(Self.request)
        try harness.settle(used)
        #expect(harness.server.connections.count == StatusServer.connectionsMax)

        let fresh = try harness.connect()
        #expect(harness.server.connections.count == StatusServer.connectionsMax)
        try fresh.send(Self.request)
        try harness.settle(fresh)
        #expect(fresh.text.hasSuffix("ok\n"))
        for client in [reading, used, idle] + others { _ = client.receive() }
        #expect(idle.hasEnded)
        #expect(!reading.hasEnded && !used.hasEnded)
        #expect(others.allSatisfy { !$0.hasEnded })
    }

    @Test("Where none is idle, the oldest goes: a probe gets through")
    func oldestGoes() throws {
        let harness = try StatusHarness()
        var clients: [StatusHarness.Client] = []
        for _ in 0..<StatusServer.connectionsMax {
            let client = try harness.connect()
            try client.send("GET /")
            clients.append(client)
        }
        try harness.settle(clients[0])
        #expect(harness.server.connections.allSatisfy { $0.state == .reading })
        let probe = try harness.connect()
        try probe.send(Self.request)
        try harness.settle(probe)
        #expect(probe.text.hasSuffix("ok\n"))
        for client in clients { _ = client.receive() }
        #expect(clients.map(\.hasEnded) == [true] + Array(repeating: false, count: 63))
    }

    @Test("Clients that come and go leave nothing behind")
    func churn() throws {
        let harness = try StatusHarness()
        for round in 0..<200 {
            let client = try harness.connect()
            if round % 3 == 0 { try client.send(Self.request) }
            if round % 5 == 0 { try client.send("GET /metrics HT") }
            try harness.loop.turn(waitMax: 0)
        }
        try harness.turn(until: "end of all") { harness.server.connections.isEmpty }
        #expect(harness.loop.registrations == 0)
    }

    @Test("A connection that cannot be watched is closed")
    func registrationFails() throws {
        let harness = try StatusHarness()
        Syscalls.forceErrno(.epollControl, .noMemory, count: 1)
        let client = try harness.connect()
        #expect(!client.receive())
        #expect(client.hasEnded)
        #expect(harness.server.connections.isEmpty)
    }
}
