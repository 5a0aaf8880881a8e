// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import Log
import Metrics
import Policy

/// A failed attempt with everything that the client, the log and the metrics are told about it.
struct AttemptFailure {
    /// Members that are left out after a refusal; more of them mean another kind of problem.
    static let refusedMembersMax = 4

    var failure: Failure
    var error: APIError
    /// The upstream's own error, where the client understands it as it is.
    var kept: ByteBuffer?
    /// Fields of the upstream's answer that go with it.
    var fields: ByteBuffer?
    var ending: AccessLogLine.Ending
    var result: Metrics.UpstreamResult
    /// The member that the upstream does not know, if that is what it says.
    var refusedMember: String?

    init(
        failure: Failure,
        error: APIError,
        kept: ByteBuffer? = nil,
        ending: AccessLogLine.Ending = .refused,
        result: Metrics.UpstreamResult = .protocolError
    ) {
        self.failure = failure
        self.error = error
        self.kept = kept
        self.ending = ending
        self.result = result
    }

    /// A failure that no answer of an upstream explains.
    init(_ reason: FailureReason, upstream: String) {
        switch reason {
        case .stopping:
            self.init(failure: Failure(reason), error: .stopping, ending: .stopped)
        default:
            self.init(
                failure: Failure(reason),
                error: .tooSlow(upstream),
                ending: .upstreamTimeout,
                result: .timeout
            )
        }
    }

    /// The member that a refusal names.
    ///
    /// Bedrock: `x: Extra inputs are not permitted` and `extraneous key [x] is not permitted`,
    /// Azure: `Unknown parameter: 'x'`, OpenAI: `Unrecognized request argument supplied: x`. Only
    /// members at the top can be left out: of `x.y` the whole of `x`.
    static func refusedMember(in message: String) -> String? {
        var name: Substring?
        if let end = message.firstRange(of: ": Extra inputs are not permitted") {
            name = message[..<end.lowerBound].split(separator: " ").last
        } else if let start = message.firstRange(of: "extraneous key [") {
            name = message[start.upperBound...].split(separator: "]").first
        } else if let start = message.firstRange(of: "Unknown parameter: '") {
            name = message[start.upperBound...].split(separator: "'").first
        } else if let start = message.firstRange(of: "Unrecognized request argument supplied: ") {
            name = message[start.upperBound...].split(separator: " ").first
        }
        guard let member = name?.split(whereSeparator: { $0 == "." || $0 == "[" }).first,
            member.utf8.count <= 64, member.utf8.allSatisfy({ isNameByte($0) })
        else { return nil }
        return String(member)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
