// SPDX-License-Identifier: Apache-2.0

package import Bytes

/// Reads the records of one worker's metrics pipe.
///
/// A worker can send anything. Values count only if their whole record is valid: header, check,
/// indexes and numbers. Counters never fall, names never change, and what is kept for a worker is
/// bounded by `MetricTotals`. After garbage, reading goes on at the next valid header.
package struct MetricsDecoder {
    /// Largest counter or gauge: a double and a JSON number hold it exactly.
    static let valueMax: UInt64 = 1 << 53
    /// Largest sum of latencies in nanoseconds: 146 years.
    static let sumMax: UInt64 = 1 << 62

    /// What was wrong with the bytes so far.
    package struct Faults: Equatable {
        /// Bytes that belonged to no record.
        package var bytesSkipped: UInt64 = 0
        /// Records with a valid header and a bad body or a foreign generation, and runs of bytes that
        /// belonged to no record.
        package var recordsCorrupt: UInt64 = 0
        /// Records missing in the sequence.
        package var recordsLost: UInt64 = 0
    }

    package private(set) var faults = Faults()
    private let generation: UInt32
    private var sequenceExpected: UInt32?
    private var isSkipping = false

    /// Reads what the worker process with number `generation` of its slot sends.
    package init(generation: UInt32) {
        self.generation = generation
    }

    /// Consumes all whole records of `buffer`; the start of an unfinished one stays.
    ///
    /// At most `RecordHeader.recordBytesMax` bytes stay.
    package mutating func decode(_ buffer: ByteBuffer, into totals: inout MetricTotals) {
        let consumed = buffer.withBytes { bytes in
            var offset = 0
            while let record = next(bytes, &offset) {
                accept(record, bytes, &totals)
            }
            return offset
        }
        buffer.consume(consumed)
    }

    private struct Record {
        var header: RecordHeader
        var body: Range<Int>
    }

    /// The record at or behind `offset`, which moves behind it; nil if more bytes are needed.
    private mutating func next(_ bytes: Span<UInt8>, _ offset: inout Int) -> Record? {
        while offset < bytes.count {
            guard RecordHeader.startsHeader(bytes[offset]) else {
                skip(&offset)
                continue
            }
            guard bytes.count - offset >= RecordHeader.size else { return nil }
            guard let header = RecordHeader.read(bytes, at: offset) else {
                skip(&offset)
                continue
            }
            let end = offset + header.length
            guard end <= bytes.count else { return nil }
            let body = offset + RecordHeader.size..<end
            offset = end
            isSkipping = false
            return Record(header: header, body: body)
        }
        return nil
    }

    private mutating func skip(_ offset: inout Int) {
        offset += 1
        faults.bytesSkipped &+= 1
        if !isSkipping { faults.recordsCorrupt &+= 1 }
        isSkipping = true
    }

    private mutating func accept(
        _ record: Record,
        _ bytes: Span<UInt8>,
        _ totals: inout MetricTotals
    ) {
        let body = bytes.extracting(record.body)
        guard record.header.generation == generation,
            record.header.bodyCheck == RecordHeader.check(of: body)
        else {
            faults.recordsCorrupt &+= 1
            return
        }
        if let expected = sequenceExpected {
            // A restarted sequence looks like a huge gap; it is a corrupt record, not a loss.
            let gap = record.header.sequence &- expected
            guard gap < 1 << 31 else {
                faults.recordsCorrupt &+= 1
                return
            }
            faults.recordsLost &+= UInt64(gap)
        }
        sequenceExpected = record.header.sequence &+ 1
        let isValid =
            switch record.header.kind {
            case .names: readNames(body, into: &totals)
            case .values: Self.isValid(values: body)
            }
        guard isValid else {
            faults.recordsCorrupt &+= 1
            return
        }
        if record.header.kind == .values {
            apply(values: body, to: &totals)
        }
    }

    // MARK: Names

    private func readNames(_ body: Span<UInt8>, into totals: inout MetricTotals) -> Bool {
        var offset = 0
        while offset < body.count {
            guard let raw = Varint.read(body, at: &offset),
                raw >= 1, raw <= UInt64(UpstreamIndex.upstreamsMax),
                let length = Varint.read(body, at: &offset),
                length >= 1, length <= UInt64(UpstreamDefinition.nameBytesMax),
                body.count - offset >= Int(length)
            else { return false }
            let name = String(copying: body.extracting(offset..<offset + Int(length)))
            offset += Int(length)
            guard totals.define(upstream: Int(raw), name) else { return false }
        }
        return true
    }

    // MARK: Values

    private enum Item {
        case cell(Int, value: UInt64)
        case histogram(Int, sum: UInt64, buckets: Int)
    }

    private static let cellCount =
        Cells.fixedCount + (UpstreamIndex.upstreamsMax + 1) * Cells.upstreamCount
    private static let histogramCount =
        (UpstreamIndex.upstreamsMax + 1) * Cells.histogramCount

    private static func isValid(values body: Span<UInt8>) -> Bool {
        var offset = 0
        while offset < body.count {
            guard let item = item(body, &offset) else { return false }
            guard case .histogram(_, _, let buckets) = item else { continue }
            var next = 0
            for _ in 0..<buckets {
                guard bucket(body, &offset, &next) != nil else { return false }
            }
        }
        return true
    }

    /// Applies a body that `isValid` accepted.
    private func apply(values body: Span<UInt8>, to totals: inout MetricTotals) {
        var offset = 0
        while offset < body.count, let item = Self.item(body, &offset) {
            switch item {
            case .cell(let cell, let value):
                if cell < Cells.fixedCount {
                    totals.fixed[cell] =
                        Cells.isGauge(cell) ? value : max(value, totals.fixed[cell])
                } else {
                    apply(value, cell: cell - Cells.fixedCount, to: &totals)
                }
            case .histogram(let index, let sum, let buckets):
                let (raw, place) = index.quotientAndRemainder(dividingBy: Cells.histogramCount)
                let isKept = buckets > 0 && totals.claim(histogram: place, upstream: raw)
                var next = 0
                for _ in 0..<buckets {
                    guard let bucket = Self.bucket(body, &offset, &next), isKept else { continue }
                    totals.upstreams[raw]?.histograms[place]
                        .raise(bucket: bucket.index, to: bucket.count)
                }
                if isKept {
                    totals.upstreams[raw]?.histograms[place].raise(sum: sum)
                }
            }
        }
    }

    private func apply(_ value: UInt64, cell: Int, to totals: inout MetricTotals) {
        let (raw, place) = cell.quotientAndRemainder(dividingBy: Cells.upstreamCount)
        totals.allocate(upstream: raw)
        let before = totals.upstreams[raw]?.cells[place] ?? 0
        totals.upstreams[raw]?.cells[place] =
            Cells.isUpstreamGauge(place) ? value : max(value, before)
    }

    private static func item(_ body: Span<UInt8>, _ offset: inout Int) -> Item? {
        guard let tag = Varint.read(body, at: &offset),
            let value = Varint.read(body, at: &offset)
        else { return nil }
        let index = tag >> 1
        guard tag & 1 == 1 else {
            guard index < UInt64(cellCount), value <= valueMax else { return nil }
            return .cell(Int(index), value: value)
        }
        guard index < UInt64(histogramCount), value <= sumMax,
            let buckets = Varint.read(body, at: &offset),
            buckets <= UInt64(Histogram.bucketCount)
        else { return nil }
        return .histogram(Int(index), sum: value, buckets: Int(buckets))
    }

    private static func bucket(
        _ body: Span<UInt8>,
        _ offset: inout Int,
        _ next: inout Int
    ) -> (index: Int, count: UInt64)? {
        guard let gap = Varint.read(body, at: &offset),
            gap < UInt64(Histogram.bucketCount - next),
            let count = Varint.read(body, at: &offset),
            count > 0, count <= valueMax
        else { return nil }
        let index = next + Int(gap)
        next = index + 1
        return (index, count)
    }
}
