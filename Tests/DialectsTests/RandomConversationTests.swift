// SPDX-License-Identifier: Apache-2.0
import Support
import Testing

struct RandomConversationTests {
    @Test(arguments: 0..<50)
    func isJSONAndRepeatable(_ seed: Int) throws {
        var first = RandomConversation(seed: UInt64(seed), .all)
        var second = RandomConversation(seed: UInt64(seed), .all)
        let request = first.chatRequest()
        #expect(try JSONValue(request)["messages"]?.array?.isEmpty == false)
        #expect(request == second.chatRequest())
        #expect(request != first.chatRequest())
    }
}
