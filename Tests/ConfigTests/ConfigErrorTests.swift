// SPDX-License-Identifier: Apache-2.0
import Config
import Testing

/// A wrong text and the one line it gets.
struct WrongConfig: CustomTestStringConvertible {
    let text: String
    let error: String

    init(_ text: String, _ error: String) {
        self.text = text
        self.error = "apus.json:" + error
    }

    /// Members beside one upstream; they start on line 2.
    init(members: String, _ error: String) {
        self.init(ConfigSample.text(members), error)
    }

    /// Members of an upstream; they start on line 2.
    init(upstream members: String, _ error: String) {
        self.init(ConfigSample.upstream(members), error)
    }

    var testDescription: String { error }
}

@Suite("Configuration errors")
struct ConfigErrorTests {
    private static let hash = String(repeating: "0", count: 64)
    private static let exposed =
        "other machines can reach this address and no keys are set; "
        + "add keys, or \"auth\": \"off\" to leave it open to all"
    private static let reference =
        "a reference is ${env:NAME}, ${file:PATH} or ${credential:NAME};"
        + " write $${ for a plain ${"
    private static let upstreamName =
        "an upstream's name has 1 to 64 letters, digits, '.', '-' or "
        + "'_' and starts with a letter or digit"
    private static let kinds =
        "\"openai\", \"azure-openai\", \"anthropic\", \"gemini\", \"bedrock\", "
        + "\"sap-ai-core\" or \"demo\""
    private static let address =
        "no address; write HOST:PORT with a numeric host, [V6]:PORT or unix:PATH"

    @Test(
        "syntax",
        arguments: [
            WrongConfig("", "1:1: expected a value, found the end of the document"),
            WrongConfig(
                "{\n  \"listen\": [\"a\" \"b\"]\n}",
                "2:18: listen: expected ',' or ']' after an element, found '\"'"
            ),
            WrongConfig(
                "{\"listen\":[tru]}",
                "1:12: listen: expected a value; true, false and null are the only bare words"
            ),
            WrongConfig(
                "{\"a\":\"\u{1}\"}",
                "1:7: a: a control character in a string must be escaped, found byte 0x01"
            ),
            WrongConfig(
                "/* é */ {x}",
                "1:10: expected a member name in double quotes or '}', found 'x'"
            ),
            WrongConfig("[]", "1:1: expected an object, found an array"),
            WrongConfig(
                "{}",
                "1:1: upstreams is missing: name at least one, for example { \"kind\": \"demo\" }"
            ),
        ]
    )
    func syntax(sample: WrongConfig) {
        #expect(ConfigSample().errors(sample.text) == [sample.error])
    }

