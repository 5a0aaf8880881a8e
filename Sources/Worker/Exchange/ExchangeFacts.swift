// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import Policy

/// The fields by which an answer tells how it came about.
enum ExchangeFacts {
    /// Appends `apus-attempts`, `apus-upstream`, `apus-dropped` and `server-timing`.
    ///
    /// Spec: W3C Server Timing, section 2: `name;dur=milliseconds;desc="text"`.
    static func append(
        _ attempts: AttemptLog,
        names: (TargetID) -> String,
        answeredBy upstream: String,
        omissions: Omissions?,
        now: UInt64,
        to out: ByteBuffer
    ) {
        guard attempts.total > 0 else { return }
        out.append("apus-attempts: ")
        out.append(decimal: attempts.total)
        out.append("\r\napus-upstream: ")
        out.append(upstream)
        out.append("\r\n")
        if let omissions {
            out.append("apus-dropped: ")
            omissions.append(to: out)
            out.append("\r\n")
        }
        out.append("server-timing: ")
        for (index, attempt) in attempts.enumerated() {
            if index > 0 { out.append(", ") }
            out.append("attempt")
            out.append(decimal: index + 1)
            out.append(";dur=")
            append(milliseconds: (attempt.endedAt ?? now) &- attempt.startedAt, to: out)
            guard attempts.total > 1 else { continue }
            out.append(";desc=\"")
            // Names of upstreams have no quotes: the configuration sees to it.
            out.append(names(attempt.target))
            out.append(" ")
            switch attempt.outcome {
            case .running, .answered: out.append("ok")
            case .cancelled: out.append("cancelled")
            case .failed(let reason): out.append(reason.label)
            }
            out.append("\"")
        }
        out.append("\r\n")
    }

    /// Appends nanoseconds as milliseconds with one digit behind the point.
    private static func append(milliseconds nanoseconds: UInt64, to out: ByteBuffer) {
        let tenths = Int(clamping: nanoseconds / 100_000)
        out.append(decimal: tenths / 10)
        out.append(".")
        out.append(decimal: tenths % 10)
    }
}
