// SPDX-License-Identifier: Apache-2.0
import Config
import Dialects
import Log
import Loop

/// Turns the configuration's upstreams into the worker's.
struct UpstreamBuilder {
    private(set) var upstreams: [Upstream] = []
    /// Settings of those on the lane, by their index there.
    private(set) var lane: [UpstreamSettings] = []
    private let control: ControlCalls
    private let loop: EventLoop
    private let log: LogSink

    /// The upstreams in the order of the configuration.
    init(_ configured: [UpstreamConfig], control: ControlCalls, loop: EventLoop, log: LogSink) {
        self.control = control
        self.loop = loop
        self.log = log
        for (position, upstream) in configured.enumerated() {
            let settings = upstream.kind.http.map { Self.settings(upstream.name, $0) }
            let server = settings.map { settings in
                UpstreamServer(
                    lane: lane.count,
                    settings: settings,
                    fields: Self.fields(upstream.kind)
                )
            }
            if let settings { lane.append(settings) }
            upstreams.append(
                Upstream(
                    name: upstream.name,
                    position: position,
                    service: service(upstream, settings),
                    server: server
                )
            )
        }
    }

    private func service(
        _ upstream: UpstreamConfig,
        _ settings: UpstreamSettings?
    ) -> UpstreamService {
        switch upstream.kind {
        case .openai(let config):
            let isOpenAI = config.http.baseURL.host == "api.openai.com"
            return .openAI(
                isOpenAI ? .openAI : .compatible,
                isNative: config.responses == .native
            )
        case .azureOpenAI(let config):
            return .azure(apiVersion: config.apiVersion, isNative: config.responses == .native)
        case .anthropic(let config):
            return .anthropic(version: config.version)
        case .gemini(let config):
            return .gemini(apiVersion: config.apiVersion)
        case .bedrock(let config):
            return .bedrock(BedrockAccess(config, host: settings?.hostField ?? ""))
        case .sapAICore(let config):
            guard let settings else { return .demo }
            return .sap(
                SAPAccount(
                    name: upstream.name,
                    config,
                    settings: settings,
                    control: control,
                    loop: loop,
                    log: log
                )
            )
        case .demo:
            return .demo
        }
    }

    /// The fields that every request has: the key, and what the configuration adds.
    static func fields(_ kind: UpstreamConfig.Kind) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        switch kind {
        case .openai(let config):
            if let key = config.apiKey {
                fields.append(("authorization", "Bearer \(key.revealed)"))
            }
        case .azureOpenAI(let config):
            if let key = config.apiKey { fields.append(("api-key", key.revealed)) }
        case .anthropic(let config):
            if let key = config.apiKey { fields.append(("x-api-key", key.revealed)) }
        case .gemini(let config):
            if let key = config.apiKey { fields.append(("x-goog-api-key", key.revealed)) }
        case .sapAICore(let config):
            fields.append(("ai-resource-group", config.resourceGroup))
            fields.append(("ai-client-type", config.clientType))
            if config.sendsTenant, let zone = config.serviceKey.identityZoneID {
                fields.append(("ai-tenant-id", zone))
            }
        case .bedrock, .demo:
            break
        }
        for header in kind.http?.headers ?? [] {
            fields.append((name: header.name, value: header.value.revealed))
        }
        return fields
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
