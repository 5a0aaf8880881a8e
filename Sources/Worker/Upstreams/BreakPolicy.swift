// SPDX-License-Identifier: Apache-2.0
import HTTP

/// What it means for a call that its connection is gone.
///
/// Pure.
enum BreakPolicy {
    /// How the connection was lost.
    enum Cause {
        /// The upstream ended its side; the decoder says what of the response is there.
        case ended(ResponseDecoder.Ending)
        /// Reading or writing failed.
        case broken
        /// There was something to read before the request was sent: nothing of it is an answer.
        case spoiled
    }

    enum Verdict: Equatable {
        /// The response is whole: the end of the connection is its end.
        case complete
        /// Send the request once more on a connection that nobody used before.
        case retry
        case fail(UpstreamFailure.Kind)
    }

    /// What to do about the call.
    ///
    /// A server may close an idle connection at any moment, also in the one in which a request is
    /// under way (RFC 9112 section 9.3.1), so a reused connection that dies without a byte of answer
    /// says nothing about the request. That happens once per call: a fresh connection that dies is
    /// an answer of its kind.
    ///
    /// - Parameters:
    ///   - cause: how the connection was lost.
    ///   - reused: whether the connection carried another call before this one.
    ///   - anyByte: whether any byte came since the request began.
    /// - Returns: the verdict.
    static func verdict(_ cause: Cause, reused: Bool, anyByte: Bool) -> Verdict {
        switch cause {
        case .ended(.complete): return .complete
        case .spoiled: return reused ? .retry : .fail(.protocolError)
        case .ended, .broken: break
        }
        if reused && !anyByte { return .retry }
        switch cause {
        case .ended(.nothingReceived): return .fail(.closedBeforeResponse)
        case .ended(.truncated): return .fail(.truncated)
        case .ended(.complete), .broken, .spoiled: return .fail(.reset)
        }
    }
}
