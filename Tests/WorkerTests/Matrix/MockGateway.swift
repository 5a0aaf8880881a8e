// SPDX-License-Identifier: Apache-2.0
import Loop
import Support

@testable import Worker

/// A worker in front of the mock, with one client.
struct MockGateway {
    let harness: WorkerHarness
    let mock: ProviderMock
    let client: TestClient

    /// `upstreams` come besides one of every kind, `more` behind `upstreams`.
    init(
        upstreams: (_ address: String, _ serviceKey: String) -> String = { _, _ in "" },
        _ more: String = ""
    ) throws {
        let loop = try EventLoop()
        mock = try ProviderMock(on: loop)
        let extra = upstreams("http://127.0.0.1:\(mock.server.port)", mock.serviceKey)
        let config = """
            {"upstreams": {\(mock.upstreams)\(extra.isEmpty ? "" : ", " + extra)}
            \(more.isEmpty ? "" : ", " + more)}
            """
        harness = try WorkerHarness(config, on: loop)
        client = try harness.client()
        mock.told = Told(text: "Hi!", usage: Told.Usage(input: 3, output: 2))
    }

    /// Two OpenAI-compatible upstreams `a` and `b`, and models `m` over both in order and `n` over
    /// them and then a fallback to `openai`.
    static func pair(_ more: String = "") throws -> MockGateway {
        try MockGateway(
            upstreams: { address, _ in
                """
                "a": {"kind": "openai", "base_url": "\(address)/a/v1", "api_key": "key-openai"},
                "b": {"kind": "openai", "base_url": "\(address)/b/v1", "api_key": "key-openai"},
                "dead": {"kind": "openai", "base_url": "http://127.0.0.1:1/v1"}
                """
            },
            """
            "models": {
                "m": {"targets": [{"upstream": "a"}, {"upstream": "b"}], "balance": "ordered"},
                "n": {"targets": [{"upstream": "a"}], "fallbacks": ["openai/gpt-4.1"]},
                "o": {"targets": [{"upstream": "a"}]},
                "d": {"targets": [{"upstream": "dead"}, {"upstream": "b"}], "balance": "ordered"}
            }\(more.isEmpty ? "" : ", " + more)
            """
        )
    }

    static let quick = #""retries": {"tries_per_target": 1, "backoff": "1ms"}"#

    /// Sends and waits for the answer.
    func ask(_ request: String) throws -> TestAnswer {
        try client.send(request)
        return try client.answer()
    }

    /// Sends a body to a path.
    func post(_ path: String, _ body: Wire, _ fields: String = "") throws -> TestAnswer {
        try ask(TestRequest.post(path, body.text(), fields))
    }

    /// Sends a body to a path on a connection of its own: a refusal by key ends its connection.
    func postAlone(_ path: String, _ body: Wire, _ fields: String = "") throws -> TestAnswer {
        let client = try harness.client()
        try client.send(TestRequest.post(path, body.text(), fields))
        return try client.answer()
    }

    /// What upstreams were asked, by the first part of their paths.
    var asked: [String] {
        mock.modelRequests.map { request in
            String(request.path.split(separator: "/").first ?? "")
        }
    }

    /// The connection on which `prefix` was asked.
    func peer(_ prefix: String) -> ScriptedPeer? {
        mock.server.peers.first { peer in
            peer.requests.contains { $0.split(separator: " ")[1].hasPrefix(prefix) }
        }
    }

    static let question: Wire = [["role": "user", "content": "hello"]]

    static func chat(_ model: String, _ more: [(String, Wire?)] = []) -> Wire {
        Wire.object([("model", .string(model)), ("messages", question)]).adding(more)
    }

    static func messages(_ model: String, _ more: [(String, Wire?)] = []) -> Wire {
        Wire.object([("model", .string(model)), ("max_tokens", 100), ("messages", question)])
            .adding(more)
    }
}
