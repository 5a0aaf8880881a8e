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
            let renamed = entry.upstreamModel.map { " as \($0)" } ?? ""
            line("model", "\(entry.pattern.text) -> \(upstreams[entry.upstream].name)\(renamed)")
        }
        for key in keys.keys {
            line("key", key.summary)
        }
        let waits = TimeoutKey.allCases.map { key in
            "\(key.rawValue) \(Quantity.text(duration: timeouts[keyPath: key.field]))"
        }
        line("timeouts", waits.joined(separator: ", "))
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

extension UpstreamConfig {
    fileprivate var summary: String {
        switch kind {
        case .demo: "demo"
        case .openai(let openai): openai.summary
        }
    }
}

extension OpenAIConfig {
    /// Keys, header values and the proxy are `Secret`, so they cannot show.
    fileprivate var summary: String {
        var parts = ["openai \(baseURL)"]
        if let apiKey { parts.append("api_key \(apiKey)") }
        parts += headers.map { "header \($0.name) \($0.value)" }
        if let proxy { parts.append("proxy \(proxy)") }
        if let caFile { parts.append("ca_file \(caFile)") }
        if let clientCertificate { parts.append("client_cert \(clientCertificate)") }
        if let clientKey { parts.append("client_key \(clientKey)") }
        parts.append("connections_max \(connectionsMax)")
        parts.append("idle_timeout \(Quantity.text(duration: idleTimeoutNanoseconds))")
        return parts.joined(separator: ", ")
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
