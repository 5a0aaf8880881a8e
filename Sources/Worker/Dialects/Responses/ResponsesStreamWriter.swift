// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Metrics

/// Writes the events of a stream of OpenAI Responses.
///
/// Each event has an `event:` line equal to its `type` and the next `sequence_number`; items are
/// repeated whole when they are done and all together in the last event, so their texts are kept
/// until then. Calls may be open side by side: `output_index` tells them apart. What an upstream
/// reports as an error is for the caller to judge, who ends the stream with `fail`.
struct ResponsesStreamWriter {
    /// Most bytes of text that one stream keeps: far above any model's output, and what a worker
    /// can bear.
    ///
    /// Beyond it the stream fails.
    static let textBytesMax = 64 << 20
    /// Most items of one answer: real ones have a few, at most some dozen parallel calls.
    static let itemsMax = 4096

    private enum State {
        case idle
        /// `response.created` was written.
        case begun
        /// The terminal event was written.
        case over
    }

    let identity: AnswerIdentity
    private let object: ResponseObject
    private var state = State.idle
    private var sequence = 0
    private var finish = FinishReason.stop
    private var usage: TokenUsage?
    /// The message or reasoning that goes on.
    private var current: ResponsesStreamItem?
    /// Calls that have not ended, in the order of their beginning.
    private var calls: [ResponsesStreamItem] = []
    /// The JSON of each finished item by its place in the output.
    private var done: [ByteBuffer?] = []
    private var textBytes = 0

    init(_ identity: AnswerIdentity) {
        self.identity = identity
        object = ResponseObject(identity)
    }

    mutating func write(
        _ event: StreamEvent,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) {
        if state == .over { return }
        start(to: out)
        switch event {
        case .start, .error: break
        case .text(let text): writePart(.text, text, from: bytes, to: out)
        case .refusal(let text): writePart(.refusal, text, from: bytes, to: out)
        case .thinking(let text): writeThinking(text, from: bytes, to: out)
        case .signature(let text): writeSignature(text, from: bytes, to: out)
        case .encryptedThinking(let text): writeEncrypted(.encrypted, text, from: bytes, to: out)
        case .callStart(let index, let id, let name, let signature):
            if let signature { writeEncrypted(.call, signature, from: bytes, to: out) }
            beginCall(index, id, name, from: bytes, to: out)
        case .callInput(let index, let text): writeInput(index, text, from: bytes, to: out)
        case .callObject(let index, let fragment):
            writeObject(index, fragment, from: bytes, to: out)
        case .callEnd(let index): endCall(index, to: out)
        case .media(let media): writeMedia(media, from: bytes, to: out)
        case .usage(let counts): take(counts)
        case .finish(let reason, _):
            finish = reason
            endItems(to: out)
        case .end: end(to: out)
        }
        if textBytes > Self.textBytesMax || done.count > Self.itemsMax {
            fail(
                APIError(502, .upstream, "upstream_error", "The answer is too large to be told."),
                to: out
            )
        }
    }

    /// Ends the stream with an error.
    ///
    /// With `response.failed`, not with the event `error`: agents wait for a terminal event of the
    /// response and would take a stream without one for a cut connection, and OpenAI's Python SDK
    /// hands `error` on like any other event.
    mutating func fail(_ error: APIError, to out: ByteBuffer) {
        if state == .over { return }
        start(to: out)
        let code = ResponseObject.code(of: error)
        writeResponse(
            "response.failed",
            .failed(code: code, message: error.message),
            usage,
            hasOutput: true,
            to: out
        )
        state = .over
        forget()
    }

    /// Writes the events that every stream begins with, once.
    private mutating func start(to out: ByteBuffer) {
        guard state == .idle else { return }
        state = .begun
        writeResponse("response.created", .inProgress, nil, hasOutput: false, to: out)
        writeResponse("response.in_progress", .inProgress, nil, hasOutput: false, to: out)
    }

