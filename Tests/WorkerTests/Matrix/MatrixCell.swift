// SPDX-License-Identifier: Apache-2.0
import Dialects
import Support
import Testing

@testable import Worker

/// A client's dialect, an upstream, a conversation, streamed or not.
struct MatrixCell: CustomTestStringConvertible {
    let client: ClientDialect
    let row: UpstreamRow
    let scenario: Scenario
    let isStream: Bool

    var testDescription: String {
        "\(client.rawValue) -> \(row.title), \(scenario.name)" + (isStream ? ", stream" : "")
    }

    var format: WireFormat { row.format(for: client) }
    var isSame: Bool { format == client.format }
    var note: MatrixNote? { MatrixNote.of(self) }

    // MARK: What must arrive

    /// What the upstream must have been asked.
    var expectedAsked: Asked {
        var asked = scenario.asked
        if asked.maxTokens == nil, client == .messages { asked.maxTokens = MessagesForm.limit }
        if !keepsThoughts { asked = asked.withoutThoughts }
        if hasNoIDs { asked = asked.withNumberedCalls }
        if note?.changes.contains(.losesStops) == true { asked.stops = [] }
        return asked
    }

    /// Thoughts of earlier turns are signed for one vendor, and clients of OpenAI have none.
    private var keepsThoughts: Bool {
        client == .messages && (format == .messages || format == .converse)
            || client == .gemini && format == .gemini
    }

    /// Whether thoughts may be Claude's own in another format: they come back to it, or are left out.
    private var mayReturnThoughts: Bool {
        switch (client, format) {
        case (.messages, .converse), (.gemini, .messages), (.gemini, .converse): true
        case (.messages, _), (.gemini, _), (.chat, _), (.responses, _): false
        }
    }

    /// Whether calls cannot be told apart by ids on the way to the upstream.
    private var hasNoIDs: Bool { client == .gemini || format == .gemini }

    /// What the client must have been told.
    var expectedTold: Told {
        var told = scenario.told
        if note?.changes.contains(.losesThoughts) == true { told.thoughts = "" }
        // Anthropic's counts do not tell thoughts from the rest, and its clients cannot see them.
        if client == .messages || format == .messages || format == .converse {
            told.usage.thoughts = 0
        }
        if case .stopText = told.finish {
            switch (client, format) {
            case (.messages, .messages): break
            // Converse tells that there was one, but not which.
            case (.messages, .converse): told.finish = .stopText("")
            case (.messages, _), (.chat, _), (.responses, _), (.gemini, _): told.finish = .end
            }
        }
        if client == .chat, isStream, !scenario.wantsUsage { told.usage = Told.Usage() }
        return told
    }

    // MARK: The exchange

    func run(_ harness: WorkerHarness, _ client: TestClient, _ mock: ProviderMock) throws {
        mock.forget()
        mock.told = scenario.told
        mock.style = scenario.style
        let name = row.name(scenario)
        try client.send(self.client.request(scenario, model: name, isStream: isStream))
        let answer = try client.answer()
        var problems: [String] = []
        if let refusal = note?.refusal {
            judge(refusal, answer, &problems)
        } else if answer.status == 200 {
            judgeRequest(mock, &problems)
            judgeAnswer(answer, &problems)
        } else {
            problems.append("status \(answer.status): \(answer.body.prefix(600))")
        }
        if !problems.isEmpty {
            let sent = mock.modelRequests.last?.text.prefix(1500) ?? "nothing"
            Issue.record(
                """
                \(testDescription)
                  \(problems.joined(separator: "\n  "))
                  UPSTREAM GOT \(sent)
                  CLIENT GOT \(answer.body.prefix(1500))
                """
            )
        }
    }

    private func judge(
        _ refusal: MatrixNote.Refusal,
        _ answer: TestAnswer,
        _ problems: inout [String]
    ) {
        problems.check(answer.status == refusal.status, "status \(answer.status)")
        problems.check(
            answer.body.contains(refusal.text),
            "another message than '\(refusal.text)'"
        )
    }

    private func judgeRequest(_ mock: ProviderMock, _ problems: inout [String]) {
        problems.check(
            mock.modelRequests.count == 1,
            "\(mock.modelRequests.count) requests: \(mock.modelRequests.map(\.path))"
        )
        guard let request = mock.modelRequests.last else { return }
        problems.check(request.kind == .model(format), "a request to \(request.path)")
        problems.check(request.isStream == isStream, "a stream: \(request.isStream)")
        if row.upstream == "sap" {
            let group = request.fields["ai-resource-group"] ?? "none"
            problems.check(group == "default", "the resource group \(group)")
            let proof = request.fields["authorization"] ?? "none"
            problems.check(proof == "Bearer \(ProviderMock.token)", "the token \(proof)")
        }
        problems += request.problems
        judgeModel(request, &problems)
        var asked = request.asked(&problems)
        var expected = expectedAsked
        if hasNoIDs {
            let ids = asked.calls.map(\.id)
            problems.check(Set(ids).count == ids.count, "ids of calls twice: \(ids)")
            asked = asked.withNumberedCalls
        }
        if asked.maxTokens != nil, expected.maxTokens == nil,
            format == .messages || format == .converse
        {
            asked.maxTokens = nil
        }
        if client == .gemini { asked = asked.withPlainResults }
        if mayReturnThoughts {
            expected = expected.withoutThoughts
            asked = asked.withoutThoughts
        }
        Self.compare(asked, expected, &problems)
    }

