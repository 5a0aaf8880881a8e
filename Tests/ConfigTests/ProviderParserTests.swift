// SPDX-License-Identifier: Apache-2.0
import Config
import Testing

@Suite("Configuration of providers")
struct ProviderParserTests {
    private let second: UInt64 = 1_000_000_000

    private func kind(_ members: String) throws -> UpstreamConfig.Kind {
        try ConfigSample().parse("{\"upstreams\":{\"u\":{\(members)}}}").upstreams[0].kind
    }

    private func sap(_ members: String) throws -> SAPConfig {
        let kind = try kind(#""kind":"sap-ai-core","# + members)
        guard case .sapAICore(let sap) = kind else {
            Issue.record("\(kind)")
            throw WrongKind()
        }
        return sap
    }

    private struct WrongKind: Error {}

    @Test(
        "openai has the Responses interface where OpenAI itself answers",
        arguments: [
            ("https://api.openai.com/v1", "", ResponsesSupport.native),
            ("https://h/v1", "", .chat),
            ("https://api.openai.com.example/v1", "", .chat),
            ("https://h/v1", #","responses":"native""#, .native),
            ("https://api.openai.com/v1", #","responses":"chat""#, .chat),
        ]
    )
    func responses(url: String, members: String, expected: ResponsesSupport) throws {
        let kind = try kind(#""kind":"openai","base_url":"\#(url)""# + members)
        guard case .openai(let config) = kind else {
            Issue.record("\(kind)")
            return
        }
        #expect(config.responses == expected)
    }

    @Test("azure-openai")
    func azure() throws {
        let plain = try kind(#""kind":"azure-openai","base_url":"https://x.openai.azure.com/""#)
        guard case .azureOpenAI(let plain) = plain else {
            Issue.record("\(plain)")
            return
        }
        #expect(plain.http.baseURL.description == "https://x.openai.azure.com")
        #expect(plain.apiKey == nil && plain.apiVersion == "2025-04-01-preview")
        #expect(plain.responses == .native)
        let full = try kind(
            #""kind":"azure-openai","base_url":"https://h/gate","api_key":"${env:KEY}","#
                + #""api_version":"v9","responses":"chat","connections_max":3"#
        )
        guard case .azureOpenAI(let full) = full else {
            Issue.record("\(full)")
            return
        }
        #expect(full.apiKey?.revealed == ConfigSample.secret && full.apiVersion == "v9")
        #expect(full.responses == .chat && full.http.connectionsMax == 3)
        #expect(full.http.baseURL.path == "/gate")
    }

    @Test("anthropic and gemini need nothing")
    func origins() throws {
        guard case .anthropic(let claude) = try kind(#""kind":"anthropic""#),
            case .gemini(let gemini) = try kind(#""kind":"gemini""#)
        else {
            Issue.record("another kind")
            return
        }
        #expect(claude.http.baseURL.description == "https://api.anthropic.com")
        #expect(claude.version == "2023-06-01" && claude.apiKey == nil)
        #expect(
            gemini.http.baseURL.description == "https://generativelanguage.googleapis.com"
        )
        #expect(gemini.apiVersion == "v1beta" && gemini.apiKey == nil)
    }

    @Test("anthropic and gemini take everything")
    func fullOrigins() throws {
        let claude = try kind(
            #""kind":"anthropic","base_url":"http://h:1","api_key":"${env:KEY}","version":"v","#
                + #""headers":{"anthropic-beta":"b"}"#
        )
        let gemini = try kind(
            #""kind":"gemini","base_url":"http://h:2","api_key":"k","api_version":"v1""#
        )
        guard case .anthropic(let claude) = claude, case .gemini(let gemini) = gemini else {
            Issue.record("another kind")
            return
        }
        #expect(claude.http.baseURL.port == 1 && claude.version == "v")
        #expect(claude.apiKey?.revealed == ConfigSample.secret)
        #expect(claude.http.headers.map(\.name) == ["anthropic-beta"])
        #expect(gemini.http.baseURL.port == 2 && gemini.apiVersion == "v1")
        #expect(gemini.apiKey?.revealed == "k")
    }

    @Test(
        "bedrock answers in its region unless it is told otherwise",
        arguments: [
            ("", "https://bedrock-runtime.eu-central-1.amazonaws.com"),
            (#","base_url":"http://127.0.0.1:9""#, "http://127.0.0.1:9"),
        ]
    )
    func bedrock(members: String, url: String) throws {
        let kind = try kind(
            #""kind":"bedrock","region":"eu-central-1","access_key_id":"AK","#
                + #""secret_access_key":"${env:KEY}","session_token":"t""# + members
        )
        guard case .bedrock(let config) = kind else {
            Issue.record("\(kind)")
            return
        }
        #expect(config.http.baseURL.description == url && config.region == "eu-central-1")
        #expect(config.accessKeyID.revealed == "AK" && config.sessionToken?.revealed == "t")
        #expect(config.secretAccessKey.revealed == ConfigSample.secret)
    }

    @Test("sap-ai-core needs a service key only")
    func sapDefaults() throws {
        let sap = try sap(#""service_key":"${file:sap.json}""#)
        #expect(sap.http.baseURL.scheme == .https && sap.http.baseURL.host == "api.ai.example")
        #expect(sap.http.baseURL.path.isEmpty)
        #expect(sap.serviceKey.tokenURL == "https://z.authentication.example/oauth/token")
        #expect(sap.serviceKey.clientID == "sb-1!b1|aicore!b1")
        #expect(sap.serviceKey.clientSecret?.revealed == ConfigSample.secret + "$abc=")
        #expect(sap.serviceKey.certificatePEM == nil && sap.serviceKey.keyPEM == nil)
        #expect(sap.serviceKey.identityZoneID == "zone-1" && !sap.serviceKey.usesCertificate)
        #expect(sap.resourceGroup == "default" && sap.apiVersion == "2024-12-01-preview")
        #expect(sap.responsesAPIVersion == "2025-03-01-preview")
        #expect(sap.discoveryInterval == 300 * second && sap.discovers)
        #expect(!sap.sendsTenant && sap.tokenRequest == .basic && !sap.usesOrchestration)
        #expect(sap.deployments.isEmpty && sap.clientType == "apus")
        #expect(sap.include == nil && sap.exclude.isEmpty)
    }

    @Test("sap-ai-core takes everything")
    func sapEverything() throws {
        let sap = try sap(
            """
            "service_key":"${file:sap.json}","base_url":"http://127.0.0.1:9/ai/v2/",
            "resource_group":"${env:KEY}","api_version":"a","responses_api_version":"b",
            "discovery_interval":"1m","tenant_header":true,"token_request":"query",
            "deployments":{"4.5-sonnet":["d1","https://h/v2/inference/deployments/d2/?x=1#y"],
            "gpt":["d1"]},"orchestration":"on","client_type":"c","include":["gpt-*","m"],
            "exclude":["*-test"],"idle_timeout":"9s"
            """
        )
        #expect(sap.http.baseURL.description == "http://127.0.0.1:9/ai")
        #expect(sap.http.idleTimeoutNanoseconds == 9 * second)
        #expect(sap.resourceGroup == ConfigSample.secret && sap.apiVersion == "a")
        #expect(sap.responsesAPIVersion == "b" && sap.discoveryInterval == 60 * second)
        #expect(sap.sendsTenant && sap.tokenRequest == .query && sap.usesOrchestration)
        #expect(
            sap.deployments == [
                SAPConfig.PinnedModel(model: "4.5-sonnet", deployments: ["d1", "d2"]),
                SAPConfig.PinnedModel(model: "gpt", deployments: ["d1"]),
            ]
        )
        #expect(sap.clientType == "c" && sap.include?.map(\.text) == ["gpt-*", "m"])
        for (name, expected) in [("gpt-5", true), ("m", true), ("gpt-test", false), ("x", false)] {
            let bytes = Array(name.utf8)
            let isTaken = sap.takes(discovered: bytes.span)
            #expect(isTaken == expected, "\(name)")
        }
    }

    @Test("pinned deployments need no discovery")
    func pinned() throws {
        let sap = try sap(
            #""service_key":"${file:sap.json}","discover":false,"deployments":{"m":["d"]}"#
        )
        #expect(!sap.discovers && sap.deployments.count == 1)
    }

    @Test("a wrapped key with a version in its URL and a path in that of the tokens")
    func wrapped() throws {
        let sap = try sap(#""service_key":"${file:bare.json}""#)
        #expect(sap.http.baseURL.host == "api.ai.example" && sap.http.baseURL.path.isEmpty)
        #expect(sap.serviceKey.tokenURL == "https://z.example/oauth/token")
        #expect(sap.serviceKey.identityZoneID == nil)
    }

    @Test(
        "a key in place is read like one in a string, references included",
        arguments: [
            "{\"clientid\":\"c\",\"clientsecret\":\"${env:KEY}\",\"url\":\"http://${env:HOST}\",MORE}",
            """
            {"credentials":{"clientid":"c","clientsecret":"${env:KEY}",
            "url":"http://${env:HOST}/oauth/token/",MORE}}
            """,
        ]
    )
    func inPlace(key: String) throws {
        var sample = ConfigSample()
        sample.values[SecretReference(source: .environment, name: "HOST")] = "127.0.0.1:8"
        let url = #""serviceurls":{"AI_API_URL":"http://${env:HOST}/v2"}"#
        let parts = key.split(separator: "MORE", omittingEmptySubsequences: false)
        let text = "\(parts[0])\(url)\(parts[1])"
        let config = try sample.parse(
            "{\"upstreams\":{\"u\":{\"kind\":\"sap-ai-core\",\"service_key\":\(text)}}}"
        )
        guard case .sapAICore(let sap) = config.upstreams[0].kind else {
            Issue.record("another kind")
            return
        }
        #expect(sap.serviceKey.tokenURL == "http://127.0.0.1:8/oauth/token")
        #expect(sap.serviceKey.clientSecret?.revealed == ConfigSample.secret)
        #expect(sap.http.baseURL.port == 8 && sap.http.baseURL.path.isEmpty)
        #expect(!config.summary.contains(ConfigSample.secret))
    }

    @Test("a certificate has its line ends, and asks with a form", arguments: ["", "form"])
    func certificate(request: String) throws {
        let choice = request.isEmpty ? "" : #","token_request":"\#(request)""#
        let sap = try sap(#""service_key":"${file:x509.json}""# + choice)
        #expect(sap.serviceKey.tokenURL == "https://z.cert.example/oauth/token")
        #expect(sap.serviceKey.usesCertificate && sap.tokenRequest == .form)
        #expect(
            sap.serviceKey.certificatePEM?.revealed
                == "-----BEGIN CERTIFICATE-----\n\(ConfigSample.secret)\n-----END CERTIFICATE-----\n"
        )
        #expect(
            sap.serviceKey.keyPEM?.revealed
                == "-----BEGIN PRIVATE KEY-----\n\(ConfigSample.secret)\n-----END PRIVATE KEY-----\n"
        )
    }

    @Test(
        "a deployment is its id or its URL",
        arguments: [
            ("d0a1b2c3d4e5f601", "d0a1b2c3d4e5f601"), ("a-b_C9", "a-b_C9"),
            ("https://h/v2/inference/deployments/d1", "d1"),
            ("https://h/v2/inference/deployments/d1///", "d1"),
            ("https://h/v2/inference/deployments/d1/?api-version=1", "d1"),
            ("https://h/v2/inference/deployments/d1#top", "d1"),
            ("http://127.0.0.1:80/deployments/d1", "d1"), ("deployments/d1", nil), ("d.1", nil),
            ("", nil), ("https://deployments/d1", nil), (String(repeating: "d", count: 65), nil),
        ] as [(String, String?)]
    )
    func deploymentIDs(text: String, expected: String?) {
        #expect(SAPConfig.deploymentID(text) == expected)
    }

    @Test("what a model can say")
    func models() throws {
        let config = try ConfigSample().parse(
            """
            {"upstreams":{"a":{"kind":"anthropic"},"sap":{"kind":"sap-ai-core",
            "service_key":"${file:sap.json}"}},
            "models":{"m":{"targets":[{"upstream":"sap","model":"x","weight":1000,"api":"invoke"},
            {"upstream":"a"}],"balance":"least-busy","fallbacks":["claude-5","sap/gpt","m-2[1m]"],
            "strict":true,"max_tokens":10000000},"claude-*":{"targets":[{"upstream":"a"}]},
            "m-2":{"targets":[{"upstream":"a"}],"fallbacks":["claude-x"]}},
            "default_model":"sap/anything",
            "retries":{"tries_per_target":10,"max_targets":16,"backoff":"1ms..1m",
            "retry_after_max":"5m"},"streams":{"keepalive":"1s"}}
            """
        )
        let entry = config.models.entries[0]
        #expect(
            entry.targets == [
                .init(upstream: 1, model: "x", weight: 1000, api: .invoke), .init(upstream: 0),
            ]
        )
        #expect(entry.balance == .leastBusy && entry.isStrict && entry.maxTokens == 10_000_000)
        #expect(entry.fallbacks == ["claude-5", "sap/gpt", "m-2[1m]"])
        let plain = config.models.entries[1]
        #expect(plain.balance == .weighted && !plain.isStrict && plain.maxTokens == nil)
        #expect(plain.targets[0].weight == 1 && plain.targets[0].api == nil)
        #expect(config.defaultModel == "sap/anything")
        #expect(config.retries.triesPerTarget == 10 && config.retries.maxTargets == 16)
        #expect(config.retries.backoffFirst == second / 1000)
        #expect(config.retries.backoffMax == 60 * second)
        #expect(config.retries.retryAfterMax == 300 * second)
        #expect(config.keepaliveNanoseconds == second)
    }

    @Test(
        "a model that is wrong in itself is no reason to complain about its name",
        arguments: [
            #"{"m":{"targets":[]},"n":{"targets":[{"upstream":"demo"}],"fallbacks":["m"]}}"#,
            #"{"m":{"targets":[{"upstream":"x"}]}},"default_model":"m""#,
            #"{"m":5},"default_model":"m""#,
        ]
    )
    func oneError(models: String) {
        let text = ConfigSample.text("\"models\":" + models)
        #expect(ConfigSample().errors(text).count == 1)
    }
}
