// SPDX-License-Identifier: Apache-2.0
import Config
import Support
import System
import Testing

@testable import Supervisor

@Suite struct ImportCommandTests {
    private static let key = """
        {"clientid":"i","clientsecret":"s","url":"https://h",
        "serviceurls":{"AI_API_URL":"https://api.example"}}
        """

    @Test("Writes a configuration that apus takes, and no file that is there already")
    func run() throws {
        let directory = try PrivateDirectory()
        defer { directory.remove() }
        let key = try directory.write("key.json", Self.key)
        let source = try directory.write(
            "config.json",
            """
            {"service_key_json":"\(key)","deployment_models":{"gpt-5":["d1"]},
            "secret_authentication_tokens":["t0k3n"]}
            """
        )
        let output = directory.path + "/apus.json"
        let command = ImportCommand(path: source, output: output)
        #expect(command.run() == ExitCode.success)
        let text = try Syscalls.contents(of: output, limit: 1 << 16)
        #expect(!String(decoding: text, as: UTF8.self).contains("t0k3n"))
        let config = try ConfigLoader(environment: [:]).load(path: output).config
        #expect(config.upstreams.map(\.name) == ["default"] && config.requiresKey)
        #expect(config.models.route(forModel: "gpt-5") == .entry(0))
        #expect(command.run() == ExitCode.failure)
        #expect(try Syscalls.contents(of: output, limit: 1 << 16) == text)
    }

    @Test("An unreadable or wrong file is a bad configuration", arguments: [nil, "{", "{}"])
    func wrong(text: String?) throws {
        let directory = try PrivateDirectory()
        defer { directory.remove() }
        let source = directory.path + "/config.json"
        if let text { _ = try directory.write("config.json", text) }
        let output = directory.path + "/apus.json"
        let command = ImportCommand(path: source, output: output)
        #expect(command.run() == ExitCode.badConfiguration)
        #expect(throws: Errno.noEntry) { try Syscalls.contents(of: output, limit: 1) }
    }
}
