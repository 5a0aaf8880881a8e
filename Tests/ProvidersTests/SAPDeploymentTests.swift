// SPDX-License-Identifier: Apache-2.0
import Providers
import Support
import Testing

@Suite("Lists of SAP deployments")
struct SAPDeploymentListTests {
    static func parse(_ body: String) throws(SAPListError) -> [SAPDeployment] {
        let bytes = Array(body.utf8)
        return try SAPDeployment.parseList(bytes.span)
    }

    static func entry(
        _ id: String,
        details: String,
        more: String = #""scenarioId":"foundation-models","executableId":"azure-openai""#,
        status: String = "RUNNING"
    ) -> String {
        #"{"id":"\#(id)","configurationId":"c-1","createdAt":"2026-03-01T08:00:00Z",\#(more),"#
            + #""status":"\#(status)","details":\#(details)}"#
    }

    static func list(_ entries: String...) -> String {
        #"{"count":\#(entries.count),"resources":[\#(entries.joined(separator: ","))]}"#
    }

    static func model(_ name: String, spelling: String) -> String {
        #"{"resources":{"\#(spelling)":{"model":{"name":"\#(name)","version":"latest"}}}}"#
    }

    static let gpt = SAPDeployment(
        id: "d1",
        model: "gpt-5.4",
        version: "latest",
        executable: .azureOpenAI,
        createdAt: 1_772_352_000,
        configurationID: "c-1"
    )

    @Test("tell the model in both spellings")
    func spellings() throws {
        for spelling in ["backendDetails", "backend_details"] {
            let body = Self.list(
                Self.entry("d1", details: Self.model("gpt-5.4", spelling: spelling))
            )
            #expect(try Self.parse(body) == [Self.gpt])
        }
        let both = """
            {"resources":{"backendDetails":{"model":{"name":"gpt-5.4","version":"latest"}},\
            "backend_details":{"model":{"name":"gpt-5.4","version":"latest"}}},\
            "scaling":{"backendDetails":{},"backend_details":{}}}
            """
        #expect(try Self.parse(Self.list(Self.entry("d1", details: both))) == [Self.gpt])
        // An empty one does not hide the other.
        let half = """
            {"resources":{"backendDetails":{},\
            "backend_details":{"model":{"name":"gpt-5.4","version":"latest"}}}}
            """
        #expect(try Self.parse(Self.list(Self.entry("d1", details: half))) == [Self.gpt])
    }

    @Test("have running deployments only")
    func statuses() throws {
        let details = Self.model("gpt-5.4", spelling: "backendDetails")
        for status in [
            "PENDING", "COMPLETED", "DEAD", "STOPPING", "STOPPED", "UNKNOWN", "running", "",
        ] {
            let body = Self.list(
                Self.entry("d0", details: details, status: status),
                Self.entry("d1", details: details)
            )
            #expect(try Self.parse(body) == [Self.gpt])
        }
    }

    @Test("lead to the configuration when they do not tell the model")
    func withoutDetails() throws {
        for details in ["{}", "null", "[]", "7", #"{"resources":null}"#, #"{"resources":{}}"#] {
            let found = try Self.parse(Self.list(Self.entry("d1", details: details)))
            #expect(found.count == 1)
            #expect(found.first?.model == nil)
            #expect(found.first?.needsConfiguration == true)
            #expect(found.first?.configurationID == "c-1")
            #expect(found.first?.family == nil)
        }
    }

    @Test("tell orchestration by its scenario or executable")
    func orchestration() throws {
        for more in [
            #""scenarioId":"orchestration""#, #""executableId":"orchestration""#,
            #""scenarioId":"orchestration","executableId":"orchestration""#,
        ] {
            let found = try Self.parse(Self.list(Self.entry("d1", details: "{}", more: more)))
            #expect(found.first?.isOrchestration == true)
            #expect(found.first?.needsConfiguration == false)
            #expect(found.first?.family == .orchestration)
        }
    }

    @Test("tell what runs a deployment")
    func executables() throws {
        for executable in SAPExecutable.allCases where executable != .orchestration {
            let more = #""executableId":"\#(executable.rawValue)""#
            let details = Self.model("m", spelling: "backendDetails")
            let found = try Self.parse(Self.list(Self.entry("d1", details: details, more: more)))
            #expect(found.first?.executable == executable)
        }
        let more = #""executableId":"brand-new""#
        let found = try Self.parse(Self.list(Self.entry("d1", details: "{}", more: more)))
        #expect(found.first?.executable == .unknown)
    }

