// SPDX-License-Identifier: Apache-2.0

import HTTP
import Support
import Testing

/// Random changes of good and bad messages: nothing traps, and no cut changes the answer.
@Suite("Mutated messages")
struct MutationWalkTests {
    /// SplitMix64: the seed alone decides the walk, on every machine.
    struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    /// Bytes and words that decide things in HTTP.
    static let spices: [[UInt8]] =
        [
            "\r\n", "\r", "\n", "\r\n\r\n", "\0", " ", "\t", ":", ",", ";", "0", "%", "#", "\u{7f}",
            "\u{e4}", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "Host: b\r\n",
            "Connection: close\r\n", "Expect: 100-continue\r\n", "0\r\n\r\n", "5\r\n", "ffffffff",
            "HTTP/1.1", "HTTP/1.0", "data: ", ": ", "\n\n", "\r\r", "\u{feff}", "id: 1\n",
        ].map { Array($0.utf8) }

    static func mutate(_ bytes: [UInt8], with other: [UInt8], _ random: inout Generator) -> [UInt8]
    {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            let end = min(bytes.count, place + Int.random(in: 0...8, using: &random))
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                bytes.insert(contentsOf: spices.randomElement(using: &random) ?? [], at: place)
            case 1:
                bytes.removeSubrange(place..<end)
            case 2:
                bytes.insert(contentsOf: Array(bytes[place..<end]), at: place)
            case 3 where place < bytes.count:
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 4 where place < bytes.count:
                bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
            default:
                let cut = Int.random(in: 0...other.count, using: &random)
                bytes.replaceSubrange(place..., with: other[cut...])
            }
        }
        return bytes
    }

    /// `bytes` cut at random places.
    static func cut(_ bytes: [UInt8], _ random: inout Generator) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + Int.random(in: 1...24, using: &random))
            pieces.append(bytes[start..<end])
            start = end
        }
        return pieces
    }

    static let walkLength = 2000

    static func walk<Output: Equatable>(
        _ seed: UInt64,
        _ corpus: [[UInt8]],
        _ parse: ([ArraySlice<UInt8>]) -> Output
    ) {
        var random = Generator(state: seed)
        for step in 0..<walkLength {
            let bytes = mutate(
                corpus.randomElement(using: &random) ?? [],
                with: corpus.randomElement(using: &random) ?? [],
                &random
            )
            let whole = parse([bytes[...]])
            let agrees =
                parse(bytes.indices.map { bytes[$0...$0] }) == whole
                && parse(cut(bytes, &random)) == whole
            #expect(agrees, "seed \(seed) step \(step): \(bytes)")
        }
    }

    @Test("requests", arguments: [1, 2, 3] as [UInt64])
    func requests(seed: UInt64) {
        let corpus =
            RequestAcceptTests.cases.map(\.bytes) + RequestRejectTests.startLines.map(\.bytes)
            + RequestRejectTests.fields.map(\.bytes)
        let limits = HTTPLimits(startLineBytes: 40, headBytes: 120, fields: 4, trailerBytes: 16)
        Self.walk(seed, corpus) { RequestTranscript($0, bodyMax: 64) }
        Self.walk(seed, corpus) { RequestTranscript($0, limits: limits, bodyMax: 8) }
    }

    @Test("responses", arguments: [4, 5, 6] as [UInt64])
    func responses(seed: UInt64) {
        let corpus =
            ResponseAcceptTests.cases.map(\.bytes) + ResponseRejectTests.cases.map(\.bytes)
        let limits = HTTPLimits(startLineBytes: 24, headBytes: 80, fields: 2, trailerBytes: 16)
        Self.walk(seed, corpus) { ResponseTranscript($0) }
        Self.walk(seed, corpus) { ResponseTranscript($0, method: .head, limits: limits) }
    }

    @Test("chunked bodies", arguments: [7, 8, 9] as [UInt64])
    func chunks(seed: UInt64) {
        let corpus =
            (ChunkedDecoderTests.accepted + ChunkedDecoderTests.rejected)
            .map { Array($0.text.utf8) }
        let limits = HTTPLimits(
            chunkExtensionBytes: 4,
            chunkExtensionBytesTotal: 6,
            trailerBytes: 8
        )
        Self.walk(seed, corpus) { ChunkedTranscript($0) }
        Self.walk(seed, corpus) { ChunkedTranscript($0, limits: limits, bodyMax: 12) }
    }

    @Test("event streams", arguments: [10, 11, 12] as [UInt64])
    func events(seed: UInt64) {
        let corpus = EventStreamTests.cases.map { Array($0.text.utf8) }
        Self.walk(seed, corpus) { EventTranscript($0) }
        var random = Generator(state: seed)
        for step in 0..<Self.walkLength {
            let bytes = Self.mutate(
                corpus.randomElement(using: &random) ?? [],
                with: corpus.randomElement(using: &random) ?? [],
                &random
            )
            // No byte is lost or made up, and every reader of an event comes to its end.
            let whole = EventTranscript([bytes[...]])
            let isCovered = whole.events.joined().elementsEqual(bytes.dropLast(whole.unread))
            #expect(isCovered, "seed \(seed) step \(step): \(bytes)")
            for event in whole.events {
                var reader = EventStreamLineReader()
                var end = 0
                while let line = reader.next(event.span) { end = line.line.upperBound }
                #expect(end == event.count)
                #expect(EventStreamEvent(event.span).dataLines >= 0)
            }
        }
    }
}
