// SPDX-License-Identifier: Apache-2.0
import JSON

extension ConfigParser {
    // MARK: Models

    mutating func parseModels(_ node: JSONNode, upstreams: [String]) -> [ModelEntry] {
        guard let entries = reader.entries(node) else { return [] }
        if entries.count > ConfigLimits.modelsMax {
            reader.fail(node, "at most \(ConfigLimits.modelsMax) models are allowed")
        }
        var models: [ModelEntry] = []
        for entry in entries.prefix(ConfigLimits.modelsMax) {
            let bytesMax = ConfigLimits.modelNameBytesMax
            if !ConfigReader.isName(entry.name, max: bytesMax) {
                reader.fail(entry, "expected 1 to \(bytesMax) bytes without control characters")
            }
            guard let members = reader.members(entry.value, .model) else { continue }
            guard let targets = members["targets"] else {
                reader.fail(entry.value, "targets is missing, like [ { \"upstream\": \"NAME\" } ]")
                continue
            }
            if let model = parseTargets(targets, NamePattern(entry.name), upstreams) {
                models.append(model)
            }
        }
        return models
    }

    private mutating func parseTargets(
        _ node: JSONNode,
        _ pattern: NamePattern,
        _ upstreams: [String]
    ) -> ModelEntry? {
        guard let targets = reader.elements(node, max: .max) else { return nil }
        guard targets.count == 1, let target = targets.first else {
            reader.fail(
                node,
                "this version takes exactly one target per model, found \(targets.count)"
            )
            return nil
        }
        guard let members = reader.members(target, .target) else { return nil }
        let model = members["model"].flatMap {
            reader.name($0, max: ConfigLimits.modelNameBytesMax)
        }
        guard let upstream = members["upstream"] else {
            reader.fail(target, "upstream is missing")
            return nil
        }
        guard let name = reader.string(upstream) else { return nil }
        guard let index = upstreams.firstIndex(of: name) else {
            let hint = Suggestion.text(for: name, among: upstreams)
            reader.fail(upstream, "there is no upstream of this name" + hint)
            return nil
        }
        return ModelEntry(pattern: pattern, upstream: index, upstreamModel: model)
    }

    // MARK: Keys

    mutating func parseKeys(_ node: JSONNode) -> [ClientKey] {
        guard let elements = reader.elements(node, max: ConfigLimits.keysMax) else { return [] }
        var keys: [ClientKey] = []
        var names: Set<String> = []
        var digests: Set<SHA256.Digest> = []
        for element in elements {
            guard let members = reader.members(element, .key) else { continue }
            let name = required("name", members, element).flatMap { reader.name($0) }
            if let name, !names.insert(name).inserted, let node = members["name"] {
                reader.fail(node, "another key has this name")
            }
            let digest = required("hash", members, element).flatMap { parseHash($0) }
            if let digest, !digests.insert(digest).inserted, let node = members["hash"] {
                reader.fail(node, "another key has this hash")
            }
            let user = members["user"].flatMap { reader.name($0) }
            let org = members["org"].flatMap { reader.name($0) }
            let models = members["models"].flatMap { parsePatterns($0) }
            guard let name, let digest else { continue }
            keys.append(ClientKey(name: name, digest: digest, user: user, org: org, models: models))
        }
        return keys
    }

    private mutating func required(
        _ key: String,
        _ members: [String: JSONNode],
        _ object: JSONNode
    ) -> JSONNode? {
        if let node = members[key] { return node }
        reader.fail(object, "\(key) is missing")
        return nil
    }

    private mutating func parseHash(_ node: JSONNode) -> SHA256.Digest? {
        guard let text = reader.string(node) else { return nil }
        guard text.hasPrefix("sha256:"),
            let digest = SHA256.Digest(hexadecimal: text.dropFirst(7))
        else {
            reader.fail(
                node,
                "expected \"sha256:\" and the 64 hexadecimal digits of the secret's SHA-256"
            )
            return nil
        }
        return digest
    }

    private mutating func parsePatterns(_ node: JSONNode) -> [NamePattern]? {
        guard let elements = reader.elements(node, max: ConfigLimits.patternsMax) else {
            return nil
        }
        if elements.isEmpty {
            reader.fail(node, "expected at least one model; leave it out to allow all")
        }
        return elements.compactMap { element in
            reader.name(element, max: ConfigLimits.modelNameBytesMax).map { NamePattern($0) }
        }
    }
}