    @Test("leave out what cannot be used")
    func unusable() throws {
        let details = Self.model("gpt-5.4", spelling: "backendDetails")
        let body = """
            {"resources":[7,null,"x",[],{},{"status":"RUNNING"},\
            {"status":"RUNNING","id":"no-way-to-a-model"},\
            {"status":"RUNNING","id":7,"configurationId":"c"},\
            {"status":"RUNNING","id":"","configurationId":"c"},\
            {"status":"RUNNING","id":"a/../b","configurationId":"c"},\
            {"status":"RUNNING","id":"a b","configurationId":"c"},\
            {"status":"RUNNING","id":"x","configurationId":"../c"},\
            \(Self.entry("d1", details: details))]}
            """
        #expect(try Self.parse(body) == [Self.gpt])
        #expect(try Self.parse(#"{"resources":[]}"#).isEmpty)
    }

    @Test("stop at a number that no account reaches")
    func limit() throws {
        let entry = Self.entry("d1", details: Self.model("m", spelling: "backendDetails"))
        let entries = Array(repeating: entry, count: SAPDeployment.deploymentsMax + 10)
        let body = #"{"resources":[\#(entries.joined(separator: ","))]}"#
        #expect(try Self.parse(body).count == SAPDeployment.deploymentsMax)
    }

    @Test("that are none are refused")
    func refused() {
        for body in ["", "{", "<html>", "nope"] {
            #expect(throws: SAPListError.json(.syntax)) { try Self.parse(body) }
        }
        for body in ["{}", "[]", "7", #"{"resources":{}}"#, #"{"error":{"message":"x"}}"#] {
            #expect(throws: SAPListError.noResources) { try Self.parse(body) }
        }
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: SAPListError.json(.limit)) { try Self.parse(deep) }
    }

    static func configuration(_ body: String) throws(SAPListError) -> [String?] {
        let bytes = Array(body.utf8)
        let found = try SAPDeployment.parseConfiguration(bytes.span)
        return [found.model, found.version]
    }

    @Test("are completed by configurations")
    func configurations() throws {
        #expect(
            try Self.configuration(
                """
                {"id":"c-1","parameterBindings":[{"key":"other","value":"x"},\
                {"key":"modelName","value":"gpt-5.4"},{"key":"modelVersion","value":"latest"}]}
                """
            ) == ["gpt-5.4", "latest"]
        )
        #expect(
            try Self.configuration(
                #"{"parameterBindings":[{"value":"m","key":"modelName"}]}"#
            ) == ["m", nil]
        )
        for body in [
            "{}", "[]", #"{"parameterBindings":{}}"#, #"{"parameterBindings":[]}"#,
            #"{"parameterBindings":[{"key":"modelName"}]}"#,
            #"{"parameterBindings":[{"key":"modelName","value":""}]}"#,
            #"{"parameterBindings":[{"key":"modelName","value":7}]}"#,
        ] {
            #expect(throws: SAPListError.noModel) { try Self.configuration(body) }
        }
        #expect(throws: SAPListError.json(.syntax)) { try Self.configuration("") }
    }

    @Test("share their identifiers with addresses")
    func addresses() {
        let base = "https://api.ai.prod.example-1.aws.ml.hana.ondemand.com/v2"
        let url = base + "/inference/deployments/d0a1b2c3d4e5f601"
        for suffix in ["", "/", "?a=b", "#x", "/?a=b#c", "/chat/completions?api-version=1"] {
            #expect(SAPDeployment.identifier(inURL: url + suffix) == "d0a1b2c3d4e5f601")
        }
        for refused in [
            "", "d0a1b2c3d4e5f601", base, base + "/inference/deployments",
            base + "/inference/deployments/", base + "/inference/deployments//d1",
            base + "/inference/deployments/a%2Fb", base + "/inference/deployments/..",
            base + "/inference/deployments/a b", base + "?x=/inference/deployments/d1",
            base + "#/inference/deployments/d1", "ftp://h/inference/deployments/d1",
            base + "/inference/deployments/" + String(repeating: "a", count: 129),
        ] {
            #expect(SAPDeployment.identifier(inURL: refused) == nil, "\(refused)")
        }
    }
}

@Suite("Tables of SAP deployments")
struct SAPDeploymentTableTests {
    static let second: UInt64 = 1_000_000_000

