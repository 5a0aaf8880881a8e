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
            switch upstream.kind {
            case .demo:
                kind = .demo
            case .openai(let config):
                let settings = settings(upstream.name, config)
                kind = .openai(
                    OpenAIUpstream(
                        heads: heads(config, settings),
                        lane: lane.count,
                        listing: listing(config, settings)
                    )
                )
                lane.append(settings)
            }
            upstreams.append(Upstream(name: upstream.name, position: position, kind: kind))
        }
        return (upstreams, lane)
    }

    private static func fields(_ config: OpenAIConfig) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        if let key = config.apiKey {
            fields.append((name: "authorization", value: "Bearer \(key.revealed)"))
        }
        for header in config.headers {
            fields.append((name: header.name, value: header.value.revealed))
        }
        return fields
    }

    private static func heads(
        _ config: OpenAIConfig,
        _ settings: UpstreamSettings
    ) -> UpstreamHeads {
        UpstreamHeads(
            pathPrefix: settings.pathPrefix,
            host: settings.hostField,
            fields: fields(config)
        )
    }

    private static func listing(
        _ config: OpenAIConfig,
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

    private static func settings(_ name: String, _ config: OpenAIConfig) -> UpstreamSettings {
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
