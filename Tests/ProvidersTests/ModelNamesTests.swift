// SPDX-License-Identifier: Apache-2.0
import Providers
import Support
import Testing

@Suite("Names of models")
struct ModelNamesTests {
    struct Identity: CustomTestStringConvertible, Sendable {
        let name: String
        let family: String?
        let version: [Int]
        let variants: [String]
        var date: String?
        var context: String?
        var vendor: String?
        var testDescription: String { name }

        init(
            _ name: String,
            _ family: String?,
            _ version: [Int],
            _ variants: [String] = [],
            date: String? = nil,
            context: String? = nil,
            vendor: String? = nil
        ) {
            self.name = name
            self.family = family
            self.version = version
            self.variants = variants
            self.date = date
            self.context = context
            self.vendor = vendor
        }
    }

    static let identities: [Identity] = [
        Identity("claude-sonnet-4-5-20250929", "claude", [4, 5], ["sonnet"], date: "20250929"),
        Identity("claude-sonnet-4-5", "claude", [4, 5], ["sonnet"]),
        Identity("claude-opus-4-20250514", "claude", [4], ["opus"], date: "20250514"),
        Identity("claude-opus-4-0", "claude", [4], ["opus"]),
        Identity("claude-3-5-sonnet-20241022", "claude", [3, 5], ["sonnet"], date: "20241022"),
        Identity("claude-3-7-sonnet-latest", "claude", [3, 7], ["sonnet"]),
        Identity("claude-3-opus-20240229", "claude", [3], ["opus"], date: "20240229"),
        Identity("claude-sonnet-4-5[1m]", "claude", [4, 5], ["sonnet"]),
        Identity("Claude-Sonnet-4.5", "claude", [4, 5], ["sonnet"]),
        Identity("claude-sonnet-4@20250514", "claude", [4], ["sonnet"], date: "20250514"),
        Identity("claude-instant-1.2", "claude", [1, 2], ["instant"]),
        Identity("4.5-sonnet", "claude", [4, 5], ["sonnet"]),
        Identity("sonnet", "claude", [], ["sonnet"]),
        Identity(
            "anthropic--claude-4.5-sonnet",
            "claude",
            [4, 5],
            ["sonnet"],
            vendor: "anthropic"
        ),
        Identity("anthropic--claude-4-opus", "claude", [4], ["opus"], vendor: "anthropic"),
        Identity("anthropic--claude-3-haiku", "claude", [3], ["haiku"], vendor: "anthropic"),
        Identity(
            "anthropic.claude-3-5-sonnet-20241022-v2:0",
            "claude",
            [3, 5],
            ["sonnet"],
            date: "20241022",
            vendor: "anthropic"
        ),
        Identity(
            "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "claude",
            [4, 5],
            ["sonnet"],
            date: "20250929",
            vendor: "anthropic"
        ),
        Identity(
            "us-gov.anthropic.claude-3-haiku-20240307-v1:0:200k",
            "claude",
            [3],
            ["haiku"],
            date: "20240307",
            vendor: "anthropic"
        ),
        Identity(
            "global.anthropic.claude-opus-4-6-v1",
            "claude",
            [4, 6],
            ["opus"],
            vendor: "anthropic"
        ),
        Identity(
            """
            arn:aws:bedrock:eu-central-1:123456789012:inference-profile/\
            eu.anthropic.claude-sonnet-4-20250514-v1:0
            """,
            "claude",
            [4],
            ["sonnet"],
            date: "20250514",
            vendor: "anthropic"
        ),
        Identity("apac.amazon.nova-pro-v1:0", "nova", [], ["pro"], vendor: "amazon"),
        Identity("amazon--nova-premier", "nova", [], ["premier"], vendor: "amazon"),
        Identity("amazon.titan-embed-text-v2:0", "titan", [], ["embed", "text"], vendor: "amazon"),
        Identity("amazon--titan-embed-text", "titan", [], ["embed", "text"], vendor: "amazon"),
        Identity(
            "meta--llama3.1-70b-instruct",
            "llama",
            [3, 1],
            ["70b", "instruct"],
            vendor: "meta"
        ),
        Identity(
            "meta.llama3-1-70b-instruct-v1:0",
            "llama",
            [3, 1],
            ["70b", "instruct"],
            vendor: "meta"
        ),
        Identity("llama3.1:70b", "llama", [3, 1], ["70b"]),
        Identity("gpt-4", "gpt", [4]),
        Identity("gpt-4-0613", "gpt", [4], date: "0613"),
        Identity("gpt-4-32k", "gpt", [4], context: "32k"),
        Identity("gpt-3.5-turbo-16k", "gpt", [3, 5], ["turbo"], context: "16k"),
        Identity("gpt-35-turbo", "gpt", [3, 5], ["turbo"]),
        Identity("gpt-4o", "gpt", [4], ["o"]),
        Identity("gpt-4o-mini-2024-07-18", "gpt", [4], ["mini", "o"], date: "20240718"),
        Identity("openai/gpt-4.1-nano", "gpt", [4, 1], ["nano"]),
        Identity("gpt-5", "gpt", [5]),
        Identity("gpt-5.4-mini", "gpt", [5, 4], ["mini"]),
        Identity("gpt-5-chat-latest", "gpt", [5], ["chat"]),
        Identity("gpt-5.3-codex", "gpt", [5, 3], ["codex"]),
        Identity("gpt-oss-120b", "gpt", [], ["120b", "oss"]),
        Identity("o1", "o", [1]),
        Identity("o3-mini", "o", [3], ["mini"]),
        Identity("o4-mini-2025-04-16", "o", [4], ["mini"], date: "20250416"),
        Identity("4o-mini", nil, [4], ["mini", "o"]),
        Identity("text-embedding-3-small", "text", [3], ["embedding", "small"]),
        Identity("text-embedding-ada-002", "text", [], ["ada", "embedding"], date: "002"),
        Identity("gemini-2.5-pro", "gemini", [2, 5], ["pro"]),
        Identity("models/gemini-2.0-flash-001", "gemini", [2], ["flash"], date: "001"),
        Identity("gemini-2.5-flash-preview-05-20", "gemini", [2, 5], ["flash"], date: "0520"),
        Identity("gemini-embedding", "gemini", [], ["embedding"]),
        Identity("gemini-embedding-001", "gemini", [], ["embedding"], date: "001"),
        Identity(
            "nvidia--llama-3.2-nv-embedqa-1b",
            "llama",
            [3, 2],
            ["1b", "embedqa", "nv"],
            vendor: "nvidia"
        ),
        Identity(
            "cohere--command-a-reasoning",
            "command",
            [],
            ["a", "reasoning"],
            vendor: "cohere"
        ),
        Identity(
            "mistralai--mistral-large-instruct",
            "mistral",
            [],
            ["instruct", "large"],
            vendor: "mistralai"
        ),
        Identity("sonar-pro", "sonar", [], ["pro"]),
        Identity("mixtral-8x7b", "mixtral", [], ["8x7b"]),
        Identity("my-model", nil, [], ["model", "my"]),
        Identity("", nil, []),
        Identity("---", nil, []),
        Identity("[1m]", nil, [], ["[1m]"]),
        Identity("1.2.3.4-5", nil, [1, 2, 3, 4], ["5"]),
        Identity("日本-4", nil, [4], ["日本"]),
    ]

