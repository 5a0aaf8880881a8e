// SPDX-License-Identifier: Apache-2.0
import JSON

extension ConfigParser {
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
            let models = members["models"].flatMap {
                parsePatterns($0, whenEmpty: "leave it out to allow all")
            }
            guard let name, let digest else { continue }
            keys.append(ClientKey(name: name, digest: digest, user: user, org: org, models: models))
        }
        return keys
    }

    /// The value of a key that must be there.
    mutating func required(
        _ key: String,
        _ members: [String: JSONNode],
        _ object: JSONNode,
        _ example: String? = nil
    ) -> JSONNode? {
        if let node = members[key] { return node }
        reader.fail(object, "\(key) is missing" + (example.map { ", \($0)" } ?? ""))
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

    /// Names of models in which `*` may stand.
    mutating func parsePatterns(_ node: JSONNode, whenEmpty hint: String) -> [NamePattern]? {
        guard let elements = reader.elements(node, max: ConfigLimits.patternsMax) else {
            return nil
        }
        if elements.isEmpty {
            reader.fail(node, "expected at least one model; \(hint)")
        }
        return elements.compactMap { element in
            reader.name(element, max: ConfigLimits.modelNameBytesMax).map { NamePattern($0) }
        }
    }
}