    private func judgeModel(_ request: ProviderRequest, _ problems: inout [String]) {
        let model = row.model(scenario)
        if let named = request.body["model"] {
            problems.check(named.string == model, "the model \(named)")
        } else {
            let isInPath =
                request.path.contains("/\(model)/") || request.path.contains("/\(model):")
            let deployment = ProviderMock.deployments.first { $0.model == model }?.id ?? "?"
            let isDeployed = request.path.contains("/deployments/\(deployment)/")
            problems.check(isInPath || isDeployed, "the path \(request.path) for \(model)")
        }
    }

    private func judgeAnswer(_ answer: TestAnswer, _ problems: inout [String]) {
        let type = answer["content-type"] ?? "none"
        problems.check(
            type.hasPrefix(isStream ? "text/event-stream" : "application/json"),
            "the content type \(type)"
        )
        problems.check(answer["apus-upstream"] == row.upstream, "apus-upstream")
        problems.check(answer["apus-attempts"] == "1", "apus-attempts")
        let dropped = Set(
            (answer["apus-dropped"] ?? "").split(separator: ",").map { name in
                String(name.drop { $0 == " " })
            }
        )
        let wanted = note?.dropped ?? []
        problems.check(wanted.isSubset(of: dropped), "dropped: \(dropped.sorted())")
        var surplus = dropped.subtracting(wanted).subtracting(Self.tolerated)
        if !keepsThoughts { surplus.subtract(Self.thoughts) }
        problems.check(surplus.isEmpty, "dropped without need: \(surplus.sorted())")

        var told: Told
        if isStream {
            told = client.told(
                stream: answer.body,
                wantsUsage: scenario.wantsUsage,
                &problems
            )
        } else {
            told = client.told(problems.json(answer.body), &problems)
            if !isSame { judgeName(problems.json(answer.body), &problems) }
        }
        var expected = expectedTold
        if hasNoIDs {
            let ids = told.calls.map(\.id)
            if client != .gemini {
                problems.check(Set(ids).count == ids.count, "ids of calls twice: \(ids)")
                problems.check(!ids.contains(""), "calls without id")
            }
            for index in told.calls.indices { told.calls[index].id = "" }
            for index in expected.calls.indices { expected.calls[index].id = "" }
        }
        Self.compare(told, expected, &problems)
    }

    /// A converted answer bears the name that the client asked for.
    private func judgeName(_ body: JSONValue, _ problems: inout [String]) {
        let name = (body["model"] ?? body["modelVersion"])?.string
        problems.check(name == row.name(scenario), "the model's name \(name ?? "none")")
    }

    /// What is of no consequence: how an image is looked at, whether an answer is kept.
    private static let tolerated: Set<String> = [
        "store", "tools[].strict", "reasoning.summary", "input[].content[].detail",
        "messages[].content[].image_url.detail",
    ]

    /// Thoughts of earlier turns, which are signed for one vendor.
    private static let thoughts: Set<String> = [
        "messages[].content[].thinking", "contents[].parts[].thought",
    ]

    // MARK: Comparisons

    private static func compare(_ got: Asked, _ wanted: Asked, _ problems: inout [String]) {
        compare("system", got.system, wanted.system, &problems)
        compare("turns", "\(got.turns)", "\(wanted.turns)", &problems)
        compare("tools", Self.text(got.tools), Self.text(wanted.tools), &problems)
        problems.check(got.stops == wanted.stops, "stop texts: \(got.stops)")
        problems.check(got.maxTokens == wanted.maxTokens, "max tokens: \(got.maxTokens ?? -1)")
        problems.check(
            got.temperature == wanted.temperature,
            "temperature: \(got.temperature ?? -1)"
        )
        problems.check(got.thinks == wanted.thinks, "thinks: \(got.thinks)")
    }

    private static func compare(_ got: Told, _ wanted: Told, _ problems: inout [String]) {
        compare("thoughts", got.thoughts, wanted.thoughts, &problems)
        compare("text", got.text, wanted.text, &problems)
        compare("calls", "\(got.calls)", "\(wanted.calls)", &problems)
        problems.check(got.finish == wanted.finish, "finish: \(got.finish)")
        problems.check(got.usage == wanted.usage, "usage: \(got.usage), not \(wanted.usage)")
    }

    /// Compares bytes: Swift takes texts for equal that differ in how signs are composed.
    private static func compare(
        _ what: String,
        _ got: String,
        _ wanted: String,
        _ problems: inout [String]
    ) {
        guard !got.utf8.elementsEqual(wanted.utf8) else { return }
        let common = zip(got.utf8, wanted.utf8).prefix { $0 == $1 }.count
        func near(_ text: String) -> String {
            let bytes = Array(text.utf8)[max(0, common - 60)...].prefix(200)
            return String(decoding: bytes, as: UTF8.self)
        }
        problems.append(
            "\(what) differ at byte \(common):\n    got    \(near(got))\n    wanted \(near(wanted))"
        )
    }

    private static func text(_ tools: [Asked.Tool]) -> String {
        tools.map { "\($0.name) \($0.description) \($0.schema.compact)" }.joined(separator: "\n")
    }
}
