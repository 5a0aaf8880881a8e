// SPDX-License-Identifier: Apache-2.0
import JSON
import System

/// Turns the text of a configuration into a checked `Config`, or into everything wrong with it.
///
/// Pure: the surroundings answer what only the machine knows.
package struct ConfigParser {
    package static let listenDefault = "127.0.0.1:3001"
    package static let statusListenDefault = "127.0.0.1:3002"
    package static let bodyBytesMaxDefault = 32 << 20
    /// Nanoseconds: below the 30 s after which some proxies give up on a silent connection.
    package static let keepaliveDefault: UInt64 = 15_000_000_000

    var reader: ConfigReader
    let surroundings: ConfigSurroundings
    private let overrides: ConfigOverrides
    /// Errors of the command line.
    private var optionErrors: [ConfigError] = []

    /// Checks `text`, which errors call `file`.
    ///
    /// - Throws: All errors, in the order of the text, capped at `ConfigErrors.countMax`.
    package static func parse(
        _ text: [UInt8],
        file: String,
        overrides: ConfigOverrides = ConfigOverrides(),
        surroundings: ConfigSurroundings
    ) throws(ConfigErrors) -> Config {
        let tape = try scan(text, file: file)
        var parser = ConfigParser(
            reader: ConfigReader(tape: tape, bytes: text, file: file),
            surroundings: surroundings,
            overrides: overrides
        )
        let config = parser.config(tape.root)
        let errors = parser.allErrors
        if let config, errors.isEmpty { return config }
        throw ConfigErrors(errors)
    }

    /// The address of `status.listen`, or its default, without a look at anything else.
    static func statusListen(_ text: [UInt8], file: String) throws(ConfigErrors) -> SocketAddress {
        let tape = try scan(text, file: file)
        let nothing = ConfigSurroundings(
            directory: "",
            resolve: { _ in .failure(SecretFailure("references are not looked up here")) },
            fileProblem: { _ in nil }
        )
        var parser = ConfigParser(
            reader: ConfigReader(tape: tape, bytes: text, file: file),
            surroundings: nothing,
            overrides: ConfigOverrides()
        )
        let address = parser.parseStatus(tape.member("status", of: tape.root, in: text.span))
        let errors = parser.allErrors
        guard errors.isEmpty else { throw ConfigErrors(errors) }
        return address
    }

    static func scan(
        _ text: [UInt8],
        file: String,
        options: JSONOptions = .configuration
    ) throws(ConfigErrors) -> JSONTape {
        var scanner = JSONScanner(
            options: options,
            limits: JSONLimits(bytesMax: ConfigLimits.fileBytesMax)
        )
        do throws(JSONError) {
            _ = try scanner.scan(text.span, isFinal: true)
        } catch {
            let place = error.position(in: text.span)
            throw ConfigErrors([
                ConfigError(
                    file: file,
                    line: place.line,
                    column: place.column,
                    path: scanner.tape.path(at: error.offset, in: text.span),
                    error.message
                )
            ])
        }
        return scanner.tape
    }

    private init(
        reader: ConfigReader,
        surroundings: ConfigSurroundings,
        overrides: ConfigOverrides
    ) {
        self.reader = reader
        self.surroundings = surroundings
        self.overrides = overrides
    }

    private var allErrors: [ConfigError] { reader.allErrors + optionErrors }

    // MARK: The whole

    /// Nil only after an error was noted.
    private mutating func config(_ root: JSONNode) -> Config? {
        guard let members = reader.members(root, .root) else { return nil }
        let upstreams = members["upstreams"].map { parseUpstreams($0) } ?? []
        if upstreams.isEmpty, members["upstreams"] == nil {
            reader.fail(
                root,
                "upstreams is missing: name at least one, for example { \"kind\": \"demo\" }"
            )
        }
        let models = parseModels(members["models"], upstreams: upstreams)
        let keys = members["keys"].map { parseKeys($0) } ?? []
        let authIsOff = members["auth"].map { parseAuth($0, keys: members["keys"]) } ?? false
        var config = Config(
            listen: parseListen(members["listen"]),
            statusListen: parseStatus(members["status"]),
            workers: parseWorkers(members["workers"]),
            upstreams: upstreams.compactMap(\.config),
            models: models,
            keys: KeyTable(keys),
            authIsOff: authIsOff,
            timeouts: TimeoutConfig(),
            retries: members["retries"].map { parseRetries($0) } ?? RetryConfig(),
            keepaliveNanoseconds: members["streams"].map {
                parseKeepalive($0, default: Self.keepaliveDefault)
            } ?? Self.keepaliveDefault,
            defaultModel: members["default_model"].flatMap { parseDefaultModel($0, models) },
            bodyBytesMax: Self.bodyBytesMaxDefault,
            logsAccess: true,
            corsOrigins: nil
        )
        if let node = members["timeouts"], let members = reader.members(node, .timeouts) {
            for key in TimeoutKey.allCases {
                guard let value = members[key.rawValue] else { continue }
                if let duration = reader.duration(value) {
                    config.timeouts[keyPath: key.field] = duration
                }
            }
        }
        if let node = members["guards"], let members = reader.members(node, .guards) {
            config.bodyBytesMax =
                members["max_body"].flatMap { reader.size($0, in: ConfigLimits.bodyBytes) }
                ?? config.bodyBytesMax
        }
        if let node = members["fleet"] { config.fleet = parseFleet(node) }
        if let node = members["logs"], let members = reader.members(node, .logs) {
            config.logsAccess = members["access"].flatMap { reader.bool($0) } ?? true
        }
        if let node = members["cors"] {
            config.corsOrigins = parseCORS(node)
        }
        // Keys that are wrong are keys all the same: their own errors come first.
        if members["auth"] == nil, !hasContent(members["keys"]) {
            checkExposure(config, members["listen"])
        }
        checkClash(config, members["status"], root)
        return config
    }

    private mutating func parseDefaultModel(_ node: JSONNode, _ models: ModelTable) -> String? {
        let name = reader.name(node, max: ConfigLimits.modelNameBytesMax)
        guard let name, checkModelName(name, node, models) else { return nil }
        return name
    }

    // MARK: Addresses

    private static let addressForm = "write HOST:PORT with a numeric host, [V6]:PORT or unix:PATH"

    private mutating func parseListen(_ node: JSONNode?) -> [SocketAddress] {
        if !overrides.listen.isEmpty {
            return overrides.listen.compactMap { option("--listen", address: $0) }
        }
        guard let node else {
            return SocketAddress(Self.listenDefault).map { [$0] } ?? []
        }
        guard let elements = reader.elements(node, max: ConfigLimits.listenMax) else { return [] }
        if elements.isEmpty {
            reader.fail(node, "expected at least one address, like \"\(Self.listenDefault)\"")
        }
        var addresses: [SocketAddress] = []
        for element in elements {
            guard let address = address(element) else { continue }
            if addresses.contains(address), address.port != 0 {
                reader.fail(element, "the address stands twice")
            }
            addresses.append(address)
        }
        return addresses
    }

    private mutating func parseStatus(_ node: JSONNode?) -> SocketAddress {
        var parsed: SocketAddress?
        if let node, let members = reader.members(node, .status) {
            parsed = members["listen"].flatMap { address($0) }
        }
        if let text = overrides.statusListen {
            parsed = option("--status", address: text)
        }
        return parsed ?? SocketAddress(Self.statusListenDefault) ?? .unix(path: "")
    }

    private mutating func address(_ node: JSONNode) -> SocketAddress? {
        guard let text = reader.string(node) else { return nil }
        guard let address = SocketAddress(text) else {
            reader.fail(node, "no address; " + Self.addressForm)
            return nil
        }
        return address
    }

    private mutating func option(_ name: String, address text: String) -> SocketAddress? {
        guard let address = SocketAddress(text) else {
            optionErrors.append(ConfigError(file: name, "no address; " + Self.addressForm))
            return nil
        }
        return address
    }

    /// Refuses addresses that strangers can reach while nobody needs a key.
    private mutating func checkExposure(_ config: Config, _ node: JSONNode?) {
        let why =
            "other machines can reach this address and no keys are set; "
            + "add keys, or \"auth\": \"off\" to leave it open to all"
        if !overrides.listen.isEmpty {
            for address in config.listen where !address.isLoopback {
                optionErrors.append(ConfigError(file: "--listen", path: "\(address)", why))
            }
        } else if let node, reader.tape.kind(of: node) == .array {
            for element in reader.tape.elements(of: node) {
                let text = reader.tape.string(of: element, in: reader.bytes.span)
                guard let address = text.flatMap({ SocketAddress($0) }) else { continue }
                if !address.isLoopback { reader.fail(element, why) }
            }
        }
    }

    /// Clients and operators never share an address.
    private mutating func checkClash(_ config: Config, _ status: JSONNode?, _ root: JSONNode) {
        guard config.statusListen.port != 0, config.listen.contains(config.statusListen) else {
            return
        }
        reader.fail(status ?? root, "status.listen is also an address of listen")
    }

    // MARK: Small values

    /// Whether a list is there and not empty.
    private func hasContent(_ list: JSONNode?) -> Bool {
        guard let list else { return false }
        return reader.tape.elements(of: list).contains { _ in true }
    }

    private mutating func parseWorkers(_ node: JSONNode?) -> Config.Workers {
        let range = ConfigLimits.workers
        if let text = overrides.workers {
            if text == "auto" { return .auto }
            if let count = Int(text), range.contains(count) { return .count(count) }
            let message =
                "expected auto or a number from \(range.lowerBound) to \(range.upperBound)"
            optionErrors.append(ConfigError(file: "--workers", message))
            return .auto
        }
        guard let node else { return .auto }
        if reader.tape.equals(node, "auto", in: reader.bytes.span) { return .auto }
        if let count = reader.tape.integer(of: node, in: reader.bytes.span), range.contains(count) {
            return .count(count)
        }
        reader.fail(
            node,
            "expected \"auto\" or a whole number from \(range.lowerBound) to \(range.upperBound)"
        )
        return .auto
    }

    private mutating func parseAuth(_ node: JSONNode, keys: JSONNode?) -> Bool {
        guard reader.tape.equals(node, "off", in: reader.bytes.span) else {
            reader.fail(node, "expected \"off\"; leave it out to demand keys wherever some are set")
            return false
        }
        if hasContent(keys) {
            reader.fail(node, "auth is off although keys are set; remove one of them")
        }
        return true
    }

    private mutating func parseCORS(_ node: JSONNode) -> [String]? {
        guard let members = reader.members(node, .cors) else { return nil }
        guard let list = members["origins"] else {
            reader.fail(node, "origins is missing")
            return nil
        }
        guard let elements = reader.elements(list, max: ConfigLimits.originsMax) else { return nil }
        if elements.isEmpty {
            reader.fail(list, "expected at least one origin; leave cors out to send no CORS fields")
        }
        var origins: [String] = []
        for element in elements {
            guard let text = reader.string(element) else { continue }
            if text == "*" || Self.isOrigin(text) {
                origins.append(text)
            } else {
                reader.fail(element, "expected \"*\" or an origin like \"https://app.example.com\"")
            }
        }
        return origins
    }

    /// Whether `text` is an origin as browsers send it: no path, lower case, no default port.
    private static func isOrigin(_ text: String) -> Bool {
        do throws(BaseURL.Failure) {
            let url = try BaseURL(text)
            return url.description == text && url.path.isEmpty && text == text.lowercased()
        } catch {
            return false
        }
    }
}
