// SPDX-License-Identifier: Apache-2.0
import Config
import Testing

@testable import Supervisor

@Suite struct ServeCommandTests {
    @Test("Options are taken in both forms")
    func options() throws {
        let command = try ServeCommand(arguments: [
            "--config", "/etc/x.json", "--listen=127.0.0.1:0", "--listen", "unix:/run/a=b.sock",
            "--status", "[::1]:3002", "--workers=7",
        ])
        #expect(command.configPath == "/etc/x.json")
        #expect(
            command.overrides
                == ConfigOverrides(
                    listen: ["127.0.0.1:0", "unix:/run/a=b.sock"],
                    statusListen: "[::1]:3002",
                    workers: "7"
                )
        )
        #expect(try ServeCommand(arguments: []).overrides == ConfigOverrides())
    }

    struct Row: CustomTestStringConvertible, Sendable {
        let arguments: [String]
        let error: ServeCommand.UsageError
        var testDescription: String { arguments.joined(separator: " ") }
    }

    static let rows = [
        Row(arguments: ["--port", "1"], error: .unknownArgument("--port")),
        Row(arguments: ["x"], error: .unknownArgument("x")),
        Row(arguments: [""], error: .unknownArgument("")),
        Row(arguments: ["--config"], error: .missingValue("--config")),
        Row(arguments: ["--listen", "3001"], error: .badValue("--listen", "3001")),
        Row(arguments: ["--status=x"], error: .badValue("--status", "x")),
        Row(arguments: ["--workers", "0"], error: .badValue("--workers", "0")),
        Row(arguments: ["--workers", "257"], error: .badValue("--workers", "257")),
        Row(arguments: ["--workers", "two"], error: .badValue("--workers", "two")),
    ]

    @Test("What cannot be meant is refused by name", arguments: rows)
    func reject(row: Row) {
        #expect(throws: row.error) { _ = try ServeCommand(arguments: row.arguments) }
    }
}

@Suite struct ProcessFactsTests {
    @Test("Memory and CPU time are read from the texts of /proc")
    func parse() {
        #expect(ProcessFacts.resident(statm: "5000 1200 800 1 0 300 0\n") == 1200 * 4096)
        #expect(ProcessFacts.resident(statm: "5000") == nil)
        let rollup = "5581-7fff ---p 00000000 00:00 0 [rollup]\nRss:  5000 kB\nPss:   1234 kB\n"
        #expect(ProcessFacts.proportional(smapsRollup: rollup) == 1234 * 1024)
        #expect(ProcessFacts.proportional(smapsRollup: "Rss: 1 kB\n") == nil)
        let stat = "42 (a) b) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 1\n"
        #expect(ProcessFacts.processor(stat: stat) == 3_000_000_000)
        #expect(ProcessFacts.processor(stat: "42 (x) S 1") == nil)
    }

    @Test("A process that is gone has no facts")
    func gone() {
        let facts = ProcessFacts(pid: Int32.max)
        #expect(facts.residentBytes == nil)
        #expect(facts.processorNanoseconds == nil)
    }
}
