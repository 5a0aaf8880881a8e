// SPDX-License-Identifier: Apache-2.0
import Providers
import Testing

@Suite("Request targets")
struct PathTests {
    struct SAPCase: CustomTestStringConvertible, Sendable {
        let family: ModelFamily
        var model = "m"
        let operation: SAPPath.Operation
        let plain: String?
        let stream: String?
        var testDescription: String { "\(operation) of \(family)" }

        init(
            _ family: ModelFamily,
            _ operation: SAPPath.Operation,
            _ plain: String?,
            stream: String?,
            model: String = "m"
        ) {
            self.family = family
            self.operation = operation
            self.plain = plain
            self.stream = stream
            self.model = model
        }

        init(_ family: ModelFamily, _ operation: SAPPath.Operation, _ both: String?) {
            self.init(family, operation, both, stream: both)
        }
    }

    static let chat = "/chat/completions?api-version=2024-12-01-preview"
    static let responses = "?api-version=2025-03-01-preview"

    static let sap: [SAPCase] = [
        SAPCase(.gpt, .chat, chat),
        SAPCase(.reasoning, .chat, chat),
        SAPCase(.gpt, .responses, "/responses" + responses),
        SAPCase(.reasoning, .compact, "/responses/compact" + responses),
        SAPCase(.gpt, .storedResponse(id: "resp_1/a"), "/responses/resp_1%2Fa" + responses),
        SAPCase(.openaiEmbedding, .embeddings, "/embeddings?api-version=2024-12-01-preview"),
        SAPCase(
            .whisper,
            .transcription,
            "/audio/transcriptions?api-version=2024-12-01-preview"
        ),
        SAPCase(.claude, .invoke, "/invoke", stream: "/invoke-with-response-stream"),
        SAPCase(.claude, .converse, "/converse", stream: "/converse-stream"),
        SAPCase(.nova, .invoke, "/invoke", stream: "/invoke-with-response-stream"),
        SAPCase(.nova, .converse, "/converse", stream: "/converse-stream"),
        SAPCase(.bedrock, .converse, "/converse", stream: "/converse-stream"),
        SAPCase(.titanText, .invoke, "/invoke", stream: "/invoke-with-response-stream"),
        SAPCase(.titanEmbedding, .embeddings, "/invoke"),
        SAPCase(.titanEmbedding, .invoke, "/invoke", stream: nil),
        SAPCase(
            .gemini,
            .generate,
            "/models/gemini-2.5-pro:generateContent",
            stream: "/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
            model: "gemini-2.5-pro"
        ),
        SAPCase(
            .geminiEmbedding,
            .embeddings,
            "/models/gemini-embedding-001:predict",
            stream: "/models/gemini-embedding-001:predict",
            model: "gemini-embedding"
        ),
        SAPCase(.openSource, .chat, "/chat/completions"),
        SAPCase(.cohere, .chat, "/chat"),
        SAPCase(.nvidiaEmbedding, .embeddings, "/embeddings"),
        SAPCase(.orchestration, .chat, "/v2/completion"),
        SAPCase(.orchestration, .embeddings, "/v2/embeddings"),
    ]

