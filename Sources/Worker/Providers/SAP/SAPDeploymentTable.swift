// SPDX-License-Identifier: Apache-2.0

/// What one resource group of an SAP account offers, as far as is known.
///
/// Pure: the caller fetches lists and configurations and passes the time in nanoseconds. A list that
/// cannot be fetched changes nothing but the time of the next try. Deployments of one model stand in
/// a stable order, newest first, so that the caller can rotate over them.
package struct SAPDeploymentTable {
    /// A deployment that the configuration names itself.
    package struct Pin: Equatable, Sendable {
        /// The name that clients use.
        package let name: String
        package let deploymentID: String

        package init(name: String, deploymentID: String) {
            self.name = name
            self.deploymentID = deploymentID
        }
    }

    /// What a list changed, in order of the names.
    package struct Change: Equatable, Sendable {
        package var added: [String] = []
        package var removed: [String] = []
        package var isEmpty: Bool { added.isEmpty && removed.isEmpty }

        package init(added: [String] = [], removed: [String] = []) {
            self.added = added
            self.removed = removed
        }
    }

    /// How often a list is fetched unless somebody says otherwise: new deployments take minutes to
    /// start anyway.
    package static let refreshIntervalDefault: UInt64 = 300_000_000_000
    /// The wait after the first failure; it doubles with each one up to the interval.
    package static let retryInterval: UInt64 = 5_000_000_000

    private struct Configuration {
        let model: String
        let version: String?
    }

    private let pins: [Pin]
    private let refreshInterval: UInt64
    private let isIncluded: (String) -> Bool
    /// What the last list said; nil before the first one.
    private var listed: [SAPDeployment]?
    /// By identifier; a configuration never changes.
    ///
    /// Bounded by the deployments of one list.
    private var configurations: [String: Configuration] = [:]
    private var failures: UInt64 = 0
    private var table: [String: [SAPDeployment]] = [:]

    /// The names that can be served, in order.
    package private(set) var names: [String] = []
    /// Running deployments of the orchestration service, newest first.
    package private(set) var orchestration: [SAPDeployment] = []
    /// Pinned deployments that run another model than their name says.
    package private(set) var mismatches: [ModelMismatch] = []
    /// Pinned deployments that the last list does not have, which are not offered.
    package private(set) var missingPins: [Pin] = []
    /// When the next list is due; at once before the first one.
    package private(set) var refreshAt: UInt64 = 0

    /// A table that offers the pinned deployments until it knows better.
    ///
    /// `isIncluded` filters names, the pinned ones too; `refreshInterval` is in nanoseconds.
    package init(
        pins: [Pin] = [],
        refreshInterval: UInt64 = refreshIntervalDefault,
        isIncluded: @escaping (String) -> Bool = { _ in true }
    ) {
        self.pins = pins
        self.refreshInterval = refreshInterval
        self.isIncluded = isIncluded
        rebuild()
    }

    /// Whether a list was ever fetched.
    package var isKnown: Bool { listed != nil }

    /// The deployments behind a name, newest first; empty for names that are not in `names`.
    package func deployments(named name: String) -> [SAPDeployment] {
        table[name] ?? []
    }

    /// Configurations to fetch before their deployments can be offered.
    package var configurationsWanted: [String] {
        var wanted: Set<String> = []
        for deployment in listed ?? [] where deployment.needsConfiguration {
            if let id = deployment.configurationID, configurations[id] == nil { wanted.insert(id) }
        }
        return wanted.sorted()
    }

    // MARK: Inputs

    /// A list was fetched.
    package mutating func update(_ deployments: [SAPDeployment], now: UInt64) -> Change {
        listed = deployments
        failures = 0
        refreshAt = now + refreshInterval
        let used = Set(deployments.compactMap(\.configurationID))
        configurations = configurations.filter { used.contains($0.key) }
        return rebuild()
    }

    /// A list could not be fetched: what is known stays.
    package mutating func updateFailed(now: UInt64) {
        // 6 doublings pass the longest wait.
        let wait = Self.retryInterval << min(failures, 6)
        failures += 1
        refreshAt = now + min(wait, refreshInterval)
    }

    /// A configuration was fetched.
    package mutating func configurationRead(
        _ id: String,
        model: String,
        version: String?
    ) -> Change {
        guard (listed ?? []).contains(where: { $0.configurationID == id }) else { return Change() }
        configurations[id] = Configuration(model: model, version: version)
        return rebuild()
    }

    // MARK: Building

    @discardableResult
    private mutating func rebuild() -> Change {
        let before = names
        let running = (listed ?? []).map { resolved($0) }
        table = [:]
        for deployment in running {
            guard let model = deployment.model, isIncluded(model) else { continue }
            table[model, default: []].append(deployment)
        }
        mismatches = []
        missingPins = []
        for pin in pins { add(pin, running) }
        for name in table.keys { table[name]?.sort(by: Self.isNewer) }
        orchestration = running.filter(\.isOrchestration).sorted(by: Self.isNewer)
        names = table.keys.sorted()
        let (old, new) = (Set(before), Set(names))
        return Change(
            added: names.filter { !old.contains($0) },
            removed: before.filter { !new.contains($0) }
        )
    }

    /// The deployment with the model of its configuration, when that is what tells it.
    private func resolved(_ deployment: SAPDeployment) -> SAPDeployment {
        guard deployment.needsConfiguration, let id = deployment.configurationID,
            let configuration = configurations[id]
        else { return deployment }
        var deployment = deployment
        deployment.model = configuration.model
        deployment.version = configuration.version
        return deployment
    }

    private mutating func add(_ pin: Pin, _ running: [SAPDeployment]) {
        guard isIncluded(pin.name) else { return }
        var deployment = SAPDeployment(id: pin.deploymentID, model: pin.name)
        if listed != nil {
            guard let found = running.first(where: { $0.id == pin.deploymentID }) else {
                missingPins.append(pin)
                return
            }
            deployment = found
            if let model = found.model {
                if let mismatch = ModelMismatch(
                    configured: pin.name,
                    deploymentID: pin.deploymentID,
                    running: model
                ) {
                    mismatches.append(mismatch)
                }
            } else if !found.isOrchestration {
                deployment.model = pin.name
            }
        }
        if table[pin.name]?.contains(where: { $0.id == deployment.id }) != true {
            table[pin.name, default: []].append(deployment)
        }
    }

    private static func isNewer(_ one: SAPDeployment, _ two: SAPDeployment) -> Bool {
        one.createdAt == two.createdAt ? one.id < two.id : one.createdAt > two.createdAt
    }
}
