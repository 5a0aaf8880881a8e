// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import Glibc
import System
import Testing

/// A directory of its own for one test, removed with it.
final class ScratchDirectory {
    let path: String
    private var files: [String] = []

    init() throws {
        let unique = try Syscalls.random(8).map { String($0, radix: 16) }.joined()
        path = "/tmp/apus-config-\(unique)"
        try Syscalls.makeDirectory(path)
    }

    /// Writes a file and returns its path.
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = path + "/" + name
        // SAFETY: the path is a valid string for the call.
        let descriptor = unsafe open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        try #require(descriptor >= 0)
        let owned = OwnedFD(owning: descriptor)
        files.append(file)
        let outcome = Syscalls.write(owned.raw, bytes.span)
        #expect(outcome == .bytes(bytes.count))
        return file
    }

    func write(_ name: String, _ text: String) throws -> String {
        try write(name, Array(text.utf8))
    }

    deinit {
        for file in files {
            // SAFETY: the path is a valid string for the call.
            _ = unsafe remove(file)
        }
        // SAFETY: as above.
        _ = unsafe rmdir(path)
    }
}

@Suite("Configuration loader")
struct ConfigLoaderTests {
    private let nowhere = "/nonexistent/apus.json"

    private func errors(
        _ environment: [String: String],
        path: String? = nil
    ) -> String {
        do throws(ConfigErrors) {
            _ = try ConfigLoader(environment: environment, pathDefault: nowhere).load(path: path)
            return ""
        } catch {
            return error.description
        }
    }

    @Test("without a file and variables there is the demo model")
    func demo() throws {
        let loader = ConfigLoader(environment: [:], pathDefault: nowhere)
        let (config, bundle) = try loader.load()
        #expect(config.upstreams == [UpstreamConfig(name: "demo", kind: .demo)])
        #expect(config.models.target(forModel: "demo")?.upstream == 0)
        #expect(config.models.target(forModel: "gpt-5") == nil)
        #expect(config.listen.map(\.description) == ["127.0.0.1:3001"])
        #expect(bundle.file == "embedded default")
    }

    @Test(
        "every provider whose variables are set is there",
        arguments: [
            (["OPENAI_API_KEY": "k"], ["demo", "openai"], "https://api.openai.com/v1"),
            (
                ["OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://h:1"], ["demo", "openai"],
                "http://h:1"
            ),
            (["OLLAMA_HOST": "gpu:8080"], ["demo", "ollama"], "http://gpu:8080/v1"),
            (
                ["OLLAMA_HOST": "x", "OPENAI_API_KEY": "k"], ["demo", "ollama", "openai"],
                "https://api.openai.com/v1"
            ),
            (["OPENAI_BASE_URL": "http://h:1", "OPENAI_API_KEY": ""], ["demo"], nil),
        ] as [([String: String], [String], String?)]
    )
    func providers(environment: [String: String], names: [String], url: String?) throws {
        let loader = ConfigLoader(environment: environment, pathDefault: nowhere)
        let config = try loader.load().config
        #expect(config.upstreams.map(\.name) == names)
        #expect(config.upstreams.last?.openai?.http.baseURL.description == url)
        let fallback = config.models.target(forModel: "gpt-5").map { config.upstreams[$0.upstream] }
        #expect(fallback?.name == (names.count > 1 ? names.last : nil))
        #expect(config.models.target(forModel: "demo").map { $0.upstream } == 0)
    }

    @Test(
        "every provider answers for its own models",
        arguments: [
            (["ANTHROPIC_API_KEY": "k"], ["claude-5": "anthropic", "gpt-5": nil]),
            (
                ["ANTHROPIC_API_KEY": "k", "GEMINI_API_KEY": "k", "OPENAI_API_KEY": "k"],
                ["claude-5": "anthropic", "gemini-3": "gemini", "gpt-5": "openai", "x": "openai"]
            ),
            (
                ["GEMINI_API_KEY": "k", "OLLAMA_HOST": "h"],
                ["claude-5": "ollama", "gemini-3": "gemini", "gpt-5": "ollama"]
            ),
            (["AICORE_SERVICE_KEY": ConfigSample.sapKey], ["gpt-5": "sap", "claude-5": "sap"]),
            (
                ["AICORE_SERVICE_KEY": ConfigSample.sapKey, "ANTHROPIC_API_KEY": "k"],
                ["gpt-5": nil, "claude-5": "anthropic", "sap/gpt-5": "sap"]
            ),
            (
                [
                    "AWS_ACCESS_KEY_ID": "i", "AWS_SECRET_ACCESS_KEY": "s",
                    "AWS_DEFAULT_REGION": "eu-west-1",
                ],
                ["anything": "bedrock", "demo": "demo"]
            ),
            (["AWS_ACCESS_KEY_ID": "i", "AWS_SECRET_ACCESS_KEY": "s"], ["anything": nil]),
            (["AICORE_CLIENT_ID": "i", "AICORE_CLIENT_SECRET": "s"], ["anything": nil]),
        ] as [([String: String], [String: String?])]
    )
    func patterns(environment: [String: String], routes: [String: String?]) throws {
        let loader = ConfigLoader(environment: environment, pathDefault: nowhere)
        let config = try loader.load().config
        for (model, upstream) in routes {
            let target = config.models.target(forModel: model)
            #expect(target.map { config.upstreams[$0.upstream].name } == upstream, "\(model)")
        }
    }

