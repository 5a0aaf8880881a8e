// SPDX-License-Identifier: Apache-2.0

import Bytes

/// What the access log says about one request.
///
/// Filled while the request goes on, because the bytes it came from are long gone when it ends:
/// texts are copied into one small buffer, cut to their limits. Use it again for the next request
/// after `reset`.
package struct AccessLogLine: ~Copyable {
    /// Texts that come from outside or from the configuration.
    package enum Text: Int, CaseIterable {
        case requestID
        case correlationID
        case client
        case method
        /// Without query and fragment: they can carry keys and content.
        case path
        case model
        case upstream
        /// The name of the client's key, never the key.
        case key

        /// Longest text that is kept: enough to find the request again.
        var bytesMax: Int {
            switch self {
            case .path: 256
            case .correlationID, .model: 128
            case .requestID, .client, .upstream, .key: 64
            case .method: 16
            }
        }

        var name: StaticString {
            switch self {
            case .requestID: "request_id"
            case .correlationID: "correlation_id"
            case .client: "client"
            case .method: "method"
            case .path: "path"
            case .model: "model"
            case .upstream: "upstream"
            case .key: "key"
            }
        }
    }

    /// How the answer ended.
    package enum Ending: CaseIterable {
        case complete
        case clientClosed
        /// The client took its bytes too slowly.
        case clientTimeout
        case upstreamCut
        case upstreamTimeout
        /// The gateway refused the request or failed by itself.
        case refused
        /// The worker was stopped before the end.
        case stopped

        package var label: StaticString {
            switch self {
            case .complete: "complete"
            case .clientClosed: "client_closed"
            case .clientTimeout: "client_timeout"
            case .upstreamCut: "upstream_cut"
            case .upstreamTimeout: "upstream_timeout"
            case .refused: "refused"
            case .stopped: "stopped"
            }
        }
    }

    /// Bytes for texts that were set again, as the upstream of a second attempt; later ones are
    /// not kept.
    private static let textBytesMax = 2048

    package var route: StaticString = "other"
    /// 0 if no status was sent.
    package var status = 0
    package var bytesIn = 0
    package var bytesOut = 0
    /// Nanoseconds, as are the next two.
    package var duration: UInt64 = 0
    package var timeToFirstByte: UInt64?
    package var upstreamDuration: UInt64?
    package var isStream = false
    package var tokensIn: Int?
    package var tokensOut: Int?
    /// Upstream attempts; 0 if the gateway answered by itself.
    package var attempts = 0
    /// The error's code in the answer; nil without one.
    package var error: StaticString?
    package var ending: Ending = .complete

    private let texts = ByteBuffer()
    private var starts = InlineArray<8, UInt16>(repeating: 0)
    private var lengths = InlineArray<8, UInt16>(repeating: 0)

    package init() {}

    /// Makes the line empty and keeps its memory.
    package mutating func reset() {
        texts.clear()
        starts = InlineArray(repeating: 0)
        lengths = InlineArray(repeating: 0)
        route = "other"
        status = 0
        bytesIn = 0
        bytesOut = 0
        duration = 0
        timeToFirstByte = nil
        upstreamDuration = nil
        isStream = false
        tokensIn = nil
        tokensOut = nil
        attempts = 0
        error = nil
        ending = .complete
    }

    /// Keeps a copy of a text; an earlier one is replaced.
    package mutating func set(_ text: Text, _ value: Span<UInt8>) {
        var length = min(value.count, text.bytesMax)
        if text == .path {
            length = Self.pathLength(value.extracting(0..<length))
        }
        guard texts.count + length <= Self.textBytesMax else { return }
        starts[text.rawValue] = UInt16(truncatingIfNeeded: texts.count)
        lengths[text.rawValue] = UInt16(truncatingIfNeeded: length)
        texts.append(value.extracting(0..<length))
    }

    /// Bytes before the query and the fragment.
    private static func pathLength(_ target: Span<UInt8>) -> Int {
        for index in target.indices
        where target[index] == UInt8(ascii: "?") || target[index] == UInt8(ascii: "#") {
            return index
        }
        return target.count
    }

    /// Appends the fields to a line.
    package borrowing func append(to record: inout LogRecord) {
        append(.requestID, to: &record)
        append(.correlationID, to: &record)
        append(.client, to: &record)
        append(.method, to: &record)
        append(.path, to: &record)
        record.field("route", route)
        append(.model, to: &record)
        append(.upstream, to: &record)
        record.field("status", status)
        record.field("bytes_in", bytesIn)
        record.field("bytes_out", bytesOut)
        record.field("duration_ms", milliseconds: duration)
        if let timeToFirstByte { record.field("ttfb_ms", milliseconds: timeToFirstByte) }
        if let upstreamDuration { record.field("upstream_ms", milliseconds: upstreamDuration) }
        record.field("stream", isStream)
        if let tokensIn { record.field("tokens_in", tokensIn) }
        if let tokensOut { record.field("tokens_out", tokensOut) }
        append(.key, to: &record)
        record.field("attempts", attempts)
        if let error { record.field("error", error) }
        record.field("ending", ending.label)
    }

    private borrowing func append(_ text: Text, to record: inout LogRecord) {
        let start = Int(starts[text.rawValue])
        let length = Int(lengths[text.rawValue])
        guard length > 0 else { return }
        texts.withBytes(in: start..<start + length) { record.field(text.name, $0) }
    }
}
