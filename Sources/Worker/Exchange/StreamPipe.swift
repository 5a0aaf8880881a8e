// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import HTTP
import JSON
import Metrics

/// What all streams of a worker share while one event is looked at.
final class StreamWork {
    var scanner = JSONScanner()
    let scratch = ConversionScratch()
    var events: [StreamEvent] = []
}

/// Brings an upstream's event stream to a client, event by event, and reads from it what the
/// gateway must know.
///
/// Pure. Where both sides speak the same format, whole events go through verbatim: only the usage
/// chunk disappears if a chat client did not ask for it, and `id:`, `retry:` and `event:` lines that
/// OpenAI's SDK breaks on. Elsewhere every event is read and said anew. A part of an event waits
/// for its rest, so that a stream that is cut still ends between two events.
struct StreamPipe {
    /// Largest event: peers cut at 1 MiB and lose images and long tool arguments.
    static let eventBytesMax = 4 << 20

    /// What the upstream sends and what the client gets.
    struct Settings {
        var upstream = WireFormat.chat
        var client = WireFormat.chat
        var framing = StreamFraming.Kind.events
        /// Whether a chat client goes without the usage chunk.
        var stripsUsage = false
        /// Whether a Gemini client gets one JSON array instead of events.
        var writesArray = false
        var isOrchestration = false
        /// Tag for the ids of responses.
        var pin: UInt32?

        var isRelay: Bool { upstream == client && !writesArray && !isOrchestration }
    }

    /// Whether the format's last event was passed on.
    private(set) var isDone = false
    /// Whether the model said why it stopped, so that a missing last event is only a formality.
    private(set) var sawFinish = false
    private(set) var usage: TokenUsage?
    /// The error that the stream reports; nothing behind it is passed on.
    private(set) var complaint: UpstreamComplaint?
    /// The data of the event that reported it, if clients of its format understand it.
    private(set) var complaintData: ByteBuffer?
    /// Events with data so far.
    private(set) var dataEvents = 0
    /// Whether something came that a client waits for.
    private(set) var hasContent = false
    /// An event grew beyond the limit; nothing behind it is passed on.
    private(set) var isTooLarge = false
    /// Something came before the first content that is no JSON.
    private(set) var isUndecodable = false

    let settings: Settings
    private var framing: StreamFraming
    private var reader: StreamReader
    private var writer: StreamWriter?
    private var relayState: ResponseRelayState?
    /// The beginning of an event whose rest has not arrived.
    private var partial: ByteBuffer?

    init(_ settings: Settings, _ identity: @autoclosure () -> AnswerIdentity) {
        self.settings = settings
        framing = StreamFraming(settings.framing)
        reader = StreamReader(settings.upstream)
        if settings.isRelay {
            guard settings.client == .responses else { return }
            relayState = ResponseRelayState(identity(), pin: settings.pin)
        } else {
            writer = StreamWriter(
                settings.client,
                identity(),
                wantsUsage: !settings.stripsUsage,
                framing: settings.writesArray ? .array : .events
            )
        }
    }

    /// Whether the client's format ends with `[DONE]`.
    private var endsWithMarker: Bool {
        settings.client == .chat || settings.client == .completions
    }

    private var isOver: Bool { isDone || complaint != nil || isTooLarge || isUndecodable }

    // MARK: Bytes

    /// Takes the next bytes of the stream and appends what goes on to the client to `out`.
    mutating func take(_ bytes: Span<UInt8>, _ work: StreamWork, to out: ByteBuffer) {
        guard !isOver else { return }
        guard let waiting = partial else {
            let used = takeEvents(bytes, work, to: out)
            if used < bytes.count, !isOver { keep(bytes.extracting(used..<bytes.count)) }
            return
        }
        waiting.append(bytes)
        partial = nil
        let used = waiting.withBytes { takeEvents($0, work, to: out) }
        waiting.consume(used)
        if !waiting.isEmpty, !isOver {
            partial = waiting
            isTooLarge = waiting.count > Self.eventBytesMax
        }
    }

    /// Takes what waited only to see whether another byte belongs to it, when the stream ends; a
    /// part of an event is forgotten.
    mutating func streamEnded(_ work: StreamWork, to out: ByteBuffer) {
        guard !isOver else { return }
        if let waiting = partial {
            partial = nil
            waiting.withBytes { bytes in
                guard let piece = framing.endOfStream(bytes) else { return }
                take(piece, in: bytes, work, to: out)
            }
        }
        // A chat client waits for `[DONE]`, which only the upstream or `supplyEnd` says.
        guard !isOver, writer != nil || !endsWithMarker else { return }
        work.events.removeAll(keepingCapacity: true)
        reader.finish(into: &work.events)
        say(work, from: Span(), to: out)
    }