    @Test("of SAP AI Core", arguments: sap)
    func sapTargets(_ row: SAPCase) {
        let deployment = SAPPath.Deployment(id: "d1", family: row.family, model: row.model)
        let base = "/v2/inference/deployments/d1"
        #expect(
            SAPPath.target(deployment, row.operation, isStream: false)
                == row.plain.map { base + $0 }
        )
        #expect(
            SAPPath.target(deployment, row.operation, isStream: true)
                == row.stream.map { base + $0 }
        )
    }

    @Test("of SAP AI Core exist for no other pair of family and operation")
    func sapTable() {
        let operations: [SAPPath.Operation] = [
            .chat, .responses, .compact, .storedResponse(id: "r"), .embeddings, .transcription,
            .invoke, .converse, .generate,
        ]
        var pairs = 0
        for family in ModelFamily.allCases {
            for operation in operations {
                let deployment = SAPPath.Deployment(id: "d", family: family, model: "m")
                if SAPPath.target(deployment, operation, isStream: false) != nil { pairs += 1 }
            }
        }
        // Chat of 5 families, 3 x 2 of responses, embeddings of 5, whisper, invoke of 5, converse
        // of 4, Gemini.
        #expect(pairs == 5 + 6 + 5 + 1 + 5 + 4 + 1)
    }

    @Test("of SAP AI Core take another version, or none")
    func versions() {
        var deployment = SAPPath.Deployment(id: "d", family: .gpt, model: "m")
        deployment.apiVersion = "2099-01-01"
        let target = SAPPath.target(deployment, .responses, isStream: true, base: "/core/v2")
        #expect(
            target == "/core/v2/inference/deployments/d/responses?api-version=2099-01-01"
        )
        deployment.apiVersion = ""
        #expect(
            SAPPath.target(deployment, .chat, isStream: true)
                == "/v2/inference/deployments/d/chat/completions"
        )
        let embedding = SAPPath.Deployment(
            id: "d",
            family: .geminiEmbedding,
            model: "gemini-embedding-2",
            geminiEmbedding: .embedContent
        )
        #expect(
            SAPPath.target(embedding, .embeddings, isStream: false)
                == "/v2/inference/deployments/d/models/gemini-embedding-2:embedContent"
        )
    }

    @Test("of SAP AI Core start with the path of its address")
    func bases() {
        let rows: [(url: String, base: String)] = [
            ("https://api.ai.example.com", "/v2"), ("https://api.ai.example.com/", "/v2"),
            ("https://api.ai.example.com/v2", "/v2"), ("https://api.ai.example.com/v2///", "/v2"),
            ("https://proxy:8443/core", "/core/v2"), ("https://proxy/core/v2/", "/core/v2"),
            ("https://proxy/v2?x=/y", "/v2"), ("https://proxy/xv2", "/xv2/v2"),
        ]
        for row in rows { #expect(SAPPath.base(ofURL: row.url) == row.base, "\(row.url)") }
        #expect(SAPPath.deployments() == "/v2/lm/deployments?status=RUNNING&$top=4096")
        #expect(SAPPath.configuration("c-1", base: "/a/v2") == "/a/v2/lm/configurations/c-1")
    }

    @Test("of Azure OpenAI")
    func azure() {
        let rows: [(operation: AzurePath.Operation, classic: String, v1: String)] = [
            (.chat, "/deployments/my%20gpt/chat/completions", "/chat/completions"),
            (.completions, "/deployments/my%20gpt/completions", "/completions"),
            (.embeddings, "/deployments/my%20gpt/embeddings", "/embeddings"),
            (
                .transcription, "/deployments/my%20gpt/audio/transcriptions",
                "/audio/transcriptions"
            ),
            (.responses, "/responses", "/responses"),
            (.compact, "/responses/compact", "/responses/compact"),
            (.storedResponse(id: "r/1"), "/responses/r%2F1", "/responses/r%2F1"),
            (.models, "/models", "/models"),
        ]
        for row in rows {
            #expect(
                AzurePath.target(
                    deployment: "my gpt",
                    row.operation,
                    .deployment(apiVersion: "2024-10-21")
                ) == "/openai\(row.classic)?api-version=2024-10-21"
            )
            #expect(
                AzurePath.target(deployment: "my gpt", row.operation, .v1(apiVersion: nil))
                    == "/openai/v1\(row.v1)"
            )
            #expect(
                AzurePath.target(
                    deployment: "my gpt",
                    row.operation,
                    .v1(apiVersion: "preview"),
                    base: "/b"
                ) == "/b/openai/v1\(row.v1)?api-version=preview"
            )
        }
    }

    @Test("of Bedrock")
    func bedrock() {
        let model = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
        let base = "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0"
        let rows: [(operation: BedrockPath.Operation, isStream: Bool, name: String)] = [
            (.invoke, false, "/invoke"), (.invoke, true, "/invoke-with-response-stream"),
            (.converse, false, "/converse"), (.converse, true, "/converse-stream"),
        ]
        for row in rows {
            #expect(
                BedrockPath.target(model: model, row.operation, isStream: row.isStream)
                    == base + row.name
            )
        }
        #expect(
            BedrockPath.target(
                model: "arn:aws:bedrock:eu-central-1:1:inference-profile/p",
                .invoke,
                isStream: false,
                base: "/b"
            ) == "/b/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Fp/invoke"
        )
        #expect(BedrockPath.host(region: "eu-west-1") == "bedrock-runtime.eu-west-1.amazonaws.com")
        #expect(
            BedrockPath.host(region: "cn-north-1") == "bedrock-runtime.cn-north-1.amazonaws.com.cn"
        )
    }

    @Test("of Gemini")
    func gemini() {
        let rows: [(operation: GeminiPath.Operation, developer: String, vertex: String)] = [
            (.generate(isStream: false), "generateContent", "generateContent"),
            (
                .generate(isStream: true), "streamGenerateContent?alt=sse",
                "streamGenerateContent?alt=sse"
            ),
            (.countTokens, "countTokens", "countTokens"),
            (.embed, "embedContent", "predict"),
            (.batchEmbed, "batchEmbedContents", "predict"),
        ]
        for row in rows {
            for model in ["gemini-2.5-pro", "models/gemini-2.5-pro"] {
                #expect(
                    GeminiPath.target(model: model, row.operation, .developer())
                        == "/v1beta/models/gemini-2.5-pro:\(row.developer)"
                )
                #expect(
                    GeminiPath.target(
                        model: model,
                        row.operation,
                        .vertex(project: "p-1", location: "europe-west4"),
                        base: "/b"
                    ) == """
                        /b/v1/projects/p-1/locations/europe-west4/publishers/google/models/\
                        gemini-2.5-pro:\(row.vertex)
                        """
                )
            }
        }
        #expect(
            GeminiPath.target(model: "a/b", .countTokens, .developer(version: "v1"))
                == "/v1/models/a%2Fb:countTokens"
        )
    }
}
