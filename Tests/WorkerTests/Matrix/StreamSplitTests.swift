// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import Metrics
import Support
import Testing

@testable import Worker

@Suite("Streams however they are cut")
struct StreamSplitTests {
    /// What an upstream sends, and how it is framed.
    struct Source: CustomTestStringConvertible {
        let testDescription: String
        let format: WireFormat
        let framing: ProviderFraming
        var kind = StreamFraming.Kind.events
        var isAzure = false

        static let all: [Source] = [
            Source(testDescription: "OpenAI chat", format: .chat, framing: .named),
            Source(
                testDescription: "Azure chat at SAP",
                format: .chat,
                framing: .bare,
                isAzure: true
            ),
            Source(testDescription: "OpenAI Responses", format: .responses, framing: .named),
            Source(testDescription: "Anthropic", format: .messages, framing: .named),
            Source(testDescription: "Claude at SAP", format: .messages, framing: .bare),
            Source(
                testDescription: "Claude at Bedrock",
                format: .messages,
                framing: .amazon,
                kind: .amazonChunks
            ),
            Source(testDescription: "Gemini", format: .gemini, framing: .bare),
            Source(
                testDescription: "Gemini as an array",
                format: .gemini,
                framing: .array,
                kind: .array
            ),
            Source(testDescription: "Converse at SAP", format: .converse, framing: .bare),
            Source(
                testDescription: "Converse at Bedrock",
                format: .converse,
                framing: .amazon,
                kind: .amazonEvents
            ),
        ]

        func bytes(_ told: Told) -> [UInt8] {
            var manner = AnswerManner()
            manner.isAzure = isAzure
            return framing.events(format, told, manner).flatMap { $0 }
        }
    }

    struct Pair: CustomTestStringConvertible {
        let source: Source
        let client: ClientDialect
        var testDescription: String { "\(source.testDescription) -> \(client.rawValue)" }
    }

    static let pairs = Source.all.flatMap { source in
        ClientDialect.allCases.map { Pair(source: source, client: $0) }
    }

    private struct Outcome: Equatable {
        var output: String
        var isDone: Bool
        var sawFinish: Bool
        var usage: TokenUsage?
        var complaint: String?
    }

    /// Short, so that every cut can be tried: all kinds of content, quotes, signs beyond ASCII.
    private static let told = Told(
        thoughts: "Hm \"é\"",
        text: "it's \\ 世🦅\n",
        calls: [
            Call(id: "call_up_1", name: "f", arguments: .object(["a": .string("'ü\"")]))
        ],
        finish: .calls,
        usage: Told.Usage(input: 25, cached: 5, output: 9)
    )
    private static let short = Told(
        text: "é🦅",
        usage: Told.Usage(input: 25, cached: 5, output: 9)
    )

    private static func outcome(
        _ pair: Pair,
        _ pieces: [ArraySlice<UInt8>],
        _ work: StreamWork
    ) -> Outcome {
        var settings = StreamPipe.Settings()
        settings.upstream = pair.source.format
        settings.client = pair.client.format
        settings.framing = pair.source.kind
        var pipe = StreamPipe(
            settings,
            AnswerIdentity(unique: "u1", created: 1_772_000_000, model: "m")
        )
        let out = ByteBuffer()
        for piece in pieces where !piece.isEmpty {
            let bytes = Array(piece)
            pipe.take(bytes.span, work, to: out)
        }
        pipe.streamEnded(work, to: out)
        if !pipe.isDone, pipe.complaint == nil, pipe.sawFinish { pipe.supplyEnd(work, to: out) }
        return Outcome(
            output: out.text,
            isDone: pipe.isDone,
            sawFinish: pipe.sawFinish,
            usage: pipe.usage,
            complaint: pipe.complaint?.message
        )
    }

    private static func judge(_ outcome: Outcome, _ pair: Pair, _ told: Told) {
        var problems: [String] = []
        let got = pair.client.told(stream: outcome.output, wantsUsage: true, &problems)
        #expect(outcome.isDone && outcome.complaint == nil)
        #expect(problems.isEmpty, "\(outcome.output)")
        #expect(got.text.utf8.elementsEqual(told.text.utf8), "\(outcome.output)")
        #expect(got.calls.map(\.arguments) == told.calls.map(\.arguments))
        #expect(got.finish == told.finish)
        #expect(outcome.usage?.input == 25)
        #expect(outcome.usage?.output == 9)
    }

    @Test("a short stream says the same at every cut", arguments: pairs)
    func everySplit(_ pair: Pair) {
        let work = StreamWork()
        let bytes = pair.source.bytes(Self.short)
        let whole = Self.outcome(pair, [bytes[...]], work)
        Self.judge(whole, pair, Self.short)
        let cuts = Self.cuts(bytes).filter { cut in
            Self.outcome(pair, [bytes[..<cut], bytes[cut...]], work) != whole
        }
        #expect(cuts.isEmpty)
        #expect(Self.outcome(pair, bytes.indices.map { bytes[$0...$0] }, work) == whole)
    }

    /// Every place to cut; of long streams those around the ends of lines, and every fifth.
    private static func cuts(_ bytes: [UInt8]) -> [Int] {
        (0...bytes.count).filter { cut in
            let near = bytes[max(0, cut - 2)..<min(bytes.count, cut + 2)]
            return bytes.count <= 1_000 || cut % 5 == 0 || near.contains(0x0A)
        }
    }

    @Test("a stream of everything says the same at many cuts", arguments: pairs)
    func manySplits(_ pair: Pair) {
        let work = StreamWork()
        let bytes = pair.source.bytes(Self.told)
        let whole = Self.outcome(pair, [bytes[...]], work)
        Self.judge(whole, pair, Self.told)
        let cuts = stride(from: 0, to: bytes.count, by: 41).filter { cut in
            Self.outcome(pair, [bytes[..<cut], bytes[cut...]], work) != whole
        }
        #expect(cuts.isEmpty)
        #expect(Self.outcome(pair, bytes.indices.map { bytes[$0...$0] }, work) == whole)
        // Pieces of 1 to 40 bytes.
        var random = SplitMix(seed: 7)
        var pieces: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = 1 + random.below(40)
            pieces.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        #expect(Self.outcome(pair, pieces, work) == whole)
    }
}
