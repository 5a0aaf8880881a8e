// SPDX-License-Identifier: Apache-2.0
import Config

/// Turns the configuration's upstreams into the worker's.
enum UpstreamBuilder {
    /// The upstreams in the order of the configuration, and the settings of those on the lane.
    static func build(
        _ configured: [UpstreamConfig]
    ) -> (upstreams: [Upstream], lane: [UpstreamSettings]) {
        var upstreams: [Upstream] = []
        var lane: [UpstreamSettings] = []
        for (position, upstream) in configured.enumerated() {
            let kind: Upstream.Kind
            if let http = upstream.kind.http {
                let config = AuthorizedConfig(http: http, field: authorization(upstream.kind))
                let settings = settings(upstream.name, http)
                kind = .openai(
                    OpenAIUpstream(
                        heads: heads(config, settings),
                        lane: lane.count,
                        listing: listing(config, settings)
                    )
                )
                lane.append(settings)
            } else {
                kind = .demo
            }
            upstreams.append(Upstream(name: upstream.name, position: position, kind: kind))
        }
        return (upstreams, lane)
    }

    /// An upstream and the field that lets us in.
    private struct AuthorizedConfig {
        let http: HTTPUpstreamConfig
        let field: (name: String, value: String)?
    }

    /// Every kind is asked like `openai`; those with another interface only share its key's field.
    private static func authorization(
        _ kind: UpstreamConfig.Kind
    ) -> (name: String, value: String)? {
        switch kind {
        case .openai(let config):
            config.apiKey.map { ("authorization", "Bearer \($0.revealed)") }
        case .azureOpenAI(let config): config.apiKey.map { ("api-key", $0.revealed) }
        case .anthropic(let config): config.apiKey.map { ("x-api-key", $0.revealed) }
        case .gemini(let config): config.apiKey.map { ("x-goog-api-key", $0.revealed) }
        case .bedrock, .sapAICore, .demo: nil
        }
    }

    private static func fields(_ config: AuthorizedConfig) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        if let field = config.field { fields.append(field) }
        for header in config.http.headers {
            fields.append((name: header.name, value: header.value.revealed))
        }
        return fields
    }

    private static func heads(
        _ config: AuthorizedConfig,
        _ settings: UpstreamSettings
    ) -> UpstreamHeads {
        UpstreamHeads(
            pathPrefix: settings.pathPrefix,
            host: settings.hostField,
            fields: fields(config)
        )
    }

    private static func listing(
        _ config: AuthorizedConfig,
        _ settings: UpstreamSettings
    ) -> ControlRequest {
        var request = ControlRequest(
            url: settings.connectURL.dropLast() + settings.pathPrefix + "/models",
            like: settings
        )
        request.headers = fields(config).map { "\($0.name): \($0.value)" }
        request.timeout = UpstreamListings.timeout
        return request
    }

    private static func settings(_ name: String, _ config: HTTPUpstreamConfig) -> UpstreamSettings {
        let url = config.baseURL
        var settings = UpstreamSettings(
            name: name,
            scheme: url.scheme == .https ? .https : .http,
            host: url.host,
            port: url.port
        )
        settings.pathPrefix = url.path
        settings.proxy = config.proxy?.revealed
        if let file = config.caFile { settings.caFile = file }
        settings.clientCertificate = config.clientCertificate
        settings.clientKey = config.clientKey
        settings.connectionsMax = config.connectionsMax
        settings.idleTimeout = config.idleTimeoutNanoseconds
        return settings
    }
}