    @Test("SAP's variables make a service key")
    func aicore() throws {
        let environment = [
            "AICORE_AUTH_URL": "https://z.example/oauth/token", "AICORE_CLIENT_ID": "i",
            "AICORE_CLIENT_SECRET": "s$${", "AICORE_BASE_URL": "https://api.example/v2",
            "AICORE_RESOURCE_GROUP": "team",
        ]
        let loader = ConfigLoader(environment: environment, pathDefault: nowhere)
        let (config, bundle) = try loader.load()
        guard case .sapAICore(let sap) = config.upstreams[1].kind else {
            Issue.record("another kind")
            return
        }
        #expect(sap.serviceKey.tokenURL == "https://z.example/oauth/token")
        #expect(sap.serviceKey.clientID == "i")
        #expect(sap.serviceKey.clientSecret?.revealed == "s$${")
        #expect(sap.http.baseURL.host == "api.example" && sap.http.baseURL.path.isEmpty)
        #expect(sap.resourceGroup == "team")
        #expect(try bundle.config() == config)
    }

    @Test("AWS's and Anthropic's variables are taken")
    func otherVariables() throws {
        let environment = [
            "AWS_ACCESS_KEY_ID": "i", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t",
            "AWS_REGION": "eu-west-1", "ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "http://h",
        ]
        let loader = ConfigLoader(environment: environment, pathDefault: nowhere)
        let config = try loader.load().config
        guard case .anthropic(let claude) = config.upstreams[1].kind,
            case .bedrock(let aws) = config.upstreams[2].kind
        else {
            Issue.record("another kind")
            return
        }
        #expect(claude.apiKey?.revealed == "k" && claude.http.baseURL.description == "http://h")
        #expect(aws.region == "eu-west-1" && aws.accessKeyID.revealed == "i")
        #expect(aws.secretAccessKey.revealed == "s" && aws.sessionToken?.revealed == "t")
    }

    @Test(
        "understands what Ollama's variable may hold",
        arguments: [
            ("localhost", "http://localhost:11434/v1"), ("0.0.0.0", "http://127.0.0.1:11434/v1"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080/v1"), (":8080", "http://127.0.0.1:8080/v1"),
            ("http://gpu", "http://gpu/v1"), ("https://gpu/", "https://gpu/v1"),
            ("http://gpu:9", "http://gpu:9/v1"), ("[::1]:9", "http://[::1]:9/v1"),
            ("[::1]", "http://[::1]:11434/v1"), ("[::]:9", "http://127.0.0.1:9/v1"),
        ]
    )
    func ollama(value: String, expected: String) throws {
        let loader = ConfigLoader(environment: ["OLLAMA_HOST": value], pathDefault: nowhere)
        let config = try loader.load().config
        #expect(config.upstreams.last?.openai?.http.baseURL.description == expected)
    }

    @Test("a named file is read, with files and credentials beside it")
    func file() throws {
        let scratch = try ScratchDirectory()
        _ = try scratch.write("key", "from-file\n")
        _ = try scratch.write("cred", "from-credential\r\n")
        _ = try scratch.write("ca.pem", "pem")
        let path = try scratch.write(
            "apus.json",
            """
            {"upstreams":{"u":{"kind":"openai","base_url":"https://h/v1","api_key":"${file:key}",
            "headers":{"X-A":"${credential:cred}","X-B":"${env:B}"},"ca_file":"ca.pem"}}}
            """
        )
        let environment = ["CREDENTIALS_DIRECTORY": scratch.path, "B": "from-env"]
        let loader = ConfigLoader(environment: environment, pathDefault: nowhere)
        let (config, bundle) = try loader.load(path: path)
        let openai = try #require(config.upstreams[0].openai)
        #expect(openai.apiKey?.revealed == "from-file")
        #expect(openai.http.headers.map(\.value.revealed) == ["from-credential", "from-env"])
        #expect(openai.http.caFile == scratch.path + "/ca.pem")
        #expect(try bundle.config() == config)

        let asDefault = try ConfigLoader(environment: environment, pathDefault: path).load()
        #expect(asDefault.config == config)
    }

    @Test("says what is missing and where")
    func missing() throws {
        #expect(
            errors([:], path: nowhere) == nowhere + ": cannot be read: No such file or directory"
        )
        let scratch = try ScratchDirectory()
        let path = try scratch.write(
            "apus.json",
            """
            {"upstreams":{"u":{"kind":"openai","base_url":"https://h",
            "api_key":"${env:NOT_SET}",
            "headers":{"X-A":"${file:nope}",
            "X-B":"${credential:c}"},
            "ca_file":"nope.pem"}}}
            """
        )
        #expect(
            errors([:], path: path) == """
                \(path):2:11: upstreams.u.api_key: the environment variable NOT_SET is not set
                \(path):3:18: upstreams.u.headers.X-A: the file nope cannot be read: No such file or directory
                \(path):4:7: upstreams.u.headers.X-B: CREDENTIALS_DIRECTORY is not set, so there is no credential c
                \(path):5:11: upstreams.u.ca_file: the file cannot be read: No such file or directory
                """
        )
    }

    @Test("files without end are refused")
    func tooLarge() throws {
        let scratch = try ScratchDirectory()
        _ = try scratch.write(
            "big",
            [UInt8](repeating: 0x61, count: ConfigLimits.secretBytesMax + 1)
        )
        _ = try scratch.write("binary", [0xFF, 0xFE])
        let path = try scratch.write(
            "apus.json",
            """
            {"upstreams":{"u":{"kind":"openai","base_url":"https://h",
            "api_key":"${file:big}","headers":{"X-A":"${file:binary}"}}}}
            """
        )
        #expect(
            errors([:], path: path) == """
                \(path):2:11: upstreams.u.api_key: the file big cannot be read: larger than 64KiB
                \(path):2:42: upstreams.u.headers.X-A: the file binary is not UTF-8
                """
        )
    }

    @Test("reads the variables of this process")
    func processEnvironment() {
        #expect(ConfigLoader.processEnvironment()["PATH"]?.contains("/") == true)
    }
}
