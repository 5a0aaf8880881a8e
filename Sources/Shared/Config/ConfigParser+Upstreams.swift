// SPDX-License-Identifier: Apache-2.0
import JSON

extension ConfigParser {
    /// An upstream as far as it could be read: its name counts although the rest is wrong, so that
    /// models that name it are not wrong too.
    struct ParsedUpstream {
        let name: String
        let config: UpstreamConfig?
    }

    private static let kinds = ["openai", "demo"]
    /// Kinds that the design has and this version does not.
    private static let laterKinds = [
        "anthropic", "gemini", "azure-openai", "bedrock", "sap-ai-core",
    ]
    /// Fields of a request that belong to the connection or the body and are made by us.
    private static let reservedHeaders: Set<String> = [
        "connection", "content-length", "content-type", "expect", "host", "keep-alive",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    ]

    mutating func parseUpstreams(_ node: JSONNode) -> [ParsedUpstream] {
        guard let entries = reader.entries(node) else { return [] }
        if entries.isEmpty {
            reader.fail(node, "name at least one upstream, for example { \"kind\": \"demo\" }")
        }
        if entries.count > ConfigLimits.upstreamsMax {
            reader.fail(node, "at most \(ConfigLimits.upstreamsMax) upstreams are allowed")
        }
        var upstreams: [ParsedUpstream] = []
        for entry in entries.prefix(ConfigLimits.upstreamsMax) {
            if !Self.isUpstreamName(entry.name) {
                reader.fail(
                    entry,
                    "an upstream's name has 1 to \(ConfigLimits.nameBytesMax) letters, digits, "
                        + "'.', '-' or '_' and starts with a letter or digit"
                )
            }
            let kind = parseKind(entry.value)
            let config = kind.map { UpstreamConfig(name: entry.name, kind: $0) }
            upstreams.append(ParsedUpstream(name: entry.name, config: config))
        }
        return upstreams
    }

    private static func isUpstreamName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard let first = bytes.first, bytes.count <= ConfigLimits.nameBytesMax else {
            return false
        }
        return isAlphanumeric(first)
            && bytes.allSatisfy { isAlphanumeric($0) || Array(".-_".utf8).contains($0) }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    private mutating func parseKind(_ node: JSONNode) -> UpstreamConfig.Kind? {
        guard reader.tape.kind(of: node) == .object,
            let kind = reader.tape.member("kind", of: node, in: reader.bytes.span)
        else {
            if reader.entries(node) != nil {
                reader.fail(node, "kind is missing; write \"openai\" or \"demo\"")
            }
            return nil
        }
        guard let name = reader.string(kind) else { return nil }
        switch name {
        case "demo":
            return reader.members(node, .demoUpstream).map { _ in .demo }
        case "openai":
            return parseOpenAI(node).map { .openai($0) }
        case _ where Self.laterKinds.contains(name):
            reader.fail(kind, "kind \"\(name)\" is not available in this version")
        default:
            let hint = Suggestion.text(for: name, among: Self.kinds + Self.laterKinds)
            reader.fail(
                kind,
                "unknown kind" + (hint.isEmpty ? "; write \"openai\" or \"demo\"" : hint)
            )
        }
        return nil
    }

    // MARK: Kind openai

    private mutating func parseOpenAI(_ node: JSONNode) -> OpenAIConfig? {
        guard let members = reader.members(node, .openaiUpstream) else { return nil }
        var baseURL: BaseURL?
        if let value = members["base_url"] {
            baseURL = parseURL(value)
        } else {
            reader.fail(node, "base_url is missing, for example \"https://api.openai.com/v1\"")
        }
        let apiKey = members["api_key"].flatMap { fieldValue($0) }
        let headers = members["headers"].map { parseHeaders($0, hasKey: apiKey != nil) } ?? []
        let proxy = members["proxy"].flatMap { parseProxy($0) }
        let caFile = members["ca_file"].flatMap { parseFile($0) }
        let certificate = members["client_cert"].flatMap { parseFile($0) }
        let key = members["client_key"].flatMap { parseFile($0) }
        if (members["client_cert"] == nil) != (members["client_key"] == nil) {
            reader.fail(node, "client_cert and client_key go together; one of them is missing")
        }
        let connections = members["connections_max"].flatMap {
            reader.integer($0, in: ConfigLimits.connections)
        }
        let idle = members["idle_timeout"].flatMap { reader.duration($0) }
        guard let baseURL else { return nil }
        var config = OpenAIConfig(baseURL: baseURL)
        config.apiKey = apiKey.map { Secret($0) }
        config.headers = headers
        config.proxy = proxy
        config.caFile = caFile
        config.clientCertificate = certificate
        config.clientKey = key
        config.connectionsMax = connections ?? config.connectionsMax
        config.idleTimeoutNanoseconds = idle ?? config.idleTimeoutNanoseconds
        return config
    }

