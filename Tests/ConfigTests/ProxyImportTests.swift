// SPDX-License-Identifier: Apache-2.0
import Config
import Support
import System
import Testing

@Suite("Import of a proxy's configuration")
struct ProxyImportTests {
    private static let url = "https://api.ai.example/v2/inference/deployments/"
    private static let whole = """
        {
          "subAccounts": {
            "emea-a": {
              "resource_group": "default",
              "service_key_json": "/keys/a.json",
              "deployment_models": {
                "gpt-5.4": ["\(url)d1"],
                "4.5-sonnet": ["\(url)d2/", "\(url)d3?x=1"],
                "gpt-test": ["\(url)d4"],
                "llama": ["\(url)d5"]
              },
              "deployment_ids": { "gpt-4.1": ["d6"], "gpt-5.4": ["d1", "d7"] }
            },
            "emea-b": {
              "resource_group": "team-x", "service_key_json": "/keys/b.json",
              "deployment_models": { "gpt-5.4": ["d8"] }
            }
          },
          "model_filters": { "include_filters": ["^gpt-", "sonnet"], "exclude_filters": ["-test$"] },
          "secret_authentication_tokens": ["\(ConfigSample.secret)", "other"],
          "host": "127.0.0.1",
          "port": 3001
        }
        """

    private func convert(_ text: String) throws(ConfigErrors) -> ProxyImport.Result {
        try ProxyImport.convert(Array(text.utf8), file: "config.json")
    }

    /// The lines of what is wrong; empty when nothing is.
    private func errors(_ text: String) -> [String] {
        do throws(ConfigErrors) {
            _ = try convert(text)
            return []
        } catch {
            return error.errors.map(\.description)
        }
    }

    /// Any file is a service key.
    private func parse(_ text: String) throws -> Config {
        try ConfigParser.parse(
            Array(text.utf8),
            file: "apus.json",
            surroundings: ConfigSurroundings(
                directory: "",
                resolve: { _ in .success(ConfigSample.sapKey) },
                fileProblem: { _ in nil }
            )
        )
    }

