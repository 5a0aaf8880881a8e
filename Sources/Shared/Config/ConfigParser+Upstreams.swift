// SPDX-License-Identifier: Apache-2.0
import JSON

extension ConfigParser {
    /// An upstream as far as it could be read: its name counts although the rest is wrong, so that
    /// models that name it are not wrong too.
    struct ParsedUpstream {
        let name: String
        /// Nil when not even that is known.
        let kind: UpstreamKind?
        let config: UpstreamConfig?
    }

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
            let parsed = kind.flatMap { parse($0, entry.value) }
            let config = parsed.map { UpstreamConfig(name: entry.name, kind: $0) }
            upstreams.append(ParsedUpstream(name: entry.name, kind: kind, config: config))
        }
        return upstreams
    }

    /// Whether `name` may stand before the slash of `UPSTREAM/MODEL`.
    static func isUpstreamName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard let first = bytes.first, bytes.count <= ConfigLimits.nameBytesMax else {
            return false
        }
        return isAlphanumeric(first)
            && bytes.allSatisfy { isAlphanumeric($0) || Array(".-_".utf8).contains($0) }
    }

    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    private mutating func parseKind(_ node: JSONNode) -> UpstreamKind? {
        let kinds = ConfigReader.choices(UpstreamKind.allCases.map(\.rawValue))
        guard reader.tape.kind(of: node) == .object,
            let kind = reader.tape.member("kind", of: node, in: reader.bytes.span)
        else {
            if reader.entries(node) != nil {
                reader.fail(node, "kind is missing; write \(kinds)")
            }
            return nil
        }
        guard let name = reader.string(kind) else { return nil }
        guard let kind = UpstreamKind(rawValue: name) else {
            let hint = Suggestion.text(for: name, among: UpstreamKind.allCases.map(\.rawValue))
            reader.fail(kind, "unknown kind" + (hint.isEmpty ? "; write \(kinds)" : hint))
            return nil
        }
        return kind
    }

    private mutating func parse(_ kind: UpstreamKind, _ node: JSONNode) -> UpstreamConfig.Kind? {
        guard let members = reader.members(node, kind.section) else { return nil }
        switch kind {
        case .openai: return parseOpenAI(node, members).map { .openai($0) }
        case .azureOpenAI: return parseAzure(node, members).map { .azureOpenAI($0) }
        case .anthropic: return parseAnthropic(node, members).map { .anthropic($0) }
        case .gemini: return parseGemini(node, members).map { .gemini($0) }
        case .bedrock: return parseBedrock(node, members).map { .bedrock($0) }
        case .sapAICore: return parseSAP(node, members).map { .sapAICore($0) }
        case .demo: return .demo
        }
    }
}
