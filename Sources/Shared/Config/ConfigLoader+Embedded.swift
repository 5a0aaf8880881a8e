// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

extension ConfigLoader {
    private static let openaiURLDefault = "https://api.openai.com/v1"
    private static let ollamaPortDefault = 11434

    /// A provider whose usual variables are set.
    private struct Provider {
        let name: StaticString
        let kind: UpstreamKind
        /// Model names that can only be meant for it.
        var pattern: StaticString?
        var members: [(name: StaticString, value: String)] = []
    }

    /// The demo model, and every provider whose usual variables are set.
    ///
    /// Names that no pattern of a provider covers go to OpenAI, else to Ollama; without these, to
    /// SAP AI Core or Bedrock if that is the only provider.
    var embeddedText: String {
        let providers = [ollama, openai, anthropic, gemini, bedrock, sap].compactMap(\.self)
        let buffer = ByteBuffer()
        var json = JSONWriter(buffer)
        json.beginObject()
        json.name("upstreams")
        json.beginObject()
        for provider in [Provider(name: "demo", kind: .demo)] + providers {
            json.name(provider.name)
            json.beginObject()
            json.member("kind", provider.kind.rawValue)
            for member in provider.members {
                json.member(member.name, member.value)
            }
            if provider.kind == .sapAICore { writeServiceKey(&json) }
            json.endObject()
        }
        json.endObject()
        json.name("models")
        json.beginObject()
        Self.writeModel("demo", upstream: "demo", &json)
        for provider in providers {
            guard let pattern = provider.pattern else { continue }
            Self.writeModel(pattern, upstream: provider.name, &json)
        }
        if let fallback = Self.fallback(providers) {
            Self.writeModel("*", upstream: fallback.name, &json)
        }
        json.endObject()
        json.endObject()
        return buffer.text
    }

    private static func fallback(_ providers: [Provider]) -> Provider? {
        // The last of them is OpenAI when there are two.
        if let provider = providers.last(where: { $0.kind == .openai }) { return provider }
        guard providers.count == 1, let only = providers.first else { return nil }
        return only.kind == .sapAICore || only.kind == .bedrock ? only : nil
    }

    private static func writeModel(
        _ name: StaticString,
        upstream: StaticString,
        _ json: inout JSONWriter
    ) {
        json.name(name)
        json.beginObject()
        json.name("targets")
        json.beginArray()
        json.beginObject()
        json.member("upstream", "\(upstream)")
        json.endObject()
        json.endArray()
        json.endObject()
    }

    // MARK: Providers

    private func isSet(_ variable: String) -> Bool {
        !(environment[variable] ?? "").isEmpty
    }

    private var ollama: Provider? {
        guard let host = environment["OLLAMA_HOST"], !host.isEmpty else { return nil }
        var provider = Provider(name: "ollama", kind: .openai)
        provider.members = [("base_url", Self.ollamaURL(host))]
        return provider
    }

    private var openai: Provider? {
        guard isSet("OPENAI_API_KEY") else { return nil }
        let url = isSet("OPENAI_BASE_URL") ? "${env:OPENAI_BASE_URL}" : Self.openaiURLDefault
        var provider = Provider(name: "openai", kind: .openai)
        provider.members = [("base_url", url), ("api_key", "${env:OPENAI_API_KEY}")]
        return provider
    }

    private var anthropic: Provider? {
        guard isSet("ANTHROPIC_API_KEY") else { return nil }
        var provider = Provider(name: "anthropic", kind: .anthropic, pattern: "claude-*")
        provider.members = [("api_key", "${env:ANTHROPIC_API_KEY}")]
        if isSet("ANTHROPIC_BASE_URL") {
            provider.members.append(("base_url", "${env:ANTHROPIC_BASE_URL}"))
        }
        return provider
    }

    private var gemini: Provider? {
        guard isSet("GEMINI_API_KEY") else { return nil }
        var provider = Provider(name: "gemini", kind: .gemini, pattern: "gemini-*")
        provider.members = [("api_key", "${env:GEMINI_API_KEY}")]
        return provider
    }

    private var bedrock: Provider? {
        let region = ["AWS_REGION", "AWS_DEFAULT_REGION"].first { isSet($0) }
        guard isSet("AWS_ACCESS_KEY_ID"), isSet("AWS_SECRET_ACCESS_KEY"), let region else {
            return nil
        }
        var provider = Provider(name: "bedrock", kind: .bedrock)
        provider.members = [
            ("region", "${env:\(region)}"), ("access_key_id", "${env:AWS_ACCESS_KEY_ID}"),
            ("secret_access_key", "${env:AWS_SECRET_ACCESS_KEY}"),
        ]
        if isSet("AWS_SESSION_TOKEN") {
            provider.members.append(("session_token", "${env:AWS_SESSION_TOKEN}"))
        }
        return provider
    }

    private var sap: Provider? {
        let parts = [
            "AICORE_AUTH_URL", "AICORE_CLIENT_ID", "AICORE_CLIENT_SECRET", "AICORE_BASE_URL",
        ]
        guard isSet("AICORE_SERVICE_KEY") || parts.allSatisfy({ isSet($0) }) else { return nil }
        var provider = Provider(name: "sap", kind: .sapAICore)
        if isSet("AICORE_RESOURCE_GROUP") {
            provider.members = [("resource_group", "${env:AICORE_RESOURCE_GROUP}")]
        }
        return provider
    }

    /// The whole key of one variable, or a key made of those that hold its parts.
    private func writeServiceKey(_ json: inout JSONWriter) {
        guard !isSet("AICORE_SERVICE_KEY") else {
            json.member("service_key", "${env:AICORE_SERVICE_KEY}")
            return
        }
        json.name("service_key")
        json.beginObject()
        json.member("url", "${env:AICORE_AUTH_URL}")
        json.member("clientid", "${env:AICORE_CLIENT_ID}")
        json.member("clientsecret", "${env:AICORE_CLIENT_SECRET}")
        json.name("serviceurls")
        json.beginObject()
        json.member("AI_API_URL", "${env:AICORE_BASE_URL}")
        json.endObject()
        json.endObject()
    }

    // MARK: Ollama

    /// The base URL of Ollama from its own variable: a host, `HOST:PORT` or a URL.
    ///
    /// The variable also tells Ollama where to listen, so the address of all interfaces stands for
    /// this machine.
    static func ollamaURL(_ text: String) -> String {
        var rest = text[...]
        var scheme = "http"
        var portDefault = ollamaPortDefault
        if rest.hasPrefix("https://") {
            (scheme, portDefault, rest) = ("https", 443, rest.dropFirst(8))
        } else if rest.hasPrefix("http://") {
            (portDefault, rest) = (80, rest.dropFirst(7))
        }
        while rest.hasSuffix("/") {
            rest = rest.dropLast()
        }
        let closing = rest.lastIndex(of: "]")
        let colon = rest.lastIndex(of: ":").flatMap { colon in
            closing.map { $0 < colon } ?? true ? colon : nil
        }
        var host = colon.map { rest[..<$0] } ?? rest
        let port = colon.map { String(rest[rest.index(after: $0)...]) } ?? String(portDefault)
        if host == "0.0.0.0" || host == "[::]" || host.isEmpty { host = "127.0.0.1" }
        return "\(scheme)://\(host):\(port)/v1"
    }
}
