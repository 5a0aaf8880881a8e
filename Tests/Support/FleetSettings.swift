// SPDX-License-Identifier: Apache-2.0
/// What a fleet under test is configured with.
package struct FleetSettings: Sendable {
    package var workers = 1
    package var listen = ["127.0.0.1:0"]
    /// Upstream name to its JSON object.
    package var upstreams: [String: String] = ["demo": #"{ "kind": "demo" }"#]
    /// More members of the configuration, as `"name": value`.
    package var members: [String] = []
    package var environment: [String] = []
    /// Programs with their arguments through which the supervisor is started, such as `prlimit`.
    ///
    /// Each replaces itself by the next one.
    package var launcher: [String] = []
    /// Whether it runs as a user without any privilege, as it does in production.
    package var isUnprivileged = false
    /// What a shell does in the place of a worker before it becomes one.
    ///
    /// `$1` is `--slot`, `$2` the number of the slot, `$4` the generation; `$DIR` is the directory
    /// of the fleet.
    package var workerPrelude: String?
    /// Descriptors that the supervisor inherits besides 0, 1 and 2: those of the test by the number
    /// they get.
    package var descriptors: [Int32: Int32] = [:]
    /// Files that lie in the directory of the fleet before it starts.
    package var files: [String: String] = [:]
    /// Workers that get ready, when not all of them do.
    package var readyWorkers: Int?

    package init(workers: Int = 1, _ members: String...) {
        self.workers = workers
        self.members = members
    }

    /// With `upstream` under `name`, of kind `openai`.
    package func with(
        _ name: String = "up",
        _ upstream: ScriptedUpstream,
        members: String...
    ) -> FleetSettings {
        with(name, baseURL: upstream.baseURL, members: members)
    }

    package func with(
        _ name: String = "up",
        baseURL: String,
        members: [String] = []
    ) -> FleetSettings {
        var result = self
        let all = [#""kind": "openai""#, #""base_url": "\#(baseURL)""#] + members
        result.upstreams[name] = "{ \(all.joined(separator: ", ")) }"
        return result
    }

    private func sets(_ name: String) -> Bool { members.contains { $0.contains("\"\(name)\"") } }

    /// What tests need that compare bytes, for members that they do not set themselves.
    ///
    /// Nothing is tried twice, so that scripted upstreams see what their tests expect, and no sign
    /// of life comes between the events of a stream, however long its test takes.
    private var quiet: [String] {
        [
            (name: "retries", value: #"{ "tries_per_target": 1 }"#),
            (name: "streams", value: #"{ "keepalive": "off" }"#),
        ].filter { !sets($0.name) }.map { "\"\($0.name)\": \($0.value)" }
    }

    /// The configuration file.
    package var text: String {
        let listen = listen.map { "\"\($0)\"" }.joined(separator: ", ")
        let upstreams = upstreams.sorted { $0.key < $1.key }
            .map { "    \"\($0.key)\": \($0.value)" }.joined(separator: ",\n")
        let lines =
            [
                "\"listen\": [\(listen)]",
                "\"status\": { \"listen\": \"127.0.0.1:0\" }",
                "\"workers\": \(workers)",
                "\"upstreams\": {\n\(upstreams)\n  }",
            ] + quiet
        return "{\n  \((lines + members).joined(separator: ",\n  "))\n}\n"
    }
}
