// SPDX-License-Identifier: Apache-2.0
import Loop
import Support
import Testing

@testable import Worker

@Suite("The model catalog")
struct ModelCatalogTests {
    private static let listing =
        #"{"object":"list","data":[{"id":"m-1"},{"id":"org/m-2"},{"x":1}]}"#

    private static let models = """
        "models": {
            "nice": {"targets": [{"upstream": "up", "model": "m-1"}]},
            "org/*": {"targets": [{"upstream": "up"}]}
        }
        """

    @Test("lists names of the configuration, of upstreams and of patterns, each once")
    func list() throws {
        let (harness, server) = try WorkerHarness.scripted(Self.models) { _ in
            [.request, TestUpstream.json(200, Self.listing), .again]
        }
        let client = try harness.client()
        for _ in 0..<2 {
            try client.send(TestRequest.get("/v1/models"))
            let json = try client.answer().json
            #expect(json["object"]?.string == "list")
            let data = json["data"]?.array ?? []
            let ids = data.compactMap { $0["id"]?.string }
            #expect(Set(ids).count == ids.count)
            for id in ["nice", "up/m-1", "up/org/m-2", "org/m-2", "demo/echo"] {
                #expect(ids.contains(id), "\(id)")
            }
            #expect(!ids.contains("m-1"))
            for model in data {
                #expect(model["object"]?.string == "model")
                #expect(model["owned_by"]?.string != nil && model["created"]?.int != nil)
            }
        }
        #expect(server.requests.count == 1, "a fresh listing is not fetched again")
        #expect(server.requests[0].hasPrefix("GET /v1/models HTTP/1.1\r\n"))
        #expect(server.requests[0].lowercased().contains("authorization: bearer key"))
    }

    @Test(
        "finds one model, encoded or not",
        arguments: [
            ("nice", 200), ("up/m-1", 200), ("up%2Fm-1", 200), ("org/m-2", 200), ("up/none", 404),
            ("none", 404), ("demo/echo", 200), ("demo/none", 404), ("%ff", 400),
        ]
    )
    func one(_ id: String, _ status: Int) throws {
        let (harness, _) = try WorkerHarness.scripted(Self.models) { _ in
            [.request, TestUpstream.json(200, Self.listing), .again]
        }
        let client = try harness.client()
        try client.send(TestRequest.get("/v1/models/\(id)"))
        let answer = try client.answer()
        #expect(answer.status == status)
        if status == 200 {
            #expect(try answer.json["object"]?.string == "model")
        } else {
            #expect(try answer.json["error"]?["param"]?.string == "model")
        }
    }

    @Test(
        "an upstream that does not list costs its models, not the answer",
        arguments: ["HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", "garbage", ""]
    )
    func failingUpstream(_ response: String) throws {
        let (harness, server) = try WorkerHarness.scripted { _ in
            [.request, .send(response), .close]
        }
        let client = try harness.client()
        try client.send(TestRequest.get("/v1/models"))
        let ids = try client.answer().json["data"]?.array?.compactMap { $0["id"]?.string }
        #expect(ids?.contains("demo/echo") == true)
        #expect(ids?.contains { $0.hasPrefix("up/") } == false)
        let requests = server.requests.count
        // Without a listing nobody knows better than the configuration.
        try client.send(TestRequest.get("/v1/models/up/any"))
        #expect(try client.answer().status == 200)
        #expect(server.requests.count == requests, "a failed upstream is left alone for a while")
    }

    @Test("all who ask meanwhile wait for one listing, and one who leaves harms nobody")
    func sharedListing() throws {
        let (harness, server) = try WorkerHarness.scripted { _ in [.request] }
        let clients = try (0..<3).map { _ in try harness.client() }
        for client in clients {
            try client.send(TestRequest.get("/v1/models") + TestRequest.get("/v1/models/up/m-1"))
        }
        try harness.loop.wait("the listing's request") { server.requests.count == 1 }
        clients[0].close()
        try harness.turn()
        server.peers[0].say(
            "HTTP/1.1 200 OK\r\nContent-Length: \(Self.listing.utf8.count)\r\n\r\n\(Self.listing)"
        )
        for client in clients.dropFirst() {
            #expect(try client.answer().body.contains("up/m-1"))
            #expect(try client.answer().status == 200)
        }
        #expect(server.requests.count == 1)
        #expect(harness.worker.connectionCount == 2)
    }
}
