// SPDX-License-Identifier: Apache-2.0
import JSON

extension ConfigParser {
    private enum Orchestration: String, CaseIterable {
        case off, on
    }

    /// The version that some forms of the base URL carry; it is put there by the worker.
    private static let apiSuffix = "/v2"

    mutating func parseSAP(_ node: JSONNode, _ members: [String: JSONNode]) -> SAPConfig? {
        let keyNode = required("service_key", members, node, "for example \"${file:key.json}\"")
        let keyText = keyNode.flatMap { parseServiceKeyText($0) }
        let key = keyText.flatMap { text in keyNode.flatMap { serviceKey(text, $0) } }
        let http = parseHTTP(
            node,
            members,
            .optional(keyText.flatMap { text in keyNode.flatMap { apiURL(text, $0, members) } }),
            fields: [
                "authorization": nil, "ai-resource-group": "resource_group",
                "ai-client-type": "client_type", "ai-tenant-id": "tenant_header",
            ]
        )
        let settings = parseSAPSettings(node, members, key)
        guard var http, let key else { return nil }
        http.baseURL = http.baseURL.without(suffix: Self.apiSuffix)
        var config = settings(SAPConfig(http: http, serviceKey: key))
        if key.usesCertificate { config.tokenRequest = .form }
        return config
    }

    /// Reads everything besides the way to the service; what it returns puts it in place.
    private mutating func parseSAPSettings(
        _ node: JSONNode,
        _ members: [String: JSONNode],
        _ key: SAPServiceKey?
    ) -> (SAPConfig) -> SAPConfig {
        let group = members["resource_group"].flatMap { fieldValue($0) }
        let version = members["api_version"].flatMap { parseVersion($0) }
        let responsesVersion = members["responses_api_version"].flatMap { parseVersion($0) }
        let interval = members["discovery_interval"].flatMap { reader.duration($0) }
        let sendsTenant = members["tenant_header"].flatMap { reader.bool($0) } ?? false
        if sendsTenant, let key, key.identityZoneID == nil, let value = members["tenant_header"] {
            reader.fail(value, "the service key has no identityzoneid to send")
        }
        let tokenRequest = members["token_request"].flatMap {
            reader.choice($0, of: SAPConfig.TokenRequest.self)
        }
        if let key, key.usesCertificate, let tokenRequest, tokenRequest != .form,
            let value = members["token_request"]
        {
            reader.fail(value, "a service key with a certificate takes \"form\" only")
        }
        let deployments = members["deployments"].map { parsePinned($0) } ?? []
        let discovers = members["discover"].flatMap { reader.bool($0) } ?? true
        if !discovers, deployments.isEmpty, let value = members["discover"] {
            reader.fail(value, "without discovery there must be deployments")
        }
        let orchestration =
            members["orchestration"].flatMap { reader.choice($0, of: Orchestration.self) } ?? .off
        if orchestration == .on, !discovers, let value = members["orchestration"] {
            reader.fail(value, "the deployment of the orchestration service is found by discovery")
        }
        let clientType = members["client_type"].flatMap { fieldValue($0) }
        let hint = "leave it out to take all"
        let include = members["include"].flatMap { parsePatterns($0, whenEmpty: hint) }
        let exclude = members["exclude"].flatMap { parsePatterns($0, whenEmpty: hint) } ?? []
        return { config in
            var config = config
            config.resourceGroup = group ?? config.resourceGroup
            config.apiVersion = version ?? config.apiVersion
            config.responsesAPIVersion = responsesVersion ?? config.responsesAPIVersion
            config.discoveryInterval = interval ?? config.discoveryInterval
            config.sendsTenant = sendsTenant
            config.tokenRequest = tokenRequest ?? config.tokenRequest
            config.deployments = deployments
            config.discovers = discovers
            config.usesOrchestration = orchestration == .on
            config.clientType = clientType ?? config.clientType
            config.include = include
            config.exclude = exclude
            return config
        }
    }

