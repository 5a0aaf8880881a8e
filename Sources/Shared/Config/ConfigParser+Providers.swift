// SPDX-License-Identifier: Apache-2.0
import JSON

extension ConfigParser {
    private static let openaiURLExample = "https://api.openai.com/v1"
    private static let azureURLExample = "https://NAME.openai.azure.com"

    mutating func parseOpenAI(_ node: JSONNode, _ members: [String: JSONNode]) -> OpenAIConfig? {
        let apiKey = members["api_key"].flatMap { fieldValue($0) }
        let http = parseHTTP(
            node,
            members,
            .required(example: Self.openaiURLExample),
            fields: apiKey == nil ? [:] : ["authorization": "api_key"]
        )
        let responses = members["responses"].flatMap {
            reader.choice($0, of: ResponsesSupport.self)
        }
        guard let http else { return nil }
        var config = OpenAIConfig(http: http)
        config.apiKey = apiKey.map { Secret($0) }
        config.responses = responses ?? config.responses
        return config
    }

    mutating func parseAzure(_ node: JSONNode, _ members: [String: JSONNode]) -> AzureConfig? {
        let apiKey = members["api_key"].flatMap { fieldValue($0) }
        let http = parseHTTP(
            node,
            members,
            .required(example: Self.azureURLExample),
            fields: apiKey == nil ? [:] : ["api-key": "api_key"],
            suffixes: ["/openai", "/openai/v1"]
        )
        let version = members["api_version"].flatMap { parseVersion($0) }
        let responses = members["responses"].flatMap {
            reader.choice($0, of: ResponsesSupport.self)
        }
        guard let http else { return nil }
        var config = AzureConfig(http: http)
        config.apiKey = apiKey.map { Secret($0) }
        config.apiVersion = version ?? config.apiVersion
        config.responses = responses ?? config.responses
        return config
    }

    mutating func parseAnthropic(
        _ node: JSONNode,
        _ members: [String: JSONNode]
    ) -> AnthropicConfig? {
        let apiKey = members["api_key"].flatMap { fieldValue($0) }
        var fields: [String: String?] = ["anthropic-version": "version"]
        if apiKey != nil { fields["x-api-key"] = "api_key" }
        let http = parseHTTP(
            node,
            members,
            .optional(AnthropicConfig.baseURLDefault),
            fields: fields,
            suffixes: ["/v1", "/v1/messages"]
        )
        let version = members["version"].flatMap { parseVersion($0) }
        guard let http else { return nil }
        var config = AnthropicConfig(http: http)
        config.apiKey = apiKey.map { Secret($0) }
        config.version = version ?? config.version
        return config
    }

    mutating func parseGemini(_ node: JSONNode, _ members: [String: JSONNode]) -> GeminiConfig? {
        let apiKey = members["api_key"].flatMap { fieldValue($0) }
        let http = parseHTTP(
            node,
            members,
            .optional(GeminiConfig.baseURLDefault),
            fields: apiKey == nil ? [:] : ["x-goog-api-key": "api_key"],
            suffixes: ["/v1", "/v1beta"]
        )
        let version = members["api_version"].flatMap { parseVersion($0) }
        guard let http else { return nil }
        var config = GeminiConfig(http: http)
        config.apiKey = apiKey.map { Secret($0) }
        config.apiVersion = version ?? config.apiVersion
        return config
    }

    mutating func parseBedrock(_ node: JSONNode, _ members: [String: JSONNode]) -> BedrockConfig? {
        let region = required("region", members, node, "for example \"eu-central-1\"")
            .flatMap { parseRegion($0) }
        let keyID = required("access_key_id", members, node).flatMap { fieldValue($0) }
        let secret = required("secret_access_key", members, node).flatMap { fieldValue($0) }
        let token = members["session_token"].flatMap { fieldValue($0) }
        let http = parseHTTP(
            node,
            members,
            .optional(region.map { BedrockConfig.baseURLDefault(region: $0) }),
            fields: [
                "authorization": nil, "x-amz-date": nil, "x-amz-content-sha256": nil,
                "x-amz-security-token": "session_token",
            ]
        )
        guard let http, let region, let keyID, let secret else { return nil }
        return BedrockConfig(
            http: http,
            region: region,
            accessKeyID: Secret(keyID),
            secretAccessKey: Secret(secret),
            sessionToken: token.map { Secret($0) }
        )
    }

    /// A region's name, which becomes a part of a host and of a signature.
    private mutating func parseRegion(_ node: JSONNode) -> String? {
        guard let text = resolved(node) else { return nil }
        let isRegion = text.utf8.allSatisfy {
            Self.isAlphanumeric($0) && !(65...90).contains($0) || $0 == UInt8(ascii: "-")
        }
        guard isRegion, !text.isEmpty, text.utf8.count <= ConfigLimits.nameBytesMax else {
            reader.fail(node, "expected the name of a region, like \"eu-central-1\"")
            return nil
        }
        return text
    }

    /// The version of an interface: it stands in a path, a query or a field.
    mutating func parseVersion(_ node: JSONNode) -> String? {
        guard let text = resolved(node) else { return nil }
        let isVersion = text.utf8.allSatisfy {
            Self.isAlphanumeric($0) || Array(".-_".utf8).contains($0)
        }
        guard isVersion, !text.isEmpty, text.utf8.count <= ConfigLimits.nameBytesMax else {
            reader.fail(node, "expected a version of letters, digits, '.', '-' and '_'")
            return nil
        }
        return text
    }
}
