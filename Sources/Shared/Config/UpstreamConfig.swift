// SPDX-License-Identifier: Apache-2.0

/// One provider of models.
package struct UpstreamConfig: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        /// Anything that speaks OpenAI's HTTP interface.
        case openai(OpenAIConfig)
        /// OpenAI's models in Azure.
        case azureOpenAI(AzureConfig)
        /// Anthropic's Messages interface.
        case anthropic(AnthropicConfig)
        /// Google's Gemini interface.
        case gemini(GeminiConfig)
        /// Amazon Bedrock's runtime.
        case bedrock(BedrockConfig)
        /// The deployments of one resource group of SAP AI Core.
        case sapAICore(SAPConfig)
        /// The model inside the worker.
        case demo

        package var name: UpstreamKind {
            switch self {
            case .openai: .openai
            case .azureOpenAI: .azureOpenAI
            case .anthropic: .anthropic
            case .gemini: .gemini
            case .bedrock: .bedrock
            case .sapAICore: .sapAICore
            case .demo: .demo
            }
        }

        /// How the upstream is reached; nil for the one inside the worker.
        package var http: HTTPUpstreamConfig? {
            switch self {
            case .openai(let config): config.http
            case .azureOpenAI(let config): config.http
            case .anthropic(let config): config.http
            case .gemini(let config): config.http
            case .bedrock(let config): config.http
            case .sapAICore(let config): config.http
            case .demo: nil
            }
        }
    }

    package let name: String
    package let kind: Kind

    package init(name: String, kind: Kind) {
        self.name = name
        self.kind = kind
    }
}

/// What `kind` may say, also the provider's name in status and metrics.
package enum UpstreamKind: String, CaseIterable, Sendable {
    case openai
    case azureOpenAI = "azure-openai"
    case anthropic
    case gemini
    case bedrock
    case sapAICore = "sap-ai-core"
    case demo

    /// The keys of an upstream of this kind.
    package var section: ConfigSection {
        switch self {
        case .openai: .openaiUpstream
        case .azureOpenAI: .azureUpstream
        case .anthropic: .anthropicUpstream
        case .gemini: .geminiUpstream
        case .bedrock: .bedrockUpstream
        case .sapAICore: .sapUpstream
        case .demo: .demoUpstream
        }
    }

    /// The wire formats that `api` of a target may ask for; empty when there is no choice.
    package var interfaces: [TargetAPI] {
        switch self {
        case .openai, .azureOpenAI: [.chat, .responses]
        case .anthropic: [.messages]
        case .gemini: [.gemini]
        case .bedrock: [.converse, .invoke]
        case .sapAICore: [.chat, .responses, .gemini, .converse, .invoke]
        case .demo: []
        }
    }
}

/// What all upstreams share that are reached over HTTP.
package struct HTTPUpstreamConfig: Equatable, Sendable {
    /// Connections of one worker to one upstream: five workers make 2,560, at 60 KB each with TLS.
    package static let connectionsMaxDefault = 512
    /// Nanoseconds an unused connection is kept: below the 60 s of common load balancers.
    package static let idleTimeoutDefault: UInt64 = 50_000_000_000

    package struct Header: Equatable, Sendable {
        package let name: String
        package let value: Secret
    }

    package var baseURL: BaseURL
    /// Sent with every request, in the order of the file.
    package var headers: [Header] = []
    /// `http://` or `https://` URL, may hold a password; nil connects directly.
    package var proxy: Secret?
    /// PEM files; nil takes what the system trusts and shows no certificate.
    package var caFile: String?
    package var clientCertificate: String?
    package var clientKey: String?
    package var connectionsMax = connectionsMaxDefault
    package var idleTimeoutNanoseconds = idleTimeoutDefault

    package init(baseURL: BaseURL) {
        self.baseURL = baseURL
    }
}
