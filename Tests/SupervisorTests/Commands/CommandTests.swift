// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

@testable import Supervisor

@Suite struct CommandTests {
    struct Accepted: CustomTestStringConvertible, Sendable {
        let line: String
        let check: @Sendable (Command) -> Bool

        init(_ line: String, _ check: @escaping @Sendable (Command) -> Bool) {
            self.line = line
            self.check = check
        }

        var testDescription: String { "apus \(line)" }
    }

    private static func serve(
        _ line: String,
        _ check: @escaping @Sendable (ServeCommand) -> Bool
    ) -> Accepted {
        Accepted(line) { if case .serve(let command) = $0 { check(command) } else { false } }
    }

    private static func status(
        _ line: String,
        _ check: @escaping @Sendable (StatusCommand) -> Bool
    ) -> Accepted {
        Accepted(line) { if case .status(let command) = $0 { check(command) } else { false } }
    }

    private static let accepted: [Accepted] = [
        serve("") { $0 == ServeCommand() },
        serve("serve") { $0 == ServeCommand() },
        serve("--config a.json") { $0.configPath == "a.json" },
        serve("serve --config=a=b") { $0.configPath == "a=b" },
        serve("serve --workers 3 --status unix:/run/s") {
            $0.workers == "3" && $0.status == .unix(path: "/run/s")
        },
        serve("--workers=auto") { $0.workers == "auto" },
        serve("serve --listen 127.0.0.1:1 --listen [::1]:2") {
            $0.listen?.map(\.description) == ["127.0.0.1:1", "[::1]:2"]
        },
        serve("serve --config -") { $0.configPath == "-" },
        Accepted("check") { $0 == .check(CheckCommand()) },
        Accepted("check --config x") { $0 == .check(CheckCommand(configPath: "x")) },
        status("status") { $0.address == nil && !$0.watches && !$0.showsJSON },
        status("status --watch --json") { $0.watches && $0.showsJSON },
        status("status --status http://127.0.0.1:3002/status") {
            $0.address == SocketAddress("127.0.0.1:3002")
        },
        status("status --status localhost:1") { $0.address == SocketAddress("127.0.0.1:1") },
        status("status --config f") { $0.configPath == "f" && $0.address == nil },
        Accepted("import sap-proxy a.json") { $0 == .importing(ImportCommand(path: "a.json")) },
        Accepted("import --output o sap-proxy a.json") {
            $0 == .importing(ImportCommand(path: "a.json", output: "o"))
        },
        Accepted("import sap-proxy a.json --output=o") {
            $0 == .importing(ImportCommand(path: "a.json", output: "o"))
        },
        Accepted("reload") { $0 == .operating(OperatorCommand(.reload)) },
        Accepted("scale 256") { $0 == .operating(OperatorCommand(.scale(256))) },
        Accepted("stop") { $0 == .operating(OperatorCommand(.stop(now: false))) },
        Accepted("stop --now") { $0 == .operating(OperatorCommand(.stop(now: true))) },
        Accepted("upgrade") { $0 == .operating(OperatorCommand(.upgrade)) },
        Accepted("help import") { $0 == .help(.importing) },
        Accepted("version") { $0 == .version },
        Accepted("--version") { $0 == .version },
        Accepted("-V") { $0 == .version },
        Accepted("help") { $0 == .help(nil) },
        Accepted("--help") { $0 == .help(nil) },
        Accepted("-h") { $0 == .help(nil) },
        Accepted("help status") { $0 == .help(.status) },
        Accepted("status --help") { $0 == .help(.status) },
        Accepted("serve --nonsense -h") { $0 == .help(.serve) },
        Accepted("--workers 2 --help") { $0 == .help(.serve) },
    ]

    @Test("Command lines that are right", arguments: accepted)
    func accepts(_ row: Accepted) throws {
        let command = try Command(arguments: row.line.split(separator: " ").map(String.init))
        #expect(row.check(command), "\(command)")
    }

    private static let commands =
        "commands: serve, check, status, reload, scale, stop, upgrade, import, version, help; \"apus help\" explains them"
    private static let serveUsage =
        "usage: apus serve [--config FILE] [--listen ADDR]... [--status ADDR] [--workers N]"
    private static let statusUsage =
        "usage: apus status [--json] [--watch] [--config FILE] [--status ADDR]"
    private static let importUsage = "usage: apus import sap-proxy FILE [--output FILE]"
    private static let addressForm = "write HOST:PORT with a numeric host, [V6]:PORT or unix:PATH"

