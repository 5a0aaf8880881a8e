// SPDX-License-Identifier: Apache-2.0
import JSON

/// Why an answer of SAP's AI API cannot be used.
package enum SAPListError: Error, Equatable, Sendable {
    case json(JSONErrorKind)
    /// No object with an array `resources`.
    case noResources
    /// No `modelName` among the parameters of a configuration.
    case noModel

    /// Whether the bytes were no JSON at all or went over a limit.
    package enum JSONErrorKind: Equatable, Sendable {
        case syntax
        case limit
    }
}

/// One running deployment of SAP AI Core.
package struct SAPDeployment: Equatable, Sendable {
    package let id: String
    /// The name of the model; nil until its configuration is read, and for orchestration.
    package var model: String?
    /// `latest`, or a version of the model.
    package var version: String?
    package let executable: SAPExecutable
    package let isOrchestration: Bool
    /// Seconds since 1970; 0 when the list does not say.
    package let createdAt: Int
    /// Where the model is told when `model` is nil.
    package let configurationID: String?

    package init(
        id: String,
        model: String?,
        version: String? = nil,
        executable: SAPExecutable = .unknown,
        isOrchestration: Bool = false,
        createdAt: Int = 0,
        configurationID: String? = nil
    ) {
        self.id = id
        self.model = model
        self.version = version
        self.executable = executable
        self.isOrchestration = isOrchestration
        self.createdAt = createdAt
        self.configurationID = configurationID
    }

    /// Whether only the configuration tells the model.
    package var needsConfiguration: Bool {
        model == nil && !isOrchestration && configurationID != nil
    }

    /// The family of the model, or nil while the model is not known.
    package var family: ModelFamily? {
        if isOrchestration { return .orchestration }
        return model.map { ModelFamily(executable: executable, model: $0) }
    }

    // MARK: Identifiers

    /// Far above any identifier of the service; it goes into the path of a request.
    package static let identifierBytesMax = 128

    /// Whether `text` can be an identifier: letters, digits, `-` and `_`, so that it needs no
    /// encoding in a path.
    package static func isIdentifier(_ text: some StringProtocol) -> Bool {
        (1...identifierBytesMax).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    /// The identifier inside the address of a deployment, as other proxies are configured with it.
    ///
    /// The segment behind `/inference/deployments/`; a query, a fragment and what follows the segment
    /// are not looked at. Nil for addresses without one.
    package static func identifier(inURL url: String) -> String? {
        let end = url.firstIndex { $0 == "?" || $0 == "#" } ?? url.endIndex
        let path = url[..<end]
        let marker = "/inference/deployments/"
        guard path.hasPrefix("https://") || path.hasPrefix("http://"),
            let range = path.firstRange(of: marker)
        else { return nil }
        let id = path[range.upperBound...].prefix { $0 != "/" }
        return isIdentifier(id) ? String(id) : nil
    }

    // MARK: Replies

    /// An account with more deployments than this is beyond any quota; the rest is left out.
    package static let deploymentsMax = 4096
    /// 4 KiB for each of them.
    private static let limits = JSONLimits(bytesMax: 16 << 20)

    /// Reads the answer of `GET /v2/lm/deployments`.
    ///
    /// Deployments that do not run are left out, and so are those without a usable identifier or
    /// without anything that leads to their model.
    package static func parseList(_ body: Span<UInt8>) throws(SAPListError) -> [SAPDeployment] {
        let scanner = try scan(body)
        let tape = scanner.tape
        guard tape.kind(of: tape.root) == .object,
            let resources = tape.member("resources", of: tape.root, in: body),
            tape.kind(of: resources) == .array
        else { throw .noResources }
        var deployments: [SAPDeployment] = []
        for node in tape.elements(of: resources) where deployments.count < deploymentsMax {
            if let deployment = SAPDeployment(node, tape, body) { deployments.append(deployment) }
        }
        return deployments
    }

    /// Reads the answer of `GET /v2/lm/configurations/{id}`.
    package static func parseConfiguration(
        _ body: Span<UInt8>
    ) throws(SAPListError) -> (model: String, version: String?) {
        let scanner = try scan(body)
        let tape = scanner.tape
        var model: String?
        var version: String?
        if let bindings = tape.member("parameterBindings", of: tape.root, in: body) {
            for node in tape.elements(of: bindings) {
                let key = tape.text("key", of: node, in: body)
                let value = tape.text("value", of: node, in: body)
                if key == "modelName" { model = value }
                if key == "modelVersion" { version = value }
            }
        }
        guard let model, !model.isEmpty else { throw .noModel }
        return (model, version)
    }

    private static func scan(_ body: Span<UInt8>) throws(SAPListError) -> JSONScanner {
        var scanner = JSONScanner(limits: limits)
        do {
            _ = try scanner.scan(body, isFinal: true)
        } catch {
            switch error.kind {
            case .tooDeep, .tooLarge, .tooManyValues: throw .json(.limit)
            case .unexpected, .unexpectedEnd, .literal, .leadingZero, .escape, .unicodeEscape,
                .controlCharacter, .utf8, .byteOrderMark:
                throw .json(.syntax)
            }
        }
        return scanner
    }

    /// Reads one entry of the list.
    private init?(_ node: JSONNode, _ tape: JSONTape, _ body: Span<UInt8>) {
        guard tape.text("status", of: node, in: body) == "RUNNING",
            let id = tape.text("id", of: node, in: body), Self.isIdentifier(id)
        else { return nil }
        let executable = SAPExecutable(id: tape.text("executableId", of: node, in: body))
        let isOrchestration =
            executable == .orchestration
            || tape.text("scenarioId", of: node, in: body) == "orchestration"
        let backend = Self.backendModel(of: node, tape, body)
        let name = backend.flatMap { tape.text("name", of: $0, in: body) } ?? ""
        let configuration = tape.text("configurationId", of: node, in: body)
            .flatMap { Self.isIdentifier($0) ? $0 : nil }
        guard isOrchestration || !name.isEmpty || configuration != nil else { return nil }
        self.init(
            id: id,
            model: isOrchestration || name.isEmpty ? nil : name,
            version: backend.flatMap { tape.text("version", of: $0, in: body) },
            executable: executable,
            isOrchestration: isOrchestration,
            createdAt: tape.text("createdAt", of: node, in: body)
                .flatMap { CivilTime.unixSeconds($0) } ?? 0,
            configurationID: configuration
        )
    }

    /// `details.resources.backendDetails.model`, in either spelling that the service uses.
    private static func backendModel(
        of node: JSONNode,
        _ tape: JSONTape,
        _ body: Span<UInt8>
    ) -> JSONNode? {
        guard let details = tape.member("details", of: node, in: body),
            let resources = tape.member("resources", of: details, in: body)
        else { return nil }
        for name in ["backendDetails", "backend_details"] {
            if let backend = tape.member(named: name, of: resources, in: body),
                let model = tape.member("model", of: backend, in: body),
                tape.text("name", of: model, in: body)?.isEmpty == false
            {
                return model
            }
        }
        return nil
    }
}

extension JSONTape {
    /// The text of a member; nil when it is missing or no string.
    fileprivate func text(
        _ name: StaticString,
        of node: JSONNode,
        in bytes: Span<UInt8>
    ) -> String? {
        member(name, of: node, in: bytes).flatMap { string(of: $0, in: bytes) }
    }
}
