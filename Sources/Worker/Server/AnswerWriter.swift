// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import HTTP

/// Writes answers into a connection's output buffer.
///
/// Pure.
struct AnswerWriter {
    /// What is queued for the client; nil while nothing is.
    private(set) var output: ByteBuffer?
    private(set) var isChunked = false

    var count: Int { output?.count ?? 0 }
    var isEmpty: Bool { count == 0 }

    /// Starts an answer: the status line and the fields that every answer has.
    ///
    /// The caller adds fields and calls `HeadWriter.end`.
    mutating func begin(
        status: Int,
        ledger: borrowing RequestLedger,
        head: ByteBuffer?,
        date: HTTPDate.Cache,
        pool: BufferPool
    ) -> HeadWriter {
        let out = buffer(pool)
        isChunked = false
        let writer = ResponseHeadWriter.begin(out, status: status)
        writer.date(date)
        out.append("x-request-id: ")
        ledger.id.append(to: out, head: head)
        out.append("\r\n")
        if ledger.endpoint?.format == .messages {
            // Anthropic's SDKs look for this one.
            out.append("request-id: ")
            ledger.id.append(to: out, head: head)
            out.append("\r\n")
        }
        if let range = ledger.correlationID {
            out.append("x-correlation-id: ")
            head?.withBytes(in: range) { out.append($0) }
            out.append("\r\n")
        }
        return writer
    }

    /// The buffer that answers are written to.
    mutating func buffer(_ pool: BufferPool) -> ByteBuffer {
        if let output { return output }
        let fresh = pool.take()
        output = fresh
        return fresh
    }

    mutating func beginChunks() {
        isChunked = true
    }

    /// Adds body bytes of a stream, as one chunk if the answer is chunked.
    mutating func stream(_ bytes: Span<UInt8>, _ pool: BufferPool) {
        let out = buffer(pool)
        if isChunked {
            ChunkedEncoder.append(bytes, to: out)
        } else {
            out.append(bytes)
        }
    }

    /// Ends a stream properly.
    mutating func endStream(_ pool: BufferPool) {
        if isChunked { ChunkedEncoder.appendEnd(to: buffer(pool)) }
    }

    /// Gives the buffer back once everything was sent.
    mutating func releaseIfEmpty(_ pool: BufferPool) {
        guard let output, output.isEmpty else { return }
        pool.give(output)
        self.output = nil
    }

    mutating func release(_ pool: BufferPool) {
        if let output { pool.give(output) }
        output = nil
    }
}
