// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

@testable import Supervisor

@Suite struct ListenerPlanTests {
    private static func tcp(_ port: UInt16, _ last: UInt8 = 1) -> SocketAddress {
        .ipv4(octets: [127, 0, 0, last], port: port)
    }

    private static func given(_ name: String, _ address: SocketAddress) -> ListenerPlan.Given {
        ListenerPlan.Given(name: name, address: address)
    }

    struct Row: CustomTestStringConvertible, Sendable {
        let name: String
        var given: [ListenerPlan.Given] = []
        var listen: [SocketAddress] = [ListenerPlanTests.tcp(3001)]
        var status: SocketAddress?
        var clients: [ListenerPlan.Source]
        var statusSource: ListenerPlan.Source?
        var refused: [ListenerPlan.Refused] = []
        var removed: [String] = []
        var testDescription: String { name }
    }

    private static let rows: [Row] = [
        Row(
            name: "nothing is given: everything is opened and left with the manager",
            listen: [tcp(3001), tcp(3002)],
            status: tcp(3003),
            clients: [
                .open(tcp(3001), storeName: "apus-listen-0"),
                .open(tcp(3002), storeName: "apus-listen-1"),
            ],
            statusSource: .open(tcp(3003), storeName: "apus-status")
        ),
        Row(
            name: "a Unix socket goes with its file",
            listen: [.unix(path: "/run/a")],
            clients: [.open(.unix(path: "/run/a"), storeName: nil)]
        ),
        Row(
            name: "what was left is used again, in whichever order",
            given: [
                given("apus-status", tcp(3003)), given("apus-listen-1", tcp(3002)),
                given("apus-listen-0", tcp(3001)),
            ],
            listen: [tcp(3001), tcp(3002)],
            status: tcp(3003),
            clients: [.given(2), .given(1)],
            statusSource: .given(0)
        ),
        Row(
            name: "port 0 gets the port of the last time",
            given: [given("apus-listen-0", tcp(41_234))],
            listen: [tcp(0)],
            clients: [.given(0)]
        ),
        Row(
            name: "port 0 of another host does not",
            given: [given("apus-listen-0", tcp(41_234, 9))],
            listen: [tcp(0)],
            clients: [.open(tcp(0), storeName: "apus-listen-0")],
            refused: [.init(index: 0, reason: .notConfigured)],
            removed: ["apus-listen-0"]
        ),
        Row(
            name: "an address that is configured no more is closed, at the manager too",
            given: [given("apus-listen-0", tcp(3001)), given("apus-status", tcp(3003))],
            listen: [tcp(4001)],
            status: tcp(4003),
            clients: [.open(tcp(4001), storeName: "apus-listen-0")],
            statusSource: .open(tcp(4003), storeName: "apus-status"),
            refused: [
                .init(index: 0, reason: .notConfigured), .init(index: 1, reason: .notConfigured),
            ],
            removed: ["apus-listen-0", "apus-status"]
        ),
        Row(
            name: "a new socket takes no name that one in use has",
            given: [given("apus-listen-1", tcp(3002)), given("apus-listen-0", tcp(3001))],
            listen: [tcp(3002), tcp(4001)],
            clients: [.given(0), .open(tcp(4001), storeName: "apus-listen-2")],
            refused: [.init(index: 1, reason: .notConfigured)],
            removed: ["apus-listen-0"]
        ),
        Row(
            name: "a name that is still in use is not removed",
            given: [given("apus-listen-0", tcp(3001)), given("apus-listen-0", tcp(3001))],
            clients: [.given(0)],
            refused: [.init(index: 1, reason: .notConfigured)]
        ),
        Row(
            name: "a status address that is off closes the socket",
            given: [given("apus-status", tcp(3003))],
            clients: [.open(tcp(3001), storeName: "apus-listen-0")],
            refused: [.init(index: 0, reason: .notConfigured)],
            removed: ["apus-status"]
        ),
        Row(
            name: "a socket unit wins over configuration and store",
            given: [
                given("http", tcp(80)), given("status", tcp(81)), given("apus-listen-0", tcp(3001)),
                given("apus-status", tcp(3003)), given("other", tcp(82)),
            ],
            status: tcp(3003),
            clients: [.given(0), .given(4)],
            statusSource: .given(1),
            refused: [
                .init(index: 2, reason: .unitWins), .init(index: 3, reason: .notConfigured),
            ],
            removed: ["apus-listen-0", "apus-status"]
        ),
        Row(
            name: "a second status socket is one too many",
            given: [given("status", tcp(81)), given("status", tcp(82))],
            clients: [.open(tcp(3001), storeName: "apus-listen-0")],
            statusSource: .given(0),
            refused: [.init(index: 1, reason: .repeated)]
        ),
        Row(
            name: "names of our kind that we do not know, and the manager's own",
            given: [
                given("apus-future", tcp(3001)), given("stored", tcp(3001)),
                given("connection", tcp(3001)), given("apus-listen-x", tcp(3001)),
            ],
            clients: [.open(tcp(3001), storeName: "apus-listen-0")],
            refused: (0..<4).map { .init(index: $0, reason: .unknownName) },
            removed: ["apus-future", "stored", "connection", "apus-listen-x"]
        ),
        Row(
            name: "a socket without a name is a client's",
            given: [given("", tcp(80))],
            clients: [.given(0)]
        ),
    ]

    @Test("Which sockets are used", arguments: rows)
    func plan(_ row: Row) {
        let plan = ListenerPlan(row.given, listen: row.listen, status: row.status)
        #expect(plan.clients == row.clients)
        #expect(plan.status == row.statusSource)
        #expect(plan.refused == row.refused)
        #expect(plan.namesToRemove(row.given) == row.removed)
    }
}