    @Test("are cut into words", arguments: identities)
    func identity(_ row: Identity) {
        let identity = ModelIdentity(row.name)
        #expect(identity.family == row.family)
        #expect(identity.version == row.version)
        #expect(identity.variants == row.variants)
        #expect(identity.date == row.date)
        #expect(identity.context == row.context)
        #expect(identity.vendor == row.vendor)
    }

    @Test("of Claude are spelled both ways")
    func claude() {
        let rows: [(anthropic: String, sap: String)] = [
            ("claude-sonnet-4-5", "anthropic--claude-4.5-sonnet"),
            ("claude-opus-4", "anthropic--claude-4-opus"),
            ("claude-opus-4-6", "anthropic--claude-4.6-opus"),
            ("claude-haiku-4-5", "anthropic--claude-4.5-haiku"),
            ("claude-3-5-sonnet", "anthropic--claude-3.5-sonnet"),
            ("claude-3-7-sonnet", "anthropic--claude-3.7-sonnet"),
            ("claude-3-opus", "anthropic--claude-3-opus"),
            ("claude-sonnet-5", "anthropic--claude-5-sonnet"),
        ]
        for row in rows {
            for suffix in ["", "-20250929", "[1m]", "-latest", "-20250929[1m]"] {
                #expect(ModelNames.sapName(forClaude: row.anthropic + suffix) == row.sap)
            }
            #expect(ModelNames.sapName(forClaude: "us.anthropic.\(row.anthropic)-v1:0") == row.sap)
            #expect(ModelNames.sapName(forClaude: row.sap) == row.sap)
            #expect(ModelNames.anthropicName(forClaude: row.sap) == row.anthropic)
        }
        for name in ["gpt-4", "claude", "claude-sonnet", "claude-2.1", "sonnet", ""] {
            #expect(ModelNames.sapName(forClaude: name) == nil)
            #expect(ModelNames.anthropicName(forClaude: name) == nil)
        }
    }

