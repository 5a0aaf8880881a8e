// SPDX-License-Identifier: Apache-2.0
import System

extension Config {
    /// The effective values for people, one topic per line, secrets masked.
    package var summary: String {
        var lines: [String] = []
        func line(_ topic: String, _ text: String) {
            let padding = String(repeating: " ", count: max(1, 12 - topic.count))
            lines.append(topic + padding + text)
        }
        line("listen", listen.map(\.description).joined(separator: ", "))
        line("status", statusListen.description)
        switch workers {
        case .auto: line("workers", "auto (2 x cores + 1)")
        case .count(let count): line("workers", "\(count)")
        }
        line("auth", authText)
        for upstream in upstreams {
            line("upstream", "\(upstream.name): \(upstream.summary)")
        }
        for entry in models.entries {
            line("model", "\(entry.pattern.text) -> \(entry.summary(upstreams))")
        }
        if let defaultModel { line("default", defaultModel) }
        for key in keys.keys {
            line("key", key.summary)
        }
        let waits = TimeoutKey.allCases.map { key in
            "\(key.rawValue) \(Quantity.text(duration: timeouts[keyPath: key.field]))"
        }
        line("timeouts", waits.joined(separator: ", "))
        line("retries", retries.summary)
        line("fleet", fleet.summary)
        let keepalive = keepaliveNanoseconds.map { Quantity.text(duration: $0) } ?? "off"
        line("streams", "keepalive \(keepalive)")
        line("guards", "max_body \(Quantity.text(size: bodyBytesMax))")
        line("logs", "access \(logsAccess ? "on" : "off")")
        line("cors", corsOrigins?.joined(separator: ", ") ?? "off")
        return lines.joined(separator: "\n") + "\n"
    }

    private var authText: String {
        if requiresKey { return "keys (\(keys.keys.count))" }
        return authIsOff ? "off" : "open (no keys, this machine only)"
    }
}

extension FleetConfig {
    fileprivate var summary: String {
        var parts = [
            "lame_duck \(lameDuck == 0 ? "off" : Quantity.text(duration: lameDuck))",
            "drain_stalled \(Quantity.text(duration: drainStalled))",
            "hang \(Quantity.text(duration: hang))",
            "connections_per_worker \(connectionsPerWorker)",
            "queue \(queue) for \(Quantity.text(duration: queueAge))",
        ]
        if let recycleRequests { parts.append("recycle_requests \(recycleRequests)") }
        if let recycleAge { parts.append("recycle_age \(Quantity.text(duration: recycleAge))") }
        if let recycleMemory {
            parts.append("recycle_memory \(Quantity.text(size: recycleMemory))")
        }
        return parts.joined(separator: ", ")
    }
}

extension RetryConfig {
    fileprivate var summary: String {
        let first = Quantity.text(duration: backoffFirst)
        let backoff =
            backoffFirst == backoffMax ? first : "\(first)..\(Quantity.text(duration: backoffMax))"
        return "tries_per_target \(triesPerTarget), max_targets \(maxTargets), "
            + "backoff \(backoff), retry_after_max \(Quantity.text(duration: retryAfterMax))"
    }
}

extension UpstreamConfig {
    /// Keys, header values and the proxy are `Secret`, so they cannot show.
    fileprivate var summary: String {
        guard let http = kind.http else { return kind.name.rawValue }
        let parts = ["\(kind.name.rawValue) \(http.baseURL)"] + kind.summary + http.summary
        return parts.joined(separator: ", ")
    }
}

extension UpstreamConfig.Kind {
    /// What this kind has besides the way to it.
    fileprivate var summary: [String] {
        switch self {
        case .openai(let config):
            Self.text(config.apiKey) + ["responses \(config.responses.rawValue)"]
        case .azureOpenAI(let config):
            Self.text(config.apiKey) + [
                "api_version \(config.apiVersion)", "responses \(config.responses.rawValue)",
            ]
        case .anthropic(let config):
            Self.text(config.apiKey) + ["version \(config.version)"]
        case .gemini(let config):
            Self.text(config.apiKey) + ["api_version \(config.apiVersion)"]
        case .bedrock(let config):
            ["region \(config.region)", "access_key_id ***", "secret_access_key ***"]
                + (config.sessionToken.map { ["session_token \($0)"] } ?? [])
        case .sapAICore(let config): config.summary
        case .demo: []
        }
    }

    private static func text(_ apiKey: Secret?) -> [String] {
        apiKey.map { ["api_key \($0)"] } ?? []
    }
}

extension SAPConfig {
    fileprivate var summary: [String] {
        var parts = [
            "service_key ***", "token_request \(tokenRequest.rawValue)",
            "resource_group \(resourceGroup)", "api_version \(apiVersion)",
            "responses_api_version \(responsesAPIVersion)", "client_type \(clientType)",
        ]
        if sendsTenant { parts.append("tenant_header") }
        if discovers {
            parts.append("discover every \(Quantity.text(duration: discoveryInterval))")
        } else {
            parts.append("discover off")
        }
        if let include { parts.append("include " + include.map(\.text).joined(separator: " ")) }
        if !exclude.isEmpty {
            parts.append("exclude " + exclude.map(\.text).joined(separator: " "))
        }
        if usesOrchestration { parts.append("orchestration on") }
        for pinned in deployments {
            parts.append("\(pinned.model) = " + pinned.deployments.joined(separator: " "))
        }
        return parts
    }
}

extension HTTPUpstreamConfig {
    fileprivate var summary: [String] {
        var parts = headers.map { "header \($0.name) \($0.value)" }
        if let proxy { parts.append("proxy \(proxy)") }
        if let caFile { parts.append("ca_file \(caFile)") }
        if let clientCertificate { parts.append("client_cert \(clientCertificate)") }
        if let clientKey { parts.append("client_key \(clientKey)") }
        parts.append("connections_max \(connectionsMax)")
        parts.append("idle_timeout \(Quantity.text(duration: idleTimeoutNanoseconds))")
        return parts
    }
}

extension ModelEntry {
    fileprivate func summary(_ upstreams: [UpstreamConfig]) -> String {
        let targets = targets.map { target in
            var text = upstreams[target.upstream].name
            if let model = target.model { text += " as \(model)" }
            if target.weight != 1 { text += " x\(target.weight)" }
            if let api = target.api { text += " by \(api.rawValue)" }
            return text
        }
        var text = targets.joined(separator: " | ")
        if targets.count > 1 { text += " (\(balance.rawValue))" }
        if !fallbacks.isEmpty { text += ", fallbacks " + fallbacks.joined(separator: " ") }
        if isStrict { text += ", strict" }
        if let maxTokens { text += ", max_tokens \(maxTokens)" }
        return text
    }
}

extension ClientKey {
    fileprivate var summary: String {
        var parts = [name]
        if let user { parts.append("user \(user)") }
        if let org { parts.append("org \(org)") }
        parts.append("models " + (models?.map(\.text).joined(separator: " ") ?? "all"))
        return parts.joined(separator: ", ")
    }
}
