// SPDX-License-Identifier: Apache-2.0
import Config
import System
import Testing

@Suite("Configuration")
struct ConfigParserTests {
    private let sample = ConfigSample()

    @Test("everything left out has its default")
    func defaults() throws {
        let config = try sample.parse(
            #"{"upstreams":{"u":{"kind":"openai","base_url":"http://h"}}}"#
        )
        #expect(config.listen.map(\.description) == ["127.0.0.1:3001"])
        #expect(config.statusListen.description == "127.0.0.1:3002")
        #expect(config.workers == .auto)
        #expect(config.models.entries.isEmpty)
        #expect(config.keys.keys.isEmpty && !config.requiresKey)
        #expect(!config.authIsOff)
        #expect(config.bodyBytesMax == 32 * 1024 * 1024)
        #expect(config.logsAccess)
        #expect(config.corsOrigins == nil)
        let second: UInt64 = 1_000_000_000
        #expect(config.timeouts.connect == 5 * second)
        #expect(config.timeouts.headers == 60 * second)
        #expect(config.timeouts.firstContent == 60 * second)
        #expect(config.timeouts.idle == 60 * second)
        #expect(config.timeouts.total == 600 * second)
        #expect(config.timeouts.clientHead == 10 * second)
        #expect(config.timeouts.clientBody == 30 * second)
        #expect(config.timeouts.clientIdle == 75 * second)
        #expect(config.timeouts.drain == 600 * second)
        #expect(config.retries.triesPerTarget == 2 && config.retries.maxTargets == 3)
        #expect(config.retries.backoffFirst == second / 5)
        #expect(config.retries.backoffMax == 8 * second)
        #expect(config.retries.retryAfterMax == 30 * second)
        #expect(config.keepaliveNanoseconds == 15 * second)
        #expect(config.defaultModel == nil)
        let openai = try #require(config.upstreams.first?.openai)
        #expect(openai.apiKey == nil && openai.http.headers.isEmpty && openai.http.proxy == nil)
        #expect(
            openai.http.caFile == nil && openai.http.clientCertificate == nil
                && openai.http.clientKey == nil
        )
        #expect(openai.http.connectionsMax == 512)
        #expect(openai.http.idleTimeoutNanoseconds == 50 * second)
    }

    @Test("everything that can be said is taken")
    func everything() throws {
        let hash = String(repeating: "ab", count: 32)
        let config = try sample.parse(
            """
            // A comment.
            {
              "listen": ["127.0.0.1:0", "[::1]:4000", "unix:/run/apus.sock", "0.0.0.0:80"],
              "status": { "listen": "0.0.0.0:9000" },
              "workers": 7,
              "upstreams": {
                "main": {
                  "kind": "openai", "base_url": "https://api.example.com:8443/v1/",
                  "api_key": "${env:KEY}", "headers": { "X-Team": "a ${file:keys/a}" },
                  "proxy": "http://me:${credential:a}@proxy:3128", "ca_file": "ca.pem",
                  "client_cert": "/conf/c.pem", "client_key": "k.pem",
                  "connections_max": 9, "idle_timeout": "90s",
                },
                "demo": { "kind": "demo" },
              },
              "models": {
                "gpt-*": { "targets": [ { "upstream": "main" } ] },
                "gpt-5": { "targets": [ { "upstream": "demo", "model": "x" } ] },
              },
              "keys": [
                { "name": "a", "hash": "sha256:\(hash)", "user": "ada", "org": "o", "models": ["gpt-*"] },
                { "name": "b", "hash": "sha256:\(String(hash.reversed()))" },
              ],
              "timeouts": {
                "connect": "1ms", "headers": "2s", "first_content": "3m", "idle": "4h",
                "total": "24h", "client_head": "6s", "client_body": "7s", "client_idle": "8s",
                "drain": "9s",
              },
              "guards": { "max_body": "64KB" }, /* small */
              "logs": { "access": false },
              "cors": { "origins": ["https://a.example.com", "http://localhost:5173", "*"] },
            }
            """
        )
        #expect(
            config.listen.map(\.description) == [
                "127.0.0.1:0", "[::1]:4000", "unix:/run/apus.sock", "0.0.0.0:80",
            ]
        )
        #expect(config.statusListen.description == "0.0.0.0:9000")
        #expect(config.workers == .count(7))
        #expect(config.upstreams.map(\.name) == ["main", "demo"])
        #expect(config.upstreams[1].kind == .demo)
        let main = try #require(config.upstreams[0].openai)
        #expect(main.http.baseURL.scheme == .https && main.http.baseURL.host == "api.example.com")
        #expect(main.http.baseURL.port == 8443 && main.http.baseURL.path == "/v1")
        #expect(main.apiKey?.revealed == ConfigSample.secret)
        #expect(main.http.headers.map(\.name) == ["X-Team"])
        #expect(main.http.headers.map(\.value.revealed) == ["a " + ConfigSample.secret])
        #expect(main.http.proxy?.revealed == "http://me:\(ConfigSample.secret)@proxy:3128")
        #expect(main.http.caFile == "/conf/ca.pem" && main.http.clientCertificate == "/conf/c.pem")
        #expect(main.http.clientKey == "/conf/k.pem")
        #expect(main.http.connectionsMax == 9 && main.http.idleTimeoutNanoseconds == 90_000_000_000)
        #expect(config.models.entries.map(\.pattern.text) == ["gpt-*", "gpt-5"])
        #expect(
            config.models.entries.map(\.targets) == [
                [.init(upstream: 0)], [.init(upstream: 1, model: "x")],
            ]
        )
        #expect(config.keys.keys.map(\.name) == ["a", "b"])
        #expect(config.keys.keys.map(\.user) == ["ada", nil])
        #expect(config.keys.keys.map(\.org) == ["o", nil])
        #expect(config.keys.keys[0].models?.map(\.text) == ["gpt-*"])
        #expect(config.keys.keys[1].models == nil)
        #expect(config.keys.keys[0].digest.hexadecimal == hash)
        let second: UInt64 = 1_000_000_000
        #expect(config.timeouts.connect == second / 1000)
        #expect(config.timeouts.headers == 2 * second)
        #expect(config.timeouts.firstContent == 180 * second)
        #expect(config.timeouts.idle == 4 * 3600 * second)
        #expect(config.timeouts.total == 24 * 3600 * second)
        #expect(config.timeouts.clientHead == 6 * second)
        #expect(config.timeouts.clientBody == 7 * second)
        #expect(config.timeouts.clientIdle == 8 * second)
        #expect(config.timeouts.drain == 9 * second)
        #expect(config.bodyBytesMax == 64_000)
        #expect(!config.logsAccess)
        #expect(
            config.corsOrigins == ["https://a.example.com", "http://localhost:5173", "*"]
        )
    }

    @Test(
        "an address that others reach needs keys or an open word",
        arguments: [
            (#""listen":["0.0.0.0:1"]"#, false), (#""listen":["*:1"]"#, false),
            (#""listen":["[::]:1"]"#, false), (#""listen":["10.0.0.1:1"]"#, false),
            (#""listen":["0.0.0.0:1"],"keys":[]"#, false),
            (#""listen":["0.0.0.0:1"],"auth":"off""#, true),
            (#""listen":["0.0.0.0:1"],"auth":"off","keys":[]"#, true),
            (#""listen":["127.0.0.1:1","[::1]:1","unix:/x","localhost:2"]"#, true),
            (#""status":{"listen":"0.0.0.0:1"}"#, true),
        ]
    )
    func exposure(members: String, isAllowed: Bool) {
        #expect(sample.errors(ConfigSample.text(members)).isEmpty == isAllowed)
    }

    @Test("the command line stands in for the file")
    func overrides() throws {
        var sample = sample
        sample.overrides = ConfigOverrides(
            listen: ["127.0.0.1:5", "unix:/x"],
            statusListen: "127.0.0.1:6",
            workers: "3"
        )
        let text = ConfigSample.text(
            #""listen":["0.0.0.0:1"],"status":{"listen":"127.0.0.1:2"},"workers":9"#
        )
        let config = try sample.parse(text)
        #expect(config.listen.map(\.description) == ["127.0.0.1:5", "unix:/x"])
        #expect(config.statusListen.description == "127.0.0.1:6")
        #expect(config.workers == .count(3))
    }

    @Test("wrong words on the command line are told as such")
    func wrongOverrides() {
        var sample = sample
        sample.overrides = ConfigOverrides(
            listen: ["0.0.0.0:5", "x"],
            statusListen: "y",
            workers: "0"
        )
        let form = "no address; write HOST:PORT with a numeric host, [V6]:PORT or unix:PATH"
        #expect(
            sample.errors(ConfigSample.text(#""logs":{}"#)) == [
                "--listen: " + form, "--status: " + form,
                "--workers: expected auto or a number from 1 to 256",
                "--listen: 0.0.0.0:5: other machines can reach this address and no keys are set; "
                    + "add keys, or \"auth\": \"off\" to leave it open to all",
            ]
        )
    }

    @Test("errors come in the order of the text, and not without end")
    func many() {
        let members = (0..<80).map { "\"x\($0)\": 1" }.joined(separator: ",\n")
        let errors = sample.errors("{\n\(members)}")
        #expect(errors.count == 51)
        #expect(errors[0] == "apus.json:2:1: x0: unknown key")
        #expect(errors[49] == "apus.json:51:1: x49: unknown key")
        #expect(errors.last == "apus.json: there are more errors")
    }

    @Test(
        "references stand for a whole value or a part",
        arguments: [
            ("${env:KEY}", ConfigSample.secret), ("a-${env:KEY}-b", "a-\(ConfigSample.secret)-b"),
            ("${env:KEY}${file:keys/a}", ConfigSample.secret + ConfigSample.secret),
            ("${credential:a}", ConfigSample.secret), ("$5", "$5"), ("a$", "a$"),
            ("$${env:KEY}", "${env:KEY}"), ("{x}", "{x}"),
            ("$${${env:KEY}", "${" + ConfigSample.secret),
        ]
    )
    func references(text: String, expected: String) throws {
        let config = try sample.parse(ConfigSample.upstream("\"api_key\":\"\(text)\""))
        #expect(config.upstreams[0].openai?.apiKey?.revealed == expected)
    }
}
