// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Writes an imported configuration as a person would, with the reasons in comments.
struct ImportWriter {
    private struct Model {
        let name: String
        var upstreams: [String]
    }

    let config: ProxyConfig
    private let models: [Model]

    init(config: ProxyConfig) {
        self.config = config
        var models: [Model] = []
        var places: [String: Int] = [:]
        for account in config.subaccounts {
            for pinned in account.models {
                if let place = places[pinned.model] {
                    models[place].upstreams.append(account.upstream)
                } else {
                    places[pinned.model] = models.count
                    models.append(Model(name: pinned.model, upstreams: [account.upstream]))
                }
            }
        }
        self.models = models
    }

    /// Models of more subaccounts than a model may have targets; `*` is among them when there are
    /// that many subaccounts.
    var crowdedModels: [String] {
        let count = ConfigLimits.targetsMax
        let names = models.filter { $0.upstreams.count > count }.map(\.name)
        return names + (config.subaccounts.count > count ? ["*"] : [])
    }

    func text(from file: String) -> String {
        var lines = [
            "// Made by apus import sap-proxy from \(Self.quoted(file)).",
            "{",
            "  \"listen\": [\(Self.quoted(config.listen))],",
        ]
        lines += statusLines
        if !config.hasLoopbackListen, config.tokens.isEmpty {
            lines.append("  // The proxy had no tokens: everybody who reaches the address may ask.")
            lines.append("  \"auth\": \"off\",")
        }
        lines.append("  \"upstreams\": {")
        for account in config.subaccounts {
            lines += upstreamLines(account)
        }
        lines.append("  },")
        lines += modelLines
        lines += keyLines
        lines.append("}")
        return lines.joined(separator: "\n") + "\n"
    }

    /// The status address of its own when clients have its usual port.
    private var statusLines: [String] {
        guard config.listen.hasSuffix(":3002") else { return [] }
        return ["  \"status\": { \"listen\": \"127.0.0.1:3003\" },"]
    }

    // MARK: Upstreams

    private func upstreamLines(_ account: ProxyConfig.Subaccount) -> [String] {
        let reference = "${file:" + account.serviceKeyPath + "}"
        var lines = [
            "    \(Self.quoted(account.upstream)): {",
            "      \"kind\": \"sap-ai-core\",",
            "      \"service_key\": \(Self.quoted(reference)),",
            "      \"resource_group\": \(Self.value(account.resourceGroup)),",
            "      // \"tenant_header\": true,   // the proxy sent AI-Tenant-Id; few need it",
        ]
        lines += filterLines("include", config.include)
        lines += filterLines("exclude", config.exclude)
        if !account.filtered.isEmpty {
            let names = account.filtered.map { Self.quoted($0) }.joined(separator: ", ")
            lines.append("      // Left out by the filters: \(names).")
        }
        if !account.models.isEmpty {
            lines.append("      \"deployments\": {")
            for model in account.models {
                let ids = model.deployments.map { Self.quoted($0) }.joined(separator: ", ")
                lines.append("        \(Self.quoted(model.model)): [\(ids)],")
            }
            lines.append("      },")
        }
        lines.append("    },")
        return lines
    }

    private func filterLines(_ key: String, _ filters: [NameFilter]) -> [String] {
        guard !filters.isEmpty else { return [] }
        var patterns: [String] = []
        for pattern in filters.flatMap(\.patterns) where !patterns.contains(pattern.text) {
            patterns.append(pattern.text)
        }
        let texts = filters.map { Self.quoted($0.text) }.joined(separator: ", ")
        let list = patterns.map { Self.quoted($0) }.joined(separator: ", ")
        return [
            "      // \(key)_filters \(texts); they also hold for what discovery finds.",
            "      \"\(key)\": [\(list)],",
        ]
    }

    // MARK: Models and keys

    private var modelLines: [String] {
        var lines = ["  \"models\": {"]
        for model in models {
            lines.append("    \(Self.quoted(model.name)): \(Self.targets(model.upstreams)),")
        }
        let upstreams = config.subaccounts.map(\.upstream)
        lines.append("    // Whatever else the subaccounts have, found by discovery.")
        lines.append("    \"*\": \(Self.targets(upstreams)),")
        lines.append("  },")
        return lines
    }

    private static func targets(_ upstreams: [String]) -> String {
        let targets = upstreams.prefix(ConfigLimits.targetsMax).map {
            "{ \"upstream\": \(quoted($0)) }"
        }
        return "{ \"targets\": [\(targets.joined(separator: ", "))] }"
    }

    private var keyLines: [String] {
        guard !config.tokens.isEmpty else { return [] }
        var lines = ["  // The tokens of the proxy, in its order; only their hashes are kept."]
        lines.append("  \"keys\": [")
        for (index, digest) in config.tokens.enumerated() {
            let hash = "sha256:\(digest.hexadecimal)"
            lines.append("    { \"name\": \"token-\(index + 1)\", \"hash\": \"\(hash)\" },")
        }
        lines.append("  ],")
        return lines
    }

    // MARK: Texts

    /// `text` as a JSON string.
    private static func quoted(_ text: String) -> String {
        let buffer = ByteBuffer(capacity: text.utf8.count + 2)
        JSONWriter.appendQuoted(text, to: buffer)
        return buffer.text
    }

    /// `text` as a value in which references are looked for.
    private static func value(_ text: String) -> String {
        var escaped = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "${") {
            escaped += rest[..<start.lowerBound] + "$${"
            rest = rest[start.upperBound...]
        }
        return quoted(escaped + rest)
    }
}
