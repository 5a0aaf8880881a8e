// SPDX-License-Identifier: Apache-2.0
import Config
import Testing

extension WrongConfig {
    /// Members of the upstream `u` of some kind; they start on line 2.
    init(provider kind: String, _ members: String, _ error: String) {
        self.init("{\"upstreams\":{\"u\":{\"kind\":\"\(kind)\",\n\(members)}}}", error)
    }
}

@Suite("Configuration errors of providers")
struct ProviderErrorTests {
    @Test(
        "keys of the kinds",
        arguments: [
            WrongConfig(
                provider: "openai",
                #""base_url":"https://h/v1","responses":"yes""#,
                "2:39: upstreams.u.responses: expected \"native\" or \"chat\""
            ),
            WrongConfig(
                provider: "openai",
                #""base_url":"https://h/v1","responses":"nativ""#,
                "2:39: upstreams.u.responses: expected \"native\" or \"chat\", did you mean \"native\"?"
            ),
            WrongConfig(
                provider: "openai",
                #""base_url":"https://h/v1","api_version":"v1""#,
                "2:27: upstreams.u.api_version: unknown key"
            ),
            WrongConfig(
                provider: "azure-openai",
                #""api_key":"k""#,
                "1:19: upstreams.u: base_url is missing, for example \"https://NAME.openai.azure.com\""
            ),
            WrongConfig(
                provider: "azure-openai",
                #""base_url":"https://h/openai""#,
                "2:12: upstreams.u.base_url: leave /openai out: apus puts it behind the URL"
            ),
            WrongConfig(
                provider: "azure-openai",
                #""base_url":"https://h/openai/v1/""#,
                "2:12: upstreams.u.base_url: leave /openai/v1 out: apus puts it behind the URL"
            ),
            WrongConfig(
                provider: "azure-openai",
                #""base_url":"https://h","api_version":"2025 04""#,
                "2:38: upstreams.u.api_version: expected a version of letters, digits, '.', '-' and '_'"
            ),
            WrongConfig(
                provider: "azure-openai",
                #""base_url":"https://h","api_version":"""#,
                "2:38: upstreams.u.api_version: expected a version of letters, digits, '.', '-' and '_'"
            ),
            WrongConfig(
                provider: "azure-openai",
                #""base_url":"https://h","api_key":"k","headers":{"API-Key":"x"}"#,
                "2:49: upstreams.u.headers.API-Key: api_key sets this field already; remove one of them"
            ),
            WrongConfig(
                provider: "azure-openai",
                #""base_url":"https://h","apikey":"k""#,
                "2:24: upstreams.u.apikey: unknown key, did you mean \"api_key\"?"
            ),
            WrongConfig(
                provider: "anthropic",
                #""base_url":"https://api.anthropic.com/v1""#,
                "2:12: upstreams.u.base_url: leave /v1 out: apus puts it behind the URL"
            ),
            WrongConfig(
                provider: "anthropic",
                #""version":20230601"#,
                "2:11: upstreams.u.version: expected a string, found a number"
            ),
            WrongConfig(
                provider: "anthropic",
                #""headers":{"anthropic-version":"x"}"#,
                "2:12: upstreams.u.headers.anthropic-version: version sets this field already; remove one of them"
            ),
            WrongConfig(
                provider: "anthropic",
                #""api_key":"k","headers":{"X-Api-Key":"x"}"#,
                "2:26: upstreams.u.headers.X-Api-Key: api_key sets this field already; remove one of them"
            ),
            WrongConfig(
                provider: "anthropic",
                #""responses":"chat""#,
                "2:1: upstreams.u.responses: unknown key"
            ),
            WrongConfig(
                provider: "anthropic",
                #""api_key":"${env:NOPE}""#,
                "2:11: upstreams.u.api_key: NOPE is not there"
            ),
            WrongConfig(
                provider: "gemini",
                #""base_url":"https://h/v1beta""#,
                "2:12: upstreams.u.base_url: leave /v1beta out: apus puts it behind the URL"
            ),
            WrongConfig(
                provider: "gemini",
                #""api_version":"v1/beta""#,
                "2:15: upstreams.u.api_version: expected a version of letters, digits, '.', '-' and '_'"
            ),
            WrongConfig(
                provider: "gemini",
                #""api_key":"k","headers":{"x-goog-api-key":"x"}"#,
                "2:26: upstreams.u.headers.x-goog-api-key: api_key sets this field already; remove one of them"
            ),
            WrongConfig(
                provider: "bedrock",
                #""access_key_id":"i","secret_access_key":"s""#,
                "1:19: upstreams.u: region is missing, for example \"eu-central-1\""
            ),
            WrongConfig(
                provider: "bedrock",
                #""region":"eu-central-1","secret_access_key":"s""#,
                "1:19: upstreams.u: access_key_id is missing"
            ),
            WrongConfig(
                provider: "bedrock",
                #""region":"eu-central-1","access_key_id":"i""#,
                "1:19: upstreams.u: secret_access_key is missing"
            ),
            WrongConfig(
                provider: "bedrock",
                #""region":"EU","access_key_id":"i","secret_access_key":"s""#,
                "2:10: upstreams.u.region: expected the name of a region, like \"eu-central-1\""
            ),
            WrongConfig(
                provider: "bedrock",
                #""region":"h/x","access_key_id":"i","secret_access_key":"s""#,
                "2:10: upstreams.u.region: expected the name of a region, like \"eu-central-1\""
            ),
            WrongConfig(
                provider: "bedrock",
                #""region":"","access_key_id":"i","secret_access_key":"s""#,
                "2:10: upstreams.u.region: expected the name of a region, like \"eu-central-1\""
            ),
            WrongConfig(
                provider: "bedrock",
                #""region":"r","access_key_id":"","secret_access_key":"s""#,
                "2:30: upstreams.u.access_key_id: the value is empty"
            ),
            WrongConfig(
                provider: "bedrock",
                #""region":"eu-central-1","access_key_id":"i","secret_access_key":"s","headers":{"X-Amz-Date":"x"}"#,
                "2:80: upstreams.u.headers.X-Amz-Date: this field is made by apus and cannot be set"
            ),
            WrongConfig(
                provider: "bedrock",
                #""region":"eu-central-1","access_key_id":"i","secret_access_key":"s","headers":{"Authorization":"x"}"#,
                "2:80: upstreams.u.headers.Authorization: this field is made by apus and cannot be set"
            ),
            WrongConfig(
                provider: "bedrock",
                #""region":"eu-central-1","access_key_id":"i","secret_access_key":"s","api_key":"x""#,
                "2:69: upstreams.u.api_key: unknown key"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""resource_group":"x""#,
                "1:19: upstreams.u: service_key is missing, for example \"${file:key.json}\""
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":[]"#,
                "2:15: upstreams.u.service_key: expected a service key: an object, or a string that holds one, like \"${file:key.json}\""
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:nope}""#,
                "2:15: upstreams.u.service_key: nope is not there"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":{"clientid":5}"#,
                "2:27: upstreams.u.service_key.clientid: expected a string, found a number"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":{"clientid":"${env:NOPE}"}"#,
                "2:27: upstreams.u.service_key.clientid: NOPE is not there"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":{"clientid":"i","clientsecret":"s","url":"x","serviceurls":{"AI_API_URL":"https://h"}}"#,
                "2:56: upstreams.u.service_key.url: url of the service key is no usable URL: write a URL that starts with http:// or https://"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","resourcegroup":"x""#,
                "2:34: upstreams.u.resourcegroup: unknown key, did you mean \"resource_group\"?"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","resource_group":"""#,
                "2:51: upstreams.u.resource_group: the value is empty"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","api_version":"?""#,
                "2:48: upstreams.u.api_version: expected a version of letters, digits, '.', '-' and '_'"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","responses_api_version":1"#,
                "2:58: upstreams.u.responses_api_version: expected a string, found a number"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","discovery_interval":300"#,
                "2:55: upstreams.u.discovery_interval: a duration carries its unit: write \"300s\" or \"300ms\""
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","tenant_header":"on""#,
                "2:50: upstreams.u.tenant_header: expected true or false, found a string"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:bare.json}","tenant_header":true"#,
                "2:51: upstreams.u.tenant_header: the service key has no identityzoneid to send"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","token_request":"header""#,
                "2:50: upstreams.u.token_request: expected \"basic\", \"form\" or \"query\""
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:x509.json}","token_request":"basic""#,
                "2:51: upstreams.u.token_request: a service key with a certificate takes \"form\" only"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","discover":"no""#,
                "2:45: upstreams.u.discover: expected true or false, found a string"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","discover":false"#,
                "2:45: upstreams.u.discover: without discovery there must be deployments"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","orchestration":true"#,
                "2:50: upstreams.u.orchestration: expected \"off\" or \"on\""
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","discover":false,"deployments":{"m":["d1"]},"orchestration":"on""#,
                "2:94: upstreams.u.orchestration: the deployment of the orchestration service is found by discovery"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","client_type":"\u00e4""#,
                "2:48: upstreams.u.client_type: the value must be printable ASCII without spaces at its ends"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","include":[]"#,
                "2:44: upstreams.u.include: expected at least one model; leave it out to take all"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","exclude":"x""#,
                "2:44: upstreams.u.exclude: expected an array, found a string"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","headers":{"AI-Resource-Group":"x"}"#,
                "2:45: upstreams.u.headers.AI-Resource-Group: resource_group sets this field already; remove one of them"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","headers":{"Authorization":"x"}"#,
                "2:45: upstreams.u.headers.Authorization: this field is made by apus and cannot be set"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","base_url":"h""#,
                "2:45: upstreams.u.base_url: write a URL that starts with http:// or https://"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","deployments":[]"#,
                "2:48: upstreams.u.deployments: expected an object, found an array"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","deployments":{"":["d1"]}"#,
                "2:49: upstreams.u.deployments[\"\"]: expected 1 to 512 bytes without control characters"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","deployments":{"m":"d1"}"#,
                "2:53: upstreams.u.deployments.m: expected an array, found a string"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","deployments":{"m":[]}"#,
                "2:53: upstreams.u.deployments.m: expected at least one deployment"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","deployments":{"m":["d1","https://h/v2/inference/deployments/d1/"]}"#,
                "2:59: upstreams.u.deployments.m[1]: the deployment stands twice"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","deployments":{"m":[""]}"#,
                "2:54: upstreams.u.deployments.m[0]: expected a deployment's id, or a URL that ends in /deployments/ID"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","deployments":{"m":["a b"]}"#,
                "2:54: upstreams.u.deployments.m[0]: expected a deployment's id, or a URL that ends in /deployments/ID"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","deployments":{"m":["https://h/v2/inference/deployments/"]}"#,
                "2:54: upstreams.u.deployments.m[0]: expected a deployment's id, or a URL that ends in /deployments/ID"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","deployments":{"m":["https://h/v2/inference/deployments/d1/chat/completions"]}"#,
                "2:54: upstreams.u.deployments.m[0]: expected a deployment's id, or a URL that ends in /deployments/ID"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","deployments":{"m":["ftp://h/deployments/d1"]}"#,
                "2:54: upstreams.u.deployments.m[0]: expected a deployment's id, or a URL that ends in /deployments/ID"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","deployments":{"m":["/deployments/d1"]}"#,
                "2:54: upstreams.u.deployments.m[0]: expected a deployment's id, or a URL that ends in /deployments/ID"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","deployments":{"m":["https://h/d1"]}"#,
                "2:54: upstreams.u.deployments.m[0]: expected a deployment's id, or a URL that ends in /deployments/ID"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","deployments":{"m":["https://h/deployments/?x"]}"#,
                "2:54: upstreams.u.deployments.m[0]: expected a deployment's id, or a URL that ends in /deployments/ID"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","deployments":{"m":["deployments/d1"]}"#,
                "2:54: upstreams.u.deployments.m[0]: expected a deployment's id, or a URL that ends in /deployments/ID"
            ),
            WrongConfig(
                provider: "sap-ai-core",
                #""service_key":"${file:sap.json}","deployments":{"m":["d1?x=1"]}"#,
                "2:54: upstreams.u.deployments.m[0]: expected a deployment's id, or a URL that ends in /deployments/ID"
            ),
        ]
    )
    func kinds(sample: WrongConfig) {
        #expect(ConfigSample().errors(sample.text) == [sample.error])
    }

    /// What a service key has, as JSON members.
    private static let whole = [
        "clientid": #""sb-1!b1|aicore!b1""#, "clientsecret": "\"\(ConfigSample.secret)\"",
        "url": #""https://z.authentication.example""#,
        "serviceurls": #"{"AI_API_URL":"https://api.example"}"#,
    ]
    private static let certified = [
        "clientid": #""i""#, "certurl": #""https://z.cert.example""#,
        "certificate": #""-----BEGIN C-----\\n\#(ConfigSample.secret)\\n-----END C-----""#,
        "key": #""-----BEGIN K-----\n\#(ConfigSample.secret)\n-----END K-----\n""#,
        "serviceurls": #"{"AI_API_URL":"https://api.example"}"#,
    ]

    /// A key with one member exchanged, or without it.
    private static func text(
        _ members: [String: String],
        _ name: String,
        _ value: String?
    ) -> String {
        var members = members
        members[name] = value
        let pairs = members.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }
        return "{" + pairs.joined(separator: ",") + "}"
    }

    private static let brokenKeys: [(key: String, message: String)] = [
        ("", "the service key is no JSON (line 1, column 1 of it)"),
        (
            "{\"clientid\":\"\(ConfigSample.secret)\"\n x}",
            "the service key is no JSON (line 2, column 2 of it)"
        ),
        ("[\"\(ConfigSample.secret)\"]", "the service key must be a JSON object"),
        ("\"\(ConfigSample.secret)\"", "the service key must be a JSON object"),
        (text(whole, "clientid", nil), "clientid of the service key is missing"),
        (text(whole, "clientid", #""""#), "clientid of the service key is missing"),
        (text(whole, "clientid", "5"), "clientid of the service key must be a string"),
        (
            text(whole, "clientid", #""a\nb""#),
            "clientid of the service key must be printable ASCII"
        ),
        (
            text(whole, "clientsecret", nil),
            "clientsecret of the service key is missing, and there is no certificate in its place"
        ),
        (text(whole, "clientsecret", "{}"), "clientsecret of the service key must be a string"),
        (
            text(whole, "clientsecret", "\"\(ConfigSample.secret)\\u0000\""),
            "clientsecret of the service key must be printable ASCII"
        ),
        (text(whole, "url", nil), "url of the service key is missing"),
        (
            text(whole, "url", "\"https://\(ConfigSample.secret)@h\""),
            "url of the service key is no usable URL: a user name or password in the URL is not "
                + "taken; use api_key or headers"
        ),
        (
            text(whole, "serviceurls", nil),
            "serviceurls.AI_API_URL of the service key is missing; base_url can stand in for it"
        ),
        (
            text(whole, "serviceurls", "[]"),
            "serviceurls.AI_API_URL of the service key is missing; base_url can stand in for it"
        ),
        (
            text(whole, "serviceurls", #"{"AI_API_URL":1}"#),
            "serviceurls.AI_API_URL of the service key must be a string"
        ),
        (
            text(whole, "serviceurls", "{\"AI_API_URL\":\"\(ConfigSample.secret)\"}"),
            "serviceurls.AI_API_URL of the service key is no usable URL: "
                + "write a URL that starts with http:// or https://"
        ),
        (text(whole, "identityzoneid", "1"), "identityzoneid of the service key must be a string"),
        (text(certified, "certurl", nil), "certurl of the service key is missing"),
        (text(certified, "key", nil), "key of the service key is missing"),
        (
            text(certified, "certificate", "\"\(ConfigSample.secret)\""),
            "certificate of the service key is no PEM text"
        ),
        (
            text(certified, "key", "\"\(ConfigSample.secret)\""),
            "key of the service key is no PEM text"
        ),
        (
            "{\"credentials\":\(text(whole, "clientid", nil))}",
            "clientid of the service key is missing"
        ),
    ]

    @Test("a broken service key names the member and shows nothing", arguments: brokenKeys)
    func serviceKeys(key: String, message: String) {
        var sample = ConfigSample()
        sample.values[SecretReference(source: .file, name: "broken.json")] = key
        let wrong = WrongConfig(
            provider: "sap-ai-core",
            #""service_key":"${file:broken.json}""#,
            "2:15: upstreams.u.service_key: " + message
        )
        #expect(sample.errors(wrong.text) == [wrong.error])
    }

    @Test("both forms of a whole key are right", arguments: [whole, certified])
    func wholeKeys(members: [String: String]) {
        var sample = ConfigSample()
        let key = Self.text(members, "other", "1")
        sample.values[SecretReference(source: .file, name: "k.json")] = key
        for value in [#""${file:k.json}""#, key] {
            let text = WrongConfig(provider: "sap-ai-core", "\"service_key\":\(value)", "").text
            #expect(sample.errors(text).isEmpty)
        }
    }

    @Test(
        "a target's API is one of its upstream's kind",
        arguments: [
            ("openai", ["chat", "responses"]), ("azure-openai", ["chat", "responses"]),
            ("anthropic", ["messages"]), ("gemini", ["gemini"]),
            ("bedrock", ["converse", "invoke"]),
            ("sap-ai-core", ["chat", "responses", "gemini", "converse", "invoke"]),
        ]
    )
    func interfaces(kind: String, known: [String]) {
        let members = [
            "openai": #","base_url":"https://h/v1""#, "azure-openai": #","base_url":"https://h""#,
            "bedrock": #","region":"r","access_key_id":"i","secret_access_key":"s""#,
            "sap-ai-core": #","service_key":"${file:sap.json}""#,
        ]
        for api in TargetAPI.allCases {
            let errors = ConfigSample().errors(
                """
                {"upstreams":{"u":{"kind":"\(kind)"\(members[kind] ?? "")}},
                "models":{"m":{"targets":[{"upstream":"u","api":"\(api.rawValue)"}]}}}
                """
            )
            #expect(errors.isEmpty == known.contains(api.rawValue), "\(kind) \(api)")
            let start =
                "apus.json:2:49: models.m.targets[0].api: an upstream of kind \"\(kind)\" has"
            #expect(errors.allSatisfy { $0.hasPrefix(start) }, "\(errors)")
        }
    }
}
