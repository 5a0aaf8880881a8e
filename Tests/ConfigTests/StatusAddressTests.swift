// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

@testable import Config

@Suite("The status address of a configuration")
struct StatusAddressTests {
    @Test(
        "is found whatever else is wrong",
        arguments: [
            ("{}", "127.0.0.1:3002"),
            (#"{"status":{"listen":"127.0.0.1:9"}}"#, "127.0.0.1:9"),
            (#"{"nonsense":1,/**/"status":{"listen":"unix:/run/s",}}"#, "unix:/run/s"),
            (
                #"{"upstreams":{"a":{"kind":"openai","api_key":"${env:NOT_SET}"}},"status":{}}"#,
                "127.0.0.1:3002"
            ),
        ]
    )
    func found(text: String, expected: String) throws {
        let directory = try PrivateDirectory()
        defer { directory.remove() }
        let file = try directory.write("apus.json", text)
        let address = try ConfigLoader(environment: [:]).statusAddress(path: file)
        #expect(address.description == expected)
    }

    @Test(
        "is an error of its own",
        arguments: [
            (
                #"{"status":{"listen":3002}}"#,
                ":1:21: status.listen: expected a string, found a number"
            ),
            (
                #"{"status":{"lisen":"127.0.0.1:9"}}"#,
                ":1:12: status.lisen: unknown key, did you mean \"listen\"?"
            ),
            (#"{"status":[]}"#, ":1:11: status: expected an object, found an array"),
        ]
    )
    func errors(text: String, expected: String) throws {
        let directory = try PrivateDirectory()
        defer { directory.remove() }
        let file = try directory.write("apus.json", text)
        let error = #expect(throws: ConfigErrors.self) {
            try ConfigLoader(environment: [:]).statusAddress(path: file)
        }
        #expect(error?.description == file + expected)
    }

    @Test("is not looked for in text that is no JSON")
    func malformed() throws {
        let directory = try PrivateDirectory()
        defer { directory.remove() }
        let file = try directory.write("apus.json", "{\n  listen }")
        let error = #expect(throws: ConfigErrors.self) {
            try ConfigLoader(environment: [:]).statusAddress(path: file)
        }
        #expect(error?.errors.first?.line == 2)
    }
}
