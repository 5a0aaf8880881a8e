// SPDX-License-Identifier: Apache-2.0
import Support
import Testing

/// Whether an answer is an error as every error of the product has to look.
///
/// OpenAI's shape with all four members, JSON, a request id, and the given status and code.
func expectError(
    _ reply: HTTPReply,
    _ status: Int,
    code: String? = nil,
    _ what: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let where_ = Comment(rawValue: "\(what): \(reply.status) \(reply.text)")
    #expect(reply.status == status, where_, sourceLocation: sourceLocation)
    #expect(reply.isComplete, where_, sourceLocation: sourceLocation)
    let type = reply.value("content-type") ?? ""
    #expect(type.hasPrefix("application/json"), where_, sourceLocation: sourceLocation)
    let id = reply.value("x-request-id") ?? ""
    #expect(!id.isEmpty, where_, sourceLocation: sourceLocation)
    let error = try reply.error()
    expectErrorMembers(error, code: code, where_, sourceLocation: sourceLocation)
}

/// Whether an `error` object has the members that OpenAI's schema asks for.
func expectErrorMembers(
    _ error: JSONValue,
    code: String? = nil,
    _ comment: Comment,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let members = error.object ?? [:]
    #expect(
        ["message", "type", "param", "code"].allSatisfy { members[$0] != nil },
        comment,
        sourceLocation: sourceLocation
    )
    for name in ["message", "type"] {
        let hasText = error[name]?.string.map { !$0.isEmpty } ?? false
        #expect(hasText, comment, sourceLocation: sourceLocation)
    }
    if let code {
        #expect(error["code"]?.string == code, comment, sourceLocation: sourceLocation)
    }
}

extension Fleet {
    /// Sends raw bytes on a connection of its own and reads one answer.
    ///
    /// The server may answer and close before it took everything.
    func exchangeRaw(_ bytes: [UInt8], dripped: Bool = false) throws -> HTTPReply {
        let connection = try connect()
        do {
            if dripped {
                try connection.drip(bytes, pause: .zero)
            } else {
                try connection.send(bytes)
            }
        } catch is ConnectionLost {
            // What it said before is what counts.
        }
        return try connection.readReply()
    }
}