    private mutating func end(to out: ByteBuffer) {
        endItems(to: out)
        let status = ResponseObject.Status(finish)
        let type: StaticString =
            status.isIncomplete ? "response.incomplete" : "response.completed"
        writeResponse(type, status, usage, hasOutput: true, to: out)
        state = .over
        forget()
    }

    private mutating func forget() {
        current = nil
        calls = []
        done = []
    }

    /// Counts that the upstream tells later replace those it told before.
    private mutating func take(_ counts: TokenUsage) {
        var merged = usage ?? counts
        if counts.input > 0 {
            merged.input = counts.input
            merged.cached = counts.cached
            merged.cacheWrite = counts.cacheWrite
        }
        if counts.output > 0 {
            merged.output = counts.output
            merged.reasoning = counts.reasoning
        }
        usage = merged
    }

    private mutating func writeResponse(
        _ type: StaticString,
        _ status: ResponseObject.Status,
        _ usage: TokenUsage?,
        hasOutput: Bool,
        to out: ByteBuffer
    ) {
        beginEvent(type, to: out)
        out.append(",\"response\":")
        object.begin(status, to: out)
        if hasOutput {
            var isFirst = true
            for case let item? in done {
                if !isFirst { out.append(",") }
                isFirst = false
                out.append(item)
            }
        }
        object.end(usage, to: out)
        endEvent(to: out)
    }

    // MARK: Items

    /// Appends the id that stands for an item that begins, and keeps its place in the output.
    private mutating func newItem(
        _ kind: ResponsesStreamItem.Kind,
        _ prefix: String
    ) -> ResponsesStreamItem {
        let index = done.count
        done.append(nil)
        let id = ResponseItem.id(prefix, identity.unique, index)
        return ResponsesStreamItem(kind, id: id, index: index)
    }

    /// Ends everything that is open, in the order of the output; what came last is what a limit
    /// has cut off.
    private mutating func endItems(to out: ByteBuffer) {
        let last: ResponseItem.Status =
            ResponseObject.Status(finish).isIncomplete ? .incomplete : .completed
        // A call ends what was open before it, so what is open besides came last.
        while !calls.isEmpty {
            let isLast = calls.count == 1 && current == nil
            close(calls.removeFirst(), isLast ? last : .completed, to: out)
        }
        endCurrent(last, to: out)
    }

    private mutating func endCurrent(_ status: ResponseItem.Status, to out: ByteBuffer) {
        guard let item = current else { return }
        current = nil
        close(item, status, to: out)
    }

    private mutating func close(
        _ item: ResponsesStreamItem,
        _ status: ResponseItem.Status,
        to out: ByteBuffer
    ) {
        switch item.kind {
        case .message: done[item.index] = finishMessage(item, status, to: out)
        case .reasoning: done[item.index] = finishReasoning(item, to: out)
        case .call: done[item.index] = finishCall(item, status, to: out)
        }
    }

    // MARK: Messages

    private mutating func writePart(
        _ part: ResponsesStreamItem.MessagePart,
        _ text: JSONText,
        from bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        guard !text.isEmpty else { return }
        if current?.kind != .message {
            endCurrent(.completed, to: out)
            let item = newItem(.message, "msg")
            beginMessage(item, to: out)
            current = item
        }
        guard var item = current else { return }
        current = nil
        if item.part != part {
            if item.part != nil { finishPart(&item, to: out) }
            beginPart(part, &item, to: out)
        }
        writeDelta(part, item, text, from: bytes, to: out)
        keep(text, from: bytes, in: item.text)
        current = item
    }

    /// Keeps text for the events that repeat it whole.
    private mutating func keep(_ text: JSONText, from bytes: Span<UInt8>, in buffer: ByteBuffer) {
        let before = buffer.count
        text.append(from: bytes, to: buffer)
        textBytes += buffer.count - before
    }

    // MARK: Reasoning

    private mutating func beginReasoning(to out: ByteBuffer) {
        endCurrent(.completed, to: out)
        let item = newItem(.reasoning, "rs")
        beginReasoning(item, to: out)
        current = item
    }

