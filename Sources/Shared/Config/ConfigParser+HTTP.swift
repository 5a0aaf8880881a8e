// SPDX-License-Identifier: Apache-2.0
import JSON

extension ConfigParser {
    /// Fields of a request that belong to the connection or the body and are made by us.
    private static let reservedHeaders: Set<String> = [
        "connection", "content-length", "content-type", "expect", "host", "keep-alive",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    ]

    /// Where an upstream's base URL comes from.
    enum BaseURLSource {
        /// The file has to say it; an example of what it could be.
        case required(example: String)
        /// The URL that is taken without a word; nil when an error about it was noted.
        case optional(String?)
    }

    /// What all HTTP upstreams share.
    ///
    /// `fields` are the HTTP fields, in lower case, that other keys of this upstream set: they
    /// cannot stand in `headers` as well. The key is nil for those that apus itself makes.
    /// `suffixes` are the ends of a base URL that a user might take for a part of it, and that are
    /// put there by apus.
    mutating func parseHTTP(
        _ node: JSONNode,
        _ members: [String: JSONNode],
        _ source: BaseURLSource,
        fields: [String: String?] = [:],
        suffixes: [String] = []
    ) -> HTTPUpstreamConfig? {
        let baseURL = parseBaseURL(node, members["base_url"], source, suffixes)
        let headers = members["headers"].map { parseHeaders($0, fields) } ?? []
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
        var config = HTTPUpstreamConfig(baseURL: baseURL)
        config.headers = headers
        config.proxy = proxy
        config.caFile = caFile
        config.clientCertificate = certificate
        config.clientKey = key
        config.connectionsMax = connections ?? config.connectionsMax
        config.idleTimeoutNanoseconds = idle ?? config.idleTimeoutNanoseconds
        return config
    }

    private mutating func parseBaseURL(
        _ node: JSONNode,
        _ value: JSONNode?,
        _ source: BaseURLSource,
        _ suffixes: [String]
    ) -> BaseURL? {
        if let value {
            guard let url = parseURL(value) else { return nil }
            if let suffix = suffixes.first(where: { url.path.hasSuffix($0) }) {
                reader.fail(value, "leave \(suffix) out: apus puts it behind the URL")
                return nil
            }
            return url
        }
        switch source {
        case .required(let example):
            reader.fail(node, "base_url is missing, for example \"\(example)\"")
            return nil
        case .optional(let text):
            return text.flatMap { url(node, $0, isMasked: false) }
        }
    }

    private mutating func url(_ node: JSONNode, _ text: String, isMasked: Bool) -> BaseURL? {
        do throws(BaseURL.Failure) {
            return try BaseURL(text, isMasked: isMasked)
        } catch {
            reader.fail(node, error.message)
            return nil
        }
    }

    private mutating func parseURL(_ node: JSONNode) -> BaseURL? {
        guard let text = resolved(node) else { return nil }
        return url(node, text, isMasked: holdsReference(node))
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

    private mutating func parseHeaders(
        _ node: JSONNode,
        _ fields: [String: String?]
    ) -> [HTTPUpstreamConfig.Header] {
        guard let entries = reader.entries(node) else { return [] }
        if entries.count > ConfigLimits.headersMax {
            reader.fail(node, "at most \(ConfigLimits.headersMax) headers are allowed")
        }
        var headers: [HTTPUpstreamConfig.Header] = []
        var seen: Set<String> = []
        for entry in entries.prefix(ConfigLimits.headersMax) {
            let folded = entry.name.lowercased()
            if !Self.isFieldName(entry.name) {
                reader.fail(entry, "this is no name of an HTTP field")
            } else if Self.reservedHeaders.contains(folded) || fields[folded] == .some(nil) {
                reader.fail(entry, "this field is made by apus and cannot be set")
            } else if case .some(.some(let key)) = fields[folded] {
                reader.fail(entry, "\(key) sets this field already; remove one of them")
            } else if !seen.insert(folded).inserted {
                reader.fail(entry, "the field stands twice, in different case")
            }
            if let value = fieldValue(entry.value) {
                headers.append(HTTPUpstreamConfig.Header(name: entry.name, value: Secret(value)))
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
    mutating func fieldValue(_ node: JSONNode) -> String? {
        guard let text = resolved(node) else { return nil }
        if text.isEmpty {
            reader.fail(node, "the value is empty")
            return nil
        }
        guard Self.isFieldValue(text) else {
            reader.fail(
                node,
                "the value must be printable ASCII without spaces at its ends"
            )
            return nil
        }
        return text
    }

    /// Whether `text` can stand in a field: printable ASCII without spaces at its ends.
    static func isFieldValue(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
            && text.first != " " && text.last != " "
    }
}