    // MARK: Service key

    /// The members of a key that stands in place, or as JSON in a string.
    private mutating func parseServiceKeyText(_ node: JSONNode) -> ServiceKeyText? {
        switch reader.tape.kind(of: node) {
        case .string:
            guard let text = resolved(node) else { return nil }
            do throws(ServiceKeyText.Failure) {
                return try ServiceKeyText(text)
            } catch {
                report(error, node)
                return nil
            }
        case .object:
            var text = ServiceKeyText()
            let nodes = ServiceKeyText.nodes(node, reader.tape, reader.bytes.span)
            for member in ServiceKeyText.Member.allCases {
                guard let value = nodes[member] else { continue }
                guard let resolved = resolved(value) else { return nil }
                text.values[member] = resolved
            }
            return text
        case .array, .number, .bool, .null:
            reader.fail(
                node,
                "expected a service key: an object, or a string that holds one, like "
                    + "\"${file:key.json}\""
            )
            return nil
        }
    }

    private mutating func serviceKey(_ text: ServiceKeyText, _ node: JSONNode) -> SAPServiceKey? {
        do throws(ServiceKeyText.Failure) {
            return try text.serviceKey()
        } catch {
            report(error, node)
            return nil
        }
    }

    private mutating func report(_ failure: ServiceKeyText.Failure, _ node: JSONNode) {
        guard let member = failure.member else {
            reader.fail(node, "the service key \(failure.message)")
            return
        }
        var place = node
        if reader.tape.kind(of: node) == .object {
            let nodes = ServiceKeyText.nodes(node, reader.tape, reader.bytes.span)
            place = nodes[member] ?? node
        }
        reader.fail(place, "\(member.rawValue) of the service key \(failure.message)")
    }

    // MARK: Base URL

    /// The base URL that the key names.
    private mutating func apiURL(
        _ text: ServiceKeyText,
        _ node: JSONNode,
        _ members: [String: JSONNode]
    ) -> String? {
        if members["base_url"] != nil { return nil }
        guard let url = text.apiURL else {
            let message = "is missing; base_url can stand in for it"
            report(ServiceKeyText.Failure(.apiURL, message), node)
            return nil
        }
        do throws(BaseURL.Failure) {
            return try BaseURL(url).description
        } catch {
            let message = "is no usable URL: \(error.message)"
            report(ServiceKeyText.Failure(.apiURL, message), node)
            return nil
        }
    }

    // MARK: Deployments

    private mutating func parsePinned(_ node: JSONNode) -> [SAPConfig.PinnedModel] {
        guard let entries = reader.entries(node) else { return [] }
        if entries.count > ConfigLimits.modelsMax {
            reader.fail(node, "at most \(ConfigLimits.modelsMax) models are allowed")
        }
        var models: [SAPConfig.PinnedModel] = []
        for entry in entries.prefix(ConfigLimits.modelsMax) {
            let bytesMax = ConfigLimits.modelNameBytesMax
            if !ConfigReader.isName(entry.name, max: bytesMax) {
                reader.fail(entry, "expected 1 to \(bytesMax) bytes without control characters")
            }
            let elements = reader.elements(entry.value, max: ConfigLimits.deploymentsMax)
            guard let elements else { continue }
            if elements.isEmpty { reader.fail(entry.value, "expected at least one deployment") }
            var ids: [String] = []
            for element in elements {
                guard let text = resolved(element) else { continue }
                guard let id = SAPConfig.deploymentID(text) else {
                    reader.fail(
                        element,
                        "expected a deployment's id, or a URL that ends in /deployments/ID"
                    )
                    continue
                }
                if ids.contains(id) {
                    reader.fail(element, "the deployment stands twice")
                } else {
                    ids.append(id)
                }
            }
            models.append(SAPConfig.PinnedModel(model: entry.name, deployments: ids))
        }
        return models
    }
}
