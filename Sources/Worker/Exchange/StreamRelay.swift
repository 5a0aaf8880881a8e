// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import JSON
import Metrics

/// Passes an OpenAI event stream on, event by event, and reads from it what the gateway must know.
///
/// Pure. Whole events go through verbatim; a part of one waits for its rest, so that a stream that
/// is cut still ends between two events. Only three things change: the usage chunk disappears if
/// the client did not ask for it, `id:`, `retry:` and `event:` lines disappear (OpenAI's SDK breaks
/// on events without data), and nothing follows `[DONE]`.
struct StreamRelay {
    /// Largest event: peers cut at 1 MiB and lose images and long tool arguments.
    static let eventBytesMax = 4 << 20

    /// Whether `[DONE]` was passed on.
    private(set) var isDone = false
    /// Whether a choice said why it ended, so that a missing `[DONE]` is only a formality.
    private(set) var sawFinishReason = false
    private(set) var usage: TokenUsage?
    /// The data of an event that reports an error; nothing behind it is passed on.
    private(set) var errorData: ByteBuffer?
    /// Events with data so far.
    private(set) var dataEvents = 0
    /// An event grew beyond the limit; nothing behind it is passed on.
    private(set) var isTooLarge = false

    private let stripsUsage: Bool
    private var splitter = EventStreamSplitter()
    /// The beginning of an event whose rest has not arrived.
    private var partial: ByteBuffer?

    init(stripsUsage: Bool) {
        self.stripsUsage = stripsUsage
    }

    private var isOver: Bool { isDone || errorData != nil || isTooLarge }

    /// Takes the next bytes of the stream and appends what goes on to the client to `out`.
    mutating func take(
        _ bytes: Span<UInt8>,
        scanner: inout JSONScanner,
        to out: ByteBuffer
    ) {
        guard !isOver else { return }
        guard let waiting = partial else {
            let used = takeEvents(bytes, scanner: &scanner, to: out)
            if used < bytes.count, !isOver {
                keep(bytes.extracting(used..<bytes.count))
            }
            return
        }
        waiting.append(bytes)
        partial = nil
        let used = waiting.withBytes { takeEvents($0, scanner: &scanner, to: out) }
        waiting.consume(used)
        if !waiting.isEmpty, !isOver {
            partial = waiting
            isTooLarge = waiting.count > Self.eventBytesMax
        }
    }

    /// Takes what waited only to see whether another byte belongs to it, when the stream ends; a
    /// part of an event is forgotten.
    mutating func streamEnded(scanner: inout JSONScanner, to out: ByteBuffer) {
        guard !isOver, let waiting = partial else { return }
        partial = nil
        waiting.withBytes { bytes in
            guard let length = splitter.endOfStream(bytes) else { return }
            takeEvent(bytes.extracting(0..<length), scanner: &scanner, to: out)
        }
    }

    private mutating func keep(_ bytes: Span<UInt8>) {
        let buffer = ByteBuffer(capacity: bytes.count)
        buffer.append(bytes)
        partial = buffer
        isTooLarge = bytes.count > Self.eventBytesMax
    }

    private mutating func takeEvents(
        _ bytes: Span<UInt8>,
        scanner: inout JSONScanner,
        to out: ByteBuffer
    ) -> Int {
        var used = 0
        while !isOver {
            guard let length = splitter.next(bytes.extracting(used..<bytes.count)) else { break }
            takeEvent(bytes.extracting(used..<(used + length)), scanner: &scanner, to: out)
            used += length
        }
        return used
    }

    private mutating func takeEvent(
        _ event: Span<UInt8>,
        scanner: inout JSONScanner,
        to out: ByteBuffer
    ) {
        if let data = Self.plainData(event) {
            dataEvents += 1
            if inspect(event.extracting(data), scanner: &scanner) { out.append(event) }
            return
        }
        takeUnusualEvent(event, scanner: &scanner, to: out)
    }

    /// The data of an event that is one `data:` line with LF ends, which is what servers send.
    private static func plainData(_ event: Span<UInt8>) -> Range<Int>? {
        let count = event.count
        guard count > 8, event.hasPrefix("data: ", at: 0), event[count - 1] == 0x0A,
            event[count - 2] == 0x0A
        else { return nil }
        for index in 6..<(count - 2) where event[index] == 0x0A || event[index] == 0x0D {
            return nil
        }
        return 6..<(count - 2)
    }

