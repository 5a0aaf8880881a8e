// SPDX-License-Identifier: Apache-2.0
import JSON

extension ConfigParser {
    mutating func parseRetries(_ node: JSONNode) -> RetryConfig {
        var retries = RetryConfig()
        guard let members = reader.members(node, .retries) else { return retries }
        let tries = members["tries_per_target"].flatMap {
            reader.integer($0, in: ConfigLimits.triesPerTarget)
        }
        let targets = members["max_targets"].flatMap {
            reader.integer($0, in: ConfigLimits.targetsPerRequest)
        }
        retries.triesPerTarget = tries ?? retries.triesPerTarget
        retries.maxTargets = targets ?? retries.maxTargets
        if let backoff = members["backoff"].flatMap({ parseBackoff($0) }) {
            retries.backoffFirst = backoff.lowerBound
            retries.backoffMax = backoff.upperBound
        }
        let wait = members["retry_after_max"].flatMap { reader.duration($0) }
        retries.retryAfterMax = wait ?? retries.retryAfterMax
        return retries
    }

    /// One duration, or two with `..` between them.
    private mutating func parseBackoff(_ node: JSONNode) -> ClosedRange<UInt64>? {
        let text = reader.tape.string(of: node, in: reader.bytes.span)
        guard let text, let dots = text.firstRange(of: "..") else {
            return reader.duration(node).map { $0...$0 }
        }
        let range = ConfigLimits.timeoutNanoseconds
        guard let first = Quantity.duration(String(text[..<dots.lowerBound])),
            let last = Quantity.duration(String(text[dots.upperBound...])),
            first <= last, range.contains(first), range.contains(last)
        else {
            reader.fail(
                node,
                "expected two durations from 1ms to 24h, the shorter first, like \"200ms..8s\""
            )
            return nil
        }
        return first...last
    }

    /// Nil when no signs of life are wanted.
    mutating func parseKeepalive(_ node: JSONNode, default standard: UInt64) -> UInt64? {
        guard let members = reader.members(node, .streams), let value = members["keepalive"] else {
            return standard
        }
        if reader.tape.equals(value, "off", in: reader.bytes.span) { return nil }
        guard reader.tape.kind(of: value) != .bool else {
            reader.fail(value, "expected a duration like \"15s\", or \"off\"")
            return standard
        }
        return reader.duration(value) ?? standard
    }
}
