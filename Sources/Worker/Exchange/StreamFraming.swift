// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import HTTP
import Providers

/// Finds the pieces of an upstream's stream, whatever holds them apart.
struct StreamFraming {
    enum Kind: Equatable {
        /// Server-sent events.
        case events
        /// Amazon's binary framing around events in Base64 (`invoke-with-response-stream`).
        case amazonChunks
        /// The same around plain events (`converse-stream`).
        case amazonEvents
        /// One JSON array (Gemini without `alt=sse`).
        case array
    }

    /// One piece, at the front of the bytes that were looked at.
    struct Piece {
        enum Content {
            /// A server-sent event that is one `data:` line with LF ends; the range of its data.
            case plain(Range<Int>)
            /// Any other server-sent event.
            case unusual
            /// The range of JSON without anything around it.
            case bare(Range<Int>)
            /// JSON that had to be unpacked.
            case made(ByteBuffer)
            case nothing
            /// The framing itself reports a failure, or is broken.
            case failed(UpstreamComplaint)
        }

        let length: Int
        let content: Content
    }

    private enum State {
        case events(EventStreamSplitter)
        case amazon(AWSEventStreamDecoder, chunks: BedrockChunks?)
        case array(JSONArraySplitter)
    }

    private var state: State

    init(_ kind: Kind) {
        switch kind {
        case .events: state = .events(EventStreamSplitter())
        case .amazonChunks: state = .amazon(AWSEventStreamDecoder(), chunks: BedrockChunks())
        case .amazonEvents: state = .amazon(AWSEventStreamDecoder(), chunks: nil)
        case .array: state = .array(JSONArraySplitter())
        }
    }

    /// The next whole piece of the unread bytes; nil until more have come.
    ///
    /// After nil call again with the same start and more bytes; after a piece drop its length.
    mutating func next(_ bytes: Span<UInt8>) -> Piece? {
        switch state {
        case .events(var splitter):
            let length = splitter.next(bytes)
            state = .events(splitter)
            guard let length else { return nil }
            return Self.event(bytes.extracting(0..<length))
        case .amazon(var decoder, let chunks):
            do throws(AWSEventStreamError) {
                let message = try decoder.next(bytes)
                state = .amazon(decoder, chunks: chunks)
                guard let message else { return nil }
                return Self.message(message, bytes, chunks)
            } catch {
                return Piece(length: bytes.count, content: .failed(Self.broken))
            }
        case .array(var splitter):
            do throws(JSONArrayError) {
                let step = try splitter.next(bytes)
                state = .array(splitter)
                switch step {
                case .element(let value, let length):
                    return Piece(length: length, content: .bare(value))
                case .needMore(let length), .end(let length):
                    return length > 0 ? Piece(length: length, content: .nothing) : nil
                }
            } catch {
                return Piece(length: bytes.count, content: .failed(Self.broken))
            }
        }
    }

    /// What waited only to see whether another byte belongs to it; nil when the rest is a part.
    mutating func endOfStream(_ bytes: Span<UInt8>) -> Piece? {
        guard case .events(var splitter) = state else { return nil }
        let length = splitter.endOfStream(bytes)
        state = .events(splitter)
        guard let length else { return nil }
        return Self.event(bytes.extracting(0..<length))
    }

    private static let broken = UpstreamComplaint(
        status: 502,
        message: "its stream is not framed as it should be"
    )

    private static func event(_ event: Span<UInt8>) -> Piece {
        let count = event.count
        guard count > 8, event.hasPrefix("data: ", at: 0), event[count - 1] == 0x0A,
            event[count - 2] == 0x0A
        else { return Piece(length: count, content: .unusual) }
        for index in 6..<(count - 2) where event[index] == 0x0A || event[index] == 0x0D {
            return Piece(length: count, content: .unusual)
        }
        return Piece(length: count, content: .plain(6..<(count - 2)))
    }

    private static func message(
        _ message: AWSEventStreamMessage,
        _ bytes: Span<UInt8>,
        _ chunks: BedrockChunks?
    ) -> Piece {
        let length = message.length
        guard message.kind == .event else {
            let exception = BedrockException(message, in: bytes)
            let complaint = UpstreamComplaint(
                status: exception.status,
                type: exception.kind.rawValue,
                message: exception.message.isEmpty ? exception.kind.rawValue : exception.message
            )
            return Piece(length: length, content: .failed(complaint))
        }
        let out = ByteBuffer(capacity: message.payload.count + 64)
        let payload = bytes.extracting(message.payload)
        guard let chunks else {
            BedrockChunkReader.append(
                converseEvent: bytes.extracting(message.name),
                payload: payload,
                to: out
            )
            return Piece(length: length, content: .made(out))
        }
        guard bytes.extracting(message.name).isEqual("chunk") else {
            return Piece(length: length, content: .nothing)
        }
        guard chunks.append(payload, to: out) else {
            return Piece(length: length, content: .failed(broken))
        }
        return Piece(length: length, content: .made(out))
    }
}

/// Unpacks the chunks of one stream.
private final class BedrockChunks {
    private var reader = BedrockChunkReader()

    /// Whether `payload` held an event, which is in `out` then.
    func append(_ payload: Span<UInt8>, to out: ByteBuffer) -> Bool {
        do throws(BedrockChunkError) {
            try reader.append(chunk: payload, to: out)
            return true
        } catch {
            return false
        }
    }
}
