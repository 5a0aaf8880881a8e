// SPDX-License-Identifier: Apache-2.0

package import Bytes

/// Turns what changed in a worker's metrics into records for its metrics pipe.
///
/// A record is a `RecordHeader` and one body. Values are cumulative, so a lost record loses
/// nothing that a later one does not carry again. Bodies, all integers as varints:
///
///     names   { upstream index, length, name bytes } ...
///     values  { item } ...
///     item    cell << 1, value
///           | histogram << 1 | 1, sum, buckets, { gap, count } ...
///
/// `cell` is a place in the fixed block of `Cells`, or behind it `fixedCount + upstream index *
/// upstreamCount + place`. `histogram` is `upstream index * histogramCount + place`. A gap is the
/// distance of a bucket to the one after the previous non-zero bucket.
///
/// The hot path marks nothing: a flush compares with what was sent, a few thousand integers.
package struct MetricsEncoder {
    private let generation: UInt32
    private var sequence: UInt32 = 0
    private var namesSent = 0
    private var fixedSent = [UInt64](repeating: 0, count: Cells.fixedCount)
    /// By raw upstream index.
    private var upstreamsSent: [Sent?] = []
    /// Where the next flush begins: 0 for the fixed block, else an upstream's raw index plus 1.
    ///
    /// It stays where a flush ran out of records, so that no series starves.
    private var cursor = 0
    /// The histogram of that upstream to begin with; its cells come before the first one.
    private var histogramCursor = 0
    private let body = ByteBuffer(capacity: RecordHeader.recordBytesMax)
    private let item = ByteBuffer()

    private struct Sent {
        var cells = [UInt64](repeating: 0, count: Cells.upstreamCount)
        /// Values per histogram: one that has more of them changed.
        var counts = [UInt64](repeating: 0, count: Cells.histogramCount)
    }

    /// Encodes for the worker process with number `generation` of its slot.
    package init(generation: UInt32) {
        self.generation = generation
    }

    /// Appends records for everything that changed, at most `recordsMax`.
    ///
    /// Each record goes to the pipe in one write: `frontRecordBytes` says how long the first is.
    /// If the pipe takes no more, keep the rest for the next turn and call this again only when it
    /// is written; or drop it, count it and call `markAllDirty`.
    ///
    /// - Returns: Whether all changes were encoded.
    package mutating func encode(
        _ metrics: WorkerMetrics,
        into out: ByteBuffer,
        recordsMax: Int = 8
    ) -> Bool {
        var records = Records(out: out, remaining: recordsMax)
        guard encodeNames(metrics.totals, &records) else { return false }
        let parts = metrics.totals.upstreams.count + 1
        // One part more than there are: the first one may be visited from its middle.
        for _ in 0...parts {
            if cursor >= parts { cursor = 0 }
            let isComplete =
                cursor == 0
                ? encodeFixed(metrics.totals, &records)
                : encodeUpstream(cursor - 1, metrics.totals, &records)
            guard isComplete else { return false }
            cursor += 1
        }
        return finish(.values, &records)
    }

    /// Sends every value again at the next flushes; for when records were lost.
    package mutating func markAllDirty() {
        namesSent = 0
        // A counter of 0 need not be sent, but a gauge that fell to 0 must be.
        for cell in fixedSent.indices {
            fixedSent[cell] = Cells.isGauge(cell) ? .max : 0
        }
        for raw in upstreamsSent.indices where upstreamsSent[raw] != nil {
            var sent = Sent()
            for cell in Cells.upstreamGauges {
                sent.cells[cell] = .max
            }
            upstreamsSent[raw] = sent
        }
    }

    /// Length of the first record in a buffer that `encode` filled; nil if it is empty.
    package static func frontRecordBytes(_ buffer: ByteBuffer) -> Int? {
        guard buffer.count >= RecordHeader.size else { return nil }
        return buffer.withBytes { RecordHeader.read($0, at: 0)?.length }
    }

    // MARK: Parts

    private mutating func encodeNames(_ totals: MetricTotals, _ records: inout Records) -> Bool {
        guard namesSent < totals.names.count else { return true }
        for raw in namesSent..<totals.names.count {
            if let name = totals.names[raw] {
                item.clear()
                Varint.append(UInt64(raw), to: item)
                Varint.append(UInt64(name.utf8.count), to: item)
                item.append(name)
                guard put(.names, &records) else { return false }
            }
            namesSent = raw + 1
        }
        return finish(.names, &records)
    }

    private mutating func encodeFixed(_ totals: MetricTotals, _ records: inout Records) -> Bool {
        for cell in totals.fixed.indices where totals.fixed[cell] != fixedSent[cell] {
            item.clear()
            Varint.append(UInt64(cell) << 1, to: item)
            Varint.append(totals.fixed[cell], to: item)
            guard put(.values, &records) else { return false }
            fixedSent[cell] = totals.fixed[cell]
        }
        return true
    }

    private mutating func encodeUpstream(
        _ raw: Int,
        _ totals: MetricTotals,
        _ records: inout Records
    ) -> Bool {
        guard let block = totals.upstreams[raw] else { return true }
        while upstreamsSent.count <= raw {
            upstreamsSent.append(nil)
        }
        var sent = upstreamsSent[raw] ?? Sent()
        upstreamsSent[raw] = nil
        defer { upstreamsSent[raw] = sent }
        let base = UInt64(Cells.fixedCount + raw * Cells.upstreamCount)
        if histogramCursor == 0 {
            for cell in block.cells.indices where block.cells[cell] != sent.cells[cell] {
                item.clear()
                Varint.append((base + UInt64(cell)) << 1, to: item)
                Varint.append(block.cells[cell], to: item)
                guard put(.values, &records) else { return false }
                sent.cells[cell] = block.cells[cell]
            }
        }
        for index in histogramCursor..<block.histograms.count
        where block.histograms[index].count != sent.counts[index] {
            histogramCursor = index
            encode(block.histograms[index], as: raw * Cells.histogramCount + index)
            guard put(.values, &records) else { return false }
            sent.counts[index] = block.histograms[index].count
        }
        histogramCursor = 0
        return true
    }

    /// Writes a histogram as the current item: at most 3 KiB, so it fits a record.
    private func encode(_ histogram: Histogram, as index: Int) {
        item.clear()
        Varint.append(UInt64(index) << 1 | 1, to: item)
        Varint.append(min(histogram.sum, MetricsDecoder.sumMax), to: item)
        var used: UInt64 = 0
        for count in histogram.buckets where count > 0 {
            used += 1
        }
        Varint.append(used, to: item)
        var next = 0
        for (bucket, count) in histogram.buckets.enumerated() where count > 0 {
            Varint.append(UInt64(bucket - next), to: item)
            Varint.append(count, to: item)
            next = bucket + 1
        }
    }

    // MARK: Records

    private struct Records {
        let out: ByteBuffer
        var remaining: Int
    }

    /// Adds the current item to the record under way; false if it needs a record too many.
    private mutating func put(_ kind: RecordHeader.Kind, _ records: inout Records) -> Bool {
        let room = RecordHeader.recordBytesMax - RecordHeader.size
        if body.count + item.count > room {
            _ = finish(kind, &records)
        }
        guard records.remaining > 0 else { return false }
        body.append(item)
        return true
    }

    /// Closes the record under way.
    private mutating func finish(_ kind: RecordHeader.Kind, _ records: inout Records) -> Bool {
        guard !body.isEmpty else { return true }
        body.withBytes { bytes in
            RecordHeader.appendRecord(
                kind,
                generation: generation,
                sequence: sequence,
                bytes,
                to: records.out
            )
        }
        body.clear()
        sequence &+= 1
        records.remaining -= 1
        return true
    }
}
