// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import JSON
import System
import Testing

@Suite("Configuration texts")
struct ConfigTextsTests {
    private static func file(_ path: String) throws -> [UInt8] {
        let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        let root = parts.dropLast(3).joined(separator: "/")
        return try Syscalls.contents(of: root + "/" + path, limit: 1 << 20)
    }

    @Test("every key is documented", arguments: ConfigSection.allCases)
    func documentation(section: ConfigSection) throws {
        let text = String(decoding: try Self.file("docs/CONFIG.md"), as: UTF8.self)
        for key in section.keys {
            let path = section.path.isEmpty ? key : "\(section.path).\(key)"
            #expect(text.contains("`\(path)`"), "\(path)")
        }
    }

    @Test("every key and no other is in the editor schema", arguments: ConfigSection.allCases)
    func schema(section: ConfigSection) throws {
        let bytes = try Self.file("deploy/apus.schema.json")
        var scanner = JSONScanner()
        _ = try scanner.scan(bytes.span, isFinal: true)
        let tape = scanner.tape
        func member(_ name: String, _ node: JSONNode?) -> JSONNode? {
            node.flatMap { tape.member(named: name, of: $0, in: bytes.span) }
        }
        var node: JSONNode?
        switch section {
        case .root: node = tape.root
        case .status: node = member("status", member("properties", tape.root))
        case .openaiUpstream: node = member("openai", member("$defs", tape.root))
        case .azureUpstream: node = member("azure-openai", member("$defs", tape.root))
        case .anthropicUpstream: node = member("anthropic", member("$defs", tape.root))
        case .geminiUpstream: node = member("gemini", member("$defs", tape.root))
        case .bedrockUpstream: node = member("bedrock", member("$defs", tape.root))
        case .sapUpstream: node = member("sap-ai-core", member("$defs", tape.root))
        case .demoUpstream: node = member("demo", member("$defs", tape.root))
        case .model: node = member("model", member("$defs", tape.root))
        case .target: node = member("target", member("$defs", tape.root))
        case .key: node = member("key", member("$defs", tape.root))
        case .timeouts: node = member("timeouts", member("properties", tape.root))
        case .retries: node = member("retries", member("properties", tape.root))
        case .fleet: node = member("fleet", member("properties", tape.root))
        case .streams: node = member("streams", member("properties", tape.root))
        case .guards: node = member("guards", member("properties", tape.root))
        case .logs: node = member("logs", member("properties", tape.root))
        case .cors: node = member("cors", member("properties", tape.root))
        }
        let properties = try #require(member("properties", node))
        let names = tape.members(of: properties).compactMap {
            tape.string(of: $0.name, in: bytes.span)
        }
        #expect(names.sorted() == section.keys.sorted())
        #expect(member("additionalProperties", node).flatMap { tape.bool(of: $0) } == false)
    }

    @Test("the example of the documentation is a configuration")
    func example() throws {
        let text = String(decoding: try Self.file("docs/CONFIG.md"), as: UTF8.self)
        let start = try #require(text.firstRange(of: "```jsonc\n"))
        let end = try #require(text[start.upperBound...].firstRange(of: "```"))
        var sample = ConfigSample()
        let variables = [
            "OPENAI_API_KEY", "TEAM", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
        ]
        for name in variables {
            sample.values[SecretReference(source: .environment, name: name)] = "x"
        }
        sample.values[SecretReference(source: .credential, name: "azure")] = "x"
        for name in ["keys/eu.json", "keys/us.json"] {
            sample.values[SecretReference(source: .file, name: name)] = ConfigSample.sapKey
        }
        let config = try sample.parse(String(text[start.upperBound..<end.lowerBound]))
        #expect(Set(config.upstreams.map(\.kind.name)) == Set(UpstreamKind.allCases))
    }