    private mutating func takeUnusualEvent(
        _ event: Span<UInt8>,
        scanner: inout JSONScanner,
        to out: ByteBuffer
    ) {
        let facts = EventStreamEvent(event)
        guard facts.dataLines > 0 else {
            // Comments keep the connection alive; fields without data would break clients.
            if facts.comments > 0, facts.id == nil, facts.retry == nil, facts.event == nil {
                out.append(event)
            }
            return
        }
        dataEvents += 1
        let data = ByteBuffer(capacity: event.count)
        var reader = EventStreamLineReader()
        let kept = ByteBuffer(capacity: event.count)
        while let line = reader.next(event) {
            switch line.kind {
            case .data:
                if !data.isEmpty { data.append(0x0A) }
                data.append(event.extracting(line.value))
                kept.append(event.extracting(line.line))
            case .comment, .empty:
                kept.append(event.extracting(line.line))
            case .event, .id, .retry, .other:
                break
            }
        }
        let passes = data.withBytes { inspect($0, scanner: &scanner) }
        if passes { out.append(kept) }
    }

    /// Reads the data of one event; whether the event goes on to the client.
    private mutating func inspect(_ data: Span<UInt8>, scanner: inout JSONScanner) -> Bool {
        if data.hasPrefix("[DONE]", at: 0) {
            isDone = true
            return true
        }
        let marks = EventMarks(data)
        if marks.hasFinishReason { sawFinishReason = true }
        guard marks.mayReportError || marks.hasUsage else { return true }
        return inspectClosely(data, scanner: &scanner)
    }

    private mutating func inspectClosely(
        _ data: Span<UInt8>,
        scanner: inout JSONScanner
    ) -> Bool {
        scanner.reset()
        do throws(JSONError) {
            _ = try scanner.scan(data, isFinal: true)
        } catch {
            // Not JSON: the client's parser is the one to complain about the upstream's bytes.
            return true
        }
        let tape = scanner.tape
        if let error = tape.member("error", of: tape.root, in: data), !tape.isNull(error) {
            let copy = ByteBuffer(capacity: data.count)
            copy.append(data)
            errorData = copy
            return false
        }
        guard let node = tape.member("usage", of: tape.root, in: data),
            let counts = Usage.read(node, tape, data)
        else { return true }
        usage = counts
        guard stripsUsage, let choices = tape.member("choices", of: tape.root, in: data),
            tape.kind(of: choices) == .array
        else { return true }
        return tape.elements(of: choices).contains { Self.saysSomething($0, tape, data) }
    }

    /// Whether a choice carries more than its index.
    ///
    /// LiteLLM's usage chunk has a choice with an empty delta where OpenAI's has none.
    private static func saysSomething(
        _ choice: JSONNode,
        _ tape: JSONTape,
        _ data: Span<UInt8>
    ) -> Bool {
        if let reason = tape.member("finish_reason", of: choice, in: data), !tape.isNull(reason) {
            return true
        }
        guard let delta = tape.member("delta", of: choice, in: data) else { return true }
        var members = tape.members(of: delta)
        return members.next() != nil
    }
}

/// What a quick look at the data of an event finds.
///
/// False alarms are fine, misses are not: a quoted name inside of a text looks the same.
struct EventMarks {
    private(set) var hasUsage = false
    private(set) var hasFinishReason = false
    private(set) var mayReportError = false

    init(_ data: Span<UInt8>) {
        let quote = UInt8(ascii: "\"")
        // The shortest name looked for, `"usage":{`, needs nine bytes.
        var index = 0
        while index + 9 <= data.count {
            guard data[index] == quote else {
                index += 1
                continue
            }
            switch data[index + 1] {
            case UInt8(ascii: "u"):
                if data.hasPrefix("\"usage\"", at: index) { hasUsage = true }
            case UInt8(ascii: "f"):
                if data.hasPrefix("\"finish_reason\":\"", at: index)
                    || data.hasPrefix("\"finish_reason\": \"", at: index)
                {
                    hasFinishReason = true
                }
            case UInt8(ascii: "e"):
                if data.hasPrefix("\"error\"", at: index) { mayReportError = true }
            default:
                break
            }
            index += 1
        }
    }
}