    private mutating func parseURL(_ node: JSONNode) -> BaseURL? {
        guard let text = resolved(node) else { return nil }
        do throws(BaseURL.Failure) {
            return try BaseURL(text, isMasked: holdsReference(node))
        } catch {
            reader.fail(node, error.message)
            return nil
        }
    }

    private mutating func parseProxy(_ node: JSONNode) -> Secret? {
        guard let text = resolved(node) else { return nil }
        var plain = text
        // A password may stand before the last @ of a proxy URL.
        if let scheme = text.firstRange(of: "://"), let at = text.lastIndex(of: "@") {
            plain = text[..<scheme.upperBound] + String(text[text.index(after: at)...])
        }
        do throws(BaseURL.Failure) {
            let url = try BaseURL(plain)
            guard url.path.isEmpty else { throw BaseURL.Failure.path }
            return Secret(text)
        } catch {
            reader.fail(node, "write the proxy as http://HOST:PORT or https://HOST:PORT")
            return nil
        }
    }

    private mutating func parseFile(_ node: JSONNode) -> String? {
        guard let text = resolved(node) else { return nil }
        guard !text.isEmpty, !text.utf8.contains(0) else {
            reader.fail(node, "expected the path of a file")
            return nil
        }
        let path = surroundings.absolute(text)
        if let problem = surroundings.fileProblem(path) {
            reader.fail(node, "the file cannot be read: \(problem)")
            return nil
        }
        return path
    }

    private mutating func parseHeaders(_ node: JSONNode, hasKey: Bool) -> [OpenAIConfig.Header] {
        guard let entries = reader.entries(node) else { return [] }
        if entries.count > ConfigLimits.headersMax {
            reader.fail(node, "at most \(ConfigLimits.headersMax) headers are allowed")
        }
        var headers: [OpenAIConfig.Header] = []
        var seen: Set<String> = []
        for entry in entries.prefix(ConfigLimits.headersMax) {
            let folded = entry.name.lowercased()
            if !Self.isFieldName(entry.name) {
                reader.fail(entry, "this is no name of an HTTP field")
            } else if Self.reservedHeaders.contains(folded) {
                reader.fail(entry, "this field is made by apus and cannot be set")
            } else if folded == "authorization", hasKey {
                reader.fail(entry, "api_key sets this field already; remove one of them")
            } else if !seen.insert(folded).inserted {
                reader.fail(entry, "the field stands twice, in different case")
            }
            if let value = fieldValue(entry.value) {
                headers.append(OpenAIConfig.Header(name: entry.name, value: Secret(value)))
            }
        }
        return headers
    }

    /// Whether `name` is a token.
    ///
    /// Spec: RFC 9110 section 5.6.2.
    private static func isFieldName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= ConfigLimits.nameBytesMax
            && name.utf8.allSatisfy {
                isAlphanumeric($0) || Array("!#$%&'*+-.^_`|~".utf8).contains($0)
            }
    }

    /// A value that can stand in an HTTP field.
    ///
    /// Spec: RFC 9110 section 5.5, without bytes beyond ASCII, which servers read differently.
    private mutating func fieldValue(_ node: JSONNode) -> String? {
        guard let text = resolved(node) else { return nil }
        if text.isEmpty {
            reader.fail(node, "the value is empty")
            return nil
        }
        let isVisible = text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
        guard isVisible, text.first != " ", text.last != " " else {
            reader.fail(
                node,
                "the value must be printable ASCII without spaces at its ends"
            )
            return nil
        }
        return text
    }

    // MARK: References

    private func holdsReference(_ node: JSONNode) -> Bool {
        reader.tape.string(of: node, in: reader.bytes.span)?.contains("${") ?? false
    }

    /// A string with every `${...}` exchanged for what it stands for; `$${` writes `${`.
    mutating func resolved(_ node: JSONNode) -> String? {
        guard let text = reader.string(node) else { return nil }
        var result = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "${") {
            if rest[..<start.lowerBound].hasSuffix("$") {
                result += rest[..<start.lowerBound].dropLast() + "${"
                rest = rest[start.upperBound...]
                continue
            }
            result += rest[..<start.lowerBound]
            guard let end = rest[start.upperBound...].firstIndex(of: "}"),
                let reference = SecretReference(rest[start.upperBound..<end])
            else {
                reader.fail(
                    node,
                    "a reference is ${env:NAME}, ${file:PATH} or ${credential:NAME}; write $${ for a plain ${"
                )
                return nil
            }
            switch surroundings.resolve(reference) {
            case .success(let value): result += value
            case .failure(let failure):
                reader.fail(node, failure.message)
                return nil
            }
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }
}