    private mutating func keep(_ bytes: Span<UInt8>) {
        let buffer = ByteBuffer(capacity: bytes.count)
        buffer.append(bytes)
        partial = buffer
        isTooLarge = bytes.count > Self.eventBytesMax
    }

    private mutating func takeEvents(
        _ bytes: Span<UInt8>,
        _ work: StreamWork,
        to out: ByteBuffer
    ) -> Int {
        var used = 0
        while !isOver {
            let rest = bytes.extracting(used..<bytes.count)
            guard let piece = framing.next(rest) else { break }
            take(piece, in: rest, work, to: out)
            used += piece.length
        }
        return used
    }

    // MARK: Events

    private mutating func take(
        _ piece: StreamFraming.Piece,
        in bytes: Span<UInt8>,
        _ work: StreamWork,
        to out: ByteBuffer
    ) {
        switch piece.content {
        case .plain(let data):
            // One `data:` line: what servers send.
            let event = bytes.extracting(0..<piece.length)
            if inspect(event.extracting(data), work, to: out) { pass(event, data, to: out) }
        case .unusual:
            takeUnusual(bytes.extracting(0..<piece.length), work, to: out)
        case .bare(let data):
            let text = bytes.extracting(data)
            if inspect(text, work, to: out) { frame(text, to: out) }
        case .made(let data):
            data.withBytes { text in
                if inspect(text, work, to: out) { frame(text, to: out) }
            }
        case .nothing:
            break
        case .failed(let reported):
            complaint = reported
        }
    }

    /// Passes an event with one line of data on.
    private mutating func pass(_ event: Span<UInt8>, _ data: Range<Int>, to out: ByteBuffer) {
        switch settings.client {
        case .messages:
            appendName(event.extracting(data), to: out)
            out.append(event)
        case .responses:
            frame(event.extracting(data), to: out)
        case .chat, .completions, .gemini, .converse:
            out.append(event)
        }
    }

    /// Writes an event for `data`, which has no line break.
    private mutating func frame(_ data: Span<UInt8>, to out: ByteBuffer) {
        if settings.client == .messages || settings.client == .responses {
            appendName(data, to: out)
        }
        out.append("data: ")
        out.append(data)
        out.append("\n\n")
    }

    /// Anthropic's SDKs look at the event's name alone, which Bedrock and SAP leave out.
    private func appendName(_ data: Span<UInt8>, to out: ByteBuffer) {
        guard let name = MessagesEventName.range(of: data) else { return }
        out.append("event: ")
        out.append(data.extracting(name))
        out.append("\n")
    }

    private mutating func takeUnusual(
        _ event: Span<UInt8>,
        _ work: StreamWork,
        to out: ByteBuffer
    ) {
        let facts = EventStreamEvent(event)
        guard facts.dataLines > 0 else {
            // Comments keep the connection alive; fields without data would break clients.
            let isComment = facts.id == nil && facts.retry == nil && facts.event == nil
            if facts.comments > 0, isComment, passesComments { out.append(event) }
            return
        }
        let data = ByteBuffer(capacity: event.count)
        facts.appendData(of: event, to: data)
        guard data.withBytes({ inspect($0, work, to: out) }) else { return }
        if keepsLines {
            appendLines(event, to: out)
        } else {
            // JSON has its line breaks outside of strings, where a space says the same.
            let flat = ByteBuffer(capacity: data.count)
            data.withBytes { bytes in
                for index in 0..<bytes.count {
                    let isBreak = bytes[index] == 0x0A || bytes[index] == 0x0D
                    flat.append(isBreak ? 0x20 : bytes[index])
                }
            }
            flat.withBytes { frame($0, to: out) }
        }
    }

    private var passesComments: Bool {
        settings.client != .gemini
    }

    /// Whether an event's lines go on as they are, apart from those that break clients.
    private var keepsLines: Bool {
        switch settings.client {
        case .chat, .completions, .gemini: true
        case .messages, .responses, .converse: false
        }
    }

    private func appendLines(_ event: Span<UInt8>, to out: ByteBuffer) {
        var lines = EventStreamLineReader()
        while let line = lines.next(event) {
            switch line.kind {
            case .data, .comment, .empty: out.append(event.extracting(line.line))
            case .event, .id, .retry, .other: break
            }
        }
    }

    // MARK: Data

    /// Reads the data of one event, and says it anew where formats differ; whether it is to go on as
    /// it is.
    private mutating func inspect(
        _ data: Span<UInt8>,
        _ work: StreamWork,
        to out: ByteBuffer
    ) -> Bool {
        dataEvents += 1
        if data.hasPrefix("[DONE]", at: 0) {
            guard settings.upstream == .chat || settings.upstream == .completions else {
                return false
            }
            guard writer == nil else {
                work.events.removeAll(keepingCapacity: true)
                work.events.append(.end)
                say(work, from: Span(), to: out)
                return false
            }
            isDone = true
            return true
        }
        if writer == nil, hasContent, StreamReader.isPlainContent(settings.upstream, data) {
            relayState?.passContent(data)
            return true
        }
        return inspectClosely(data, work, to: out)
    }

