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
}
