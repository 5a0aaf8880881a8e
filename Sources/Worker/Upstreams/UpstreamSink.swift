// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import Loop

/// Receives what an upstream call brings.
///
/// A class to inherit from: one virtual call per event, no existential. An event handler as well, so
/// that what waits for an upstream can have timers of its own. Nothing is called from inside `begin`, `pause`, `resume` or `cancel`, and each of them may be called from
/// inside every method here.
class UpstreamSink: EventHandler {
    /// The final response head; interim ones are swallowed.
    ///
    /// Offsets in `head` refer to `bytes`.
    func upstreamHead(_ head: ResponseHead, in bytes: Span<UInt8>) {}

    /// Body bytes without the transfer coding, valid during the call only.
    func upstreamData(_ bytes: Span<UInt8>) {}

    /// No more bytes come from this read: the moment to write out what the calls before collected.
    ///
    /// Not called when `upstreamEnded` follows at once.
    func upstreamReadDone() {}

    /// Exactly once and last, unless the call was cancelled.
    func upstreamEnded(_ result: UpstreamResult) {}
}
