// SPDX-License-Identifier: Apache-2.0
import JSON
import System

/// Reads the configuration of an SAP AI Core proxy: with `subAccounts`, or the older flat form.
struct ProxyConfigParser {
    /// The one subaccount of the flat form.
    private static let flatName = "default"
    private static let flatKeys = ["service_key_json", "deployment_models", "resource_group"]
    private static let rootKeys = [
        "subAccounts", "model_filters", "secret_authentication_tokens", "host", "port",
    ]
    private static let subaccountKeys = [
        "service_key_json", "resource_group", "deployment_models", "deployment_ids",
    ]
    private static let filterKeys = ["include_filters", "exclude_filters"]

    private var reader: ConfigReader
    private(set) var warnings: [ConfigError] = []
    private var upstreamNames: Set<String> = []

    init(tape: JSONTape, bytes: [UInt8], file: String) {
        reader = ConfigReader(tape: tape, bytes: bytes, file: file)
    }

    /// Reads the whole.
    ///
    /// - Throws: All errors, in the order of the text.
    mutating func parse() throws(ConfigErrors) -> ProxyConfig {
        let config = root(reader.tape.root)
        let errors = reader.allErrors
        guard errors.isEmpty else { throw ConfigErrors(errors) }
        warnings.sort { ($0.line, $0.column) < ($1.line, $1.column) }
        return config
    }

    private mutating func root(_ root: JSONNode) -> ProxyConfig {
        let isFlat = reader.tape.member("subAccounts", of: root, in: reader.bytes.span) == nil
        let keys = Self.rootKeys + (isFlat ? Self.flatKeys + ["deployment_ids"] : [])
        let members = members(root, keys, ignored: isFlat ? [] : Self.flatKeys)
        var config = ProxyConfig(
            listen: "",
            hasLoopbackListen: true,
            subaccounts: [],
            include: [],
            exclude: [],
            tokens: []
        )
        parseListen(members, &config)
        if let node = members["model_filters"] {
            let filters = self.members(node, Self.filterKeys)
            config.include = filters["include_filters"].map { parseFilters($0) } ?? []
            config.exclude = filters["exclude_filters"].map { parseFilters($0) } ?? []
        }
        if isFlat {
            if members["service_key_json"] == nil, reader.tape.kind(of: root) == .object {
                reader.fail(root, "there are neither subAccounts nor a service_key_json")
            } else if !members.isEmpty,
                let account = subaccount(Self.flatName, root, members, config)
            {
                config.subaccounts = [account]
            }
        } else if let node = members["subAccounts"] {
            config.subaccounts = parseSubaccounts(node, config)
        }
        config.tokens = members["secret_authentication_tokens"].map { parseTokens($0) } ?? []
        return config
    }

    /// The members with known keys; the others are named and left out.
    private mutating func members(
        _ node: JSONNode,
        _ keys: [String],
        ignored: [String] = []
    ) -> [String: JSONNode] {
        var members: [String: JSONNode] = [:]
        for entry in reader.entries(node) ?? [] {
            if keys.contains(entry.name) {
                members[entry.name] = entry.value
            } else if ignored.contains(entry.name) {
                let message = "left out: subAccounts stand in for it"
                warnings.append(reader.remark(entry, message))
            } else {
                let hint = Suggestion.text(for: entry.name, among: keys)
                warnings.append(reader.remark(entry, "unknown key, left out" + hint))
            }
        }
        return members
    }

    private mutating func warn(_ node: JSONNode, _ message: String) {
        warnings.append(reader.remark(node, message))
    }

    // MARK: Address

    private mutating func parseListen(_ members: [String: JSONNode], _ config: inout ProxyConfig) {
        var host = ProxyConfig.hostDefault
        if let node = members["host"], let text = reader.string(node) { host = text }
        var port = ProxyConfig.portDefault
        if let node = members["port"], let number = reader.integer(node, in: 1...65535) {
            port = number
        }
        let text = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        guard let address = SocketAddress(text) else {
            if let node = members["host"] {
                reader.fail(node, "expected a numeric address, localhost or *")
            }
            return
        }
        config.listen = text
        config.hasLoopbackListen = address.isLoopback
    }

    // MARK: Subaccounts

    private mutating func parseSubaccounts(
        _ node: JSONNode,
        _ config: ProxyConfig
    ) -> [ProxyConfig.Subaccount] {
        guard let entries = reader.entries(node) else { return [] }
        if entries.isEmpty { reader.fail(node, "expected at least one subaccount") }
        if entries.count > ConfigLimits.upstreamsMax {
            reader.fail(node, "at most \(ConfigLimits.upstreamsMax) subaccounts are allowed")
        }
        var accounts: [ProxyConfig.Subaccount] = []
        for entry in entries.prefix(ConfigLimits.upstreamsMax) {
            let members = members(entry.value, Self.subaccountKeys)
            guard reader.tape.kind(of: entry.value) == .object else { continue }
            if let account = subaccount(entry.name, entry.value, members, config) {
                if account.upstream != entry.name {
                    let message = "the upstream is called \"\(account.upstream)\""
                    warnings.append(reader.remark(entry, message))
                }
                accounts.append(account)
            }
        }
        return accounts
    }