    private mutating func writeThinking(
        _ text: JSONText,
        from bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        guard !text.isEmpty else { return }
        // A signature ends the thoughts that it proves.
        if current?.kind != .reasoning || current?.encrypted != nil { beginReasoning(to: out) }
        guard var item = current else { return }
        current = nil
        if !item.hasSummary {
            item.hasSummary = true
            beginSummary(item, to: out)
        }
        writeSummary(item, text, from: bytes, to: out)
        keep(text, from: bytes, in: item.text)
        current = item
    }

    private mutating func writeSignature(
        _ text: JSONText,
        from bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        guard !text.isEmpty else { return }
        // Thoughts that are not shown have a signature all the same.
        if current?.kind != .reasoning { beginReasoning(to: out) }
        guard var item = current else { return }
        current = nil
        let buffer = ByteBuffer()
        buffer.append(ThoughtMark.signature.prefix)
        keep(text, from: bytes, in: buffer)
        item.encrypted = buffer
        current = item
    }

    /// An item of nothing but what only its vendor can read.
    private mutating func writeEncrypted(
        _ mark: ThoughtMark,
        _ text: JSONText,
        from bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        guard !text.isEmpty else { return }
        endCurrent(.completed, to: out)
        var item = newItem(.reasoning, "rs")
        beginReasoning(item, to: out)
        let buffer = ByteBuffer()
        buffer.append(mark.prefix)
        keep(text, from: bytes, in: buffer)
        item.encrypted = buffer
        close(item, .completed, to: out)
    }

    // MARK: Calls

    private mutating func beginCall(
        _ index: Int,
        _ id: JSONText?,
        _ name: JSONText,
        from bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        endCurrent(.completed, to: out)
        var item = newItem(.call, "fc")
        item.callIndex = index
        let callID = ResponseItem.callID(id, identity.unique, item.index)
        ResponseItem.beginCall(item.id, callID: callID, name: name, from: bytes, to: item.head)
        textBytes += item.head.count
        beginCall(item, to: out)
        calls.append(item)
    }

    private func place(of index: Int) -> Int? {
        calls.lastIndex { $0.callIndex == index }
    }

    private mutating func writeInput(
        _ index: Int,
        _ text: JSONText,
        from bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        guard !text.isEmpty, let place = place(of: index) else { return }
        writeArguments(calls[place], to: out) { text.append(from: bytes, to: $0) }
        keep(text, from: bytes, in: calls[place].text)
    }

    private mutating func writeObject(
        _ index: Int,
        _ fragment: JSONFragment,
        from bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        guard let place = place(of: index) else { return }
        let text = calls[place].text
        let before = text.count
        fragment.appendEscaped(from: bytes, to: text)
        textBytes += text.count - before
        writeArguments(calls[place], to: out) { $0.append(text) }
    }

    private mutating func endCall(_ index: Int, to out: ByteBuffer) {
        guard let place = place(of: index) else { return }
        close(calls.remove(at: place), .completed, to: out)
    }

    // MARK: Media

    /// Images are items of their own; of other media there is no item, so its URL is told.
    private mutating func writeMedia(
        _ media: Media,
        from bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        switch media.source {
        case .base64(let data):
            guard media.kind == .image else { return }
            endCurrent(.completed, to: out)
            let item = newItem(.call, "ig")
            let json = ByteBuffer()
            ResponseItem.appendImage(item.id, data, from: bytes, .completed, to: json)
            textBytes += json.count
            writeImage(item, json, to: out)
            done[item.index] = json
        case .url(let text), .plain(let text): writePart(.text, text, from: bytes, to: out)
        case .file: break
        }
    }

    // MARK: Framing

    /// Appends an event up to its sequence number; members follow, each behind a comma.
    mutating func beginEvent(_ type: StaticString, to out: ByteBuffer) {
        out.append("event: ")
        out.append(type)
        out.append("\ndata: {\"type\":\"")
        out.append(type)
        out.append("\",\"sequence_number\":")
        out.append(decimal: sequence)
        sequence += 1
    }

    func endEvent(to out: ByteBuffer) {
        out.append("}\n\n")
    }
}
