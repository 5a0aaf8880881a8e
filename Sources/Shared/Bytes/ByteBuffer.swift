// SPDX-License-Identifier: Apache-2.0

/// A growable run of bytes with a read end and a write end.
///
/// Bytes are appended at the back and consumed at the front; what lies between is *readable*. A
/// class, because a connection and the exchange it carries look at the same bytes, and a copy per
/// hand-over would cost more than the reference does. Not thread-safe: one loop owns it.
@safe
package final class ByteBuffer {
    /// Smallest allocation: below it, growth steps cost more than the memory they save.
    package static let capacityMin = 256

    @usableFromInline var storage: UnsafeMutableRawPointer
    /// Bytes allocated.
    @usableFromInline package internal(set) var capacity: Int
    /// Offset of the first readable byte.
    @usableFromInline var head: Int
    /// Offset behind the last readable byte.
    @usableFromInline var tail: Int

    package init(capacity: Int = 0) {
        let bytes = max(capacity, Self.capacityMin)
        // SAFETY: owned by this object alone, freed in deinit, every access is bounded by capacity.
        unsafe storage = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 1)
        self.capacity = bytes
        head = 0
        tail = 0
    }

    /// A buffer that holds the UTF-8 bytes of `text`.
    package convenience init(_ text: String) {
        self.init(capacity: text.utf8.count)
        append(text)
    }

    /// A buffer that holds a copy of `bytes`.
    package convenience init(_ bytes: [UInt8]) {
        self.init(capacity: bytes.count)
        append(bytes)
    }

    deinit {
        // SAFETY: the only owner goes away.
        unsafe storage.deallocate()
    }

    /// Number of readable bytes.
    @inlinable package var count: Int { tail - head }

    @inlinable package var isEmpty: Bool { tail == head }

    /// The readable byte at `offset` from the first one.
    @inlinable package subscript(offset: Int) -> UInt8 {
        precondition(offset >= 0 && offset < count, "byte offset outside of the buffer")
        // SAFETY: offset was checked against the readable range.
        return unsafe storage.load(fromByteOffset: head + offset, as: UInt8.self)
    }

    /// Calls `body` with the readable bytes.
    @inlinable
    package func withBytes<Result, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // SAFETY: the span does not outlive the call, and the buffer is not grown inside `body`
        // (the rule of this type: never append to a buffer from its own `withBytes`).
        let bytes = unsafe UnsafeRawBufferPointer(start: storage + head, count: count)
        return try unsafe body(bytes.bindMemory(to: UInt8.self).span)
    }

    /// Calls `body` with the readable bytes in `range` (offsets from the first readable byte).
    @inlinable
    package func withBytes<Result, Failure: Error>(
        in range: Range<Int>,
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside of buffer")
        // SAFETY: as above; the range was checked.
        let bytes = unsafe UnsafeRawBufferPointer(
            start: storage + head + range.lowerBound,
            count: range.count
        )
        return try unsafe body(bytes.bindMemory(to: UInt8.self).span)
    }

    /// Calls `body` with the readable bytes as raw memory, for system calls that read from it.
    @inlinable @unsafe
    package func withUnsafeReadable<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // SAFETY: bounded by count; the pointer is valid for the call.
        try unsafe body(UnsafeRawBufferPointer(start: storage + head, count: count))
    }

    /// Calls `body` with at least `minimum` writable bytes and takes as many as it says it wrote.
    @inlinable @unsafe
    package func withUnsafeSpace<Failure: Error>(
        minimum: Int,
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        reserve(minimum)
        // SAFETY: reserve made room; what `body` claims to have written is checked against it.
        let space = unsafe UnsafeMutableRawBufferPointer(
            start: storage + tail,
            count: capacity - tail
        )
        let written = try unsafe body(space)
        precondition(written >= 0 && written <= capacity - tail, "wrote beyond the buffer")
        advanceTail(written)
        return written
    }

    @inlinable func advanceTail(_ bytes: Int) {
        tail += bytes
    }

    /// Makes room for `bytes` more without moving what is readable out of reach.
    @inlinable package func reserve(_ bytes: Int) {
        if capacity - tail < bytes { makeRoom(bytes) }
    }

    @usableFromInline func makeRoom(_ bytes: Int) {
        let readable = count
        if head > 0, capacity - readable >= bytes, head >= readable {
            // SAFETY: both ranges lie in the allocation and do not overlap (head >= readable).
            unsafe storage.copyMemory(from: storage + head, byteCount: readable)
            head = 0
            tail = readable
            return
        }
        let grown = max(capacity * 2, readable + bytes)
        // SAFETY: the new block is larger than what is copied into it; the old one is freed once.
        let fresh = UnsafeMutableRawPointer.allocate(byteCount: grown, alignment: 1)
        unsafe fresh.copyMemory(from: storage + head, byteCount: readable)
        unsafe storage.deallocate()
        unsafe storage = fresh
        capacity = grown
        head = 0
        tail = readable
    }

    /// Drops `bytes` from the front.
    @inlinable package func consume(_ bytes: Int) {
        precondition(bytes >= 0 && bytes <= count, "consumed more than there is")
        if bytes == count {
            clear()
        } else {
            advanceHead(bytes)
        }
    }

    @inlinable func advanceHead(_ bytes: Int) {
        head += bytes
    }

    /// Drops everything readable and keeps the memory.
    @inlinable package func clear() {
        head = 0
        tail = 0
    }

    /// Drops everything behind the first `bytes` readable bytes.
    package func truncate(to bytes: Int) {
        precondition(bytes >= 0 && bytes <= count, "truncated to more than there is")
        tail = head + bytes
    }
}
