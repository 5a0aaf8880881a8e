// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import System
import Testing

@Suite("Secrets")
struct SecretTests {
    /// A configuration with a secret in every place that may hold one.
    private static let text = """
        {"upstreams":{"u":{"kind":"openai","base_url":"${env:URL}","api_key":"${env:KEY}",
        "headers":{"X-A":"b ${file:keys/a}"},"proxy":"http://u:${credential:a}@proxy:1"},
        "s":{"kind":"sap-ai-core","service_key":"${file:sap.json}"},
        "t":{"kind":"sap-ai-core","service_key":"${file:x509.json}"},
        "w":{"kind":"sap-ai-core","service_key":{"clientid":"c","clientsecret":"${env:KEY}",
        "url":"https://h","serviceurls":{"AI_API_URL":"https://h"}}},
        "b":{"kind":"bedrock","region":"r","access_key_id":"${env:KEY}",
        "secret_access_key":"${env:KEY}","session_token":"${env:KEY}"},
        "a":{"kind":"azure-openai","base_url":"https://h","api_key":"${env:KEY}"},
        "c":{"kind":"anthropic","api_key":"${env:KEY}"},
        "g":{"kind":"gemini","api_key":"${env:KEY}"},
        "v":{"kind":"openai","base_url":"http://h/${env:KEY}","api_key":"\(ConfigSample.secret)"}}}
        """

    private func dumped(_ value: some Any) -> String {
        var text = ""
        dump(value, to: &text)
        return text + String(describing: value) + String(reflecting: value) + "\(value)"
    }

    @Test("nothing that people see shows one")
    func hidden() throws {
        let config = try ConfigSample().parse(Self.text)
        let openai = try #require(config.upstreams[0].openai)
        #expect(openai.apiKey?.revealed == ConfigSample.secret)
        #expect(openai.http.baseURL.path == "/\(ConfigSample.secret)/v1")
        #expect(!dumped(config).contains(ConfigSample.secret))
        #expect(!config.summary.contains(ConfigSample.secret))
        #expect(config.summary.contains("api_key ***"))
        #expect(config.summary.contains("http://10.0.0.1:8080/***"))
        #expect("\(Secret("x"))" == "***")
        #expect(dumped(Secret(ConfigSample.secret)).contains("***"))
    }

    @Test("no error shows one, wherever the text is wrong")
    func errors() {
        let bytes = Array(Self.text.utf8)
        var seen = 0
        // Every byte exchanged for one that may or may not matter there.
        for index in bytes.indices where !Self.literalSecret.contains(index) {
            for byte in [UInt8(ascii: "x"), UInt8(ascii: "\""), UInt8(ascii: "}"), 0] {
                var damaged = bytes
                damaged[index] = byte
                let errors = ConfigSample().errors(String(decoding: damaged, as: UTF8.self))
                #expect(!errors.joined().contains(ConfigSample.secret), "byte \(index) \(byte)")
                seen += errors.count
            }
        }
        #expect(seen > 500)
    }

    /// Where the secret stands in the text itself; a path may show a key, so a broken quote there
    /// could turn a value into a key.
    private static var literalSecret: Range<Int> {
        let bytes = Array(text.utf8)
        return bytes.count - 20..<bytes.count
    }

    @Test("a bundle brings a worker to the same configuration without reading anything")
    func bundle() throws {
        let loader = ConfigLoader(
            environment: ["OPENAI_API_KEY": ConfigSample.secret, "OLLAMA_HOST": "localhost"],
            pathDefault: "/nonexistent/apus.json"
        )
        let overrides = ConfigOverrides(
            listen: ["127.0.0.1:9"],
            statusListen: "unix:/x",
            workers: "2"
        )
        let (config, bundle) = try loader.load(overrides: overrides)
        let buffer = ByteBuffer()
        bundle.encode(to: buffer)
        let decoded = try #require(buffer.withBytes { ConfigBundle(decoding: $0) })
        #expect(decoded == bundle)
        #expect(try decoded.config() == config)
        #expect(config.listen.map(\.description) == ["127.0.0.1:9"])
        #expect(!dumped(bundle).contains(ConfigSample.secret))
        #expect(buffer.text.contains(ConfigSample.secret))
    }

    @Test("a bundle is the same bytes in every process, however the secrets were found")
    func bundleOrder() throws {
        let ordered = (1...9).map { #"["env","k\#($0)","\#($0)"]"# } + [#"["file","a","x"]"#]
        func bundle(_ secrets: [String]) -> String {
            #"{"version":1,"file":"f","directory":"/","text":"{}","listen":[],"secrets":["#
                + secrets.joined(separator: ",") + "]}"
        }
        let bytes = Array(bundle(ordered.reversed()).utf8)
        let decoded = ConfigBundle(decoding: bytes.span)
        let buffer = ByteBuffer()
        try #require(decoded).encode(to: buffer)
        #expect(buffer.text == bundle(ordered))
    }

    @Test("a bundle that is damaged is no bundle")
    func damagedBundle() throws {
        let (_, bundle) = try ConfigLoader(environment: [:], pathDefault: "/nonexistent/x").load()
        let buffer = ByteBuffer()
        bundle.encode(to: buffer)
        let bytes = buffer.array
        for count in 0..<bytes.count {
            let isNil = ConfigBundle(decoding: bytes.span.extracting(first: count)) == nil
            #expect(isNil)
        }
        for text in ["{}", "[]", "{\"version\":2}", "null"] {
            let bytes = Array(text.utf8)
            let isNil = ConfigBundle(decoding: bytes.span) == nil
            #expect(isNil)
        }
    }
}