    @Test(
        "keys and kinds",
        arguments: [
            WrongConfig(
                members: #""listn":[]"#,
                "2:1: listn: unknown key, did you mean \"listen\"?"
            ),
            WrongConfig(
                members: #""time-outs":{}"#,
                "2:1: time-outs: unknown key, did you mean \"timeouts\"?"
            ),
            WrongConfig(
                members: #""Models":{}"#,
                "2:1: Models: unknown key, did you mean \"models\"?"
            ),
            WrongConfig(members: #""limits":{}"#, "2:1: limits: unknown key"),
            WrongConfig(members: #""prices":{}"#, "2:1: prices: unknown key"),
            WrongConfig(members: #""x y":{}"#, "2:1: [\"x y\"]: unknown key"),
            WrongConfig(
                members: #""logs":{},"logs":{}"#,
                "2:11: logs: the key stands twice in this object"
            ),
            WrongConfig(
                members: #""logs":{},"log\u0073":{}"#,
                "2:11: [\"log\\u0073\"]: the key stands twice in this object"
            ),
            WrongConfig(members: #""logs":[]"#, "2:8: logs: expected an object, found an array"),
            WrongConfig(
                members: #""logs":{"conversations":"off"}"#,
                "2:9: logs.conversations: unknown key"
            ),
            WrongConfig(
                members: #""logs":{"access":"yes"}"#,
                "2:18: logs.access: expected true or false, found a string"
            ),
            WrongConfig(
                members: #""guards":{"maxbody":"1MiB"}"#,
                "2:11: guards.maxbody: unknown key, did you mean \"max_body\"?"
            ),
            WrongConfig(
                members: #""status":{"lisen":1}"#,
                "2:11: status.lisen: unknown key, did you mean \"listen\"?"
            ),
            WrongConfig(
                members: #""timeouts":{"conect":"1s"}"#,
                "2:13: timeouts.conect: unknown key, did you mean \"connect\"?"
            ),
        ]
    )
    func keys(sample: WrongConfig) {
        #expect(ConfigSample().errors(sample.text) == [sample.error])
    }

    @Test(
        "addresses",
        arguments: [
            WrongConfig(
                members: #""listen":"127.0.0.1:1""#,
                "2:10: listen: expected an array, found a string"
            ),
            WrongConfig(
                members: #""listen":[]"#,
                "2:10: listen: expected at least one address, like \"127.0.0.1:3001\""
            ),
            WrongConfig(
                members: #""listen":[3001]"#,
                "2:11: listen[0]: expected a string, found a number"
            ),
            WrongConfig(members: #""listen":["3001"]"#, "2:11: listen[0]: " + address),
            WrongConfig(members: #""listen":["::1:80"]"#, "2:11: listen[0]: " + address),
            WrongConfig(members: #""listen":["127.0.0.1:70000"]"#, "2:11: listen[0]: " + address),
            WrongConfig(members: #""listen":["unix:"]"#, "2:11: listen[0]: " + address),
            WrongConfig(
                members: #""listen":["127.0.0.1:1","localhost:1"]"#,
                "2:25: listen[1]: the address stands twice"
            ),
            WrongConfig(
                members: #""listen":["127.0.0.1:1","0.0.0.0:2"]"#,
                "2:25: listen[1]: " + exposed
            ),
            WrongConfig(
                members: #""status":{"listen":true}"#,
                "2:20: status.listen: expected a string, found true"
            ),
            WrongConfig(members: #""status":{"listen":"x"}"#, "2:20: status.listen: " + address),
            WrongConfig(
                members: #""status":{"listen":"127.0.0.1:3001"}"#,
                "2:10: status: status.listen is also an address of listen"
            ),
            WrongConfig(
                members: #""listen":["127.0.0.1:3002"]"#,
                "1:1: status.listen is also an address of listen"
            ),
        ]
    )
    func addresses(sample: WrongConfig) {
        #expect(ConfigSample().errors(sample.text) == [sample.error])
    }

    @Test(
        "numbers with their units",
        arguments: [
            WrongConfig(
                members: #""workers":0"#,
                "2:11: workers: expected \"auto\" or a whole number from 1 to 256"
            ),
            WrongConfig(
                members: #""workers":257"#,
                "2:11: workers: expected \"auto\" or a whole number from 1 to 256"
            ),
            WrongConfig(
                members: #""workers":2.5"#,
                "2:11: workers: expected \"auto\" or a whole number from 1 to 256"
            ),
            WrongConfig(
                members: #""workers":"all""#,
                "2:11: workers: expected \"auto\" or a whole number from 1 to 256"
            ),
            WrongConfig(
                members: #""timeouts":{"connect":5}"#,
                "2:23: timeouts.connect: a duration carries its unit: write \"5s\" or \"5ms\""
            ),
            WrongConfig(
                members: #""timeouts":{"connect":"5"}"#,
                "2:23: timeouts.connect: expected a duration like \"200ms\", \"5s\", \"10m\" or \"1h\""
            ),
            WrongConfig(
                members: #""timeouts":{"idle":"1.5s"}"#,
                "2:20: timeouts.idle: expected a duration like \"200ms\", \"5s\", \"10m\" or \"1h\""
            ),
            WrongConfig(
                members: #""timeouts":{"idle":"5 s"}"#,
                "2:20: timeouts.idle: expected a duration like \"200ms\", \"5s\", \"10m\" or \"1h\""
            ),
            WrongConfig(
                members: #""timeouts":{"idle":"-5s"}"#,
                "2:20: timeouts.idle: expected a duration like \"200ms\", \"5s\", \"10m\" or \"1h\""
            ),
            WrongConfig(
                members: #""timeouts":{"idle":null}"#,
                "2:20: timeouts.idle: expected a duration like \"200ms\", \"5s\", \"10m\" or \"1h\""
            ),
            WrongConfig(
                members: #""timeouts":{"idle":"0s"}"#,
                "2:20: timeouts.idle: expected a duration from 1ms to 24h"
            ),
            WrongConfig(
                members: #""timeouts":{"idle":"25h"}"#,
                "2:20: timeouts.idle: expected a duration from 1ms to 24h"
            ),
            WrongConfig(
                members: #""timeouts":{"idle":"99999999999999999999h"}"#,
                "2:20: timeouts.idle: expected a duration like \"200ms\", \"5s\", \"10m\" or \"1h\""
            ),
            WrongConfig(
                members: #""timeouts":{"idle":"9999999999999h"}"#,
                "2:20: timeouts.idle: expected a duration like \"200ms\", \"5s\", \"10m\" or \"1h\""
            ),
            WrongConfig(
                members: #""guards":{"max_body":33554432}"#,
                "2:22: guards.max_body: a size carries its unit: write \"33554432B\" or \"33554432MiB\""
            ),
            WrongConfig(
                members: #""guards":{"max_body":"32 MB"}"#,
                "2:22: guards.max_body: expected a size like \"100B\", \"64KB\" or \"32MiB\""
            ),
            WrongConfig(
                members: #""guards":{"max_body":"32mb"}"#,
                "2:22: guards.max_body: expected a size like \"100B\", \"64KB\" or \"32MiB\""
            ),
            WrongConfig(
                members: #""guards":{"max_body":"10B"}"#,
                "2:22: guards.max_body: expected a size from 1KiB to 256MiB"
            ),
            WrongConfig(
                members: #""guards":{"max_body":"1GiB"}"#,
                "2:22: guards.max_body: expected a size from 1KiB to 256MiB"
            ),
        ]
    )
    func numbers(sample: WrongConfig) {
        #expect(ConfigSample().errors(sample.text) == [sample.error])
    }

    @Test(
        "access",
        arguments: [
            WrongConfig(
                members: #""auth":"on""#,
                "2:8: auth: expected \"off\"; leave it out to demand keys wherever some are set"
            ),
            WrongConfig(
                members: #""auth":false"#,
                "2:8: auth: expected \"off\"; leave it out to demand keys wherever some are set"
            ),
            WrongConfig(
                members: #""auth":"off","keys":[{"name":"a","hash":"sha256:\#(hash)"}]"#,
                "2:8: auth: auth is off although keys are set; remove one of them"
            ),
            WrongConfig(members: #""keys":{}"#, "2:8: keys: expected an array, found an object"),
            WrongConfig(
                members: #""keys":[{"hash":"sha256:\#(hash)"}]"#,
                "2:9: keys[0]: name is missing"
            ),
            WrongConfig(members: #""keys":[{"name":"a"}]"#, "2:9: keys[0]: hash is missing"),
            WrongConfig(
                members: #""keys":[{"name":"","hash":"sha256:\#(hash)"}]"#,
                "2:17: keys[0].name: expected 1 to 64 bytes without control characters"
            ),
            WrongConfig(
                members: #""keys":[{"name":"a","hash":"sk-plain"}]"#,
                "2:28: keys[0].hash: expected \"sha256:\" and the 64 hexadecimal digits of the secret's SHA-256"
            ),
            WrongConfig(
                members: #""keys":[{"name":"a","hash":"sha256:\#(hash)0"}]"#,
                "2:28: keys[0].hash: expected \"sha256:\" and the 64 hexadecimal digits of the secret's SHA-256"
            ),
            WrongConfig(
                members: #""keys":[{"name":"a","hash":"sha256:\#(hash)","secret":"x"}]"#,
                "2:102: keys[0].secret: unknown key"
            ),
            WrongConfig(
                members: #""keys":[{"name":"a","hash":"sha256:\#(hash)","models":[]}]"#,
                "2:111: keys[0].models: expected at least one model; leave it out to allow all"
            ),
            WrongConfig(
                members:
                    #""keys":[{"name":"a","hash":"sha256:\#(hash)"},{"name":"a","hash":"sha256:1\#(hash.dropLast())"}]"#,
                "2:111: keys[1].name: another key has this name"
            ),
            WrongConfig(
                members:
                    #""keys":[{"name":"a","hash":"sha256:\#(hash)"},{"name":"b","hash":"sha256:\#(hash)"}]"#,
                "2:122: keys[1].hash: another key has this hash"
            ),
            WrongConfig(members: #""cors":{}"#, "2:8: cors: origins is missing"),
            WrongConfig(
                members: #""cors":{"origins":[]}"#,
                "2:19: cors.origins: expected at least one origin; leave cors out to send no CORS fields"
            ),
            WrongConfig(
                members: #""cors":{"origins":["https://a.com/"]}"#,
                "2:20: cors.origins[0]: expected \"*\" or an origin like \"https://app.example.com\""
            ),
            WrongConfig(
                members: #""cors":{"origins":["a.com"]}"#,
                "2:20: cors.origins[0]: expected \"*\" or an origin like \"https://app.example.com\""
            ),
            WrongConfig(
                members: #""cors":{"origins":["https://a.com:443"]}"#,
                "2:20: cors.origins[0]: expected \"*\" or an origin like \"https://app.example.com\""
            ),
        ]
    )
    func access(sample: WrongConfig) {
        #expect(ConfigSample().errors(sample.text) == [sample.error])
    }

    @Test(
        "upstreams",
        arguments: [
            WrongConfig(
                #"{"upstreams":{}}"#,
                "1:14: upstreams: name at least one upstream, for example { \"kind\": \"demo\" }"
            ),
            WrongConfig(
                #"{"upstreams":[]}"#,
                "1:14: upstreams: expected an object, found an array"
            ),
            WrongConfig(
                #"{"upstreams":{"a/b":{"kind":"demo"}}}"#,
                "1:15: upstreams[\"a/b\"]: " + upstreamName
            ),
            WrongConfig(
                #"{"upstreams":{"":{"kind":"demo"}}}"#,
                "1:15: upstreams[\"\"]: " + upstreamName
            ),
            WrongConfig(
                #"{"upstreams":{"a":{}}}"#,
                "1:19: upstreams.a: kind is missing; write " + kinds
            ),
            WrongConfig(
                #"{"upstreams":{"a":1}}"#,
                "1:19: upstreams.a: expected an object, found a number"
            ),
            WrongConfig(
                #"{"upstreams":{"a":{"kind":1}}}"#,
                "1:27: upstreams.a.kind: expected a string, found a number"
            ),
            WrongConfig(
                #"{"upstreams":{"a":{"kind":"opnai"}}}"#,
                "1:27: upstreams.a.kind: unknown kind, did you mean \"openai\"?"
            ),
            WrongConfig(
                #"{"upstreams":{"a":{"kind":"something"}}}"#,
                "1:27: upstreams.a.kind: unknown kind; write " + kinds
            ),
            WrongConfig(
                #"{"upstreams":{"a":{"kind":"Azure_OpenAI"}}}"#,
                "1:27: upstreams.a.kind: unknown kind, did you mean \"azure-openai\"?"
            ),
            WrongConfig(
                #"{"upstreams":{"a":{"kind":"demo","api_key":"x"}}}"#,
                "1:34: upstreams.a.api_key: unknown key"
            ),
            WrongConfig(
                #"{"upstreams":{"a":{"kind":"openai"}}}"#,
                "1:19: upstreams.a: base_url is missing, for example \"https://api.openai.com/v1\""
            ),
            WrongConfig(
                upstream: #""baseurl":"x""#,
                "2:1: upstreams.u.baseurl: unknown key, did you mean \"base_url\"?"
            ),
            WrongConfig(
                upstream: #""api_key":5"#,
                "2:11: upstreams.u.api_key: expected a string, found a number"
            ),
            WrongConfig(
                upstream: #""api_key":"""#,
                "2:11: upstreams.u.api_key: the value is empty"
            ),
            WrongConfig(
                upstream: #""api_key":"${env:EMPTY}""#,
                "2:11: upstreams.u.api_key: the value is empty"
            ),
            WrongConfig(
                upstream: #""api_key":"${env:BROKEN}""#,
                "2:11: upstreams.u.api_key: the value must be printable ASCII without spaces at its ends"
            ),
            WrongConfig(
                upstream: #""api_key":"${env:NOPE}""#,
                "2:11: upstreams.u.api_key: NOPE is not there"
            ),
            WrongConfig(
                upstream: #""api_key":"${KEY}""#,
                "2:11: upstreams.u.api_key: " + reference
            ),
            WrongConfig(
                upstream: #""api_key":"${env:KEY""#,
                "2:11: upstreams.u.api_key: " + reference
            ),
            WrongConfig(
                upstream: #""api_key":"${env:sk-live-1}""#,
                "2:11: upstreams.u.api_key: " + reference
            ),
            WrongConfig(
                upstream: #""api_key":"${credential:../a}""#,
                "2:11: upstreams.u.api_key: " + reference
            ),
            WrongConfig(
                upstream: #""headers":{"a b":"x"}"#,
                "2:12: upstreams.u.headers[\"a b\"]: this is no name of an HTTP field"
            ),
            WrongConfig(
                upstream: #""headers":{"Host":"x"}"#,
                "2:12: upstreams.u.headers.Host: this field is made by apus and cannot be set"
            ),
            WrongConfig(
                upstream: #""headers":{"X-A":"1","x-a":"2"}"#,
                "2:22: upstreams.u.headers.x-a: the field stands twice, in different case"
            ),
            WrongConfig(
                upstream: #""headers":{"X-A":"a\r\nb"}"#,
                "2:18: upstreams.u.headers.X-A: the value must be printable ASCII without spaces at its ends"
            ),
            WrongConfig(
                upstream: #""api_key":"k","headers":{"Authorization":"x"}"#,
                "2:26: upstreams.u.headers.Authorization: api_key sets this field already; remove one of them"
            ),
            WrongConfig(
                upstream: #""proxy":"socks5://p:1""#,
                "2:9: upstreams.u.proxy: write the proxy as http://HOST:PORT or https://HOST:PORT"
            ),
            WrongConfig(
                upstream: #""proxy":"http://u:${env:KEY}@p:x""#,
                "2:9: upstreams.u.proxy: write the proxy as http://HOST:PORT or https://HOST:PORT"
            ),
            WrongConfig(
                upstream: #""ca_file":"/etc/x.pem""#,
                "2:11: upstreams.u.ca_file: the file cannot be read: no such file"
            ),
            WrongConfig(
                upstream: #""ca_file":"""#,
                "2:11: upstreams.u.ca_file: expected the path of a file"
            ),
            WrongConfig(
                upstream: #""client_cert":"c""#,
                "1:19: upstreams.u: client_cert and client_key go together; one of them is missing"
            ),
            WrongConfig(
                upstream: #""connections_max":0"#,
                "2:19: upstreams.u.connections_max: expected a whole number from 1 to 16384"
            ),
            WrongConfig(
                upstream: #""idle_timeout":60"#,
                "2:16: upstreams.u.idle_timeout: a duration carries its unit: write \"60s\" or \"60ms\""
            ),
        ]
    )
    func upstreams(sample: WrongConfig) {
        #expect(ConfigSample().errors(sample.text) == [sample.error])
    }

    @Test(
        "base URLs",
        arguments: [
            ("api.openai.com/v1", "write a URL that starts with http:// or https://"),
            ("ftp://h", "write a URL that starts with http:// or https://"),
            (
                "https://u:p@h/v1",
                "a user name or password in the URL is not taken; use api_key or headers"
            ),
            ("https://h/v1?x=1", "a query or fragment in the URL is not taken"),
            ("https://h/v1#x", "a query or fragment in the URL is not taken"),
            ("https://", "the host of the URL is missing or has wrong characters"),
            ("https:///v1", "the host of the URL is missing or has wrong characters"),
            ("https://a b/v1", "the host of the URL is missing or has wrong characters"),
            ("https://größe.de", "the host of the URL is missing or has wrong characters"),
            ("https://[::1/v1", "the host of the URL is missing or has wrong characters"),
            ("https://[x]/v1", "the host of the URL is missing or has wrong characters"),
            ("https://h:0", "the port of the URL must be a number from 1 to 65535"),
            ("https://h:65536", "the port of the URL must be a number from 1 to 65535"),
            ("https://h:/v1", "the port of the URL must be a number from 1 to 65535"),
            ("https://h/a b", "the path of the URL has characters that must be percent-encoded"),
            ("https://h/ä", "the path of the URL has characters that must be percent-encoded"),
        ]
    )
    func urls(url: String, message: String) {
        let text = #"{"upstreams":{"u":{"kind":"openai","base_url":"\#(url)"}}}"#
        #expect(
            ConfigSample().errors(text) == ["apus.json:1:47: upstreams.u.base_url: \(message)"]
        )
    }
}
