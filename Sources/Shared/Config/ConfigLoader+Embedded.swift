// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

extension ConfigLoader {
    private static let openaiURLDefault = "https://api.openai.com/v1"
    private static let ollamaPortDefault = 11434

    /// The demo model, and every provider whose usual variables are set.
    ///
    /// The last of these providers answers for every model that no other entry names.
    var embeddedText: String {
        let buffer = ByteBuffer()
        var json = JSONWriter(buffer)
        var fallback: String?
        json.beginObject()
        json.name("upstreams")
        json.beginObject()
        json.name("demo")
        json.beginObject()
        json.member("kind", "demo")
        json.endObject()
        if let host = environment["OLLAMA_HOST"], !host.isEmpty {
            fallback = "ollama"
            json.name("ollama")
            json.beginObject()
            json.member("kind", "openai")
            json.member("base_url", Self.ollamaURL(host))
            json.endObject()
        }
        if let key = environment["OPENAI_API_KEY"], !key.isEmpty {
            fallback = "openai"
            let hasURL = !(environment["OPENAI_BASE_URL"] ?? "").isEmpty
            json.name("openai")
            json.beginObject()
            json.member("kind", "openai")
            json.member("base_url", hasURL ? "${env:OPENAI_BASE_URL}" : Self.openaiURLDefault)
            json.member("api_key", "${env:OPENAI_API_KEY}")
            json.endObject()
        }
        json.endObject()
        json.name("models")
        json.beginObject()
        Self.writeModel("demo", upstream: "demo", &json)
        if let fallback {
            Self.writeModel("*", upstream: fallback, &json)
        }
        json.endObject()
        json.endObject()
        return buffer.text
    }

    private static func writeModel(
        _ name: StaticString,
        upstream: String,
        _ json: inout JSONWriter
    ) {
        json.name(name)
        json.beginObject()
        json.name("targets")
        json.beginArray()
        json.beginObject()
        json.member("upstream", upstream)
        json.endObject()
        json.endArray()
        json.endObject()
    }

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