    static func deployment(_ id: String, _ model: String?, at created: Int = 0) -> SAPDeployment {
        SAPDeployment(
            id: id,
            model: model,
            executable: .azureOpenAI,
            createdAt: created,
            configurationID: "c-\(id)"
        )
    }

    typealias Change = SAPDeploymentTable.Change

    @Test("start with what is pinned")
    func pinsFirst() {
        let table = SAPDeploymentTable(pins: [.init(name: "gpt-5.4", deploymentID: "d9")])
        #expect(!table.isKnown)
        #expect(table.names == ["gpt-5.4"])
        #expect(
            table.deployments(named: "gpt-5.4") == [SAPDeployment(id: "d9", model: "gpt-5.4")]
        )
        #expect(table.refreshAt == 0)
        #expect(SAPDeploymentTable().names.isEmpty)
    }

    @Test("follow the list, newest first")
    func updates() {
        var table = SAPDeploymentTable()
        let one = Self.deployment("d1", "gpt-5.4", at: 1)
        let two = Self.deployment("d2", "gpt-5.4", at: 2)
        let three = Self.deployment("d3", "o3", at: 2)
        #expect(
            table.update([one, two, three], now: 0) == Change(added: ["gpt-5.4", "o3"])
        )
        #expect(table.deployments(named: "gpt-5.4") == [two, one])
        #expect(table.deployments(named: "o3") == [three])
        #expect(table.deployments(named: "gpt-4").isEmpty)
        // The order of the list does not matter.
        #expect(table.update([three, two, one], now: 0).isEmpty)
        #expect(table.deployments(named: "gpt-5.4") == [two, one])
        #expect(table.update([one], now: 0) == Change(removed: ["o3"]))
        #expect(table.deployments(named: "gpt-5.4") == [one])
        #expect(table.update([], now: 0) == Change(removed: ["gpt-5.4"]))
    }

    @Test("keep what they know when a list fails")
    func failures() {
        var table = SAPDeploymentTable()
        _ = table.update([Self.deployment("d1", "gpt-5.4")], now: 7)
        #expect(table.refreshAt == 7 + 300 * Self.second)
        var waits: [UInt64] = []
        for _ in 0..<9 {
            table.updateFailed(now: 0)
            waits.append(table.refreshAt / Self.second)
        }
        #expect(waits == [5, 10, 20, 40, 80, 160, 300, 300, 300])
        #expect(table.names == ["gpt-5.4"] && table.isKnown)
        _ = table.update([], now: 0)
        table.updateFailed(now: 0)
        #expect(table.refreshAt == 5 * Self.second)
    }

    @Test("keep to the interval of the configuration, which bounds the waits after failures")
    func interval() {
        var table = SAPDeploymentTable(refreshInterval: 8 * Self.second)
        _ = table.update([], now: 7)
        #expect(table.refreshAt == 7 + 8 * Self.second)
        for _ in 0..<4 { table.updateFailed(now: 9) }
        #expect(table.refreshAt == 9 + 8 * Self.second)
    }

    @Test("filter every name")
    func filters() {
        var table = SAPDeploymentTable(
            pins: [
                .init(name: "gpt-test", deploymentID: "d1"),
                .init(name: "fast", deploymentID: "d1"),
            ],
            isIncluded: { $0.hasPrefix("gpt-") && !$0.hasSuffix("-test") }
        )
        #expect(table.names.isEmpty)
        let change = table.update(
            [Self.deployment("d1", "gpt-5.4"), Self.deployment("d2", "o3")],
            now: 0
        )
        #expect(change == Change(added: ["gpt-5.4"]))
        #expect(table.deployments(named: "fast").isEmpty)
    }

    @Test("merge what is pinned with what runs")
    func pins() {
        var table = SAPDeploymentTable(pins: [
            .init(name: "fast", deploymentID: "d1"),
            .init(name: "gpt-5.4", deploymentID: "d2"),
            .init(name: "gpt-4o", deploymentID: "d2"),
            .init(name: "gone", deploymentID: "d7"),
        ])
        let one = Self.deployment("d1", "o3", at: 1)
        let two = Self.deployment("d2", "gpt-5.4", at: 1)
        let three = Self.deployment("d3", "gpt-5.4", at: 9)
        let change = table.update([one, two, three], now: 0)
        #expect(change == Change(added: ["o3"], removed: ["gone"]))
        #expect(table.names == ["fast", "gpt-4o", "gpt-5.4", "o3"])
        #expect(table.deployments(named: "fast") == [one])
        // Pinned and found: there once.
        #expect(table.deployments(named: "gpt-5.4") == [three, two])
        #expect(table.deployments(named: "gpt-4o") == [two])
        #expect(table.missingPins == [.init(name: "gone", deploymentID: "d7")])
        #expect(table.mismatches.map(\.configured) == ["gpt-4o"])
        // Once it runs again it is offered again.
        let more = table.update([one, two, three, Self.deployment("d7", "gpt-5")], now: 0)
        #expect(more == Change(added: ["gone", "gpt-5"]))
        #expect(table.missingPins.isEmpty)
    }

    @Test("wait for configurations")
    func configurations() {
        var table = SAPDeploymentTable(pins: [.init(name: "fast", deploymentID: "d2")])
        let open = Self.deployment("d1", nil)
        let pinned = Self.deployment("d2", nil)
        _ = table.update([open, pinned, Self.deployment("d3", "o3")], now: 0)
        #expect(table.names == ["fast", "o3"])
        #expect(table.deployments(named: "fast").map(\.model) == ["fast"])
        #expect(table.configurationsWanted == ["c-d1", "c-d2"])
        #expect(
            table.configurationRead("c-d1", model: "gpt-5.4", version: "1")
                == Change(added: ["gpt-5.4"])
        )
        #expect(table.configurationsWanted == ["c-d2"])
        #expect(table.deployments(named: "gpt-5.4").map(\.version) == ["1"])
        // A configuration that nobody uses is not kept.
        #expect(table.configurationRead("c-x", model: "m", version: nil).isEmpty)
        // It is known at the next list, and forgotten with its deployment.
        #expect(table.update([open], now: 0) == Change(removed: ["fast", "o3"]))
        #expect(table.configurationsWanted.isEmpty)
        #expect(table.update([], now: 0) == Change(removed: ["gpt-5.4"]))
        _ = table.update([open], now: 0)
        #expect(table.configurationsWanted == ["c-d1"])
    }

    @Test("keep orchestration apart")
    func orchestration() {
        var table = SAPDeploymentTable()
        let old = SAPDeployment(id: "o1", model: nil, isOrchestration: true, createdAt: 1)
        let new = SAPDeployment(id: "o2", model: nil, isOrchestration: true, createdAt: 2)
        #expect(table.update([old, new], now: 0).isEmpty)
        #expect(table.orchestration == [new, old])
        #expect(table.names.isEmpty && table.configurationsWanted.isEmpty)
    }

    @Test("hold together in random walks", arguments: 1...10 as ClosedRange<UInt64>)
    func randomWalk(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let models = ["gpt-5.4", "o3", "gpt-4o", nil]
        var table = SAPDeploymentTable(
            pins: [.init(name: "fast", deploymentID: "d1"), .init(name: "o3", deploymentID: "d2")],
            isIncluded: { $0 != "gpt-4o" }
        )
        var names = Set(table.names)
        for _ in 0..<500 {
            let before = table.names
            var change = Change()
            switch random.below(4) {
            case 0: table.updateFailed(now: random.next() >> 8)
            case 1:
                guard let id = table.configurationsWanted.first else { continue }
                change = table.configurationRead(id, model: "m-\(random.below(3))", version: nil)
            default:
                var list: [SAPDeployment] = []
                for index in 0..<6 where random.oneIn(2) {
                    let model = models[random.below(models.count)]
                    list.append(Self.deployment("d\(index)", model, at: random.below(3)))
                }
                change = table.update(list, now: random.next() >> 8)
            }
            names = names.union(change.added).subtracting(change.removed)
            #expect(names == Set(table.names), "seed \(seed): the changes add up")
            #expect(
                table.names == table.names.sorted() && Set(before).isDisjoint(with: change.added)
            )
            #expect(!table.names.contains("gpt-4o"))
            for name in table.names {
                let deployments = table.deployments(named: name)
                #expect(!deployments.isEmpty, "seed \(seed): a name leads somewhere")
                #expect(Set(deployments.map(\.id)).count == deployments.count)
                #expect(deployments.allSatisfy { $0.model != nil })
                let sorted = zip(deployments, deployments.dropFirst()).allSatisfy {
                    $0.createdAt >= $1.createdAt
                }
                #expect(sorted, "seed \(seed)")
            }
        }
    }
}