    @Test("the summary shows what is in effect")
    func summary() throws {
        let config = try ConfigSample().parse(
            """
            {"upstreams":{"main":{"kind":"openai","base_url":"https://api.openai.com/v1",
            "api_key":"k","headers":{"X-Team":"t"}},"demo":{"kind":"demo"},
            "az":{"kind":"azure-openai","base_url":"https://x.example","api_key":"k"},
            "claude":{"kind":"anthropic","api_key":"k"},"google":{"kind":"gemini"},
            "aws":{"kind":"bedrock","region":"r","access_key_id":"k","secret_access_key":"k",
            "session_token":"k"},
            "sap":{"kind":"sap-ai-core","service_key":"${file:sap.json}","include":["gpt-*","o*"],
            "exclude":["x"],"deployments":{"m":["d1","d2"]},"tenant_header":true,
            "orchestration":"on"}},
            "models":{"gpt-*":{"targets":[{"upstream":"main"}]},
            "m":{"targets":[{"upstream":"demo","model":"x","weight":2},
            {"upstream":"sap","api":"converse"}],"balance":"ordered","fallbacks":["gpt-5"],
            "strict":true,"max_tokens":9}},"default_model":"m","streams":{"keepalive":"off"},
            "retries":{"backoff":"1s"},
            "keys":[{"name":"a","hash":"sha256:\(String(repeating: "0", count: 64))","user":"u"}]}
            """
        )
        #expect(
            config.summary == """
                listen      127.0.0.1:3001
                status      127.0.0.1:3002
                workers     auto (2 x cores + 1)
                auth        keys (1)
                upstream    main: openai https://api.openai.com/v1, api_key ***, responses native, \
                header X-Team ***, connections_max 512, idle_timeout 50s
                upstream    demo: demo
                upstream    az: azure-openai https://x.example, api_key ***, \
                api_version 2025-04-01-preview, responses native, connections_max 512, \
                idle_timeout 50s
                upstream    claude: anthropic https://api.anthropic.com, api_key ***, \
                version 2023-06-01, connections_max 512, idle_timeout 50s
                upstream    google: gemini https://generativelanguage.googleapis.com, \
                api_version v1beta, connections_max 512, idle_timeout 50s
                upstream    aws: bedrock https://bedrock-runtime.r.amazonaws.com, region r, \
                access_key_id ***, secret_access_key ***, session_token ***, connections_max 512, \
                idle_timeout 50s
                upstream    sap: sap-ai-core https://api.ai.example, service_key ***, \
                token_request basic, resource_group default, api_version 2024-12-01-preview, \
                responses_api_version 2025-03-01-preview, client_type apus, tenant_header, \
                discover every 5m, include gpt-* o*, exclude x, orchestration on, m = d1 d2, \
                connections_max 512, idle_timeout 50s
                model       gpt-* -> main
                model       m -> demo as x x2 | sap by converse (ordered), fallbacks gpt-5, \
                strict, max_tokens 9
                default     m
                key         a, user u, models all
                timeouts    connect 5s, headers 1m, first_content 1m, idle 1m, total 10m, \
                client_head 10s, client_body 30s, client_idle 75s, drain 10m
                retries     tries_per_target 2, max_targets 3, backoff 1s, retry_after_max 30s
                fleet       lame_duck off, drain_stalled 1m, hang 10s, \
                connections_per_worker 16383, queue 1024 for 10s
                streams     keepalive off
                guards      max_body 32MiB
                logs        access on
                cors        off

                """
        )
    }

    @Test(
        "quantities read and write",
        arguments: [
            ("200ms", 200_000_000), ("5s", 5_000_000_000), ("10m", 600_000_000_000),
            ("1h", 3_600_000_000_000), ("90s", 90_000_000_000), ("0ms", 0), ("5", nil), ("s", nil),
            ("5S", nil), ("5us", nil), ("+5s", nil), ("٥s", nil), ("", nil), ("1h30m", nil),
        ] as [(String, UInt64?)]
    )
    func durations(text: String, expected: UInt64?) {
        #expect(Quantity.duration(text) == expected)
        if let expected, expected > 0 { #expect(Quantity.text(duration: expected) == text) }
    }

    @Test(
        "sizes read in both systems",
        arguments: [
            ("100B", 100), ("64KB", 64_000), ("64KiB", 65_536), ("32MiB", 33_554_432),
            ("1MB", 1_000_000), ("2GiB", 2 << 30), ("2GB", 2_000_000_000), ("5", nil), ("5kb", nil),
            ("5 MB", nil), ("99999999999999999999B", nil), ("99999999999GiB", nil),
        ] as [(String, Int?)]
    )
    func sizes(text: String, expected: Int?) {
        #expect(Quantity.size(text) == expected)
    }
}
