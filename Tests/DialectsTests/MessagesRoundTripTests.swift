// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Support
import Testing

struct MessagesRoundTripTests {
    /// A model whose name says nothing takes everything.
    private static let plan = RequestPlan(
        format: .messages,
        host: .anthropic,
        model: "m",
        isStream: false
    )

    private static func rewritten(_ text: String) throws -> Converting.Request {
        let isStream = try Converting.conversation(.messages, text).isStream
        var plan = plan
        plan.isStream = isStream
        return try Converting.request(text, from: .messages, plan)
    }

    @Test(arguments: 0..<300)
    func losesNothing(_ seed: Int) throws {
        var random = RandomMessages(seed: UInt64(seed))
        let text = random.request()
        let written = try Self.rewritten(text)
        #expect(written.dropped == [], "\(text)")
        let before = try Converting.conversation(.messages, text)
        let after = try Converting.conversation(.messages, written.body)
        let meaning = try Meaning(after, of: written.body)
        #expect(try Meaning(before, of: text) == meaning, "\(text)\n\(written.body)")
        #expect(Self.marks(text) == Self.marks(written.body))
        // What was written once stays as it is.
        #expect(try Self.rewritten(written.body).body == written.body)
    }

    /// Number of cache marks.
    private static func marks(_ text: String) -> Int {
        text.split(separator: "cache_control", omittingEmptySubsequences: false).count
    }

    /// A chat request says to Claude what it says to OpenAI.
    @Test(arguments: 0..<300)
    func chatSaysTheSame(_ seed: Int) throws {
        let features: RandomConversation.Features = [
            .system, .images, .imageURLs, .documents, .tools, .limits,
        ]
        var random = RandomConversation(seed: UInt64(seed), features)
        let text = random.chatRequest()
        let written = try Converting.request(text, from: .chat, Self.plan)
        #expect(written.dropped == [])
        let conversation = try Converting.conversation(.chat, text)
        var before = try Meaning(conversation, of: text)
        let read = try Converting.conversation(.messages, written.body)
        var after = try Meaning(read, of: written.body)
        // The results come first in their turn, and a limit has to be there.
        for index in before.turns.indices {
            let items = before.turns[index].items
            let results = items.filter(Self.isResult)
            before.turns[index].items = results + items.filter { !Self.isResult($0) }
        }
        if conversation.maxTokens == nil { after.drop("maxTokens") }
        // One call at a time is said as part of the choice, whose other part is the default.
        if conversation.toolChoice == nil { after.drop("toolChoice") }
        if conversation.toolChoice == ToolChoice.none { before.drop("parallelToolCalls") }
        for index in before.tools.indices where before.tools[index].schema == nil {
            before.tools[index].schema = .object([
                "type": .string("object"), "properties": .object([:]),
            ])
        }
        #expect(before == after, "\(text)\n\(written.body)")
    }

    private static func isResult(_ item: Meaning.Item) -> Bool {
        if case .result = item { true } else { false }
    }

    /// OpenAI's thoughts come back to it by way of a client of Messages, and never reach Claude.
    @Test func thoughtsOfOpenAIStayAwayFromClaude() throws {
        let text = #"""
            {"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[
            {"type":"redacted_thinking","data":"apus.o.gAAA"},{"type":"text","text":"a"}]},
            {"role":"user","content":"y"}]}
            """#
        let written = try Converting.request(text, from: .messages, Self.plan)
        #expect(!written.body.contains("gAAA"))
        #expect(written.dropped == ["messages[].content[].thinking"])
    }
}