    private mutating func subaccount(
        _ name: String,
        _ node: JSONNode,
        _ members: [String: JSONNode],
        _ config: ProxyConfig
    ) -> ProxyConfig.Subaccount? {
        if members["service_key_json"] == nil {
            reader.fail(node, "service_key_json is missing, for example \"keys/eu.json\"")
        }
        let path = members["service_key_json"].flatMap { parsePath($0) }
        let group = members["resource_group"].flatMap { parseGroup($0) }
        var models: [SAPConfig.PinnedModel] = []
        for key in ["deployment_models", "deployment_ids"] {
            if let node = members[key] { parseModels(node, &models) }
        }
        guard let path else { return nil }
        let passing = models.filter { Self.passes($0.model, config) }
        return ProxyConfig.Subaccount(
            name: name,
            upstream: upstreamName(name),
            serviceKeyPath: path,
            resourceGroup: group ?? SAPConfig.resourceGroupDefault,
            models: passing.filter { !$0.deployments.isEmpty },
            filtered: models.map(\.model).filter { !Self.passes($0, config) }
        )
    }

    private mutating func parseGroup(_ node: JSONNode) -> String? {
        guard let group = reader.name(node) else { return nil }
        guard ConfigParser.isFieldValue(group) else {
            reader.fail(node, "expected printable ASCII without spaces at its ends")
            return nil
        }
        return group
    }

    private mutating func parsePath(_ node: JSONNode) -> String? {
        guard let path = reader.name(node, max: 4096) else { return nil }
        guard !path.contains("}") else {
            reader.fail(node, "a path with a \"}\" cannot stand in a reference; rename the file")
            return nil
        }
        if !path.hasPrefix("/") {
            warn(
                node,
                "the proxy took this path from its working directory, apus takes it from the "
                    + "directory of its configuration file"
            )
        }
        return path
    }

    private mutating func parseModels(_ node: JSONNode, _ models: inout [SAPConfig.PinnedModel]) {
        for entry in reader.entries(node) ?? [] {
            let bytesMax = ConfigLimits.modelNameBytesMax
            if !ConfigReader.isName(entry.name, max: bytesMax) || entry.name.contains("*") {
                reader.fail(
                    entry,
                    "expected 1 to \(bytesMax) bytes without control characters and *"
                )
                continue
            }
            let known = models.firstIndex { $0.model == entry.name }
            var ids = known.map { models[$0].deployments } ?? []
            parseDeployments(entry.value, &ids)
            let model = SAPConfig.PinnedModel(model: entry.name, deployments: ids)
            if let known { models[known] = model } else { models.append(model) }
        }
    }

    /// Adds what is not there yet; a single deployment may stand without its list.
    private mutating func parseDeployments(_ node: JSONNode, _ ids: inout [String]) {
        var elements = [node]
        if reader.tape.kind(of: node) != .string {
            elements = reader.elements(node, max: ConfigLimits.deploymentsMax) ?? []
            if elements.isEmpty, reader.tape.kind(of: node) == .array {
                warn(node, "left out: no deployment is named, so discovery has to find one")
            }
        }
        for element in elements {
            guard let text = reader.string(element) else { continue }
            guard let id = SAPConfig.deploymentID(text) else {
                reader.fail(
                    element,
                    "expected a deployment's id, or a URL that ends in /deployments/ID"
                )
                continue
            }
            if !ids.contains(id) { ids.append(id) }
            if ids.count > ConfigLimits.deploymentsMax {
                reader.fail(
                    element,
                    "at most \(ConfigLimits.deploymentsMax) deployments of a model"
                )
                return
            }
        }
    }

    /// The name of a subaccount, cut so that six bytes are left, with a dash for every byte that an upstream's name cannot have, and
    /// a number if another subaccount has that name.
    private mutating func upstreamName(_ name: String) -> String {
        let bytes = name.utf8.prefix(ConfigLimits.nameBytesMax - 6).map { byte in
            ConfigParser.isAlphanumeric(byte) || Array(".-_".utf8).contains(byte)
                ? byte : UInt8(ascii: "-")
        }
        var base = String(decoding: bytes, as: UTF8.self)
        if !ConfigParser.isUpstreamName(base) { base = "sap" + base }
        var unique = base
        var number = 2
        while !upstreamNames.insert(unique).inserted {
            unique = "\(base)-\(number)"
            number += 1
        }
        return unique
    }

    // MARK: Filters

    private mutating func parseFilters(_ node: JSONNode) -> [NameFilter] {
        var filters: [NameFilter] = []
        var patternCount = 0
        for element in reader.elements(node, max: ConfigLimits.patternsMax) ?? [] {
            // A star may come in at both ends.
            guard let text = reader.name(element, max: ConfigLimits.modelNameBytesMax - 2) else {
                continue
            }
            do throws(NameFilter.Failure) {
                let filter = try NameFilter(text)
                if filter.hasPlainDots {
                    warn(
                        element,
                        "a \".\" alone is taken for the dot of a name, not for any letter"
                    )
                }
                patternCount += filter.patterns.count
                filters.append(filter)
            } catch {
                reader.fail(element, error.message)
            }
        }
        if patternCount > ConfigLimits.patternsMax {
            reader.fail(node, "at most \(ConfigLimits.patternsMax) expressions are allowed")
        }
        return filters
    }

    private static func passes(_ name: String, _ config: ProxyConfig) -> Bool {
        if config.exclude.contains(where: { $0.passes(name) }) { return false }
        return config.include.isEmpty || config.include.contains { $0.passes(name) }
    }

    // MARK: Tokens

    private mutating func parseTokens(_ node: JSONNode) -> [SHA256.Digest] {
        var digests: [SHA256.Digest] = []
        var seen: Set<SHA256.Digest> = []
        for element in reader.elements(node, max: ConfigLimits.keysMax) ?? [] {
            guard let token = reader.string(element) else { continue }
            if token.isEmpty {
                warn(element, "left out: an empty token let everybody in")
                continue
            }
            let bytes = Array(token.utf8)
            let digest = SHA256.digest(of: bytes.span)
            if seen.insert(digest).inserted {
                digests.append(digest)
            } else {
                warn(element, "left out: the token stands twice")
            }
        }
        return digests
    }
}
