// SPDX-License-Identifier: Apache-2.0

/// How an upstream takes what clients send to `/v1/responses`.
package enum ResponsesSupport: String, CaseIterable, Sendable {
    /// It has the interface itself.
    case native
    /// It has none: requests are converted to chat completions.
    case chat
}

/// An upstream of kind `openai`.
package struct OpenAIConfig: Equatable, Sendable {
    /// The one host that is known to have the Responses interface.
    static let nativeHost = "api.openai.com"

    /// Its base URL ends in the version, `/v1`.
    package var http: HTTPUpstreamConfig
    /// Sent as `Authorization: Bearer`.
    package var apiKey: Secret?
    package var responses: ResponsesSupport

    package init(http: HTTPUpstreamConfig) {
        self.http = http
        responses = http.baseURL.host == Self.nativeHost ? .native : .chat
    }
}

/// An upstream of kind `azure-openai`.
package struct AzureConfig: Equatable, Sendable {
    package static let apiVersionDefault = "2025-04-01-preview"

    /// Its base URL is the origin of the resource.
    package var http: HTTPUpstreamConfig
    /// Sent as `api-key`.
    package var apiKey: Secret?
    /// The query parameter `api-version`.
    package var apiVersion = apiVersionDefault
    package var responses = ResponsesSupport.native

    package init(http: HTTPUpstreamConfig) {
        self.http = http
    }
}

/// An upstream of kind `anthropic`.
package struct AnthropicConfig: Equatable, Sendable {
    package static let baseURLDefault = "https://api.anthropic.com"
    package static let versionDefault = "2023-06-01"

    /// Its base URL is an origin: `/v1/messages` is put behind it.
    package var http: HTTPUpstreamConfig
    /// Sent as `x-api-key`.
    package var apiKey: Secret?
    /// Sent as `anthropic-version`.
    package var version = versionDefault

    package init(http: HTTPUpstreamConfig) {
        self.http = http
    }
}

/// An upstream of kind `gemini`.
package struct GeminiConfig: Equatable, Sendable {
    package static let baseURLDefault = "https://generativelanguage.googleapis.com"
    package static let apiVersionDefault = "v1beta"

    /// Its base URL is an origin: the version and `/models/...` are put behind it.
    package var http: HTTPUpstreamConfig
    /// Sent as `x-goog-api-key`.
    package var apiKey: Secret?
    /// The first part of the path.
    package var apiVersion = apiVersionDefault

    package init(http: HTTPUpstreamConfig) {
        self.http = http
    }
}

/// An upstream of kind `bedrock`: requests are signed, so the keys are not optional.
package struct BedrockConfig: Equatable, Sendable {
    package var http: HTTPUpstreamConfig
    /// Also part of every signature.
    package var region: String
    package var accessKeyID: Secret
    package var secretAccessKey: Secret
    /// Of temporary credentials, sent as `x-amz-security-token`.
    package var sessionToken: Secret?

    package init(
        http: HTTPUpstreamConfig,
        region: String,
        accessKeyID: Secret,
        secretAccessKey: Secret,
        sessionToken: Secret? = nil
    ) {
        self.http = http
        self.region = region
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
    }

    /// Where a region's runtime answers.
    package static func baseURLDefault(region: String) -> String {
        "https://bedrock-runtime.\(region).amazonaws.com"
    }
}