    private mutating func inspectClosely(
        _ data: Span<UInt8>,
        _ work: StreamWork,
        to out: ByteBuffer
    ) -> Bool {
        work.scanner.reset()
        do throws(JSONError) {
            _ = try work.scanner.scan(data, isFinal: true)
        } catch {
            if settings.upstream == .converse, let json = PythonText.json(data) {
                _ = json.withBytes { inspectClosely($0, work, to: out) }
                return false
            }
            // Before the first content another target may do better. Later the client's own parser
            // is the one to complain about the upstream's bytes.
            if !hasContent { isUndecodable = true }
            return hasContent
        }
        let tape = work.scanner.tape
        work.events.removeAll(keepingCapacity: true)
        if settings.isOrchestration {
            switch OrchestrationAnswer(tape.root, tape, data) {
            case .result(let root): reader.read(root, tape, data, into: &work.events)
            case .failure(let root):
                work.events.append(.error(ComplaintReader.read(root, tape, data)))
            case .nothing: break
            }
        } else {
            reader.read(tape.root, tape, data, into: &work.events)
        }
        let before = isOver
        say(work, from: data, to: out)
        if complaint != nil, !before {
            guard Self.isShaped(tape, data) else { return false }
            let copy = ByteBuffer(capacity: data.count)
            copy.append(data)
            complaintData = copy
            return false
        }
        guard writer == nil, !isUnwantedUsage(work.events, tape, data) else { return false }
        guard relayState != nil else { return true }
        relayState?.pass(tape.root, tape, data)
        guard let pin = settings.pin else { return true }
        var splice = JSONSplice()
        ResponseID.tagEvent(tape.root, pin: pin, tape, data, into: &splice)
        guard !splice.isEmpty else { return true }
        let tagged = ByteBuffer(capacity: data.count + 2 * ResponseID.tagBytes)
        splice.append(original: data, to: tagged)
        tagged.withBytes { frame($0, to: out) }
        return false
    }

    /// Whether an event reports its error as an object, which clients of its format understand.
    private static func isShaped(_ tape: JSONTape, _ data: Span<UInt8>) -> Bool {
        guard let error = tape.member("error", of: tape.root, in: data) else { return false }
        return tape.kind(of: error) == .object
    }

    /// Notes what the events of `work` tell, and writes them if the client's format is another.
    private mutating func say(_ work: StreamWork, from data: Span<UInt8>, to out: ByteBuffer) {
        for event in work.events {
            switch event {
            case .usage(let counts): usage = counts
            case .finish: sawFinish = true
            case .end: isDone = true
            case .error(let reported):
                complaint = reported
                return
            case .start, .text, .thinking, .signature, .encryptedThinking, .refusal, .callStart,
                .callInput, .callObject, .callEnd, .media:
                break
            }
            if event.isContent { hasContent = true }
            writer?.write(event, from: data, work.scratch, to: out)
        }
    }

    /// Whether a chat chunk tells a client usage that it did not ask for, and nothing else.
    private func isUnwantedUsage(
        _ events: [StreamEvent],
        _ tape: JSONTape,
        _ data: Span<UInt8>
    ) -> Bool {
        guard settings.stripsUsage, endsWithMarker else { return false }
        let hasUsage = events.contains { event in
            if case .usage = event { true } else { false }
        }
        guard hasUsage, let choices = tape.member("choices", of: tape.root, in: data),
            tape.kind(of: choices) == .array
        else { return false }
        return !tape.elements(of: choices).contains { Self.saysSomething($0, tape, data) }
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

    // MARK: Ends

    /// Everything was said, but the last event of the format is missing: says it.
    mutating func supplyEnd(_ work: StreamWork, to out: ByteBuffer) {
        guard writer == nil else {
            work.events.removeAll(keepingCapacity: true)
            work.events.append(.end)
            say(work, from: Span(), to: out)
            return
        }
        isDone = true
        if endsWithMarker { out.append("data: [DONE]\n\n") }
    }

    /// Ends the stream with an error, in the client's format; `kept` is the upstream's own, where the
    /// client understands it.
    mutating func fail(_ error: APIError, kept: ByteBuffer? = nil, to out: ByteBuffer) {
        if writer != nil {
            writer?.fail(error, to: out)
            return
        }
        if relayState != nil {
            relayState?.fail(error, to: out)
            return
        }
        if settings.client == .messages { out.append("event: error\n") }
        out.append("data: ")
        if let kept {
            out.append(kept)
        } else {
            error.append(as: settings.client.errorShape, to: out)
        }
        out.append("\n\n")
    }
}
