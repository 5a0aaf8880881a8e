// SPDX-License-Identifier: Apache-2.0
import JSON

extension ConfigParser {
    /// An entry as far as it could be read, and where its fallbacks stand.
    private struct ParsedModel {
        let entry: ModelEntry
        let fallbacks: [JSONNode]
    }

    mutating func parseModels(_ node: JSONNode?, upstreams: [ParsedUpstream]) -> ModelTable {
        let names = upstreams.map(\.name)
        guard let node, let entries = reader.entries(node) else {
            return ModelTable(entries: [], upstreamNames: names)
        }
        if entries.count > ConfigLimits.modelsMax {
            reader.fail(node, "at most \(ConfigLimits.modelsMax) models are allowed")
        }
        var models: [ParsedModel] = []
        for entry in entries.prefix(ConfigLimits.modelsMax) {
            let bytesMax = ConfigLimits.modelNameBytesMax
            if !ConfigReader.isName(entry.name, max: bytesMax) {
                reader.fail(entry, "expected 1 to \(bytesMax) bytes without control characters")
            }
            models.append(parseModel(entry, upstreams))
        }
        let table = ModelTable(entries: models.map(\.entry), upstreamNames: names)
        checkFallbacks(models, table)
        return table
    }

    /// An entry that is wrong in itself is there all the same, so that names of it are not wrong
    /// too: no configuration comes of it.
    private mutating func parseModel(
        _ entry: ConfigReader.Entry,
        _ upstreams: [ParsedUpstream]
    ) -> ParsedModel {
        let members = reader.members(entry.value, .model)
        var model = ModelEntry(pattern: NamePattern(entry.name), targets: [.init(upstream: 0)])
        guard let members else { return ParsedModel(entry: model, fallbacks: []) }
        let example = "like [ { \"upstream\": \"NAME\" } ]"
        let targets = required("targets", members, entry.value, example)
            .flatMap { parseTargets($0, upstreams) }
        let balance = members["balance"].flatMap { reader.choice($0, of: Balance.self) }
        let isStrict = members["strict"].flatMap { reader.bool($0) }
        let maxTokens = members["max_tokens"].flatMap {
            reader.integer($0, in: ConfigLimits.outputTokens)
        }
        model.targets = targets ?? model.targets
        model.balance = balance ?? model.balance
        model.isStrict = isStrict ?? model.isStrict
        model.maxTokens = maxTokens
        let elements = members["fallbacks"].flatMap {
            reader.elements($0, max: ConfigLimits.fallbacksMax)
        }
        var fallbacks: [JSONNode] = []
        for element in elements ?? [] {
            let name = reader.name(element, max: ConfigLimits.modelNameBytesMax)
            guard let name else { continue }
            if model.fallbacks.contains(name) { reader.fail(element, "the model stands twice") }
            model.fallbacks.append(name)
            fallbacks.append(element)
        }
        return ParsedModel(entry: model, fallbacks: fallbacks)
    }

    // MARK: Targets

    private mutating func parseTargets(
        _ node: JSONNode,
        _ upstreams: [ParsedUpstream]
    ) -> [ModelEntry.Target]? {
        guard let elements = reader.elements(node, max: ConfigLimits.targetsMax) else { return nil }
        if elements.isEmpty {
            reader.fail(node, "expected at least one target, like [ { \"upstream\": \"NAME\" } ]")
        }
        let targets = elements.compactMap { parseTarget($0, upstreams) }
        return targets.isEmpty ? nil : targets
    }

    private mutating func parseTarget(
        _ node: JSONNode,
        _ upstreams: [ParsedUpstream]
    ) -> ModelEntry.Target? {
        guard let members = reader.members(node, .target) else { return nil }
        let model = members["model"].flatMap {
            reader.name($0, max: ConfigLimits.modelNameBytesMax)
        }
        let weight = members["weight"].flatMap { reader.integer($0, in: ConfigLimits.weights) }
        guard let upstream = required("upstream", members, node),
            let name = reader.string(upstream)
        else { return nil }
        guard let index = upstreams.firstIndex(where: { $0.name == name }) else {
            let hint = Suggestion.text(for: name, among: upstreams.map(\.name))
            reader.fail(upstream, "there is no upstream of this name" + hint)
            return nil
        }
        let api = members["api"].flatMap { parseAPI($0, upstreams[index].kind) }
        return ModelEntry.Target(upstream: index, model: model, weight: weight ?? 1, api: api)
    }

    private mutating func parseAPI(_ node: JSONNode, _ kind: UpstreamKind?) -> TargetAPI? {
        guard let kind, let api = reader.choice(node, of: TargetAPI.self) else { return nil }
        if kind.interfaces.contains(api) { return api }
        let known = kind.interfaces.map(\.rawValue)
        let instead = known.isEmpty ? "leave it out" : "write " + ConfigReader.choices(known)
        reader.fail(node, "an upstream of kind \"\(kind.rawValue)\" has no such API; \(instead)")
        return nil
    }

    // MARK: Names of models

    /// Checks that a model of this name could be asked for.
    mutating func checkModelName(_ name: String, _ node: JSONNode, _ table: ModelTable) -> Bool {
        if table.route(forModel: name) != nil { return true }
        let known = table.entries.map(\.pattern).filter(\.isExact).map(\.text)
        let hint = Suggestion.text(for: name, among: known)
        let instead = "; name an entry of models, or UPSTREAM/MODEL"
        reader.fail(node, "nobody answers for this model" + (hint.isEmpty ? instead : hint))
        return false
    }

    private mutating func checkFallbacks(_ models: [ParsedModel], _ table: ModelTable) {
        // For each entry the entries it falls back to, and where the file says so.
        var edges: [[(entry: Int, node: JSONNode)]] = []
        for (index, model) in models.enumerated() {
            var targets: [(entry: Int, node: JSONNode)] = []
            for (name, node) in zip(model.entry.fallbacks, model.fallbacks) {
                guard checkModelName(name, node, table),
                    case .entry(let entry) = table.route(forModel: name)
                else { continue }
                if entry == index {
                    reader.fail(node, "a model cannot fall back to itself")
                } else {
                    targets.append((entry, node))
                }
            }
            edges.append(targets)
        }
        reportCircle(edges, models.map(\.entry.pattern.text))
    }

    /// Notes the first circle that following `edges` leads into.
    private mutating func reportCircle(
        _ edges: [[(entry: Int, node: JSONNode)]],
        _ names: [String]
    ) {
        var isFinished = [Bool](repeating: false, count: edges.count)
        for start in edges.indices where !isFinished[start] {
            // The way from the start, with the next edge to follow at each step.
            var way = [(entry: start, next: 0)]
            while let step = way.last {
                guard step.next < edges[step.entry].count else {
                    isFinished[step.entry] = true
                    way.removeLast()
                    continue
                }
                way[way.count - 1].next += 1
                let edge = edges[step.entry][step.next]
                if let first = way.firstIndex(where: { $0.entry == edge.entry }) {
                    let circle = way[first...].map { names[$0.entry] } + [names[edge.entry]]
                    let text = circle.joined(separator: " -> ")
                    reader.fail(edge.node, "falling back goes in a circle: \(text)")
                    return
                }
                if !isFinished[edge.entry] { way.append((edge.entry, 0)) }
            }
        }
    }
}
