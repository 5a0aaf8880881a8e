// SPDX-License-Identifier: Apache-2.0
import Bytes
import Testing

@testable import Metrics

struct BadRecord: CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    var testDescription: String { name }

    init(_ name: String, _ bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }
}

@Suite struct MetricsDecoderTests {
    private static let cells =
        UInt64(Cells.fixedCount + (UpstreamIndex.upstreamsMax + 1) * Cells.upstreamCount)
    private static let histograms =
        UInt64((UpstreamIndex.upstreamsMax + 1) * Cells.histogramCount)

    @Test(
        "A record that is not valid as a whole changes nothing and is counted",
        arguments: [
            BadRecord("cell behind the last", record(varints(cells << 1, 1))),
            BadRecord("value too large", record(varints(0, (1 << 53) + 1))),
            BadRecord("good cell, then a bad one", record(varints(0, 5, cells << 1, 1))),
            BadRecord("cell without a value", record(varints(0, 5, 2))),
            BadRecord("overlong integer", record([UInt8](repeating: 0x80, count: 11) + [0])),
            BadRecord("histogram behind the last", record(varints(histograms << 1 | 1, 0, 0))),
            BadRecord("more buckets than there are", record(varints(1, 0, 266))),
            BadRecord("bucket behind the last", record(varints(1, 10, 1, 265, 1))),
            BadRecord("gaps add up beyond the last", record(varints(1, 10, 2, 200, 1, 64, 1))),
            BadRecord("bucket with no values", record(varints(1, 10, 1, 0, 0))),
            BadRecord("bucket cut off", record(varints(1, 10, 2, 0, 1, 0))),
            BadRecord("sum too large", record(varints(1, (1 << 62) + 1, 0))),
            BadRecord("other generation", record(varints(0, 5), generation: 2)),
            BadRecord("name of index 0", record(varints(0, 1) + [97], kind: .names)),
            BadRecord("name of index 257", record(varints(257, 1) + [97], kind: .names)),
            BadRecord("empty name", record(varints(1, 0), kind: .names)),
            BadRecord(
                "name too long",
                record(varints(1, 65) + [UInt8](repeating: 97, count: 65), kind: .names)
            ),
            BadRecord("name cut off", record(varints(1, 5) + [97], kind: .names)),
        ]
    )
    func corrupt(bad: BadRecord) {
        let (totals, faults) = decoded(bad.bytes + record(varints(2, 9), sequence: 1))
        #expect(faults.recordsCorrupt == 1)
        #expect(faults.bytesSkipped == 0)
        var expected = MetricTotals()
        expected.fixed[1] = 9
        #expect(totals.fixed == expected.fixed)
        #expect(totals.upstreams.isEmpty)
        #expect(totals.names.compactMap { $0 }.isEmpty)
    }

    @Test("Any flipped bit in a record is found, and the next record is read")
    func flippedBits() {
        let good = record(varints(0, 5, 8, 1234))
        let next = record(varints(2, 9), sequence: 1)
        for bit in 0..<good.count * 8 {
            var bad = good
            bad[bit / 8] ^= 1 << UInt8(bit % 8)
            let (totals, faults) = decoded(bad + next)
            #expect(totals.value(.connectionsIdle) == 9, "bit \(bit)")
            #expect(totals.value(.connectionsActive) == 0, "bit \(bit)")
            #expect(faults.recordsCorrupt + faults.bytesSkipped > 0, "bit \(bit)")
        }
    }

    @Test("Counters never fall; gauges do")
    func monotonic() {
        let counter = UInt64(Cells.counter(.connectionsAccepted)) << 1
        let stream =
            record(varints(counter, 50, 0, 8, 1, 900, 1, 3, 7))
            + record(varints(counter, 40, 0, 2, 1, 100, 1, 3, 5), sequence: 1)
        let (totals, _) = decoded(stream)
        #expect(totals.value(.connectionsAccepted) == 50)
        #expect(totals.value(.connectionsActive) == 2)
        let histogram = totals.upstreams.first??.histograms.first
        #expect(histogram?.count == 7)
        #expect(histogram?.sum == 900)
    }

    @Test("A name cannot change, because its totals would move")
    func namesAreFixed() {
        let stream =
            record(varints(1, 1) + [97], kind: .names)
            + record(varints(1, 1) + [98], kind: .names, sequence: 1)
        let (totals, faults) = decoded(stream)
        #expect(totals.names == [nil, "a"])
        #expect(faults.recordsCorrupt == 1)
    }

    @Test("Missing records are counted by their sequence, replayed ones are refused")
    func sequence() {
        let stream =
            record(varints(0, 1), sequence: .max - 1) + record(varints(0, 2), sequence: 3)
            + record(varints(0, 9), sequence: 2)
        let (totals, faults) = decoded(stream)
        #expect(faults.recordsLost == 4)
        #expect(faults.recordsCorrupt == 1)
        #expect(totals.value(.connectionsActive) == 2)
    }

    @Test("A worker cannot fill more histograms than the limit")
    func memoryIsBounded() {
        var decoder = MetricsDecoder(generation: 1)
        var totals = MetricTotals()
        var sequence: UInt32 = 0
        for index in 0..<Self.histograms {
            let bytes = record(varints(index << 1 | 1, 7, 1, 0, 1), sequence: sequence)
            decoder.decode(ByteBuffer(bytes), into: &totals)
            sequence += 1
        }
        let used = totals.upstreams.compactMap { $0 }.flatMap(\.histograms)
            .count { !$0.buckets.isEmpty }
        #expect(used == MetricTotals.histogramsMax)
    }

    @Test("What waits for its rest is at most one record")
    func pendingIsBounded() {
        var generator = SeededGenerator(seed: 77)
        var decoder = MetricsDecoder(generation: 1)
        var totals = MetricTotals()
        let buffer = ByteBuffer()
        for _ in 0..<2000 {
            let kind = Int.random(in: 0..<4, using: &generator)
            if kind == 0 {
                buffer.append(record([UInt8](repeating: 0x80, count: 4000)))
            } else if kind == 1 {
                buffer.append([0xD5, 0xA6, 1, 2, 0xFF, 0x0F])
            } else {
                buffer.append((0..<100).map { _ in UInt8.random(in: 0...255, using: &generator) })
            }
            decoder.decode(buffer, into: &totals)
            #expect(buffer.count < RecordHeader.recordBytesMax)
        }
    }
}