    @Test("subaccounts, models, filters and tokens come over")
    func wholeFile() throws {
        let result = try convert(Self.whole)
        #expect(result.warnings.isEmpty)
        #expect(
            result.text == """
                // Made by apus import sap-proxy from "config.json".
                {
                  "listen": ["127.0.0.1:3001"],
                  "upstreams": {
                    "emea-a": {
                      "kind": "sap-ai-core",
                      "service_key": "${file:/keys/a.json}",
                      "resource_group": "default",
                      // "tenant_header": true,   // the proxy sent AI-Tenant-Id; few need it
                      // include_filters "^gpt-", "sonnet"; they also hold for what discovery finds.
                      "include": ["gpt-*", "*sonnet*"],
                      // exclude_filters "-test$"; they also hold for what discovery finds.
                      "exclude": ["*-test"],
                      // Left out by the filters: "gpt-test", "llama".
                      "deployments": {
                        "gpt-5.4": ["d1", "d7"],
                        "4.5-sonnet": ["d2", "d3"],
                        "gpt-4.1": ["d6"],
                      },
                    },
                    "emea-b": {
                      "kind": "sap-ai-core",
                      "service_key": "${file:/keys/b.json}",
                      "resource_group": "team-x",
                      // "tenant_header": true,   // the proxy sent AI-Tenant-Id; few need it
                      // include_filters "^gpt-", "sonnet"; they also hold for what discovery finds.
                      "include": ["gpt-*", "*sonnet*"],
                      // exclude_filters "-test$"; they also hold for what discovery finds.
                      "exclude": ["*-test"],
                      "deployments": {
                        "gpt-5.4": ["d8"],
                      },
                    },
                  },
                  "models": {
                    "gpt-5.4": { "targets": [{ "upstream": "emea-a" }, { "upstream": "emea-b" }] },
                    "4.5-sonnet": { "targets": [{ "upstream": "emea-a" }] },
                    "gpt-4.1": { "targets": [{ "upstream": "emea-a" }] },
                    // Whatever else the subaccounts have, found by discovery.
                    "*": { "targets": [{ "upstream": "emea-a" }, { "upstream": "emea-b" }] },
                  },
                  // The tokens of the proxy, in its order; only their hashes are kept.
                  "keys": [
                    { "name": "token-1", "hash": "sha256:\(Self.hash(ConfigSample.secret))" },
                    { "name": "token-2", "hash": "sha256:\(Self.hash("other"))" },
                  ],
                }

                """
        )
        let config = try parse(result.text)
        #expect(config.upstreams.map(\.name) == ["emea-a", "emea-b"])
        guard case .sapAICore(let first) = config.upstreams[0].kind else {
            Issue.record("another kind")
            return
        }
        #expect(first.discovers && first.deployments.map(\.model).contains("4.5-sonnet"))
        let secret = Array(ConfigSample.secret.utf8)
        let key = config.keys.find(secret: secret.span)
        #expect(key == 0 && config.keys.keys.count == 2)
    }

    private static func hash(_ text: String) -> String {
        let bytes = Array(text.utf8)
        return SHA256.digest(of: bytes.span).hexadecimal
    }

    @Test("the flat form is one subaccount")
    func flat() throws {
        let result = try convert(
            """
            {"service_key_json":"/k.json","deployment_models":{"m":"\(Self.url)d1"},
            "resource_group":"g${x}","host":"0.0.0.0","port":3002}
            """
        )
        let config = try parse(result.text)
        #expect(config.upstreams.map(\.name) == ["default"])
        #expect(config.listen.map(\.description) == ["0.0.0.0:3002"] && config.authIsOff)
        #expect(config.statusListen.description == "127.0.0.1:3003")
        guard case .sapAICore(let sap) = config.upstreams[0].kind else {
            Issue.record("another kind")
            return
        }
        #expect(sap.resourceGroup == "g${x}")
        #expect(sap.deployments == [SAPConfig.PinnedModel(model: "m", deployments: ["d1"])])
        #expect(config.models.entries.map(\.pattern.text) == ["m", "*"])
        #expect(result.warnings.isEmpty)
    }

    @Test(
        "who may ask is as before",
        arguments: [
            ("", "127.0.0.1:3001", false, 0), (#","host":"localhost""#, "127.0.0.1:3001", false, 0),
            (#","host":"::1","port":80"#, "[::1]:80", false, 0),
            (#","host":"0.0.0.0""#, "0.0.0.0:3001", true, 0),
            (#","host":"0.0.0.0","secret_authentication_tokens":[]"#, "0.0.0.0:3001", true, 0),
            (#","host":"0.0.0.0","secret_authentication_tokens":["a"]"#, "0.0.0.0:3001", false, 1),
            (#","secret_authentication_tokens":["a","a","b",""]"#, "127.0.0.1:3001", false, 2),
        ]
    )
    func access(members: String, address: String, isOff: Bool, keys: Int) throws {
        let result = try convert(#"{"service_key_json":"/k""# + members + "}")
        let config = try parse(result.text)
        #expect(config.listen.map(\.description) == [address])
        #expect(config.authIsOff == isOff && config.keys.keys.count == keys)
    }

    @Test("what has no place is named")
    func warnings() throws {
        let result = try convert(
            """
            {"subAccounts":{
            "EU West/1":{"service_key_json":"keys/a.json","resource_grup":"x","deployment_models":{"m":[]}},
            "EU West_1":{"service_key_json":"/b"},"EU-West-1":{"service_key_json":"/b","deployment_ids":{}}},
            "service_key_json":"/c","debug":true,
            "model_filters":{"include":["x"],"include_filters":["gpt-4.1"]},
            "secret_authentication_tokens":["","a","a"]}
            """
        )
        #expect(
            result.warnings.map(\.description) == [
                "config.json:2:1: subAccounts[\"EU West/1\"]: the upstream is called \"EU-West-1\"",
                "config.json:2:33: subAccounts[\"EU West/1\"].service_key_json: the proxy took this path "
                    + "from its working directory, apus takes it from the directory of its "
                    + "configuration file",
                "config.json:2:47: subAccounts[\"EU West/1\"].resource_grup: unknown key, left out, "
                    + "did you mean \"resource_group\"?",
                "config.json:2:92: subAccounts[\"EU West/1\"].deployment_models.m: left out: no "
                    + "deployment is named, so discovery has to find one",
                "config.json:3:1: subAccounts[\"EU West_1\"]: the upstream is called \"EU-West_1\"",
                "config.json:3:39: subAccounts.EU-West-1: the upstream is called \"EU-West-1-2\"",
                "config.json:4:1: service_key_json: left out: subAccounts stand in for it",
                "config.json:4:25: debug: unknown key, left out",
                "config.json:5:18: model_filters.include: unknown key, left out",
                "config.json:5:53: model_filters.include_filters[0]: a \".\" alone is taken for the dot "
                    + "of a name, not for any letter",
                "config.json:6:33: secret_authentication_tokens[0]: left out: an empty token let "
                    + "everybody in",
                "config.json:6:40: secret_authentication_tokens[2]: left out: the token stands twice",
            ]
        )
        let config = try parse(result.text)
        #expect(config.upstreams.map(\.name) == ["EU-West-1", "EU-West_1", "EU-West-1-2"])
        #expect(config.models.entries.map(\.pattern.text) == ["*"])
    }

    @Test(
        "what is wrong is told with its place",
        arguments: [
            ("", "1:1: expected a value, found the end of the document"),
            (
                "{\n\"port\":1,}",
                "2:10: expected a member name in double quotes after ',', found '}'"
            ),
            ("[]", "1:1: expected an object, found an array"),
            ("{}", "1:1: there are neither subAccounts nor a service_key_json"),
            (#"{"subAccounts":{}}"#, "1:16: subAccounts: expected at least one subaccount"),
            (#"{"subAccounts":[]}"#, "1:16: subAccounts: expected an object, found an array"),
            (
                #"{"subAccounts":{"a":1}}"#,
                "1:21: subAccounts.a: expected an object, found a number"
            ),
            (
                #"{"subAccounts":{"a":{}}}"#,
                "1:21: subAccounts.a: service_key_json is missing, for example \"keys/eu.json\""
            ),
            (
                #"{"service_key_json":{}}"#,
                "1:21: service_key_json: expected a string, found an object"
            ),
            (
                #"{"service_key_json":"/a}"}"#,
                "1:21: service_key_json: a path with a \"}\" cannot stand in a reference; rename the file"
            ),
            (
                #"{"service_key_json":"/a","resource_group":" x"}"#,
                "1:43: resource_group: expected printable ASCII without spaces at its ends"
            ),
            (
                #"{"service_key_json":"/a","port":"3001"}"#,
                "1:33: port: expected a whole number from 1 to 65535"
            ),
            (
                #"{"service_key_json":"/a","host":"gateway.example"}"#,
                "1:33: host: expected a numeric address, localhost or *"
            ),
            (
                #"{"service_key_json":"/a","deployment_models":{"m":["https://h/d1"]}}"#,
                "1:52: deployment_models.m[0]: expected a deployment's id, or a URL that ends in "
                    + "/deployments/ID"
            ),
            (
                #"{"service_key_json":"/a","deployment_models":{"m":[1]}}"#,
                "1:52: deployment_models.m[0]: expected a string, found a number"
            ),
            (
                #"{"service_key_json":"/a","deployment_models":{"gpt-*":["d1"]}}"#,
                "1:47: deployment_models[\"gpt-*\"]: expected 1 to 512 bytes without control "
                    + "characters and *"
            ),
            (
                #"{"service_key_json":"/a","model_filters":{"include_filters":["a[bc]"]}}"#,
                "1:62: model_filters.include_filters[0]: the set \"[\" cannot be translated; use ^, $, "
                    + ".* and plain text, or several filters"
            ),
            (
                #"{"service_key_json":"/a","model_filters":{"exclude_filters":["^$"]}}"#,
                "1:62: model_filters.exclude_filters[0]: this matches no name"
            ),
            (
                #"{"service_key_json":"/a","model_filters":{"exclude_filters":"x"}}"#,
                "1:61: model_filters.exclude_filters: expected an array, found a string"
            ),
            (
                #"{"service_key_json":"/a","secret_authentication_tokens":[5]}"#,
                "1:58: secret_authentication_tokens[0]: expected a string, found a number"
            ),
        ]
    )
    func wrong(text: String, error: String) {
        #expect(errors(text) == ["config.json:" + error])
    }

    @Test("more subaccounts than a model has targets")
    func crowd() throws {
        let accounts = (1...20).map {
            #""a\#($0)":{"service_key_json":"/k","deployment_ids":{"m":["d\#($0)"]}}"#
        }
        let result = try convert(#"{"subAccounts":{"# + accounts.joined(separator: ",") + "}}")
        #expect(
            result.warnings.map(\.description) == [
                "config.json: only the first 16 subaccounts answer for m, *"
            ]
        )
        #expect(try parse(result.text).models.entries.map(\.targets.count) == [16, 16])
    }

    @Test("whatever is taken becomes a configuration", arguments: 1...8 as ClosedRange<UInt64>)
    func walk(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let names = [
            "gpt-5", "claude", "é", "a b", "x/y", "${env:K}", "\\\"", "\\\\", "//", "/* ", "[1m]",
            "-",
            String(repeating: "n", count: 70),
        ]
        let filters = ["^gpt", ".*", "a.b$", "", "é|x", "//", "\\\"", "^.*$", "a\\\\.b"]
        let rare = ["", "*", "\\n", "}", "a[b]", "https://h/deployments/d2"]
        var taken = 0
        for _ in 0..<400 {
            func pick(_ common: [String]) -> String {
                let isRare = Int.random(in: 0..<40, using: &random) == 0
                return (isRare ? rare : common).randomElement(using: &random) ?? ""
            }
            func list(_ pieces: [String]) -> String {
                let count = Int.random(in: 0...2, using: &random)
                return "[" + (0..<count).map { _ in "\"\(pick(pieces))\"" }.joined(separator: ",")
                    + "]"
            }
            let accounts = (0...2).map { index in
                """
                "\(pick(names))\(index)":{"service_key_json":"\(pick(names))",
                "resource_group":"g\(pick(["a", "${x}", "\\\"", "$"]))","deployment_models":
                {"a\(pick(names))":["d1"],"b\(pick(names))":\(list(["d1", "d2"]))}}
                """
            }
            let source = """
                {"subAccounts":{\(accounts.joined(separator: ","))},
                "model_filters":{"include_filters":\(list(filters)),"exclude_filters":\(list(filters))},
                "secret_authentication_tokens":\(list(names)),"host":"\(pick(["0.0.0.0", "::1"]))"}
                """
            let result: ProxyImport.Result
            do throws(ConfigErrors) {
                result = try convert(source)
            } catch {
                continue
            }
            taken += 1
            do throws(ConfigErrors) {
                _ = try ConfigParser.parse(
                    Array(result.text.utf8),
                    file: "apus.json",
                    surroundings: ConfigSurroundings(
                        directory: "",
                        resolve: { _ in .success(ConfigSample.sapKey) },
                        fileProblem: { _ in nil }
                    )
                )
            } catch {
                Issue.record("seed \(seed): \(error)\n\(source)\n\(result.text)")
                return
            }
        }
        #expect(taken > 100, "seed \(seed)")
    }
}