    private static let refused: [(line: String, problem: String, help: String)] = [
        ("stauts", "unknown command \"stauts\", did you mean \"status\"?", commands),
        ("Serve", "unknown command \"Serve\", did you mean \"serve\"?", commands),
        ("relaod", "unknown command \"relaod\", did you mean \"reload\"?", commands),
        ("stop now", "unexpected argument \"now\"", "usage: apus stop [--now]"),
        (
            "stop --no", "unknown option \"--no\", did you mean \"--now\"?",
            "usage: apus stop [--now]"
        ),
        (
            "reload --now", "--now is an option of apus stop, not of apus reload",
            "usage: apus reload"
        ),
        ("scale", "apus scale needs N", "usage: apus scale N"),
        ("scale 0", "\"0\" is no number from 1 to 256", "usage: apus scale N"),
        ("scale 257", "\"257\" is no number from 1 to 256", "usage: apus scale N"),
        ("scale four", "\"four\" is no number from 1 to 256", "usage: apus scale N"),
        ("scale 2 3", "unexpected argument \"3\"", "usage: apus scale N"),
        (
            "apus.json",
            "unknown command \"apus.json\", did you mean \"apus serve --config apus.json\"?",
            commands
        ),
        (
            "/etc/apus/x",
            "unknown command \"/etc/apus/x\", did you mean \"apus serve --config /etc/apus/x\"?",
            commands
        ),
        ("x\u{1B}[31m", "unknown command \"x?[31m\"", commands),
        ("help nope", "unknown command \"nope\"", commands),
        ("help a b", "unexpected argument \"b\"", "usage: apus help [COMMAND]"),
        (
            "--conifg x", "unknown option \"--conifg\", did you mean \"--config\"?", serveUsage
        ),
        ("serve --port 1", "unknown option \"--port\"", serveUsage),
        ("serve --hepl", "unknown option \"--hepl\", did you mean \"--help\"?", serveUsage),
        ("serve -c x", "unknown option \"-c\"", serveUsage),
        ("serve --watch", "--watch is an option of apus status, not of apus serve", serveUsage),
        (
            "check --status 127.0.0.1:1",
            "--status is an option of apus serve and apus status, not of apus check",
            "usage: apus check [--config FILE]"
        ),
        ("serve --config", "--config needs a value: --config FILE", serveUsage),
        ("serve --config=", "--config needs a value: --config FILE", serveUsage),
        ("serve --config --workers 3", "--config needs a value: --config FILE", serveUsage),
        ("serve --config a --config b", "--config is given more than once", serveUsage),
        ("status --json=yes", "--json takes no value", statusUsage),
        ("status --json --json", "--json is given more than once", statusUsage),
        ("serve x", "unexpected argument \"x\"", serveUsage),
        (
            "check a.json", "unexpected argument \"a.json\", did you mean \"--config a.json\"?",
            "usage: apus check [--config FILE]"
        ),
        ("import", "apus import needs sap-proxy FILE", importUsage),
        ("import sap-proxy", "apus import needs sap-proxy FILE", importUsage),
        (
            "import sap-porxy a.json",
            "\"sap-porxy\" is nothing that can be imported, did you mean \"sap-proxy\"?",
            importUsage
        ),
        ("import a.json", "\"a.json\" is nothing that can be imported", importUsage),
        ("import sap-proxy a.json b", "unexpected argument \"b\"", importUsage),
        ("import sap-proxy a --output", "--output needs a value: --output FILE", importUsage),
        (
            "import sap-proxy a --config b",
            "--config is an option of apus serve and apus check and apus status, not of apus import",
            importUsage
        ),
        ("version x.json", "unexpected argument \"x.json\"", "usage: apus version"),
        (
            "serve --workers 0", "--workers \"0\" is neither auto nor a number from 1 to 256",
            serveUsage
        ),
        (
            "serve --workers -1", "--workers \"-1\" is neither auto nor a number from 1 to 256",
            serveUsage
        ),
        (
            "serve --workers 4k", "--workers \"4k\" is neither auto nor a number from 1 to 256",
            serveUsage
        ),
        ("serve --listen 3001", "--listen \"3001\" is no address: \(addressForm)", serveUsage),
        (
            "serve --status example.com:1",
            "--status \"example.com:1\" is no address: \(addressForm)", serveUsage
        ),
        (
            "status --status https://127.0.0.1:1",
            "--status \"https://127.0.0.1:1\" is no address: \(addressForm)", statusUsage
        ),
    ]

    @Test("Command lines that are wrong say what is right", arguments: refused)
    func refuses(line: String, problem: String, help: String) throws {
        let error = #expect(throws: UsageError.self) {
            try Command(arguments: line.split(separator: " ").map(String.init))
        }
        #expect(error?.description == "\(problem)\n\(help)")
    }

    @Test(
        "Every page of help fits on one screen and shows its command",
        arguments: CommandName.allCases
    )
    func help(_ name: CommandName) {
        let lines = HelpText.page(name).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count <= 24)
        #expect(lines.allSatisfy { $0.count <= 96 })
        #expect(lines.first == "usage: \(name.usage)")
        for option in name.options { #expect(HelpText.page(name).contains("  \(option.form)")) }
        #expect(HelpText.page(name).contains("apus \(name.rawValue)"))
    }

    @Test("The list of commands has all of them and none that does not exist")
    func overview() {
        let page = HelpText.page(nil)
        #expect(page.split(separator: "\n", omittingEmptySubsequences: false).count <= 24)
        for name in CommandName.allCases { #expect(page.contains("\n  \(name.rawValue) ")) }
        for later in ["keys", "explain", "bench"] {
            #expect(!page.contains("\n  \(later)"))
        }
    }
}
