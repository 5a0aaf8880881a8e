// SPDX-License-Identifier: Apache-2.0
import Scoreboard

/// What a client gets whose worker has died.
///
/// Pure: compares what the worker wrote into its page with what the kernel knows about the
/// connection. A worker can die between a call and the note of it, so where the kernel tells how
/// much was read and written, its word counts; the page only says what the bytes mean.
enum CrashPolicy {
    enum Verdict: Equatable {
        /// Nothing was read since the connection was last idle: another worker takes it.
        case move
        /// The request is lost and nothing of its answer was sent: 503.
        case unavailable(AnswerForm)
        /// The stream stands between two events: an error event and a proper end, which in a body
        /// without framing is that of the connection.
        case endStream(AnswerForm)
        /// The answer was whole: an orderly close, as after any answer.
        case finish
        /// A part of an answer is out and cannot be ended in a way that the client understands, but
        /// its framing says that something is missing.
        case cut
        /// The same without framing: an orderly end would say that the answer is whole.
        case reset
    }

    /// What the kernel knows; nil where it does not tell.
    struct Kernel: Equatable {
        /// Bytes that were read from the connection, by all its workers.
        var consumed: UInt64?
        /// Bytes that were written to it.
        var written: UInt64?
    }

    static func verdict(
        _ record: ConnectionRecord,
        _ claim: ConnectionClaim,
        _ kernel: Kernel
    ) -> Verdict {
        // Not even looked at, and on sockets without counts that is all that is known.
        if claim == .offered || claim == .revoked { return .move }
        switch record.phase {
        case .fresh:
            // Taken, but the first read may not have come, or not have been noted.
            return kernel.consumed == record.consumed ? .move : .unavailable(record.form)
        case .idle:
            if kernel.consumed == record.consumed { return .move }
            // Unix sockets: what was read since is not known, so nothing may be said either.
            return kernel.consumed == nil ? .finish : .unavailable(AnswerForm())
        case .reading:
            // All that can be out is an interim answer, and a part of one takes no answer behind it.
            return written(record, kernel) == record.boundary ? .unavailable(record.form) : .cut
        case .answering:
            return answering(record, kernel)
        case .closing:
            return .finish
        }
    }

    private static func answering(_ record: ConnectionRecord, _ kernel: Kernel) -> Verdict {
        let form = record.form
        let cut = form.isStream && !form.isChunked ? Verdict.reset : .cut
        guard let written = written(record, kernel) else { return cut }
        let isAtBoundary = written == record.boundary
        // Before the comparison with the beginning: that is moved to the end of an answer which is
        // out, and a form becomes complete only once the boundary is behind the whole of it.
        if form.isComplete, isAtBoundary { return .finish }
        // At the beginning of an answer that has not begun both are the same.
        if written == record.answerStart { return .unavailable(form) }
        return isAtBoundary && form.isStream && !form.isHead ? .endStream(form) : cut
    }

    /// Bytes that the client was sent; nil when nobody can tell.
    private static func written(_ record: ConnectionRecord, _ kernel: Kernel) -> UInt64? {
        if let written = kernel.written { return written }
        return record.isWriting ? nil : record.written
    }
}