    static let deployed = [
        "anthropic--claude-4.5-sonnet", "anthropic--claude-4-sonnet",
        "anthropic--claude-3.5-sonnet",
        "anthropic--claude-4.5-haiku", "gpt-4", "gpt-4-32k", "gpt-4o", "gpt-4o-mini", "gpt-5",
        "gpt-5.4", "o3-mini", "gemini-2.5-pro", "gemini-2.5-flash", "gemini-embedding",
        "amazon--nova-pro", "amazon--titan-embed-text", "text-embedding-3-small", "my-model",
        "eu.anthropic.claude-opus-4-6-20260101-v1:0", "eu.anthropic.claude-opus-4-6-20260301-v1:0",
    ]

    struct Search: CustomTestStringConvertible, Sendable {
        let name: String
        let found: [String]
        var testDescription: String { name }

        init(_ name: String, _ found: String...) {
            self.name = name
            self.found = found
        }
    }

    static let searches: [Search] = [
        Search("gpt-5.4", "gpt-5.4"),
        Search("claude-sonnet-4-5-20250929", "anthropic--claude-4.5-sonnet"),
        Search("claude-sonnet-4-5", "anthropic--claude-4.5-sonnet"),
        Search("claude-sonnet-4-5[1m]", "anthropic--claude-4.5-sonnet"),
        Search("claude-sonnet-4-20250514", "anthropic--claude-4-sonnet"),
        Search("claude-3-5-sonnet-20241022", "anthropic--claude-3.5-sonnet"),
        Search("claude-3-5-sonnet-latest", "anthropic--claude-3.5-sonnet"),
        Search("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic--claude-4.5-haiku"),
        Search("4.5-sonnet", "anthropic--claude-4.5-sonnet"),
        Search("anthropic--claude-4.5-sonnet[1m]", "anthropic--claude-4.5-sonnet"),
        Search("claude-haiku-4"),
        Search("claude-opus-4-5"),
        Search("gpt-4", "gpt-4"),
        Search("gpt-4-0613", "gpt-4"),
        Search("gpt-4-32k-0613", "gpt-4-32k"),
        Search("gpt-4o-2024-08-06", "gpt-4o"),
        Search("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        Search("openai/gpt-4o", "gpt-4o"),
        Search("gpt-5-2025-08-07", "gpt-5"),
        Search("gpt-5-mini"),
        Search("o3-mini-2025-01-31", "o3-mini"),
        Search("o3"),
        Search("models/gemini-2.5-pro", "gemini-2.5-pro"),
        Search("gemini-2.5-pro-preview-06-05", "gemini-2.5-pro"),
        Search("gemini-2.5-flash-latest", "gemini-2.5-flash"),
        Search("gemini-embedding-001", "gemini-embedding"),
        Search("us.amazon.nova-pro-v1:0", "amazon--nova-pro"),
        Search("amazon.titan-embed-text-v2:0", "amazon--titan-embed-text"),
        Search("my-model", "my-model"),
        Search("model-my"),
        Search(""),
        Search(
            "claude-opus-4-6",
            "eu.anthropic.claude-opus-4-6-20260301-v1:0",
            "eu.anthropic.claude-opus-4-6-20260101-v1:0"
        ),
        Search("claude-opus-4-6-20260101", "eu.anthropic.claude-opus-4-6-20260101-v1:0"),
        Search("claude-opus-4-6-20251231"),
    ]

    @Test("lead to deployed ones", arguments: searches)
    func candidates(_ row: Search) {
        #expect(ModelNames.candidates(forClientName: row.name, among: Self.deployed) == row.found)
        let reversed = Self.deployed.reversed()
        #expect(ModelNames.candidates(forClientName: row.name, among: reversed) == row.found)
    }

    @Test("that fit less come later")
    func order() {
        let deployed = [
            "gpt-4o-2024-11-20", "gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-05-13", "gpt-4o[x]",
        ]
        #expect(
            ModelNames.candidates(forClientName: "gpt-4o[x]", among: deployed)
                == [
                    "gpt-4o[x]", "gpt-4o", "gpt-4o-2024-11-20", "gpt-4o-2024-08-06",
                    "gpt-4o-2024-05-13",
                ]
        )
        #expect(
            ModelNames.candidates(forClientName: "gpt-4o-2024-08-06", among: deployed)
                == ["gpt-4o-2024-08-06", "gpt-4o", "gpt-4o[x]"]
        )
    }

    struct Family: CustomTestStringConvertible, Sendable {
        var executable = SAPExecutable.unknown
        let model: String
        let family: ModelFamily
        var testDescription: String { "\(executable) \(model)" }

        init(_ model: String, _ family: ModelFamily) {
            self.model = model
            self.family = family
        }

        init(_ executable: SAPExecutable, _ model: String, _ family: ModelFamily) {
            self.executable = executable
            self.model = model
            self.family = family
        }
    }

    static let families: [Family] = [
        Family(.azureOpenAI, "gpt-4", .gpt),
        Family(.azureOpenAI, "gpt-4o-mini", .gpt),
        Family(.azureOpenAI, "gpt-4.1", .gpt),
        Family(.azureOpenAI, "gpt-35-turbo", .gpt),
        Family(.azureOpenAI, "gpt-5", .reasoning),
        Family(.azureOpenAI, "gpt-5.4-mini", .reasoning),
        Family(.azureOpenAI, "gpt-5-chat", .gpt),
        Family(.azureOpenAI, "gpt-5.3-codex", .reasoning),
        Family(.azureOpenAI, "gpt-10", .reasoning),
        Family(.azureOpenAI, "o1", .reasoning),
        Family(.azureOpenAI, "o3-mini", .reasoning),
        Family(.azureOpenAI, "o4-mini", .reasoning),
        Family(.azureOpenAI, "text-embedding-3-large", .openaiEmbedding),
        Family(.azureOpenAI, "text-embedding-ada-002", .openaiEmbedding),
        Family(.azureOpenAI, "whisper", .whisper),
        Family(.azureOpenAI, "my-claude-name", .gpt),
        Family(.awsBedrock, "anthropic--claude-3-opus", .claude),
        Family(.awsBedrock, "anthropic--claude-4.6-sonnet", .claude),
        Family(.awsBedrock, "amazon--nova-lite", .nova),
        Family(.awsBedrock, "amazon--titan-embed-text", .titanEmbedding),
        Family(.awsBedrock, "amazon--titan-text-lite", .titanText),
        Family(.awsBedrock, "meta--llama3-70b", .bedrock),
        Family(.gcpVertexAI, "gemini-2.5-pro", .gemini),
        Family(.gcpVertexAI, "gemini-embedding", .geminiEmbedding),
        Family(.gcpVertexAI, "text-embedding-005", .geminiEmbedding),
        Family(.openSource, "meta--llama3.1-70b-instruct", .openSource),
        Family(.mistralAI, "mistralai--mistral-large-instruct", .openSource),
        Family(.perplexity, "sonar-pro", .openSource),
        Family(.sap, "sap-abap-1", .openSource),
        Family(.ibm, "ibm--granite-13b-chat", .openSource),
        Family(.cohere, "cohere--command-a-reasoning", .cohere),
        Family(.nvidia, "nvidia--llama-3.2-nv-embedqa-1b", .nvidiaEmbedding),
        Family(.nvidia, "nvidia--nemotron-4-340b", .openSource),
        Family(.orchestration, "", .orchestration),
        Family("gpt-4o", .gpt),
        Family("gpt-5.4", .reasoning),
        Family("o3", .reasoning),
        Family("gpt-oss-120b", .openSource),
        Family("4.5-sonnet", .claude),
        Family("anthropic--claude-3-opus", .claude),
        Family("gemini-3.5-flash", .gemini),
        Family("gemini-embedding-001", .geminiEmbedding),
        Family("text-embedding-3-small", .openaiEmbedding),
        Family("amazon--nova-pro", .nova),
        Family("amazon--titan-embed-text", .titanEmbedding),
        Family("cohere--command-r-plus", .cohere),
        Family("nvidia--llama-3.2-nv-embedqa-1b", .nvidiaEmbedding),
        Family("mistral-large", .openSource),
        Family("sonar", .openSource),
        Family("anything-4", .openSource),
        Family("", .openSource),
        // A digit or word inside another word means nothing.
        Family("gpt-3.5-turbo-0125", .gpt),
        Family("agpt-5", .openSource),
        Family("claudette", .openSource),
    ]

    @Test("tell the family when nothing else does", arguments: families)
    func family(_ row: Family) {
        #expect(ModelFamily(executable: row.executable, model: row.model) == row.family)
    }

    struct Mismatch: CustomTestStringConvertible, Sendable {
        let configured: String
        let running: String
        let aspects: [ModelMismatch.Aspect]
        var testDescription: String { "\(configured) on \(running)" }

        init(_ configured: String, _ running: String, _ aspects: ModelMismatch.Aspect...) {
            self.configured = configured
            self.running = running
            self.aspects = aspects
        }
    }

    static let mismatches: [Mismatch] = [
        Mismatch("gpt-5.4", "gpt-5.4"),
        Mismatch("gpt-4o", "gpt-5.4", .version, .variant),
        Mismatch("gpt-4.1", "gpt-4o", .version, .variant),
        Mismatch("gpt-4.1", "gpt-4.1-mini", .variant),
        Mismatch("gpt-4o-mini", "gpt-4o", .variant),
        Mismatch("gpt-4o", "gpt-4o-2024-08-06"),
        Mismatch("gpt-4-32k", "gpt-4"),
        Mismatch("gpt-4", "gpt-4-32k"),
        Mismatch("gpt-4", "gpt-4-0613"),
        Mismatch("gpt-3.5-turbo-16k", "gpt-3.5-turbo"),
        Mismatch("gpt-5", "o3", .family),
        Mismatch("gpt-5", "anthropic--claude-4.5-sonnet", .family),
        Mismatch("4.5-sonnet", "anthropic--claude-4.5-sonnet"),
        Mismatch("4.5-sonnet", "anthropic--claude-4-sonnet", .version),
        Mismatch("4.5-sonnet", "anthropic--claude-4.5-haiku", .variant),
        Mismatch("4.5-sonnet", "gemini-2.5-pro", .family),
        Mismatch("claude-sonnet-4-5-20250929", "anthropic--claude-4.5-sonnet"),
        Mismatch("claude-sonnet-4-5[1m]", "anthropic--claude-4.5-sonnet"),
        Mismatch("claude-opus-4-6", "anthropic--claude-4.6-sonnet", .variant),
        Mismatch("claude-3-5-sonnet-20241022", "anthropic--claude-3.7-sonnet", .version),
        Mismatch("claude", "anthropic--claude-4.6-sonnet"),
        Mismatch("claude-4.6", "anthropic--claude-4.6-sonnet"),
        Mismatch("sonnet-prod", "anthropic--claude-4.6-sonnet"),
        Mismatch("gpt-5.4-prod", "gpt-5.4"),
        Mismatch("gpt-prod", "gpt-5.4"),
        Mismatch("gemini-2.5", "gemini-2.5-pro"),
        Mismatch("gemini-2.5-flash", "gemini-2.5-pro", .variant),
        Mismatch("gemini-2.0-flash-001", "gemini-2.5-flash", .version),
        Mismatch("my-model", "gpt-5.4"),
        Mismatch("fast", "anthropic--claude-4.5-haiku"),
        Mismatch("gpt-5.4", "something-else"),
        Mismatch("text-embedding-3-small", "text-embedding-3-large", .variant),
    ]

    @Test("that promise another model than runs are told", arguments: mismatches)
    func mismatch(_ row: Mismatch) {
        let found = ModelMismatch(
            configured: row.configured,
            deploymentID: "d1",
            running: row.running
        )
        #expect((found?.aspects ?? []) == row.aspects)
    }

    @Test("are told in a line")
    func mismatchMessage() {
        let found = ModelMismatch(configured: "gpt-4o", deploymentID: "d1", running: "gpt-5.4")
        #expect(
            found?.message == """
                the name "gpt-4o" leads to deployment d1, which runs "gpt-5.4": another version \
                and variant
                """
        )
    }

    @Test("that are random never trap", arguments: [1, 2] as [UInt64])
    func randomNames(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let parts = [
            "claude", "gpt", "o", "4", "5", "3.5", "sonnet", "-", "--", ".", ":", "@", "[", "]",
            "/",
            "1m", "32k", "2024", "08", "06", "20250929", "v1", "eu", "anthropic", "é", "日",
            "99999999999",
        ]
        for _ in 0..<3000 {
            let name = (0..<random.below(9)).map { _ in parts[random.below(parts.count)] }.joined()
            let identity = ModelIdentity(name)
            #expect(identity == ModelIdentity(name.uppercased()) || name.contains("é"))
            let found = ModelNames.candidates(forClientName: name, among: [name, "x"])
            #expect(found.first == name, "seed \(seed): \(name)")
        }
    }
}
