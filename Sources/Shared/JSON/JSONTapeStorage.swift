// SPDX-License-Identifier: Apache-2.0

/// The memory of a tape, without an owner: the tape frees it, the scanner fills it.
///
/// A struct of its own, because a field of a class costs an exclusivity check on every access. In
/// chunks, so that no append has to copy what a large document has gathered: one doubling of a
/// 32 MiB tape would stop the loop for 40 ms.
@safe
@usableFromInline
struct JSONTapeStorage {
    @usableFromInline typealias Chunk = UnsafeMutablePointer<JSONTapeEntry>

    /// Entries of the first allocation: most requests fit, 2 KiB.
    private static let firstCapacity = 128
    /// Entries of a chunk as a power of two: 256 KiB of memory.
    @usableFromInline static let chunkShift: UInt32 = 14
    @usableFromInline static let chunkEntries = 1 << 14
    /// Chunks kept across documents: 1 MiB; more is given back after a large document.
    private static let chunksRetainedMax = 4

    /// The chunks in order; all but the first are full-sized, the first grows up to it.
    @usableFromInline private(set) var directory: UnsafeMutablePointer<Chunk>
    private var directoryCapacity = 4
    private var chunkCount = 1
    /// Entries that fit into all chunks.
    private var capacity = firstCapacity
    /// All entries below are initialised.
    @usableFromInline private(set) var count = 0

    init() {
        // SAFETY: freed by the tape alone; entries are trivial; accesses are checked against count.
        unsafe directory = .allocate(capacity: directoryCapacity)
        unsafe directory.initialize(to: .allocate(capacity: Self.firstCapacity))
    }

    func free() {
        for index in 0..<chunkCount {
            // SAFETY: called once, by the tape that goes away; below the number of chunks.
            unsafe directory[index].deallocate()
        }
        // SAFETY: as above.
        unsafe directory.deallocate()
    }

    /// Where the entry at `index` is, which is below the capacity.
    @inlinable @inline(__always) @unsafe
    func pointer(at index: UInt32) -> Chunk {
        // SAFETY: the caller has checked the index, so its chunk is there.
        let chunk = unsafe directory[Int(index >> Self.chunkShift)]
        return unsafe chunk + (Int(index) & (Self.chunkEntries - 1))
    }

    @inlinable
    subscript(index: UInt32) -> JSONTapeEntry {
        precondition(Int(index) < count, "a node of another document")
        // SAFETY: the index was checked.
        return unsafe pointer(at: index).pointee
    }

    @inline(__always)
    mutating func append(_ entry: JSONTapeEntry) {
        if count == capacity {
            makeRoom()
        }
        // SAFETY: below the capacity.
        unsafe pointer(at: UInt32(truncatingIfNeeded: count)).initialize(to: entry)
        count += 1
    }

    /// Changes the entry at `index`.
    @inline(__always)
    mutating func update(_ index: UInt32, _ change: (inout JSONTapeEntry) -> Void) {
        precondition(Int(index) < count, "no such entry")
        // SAFETY: the index was checked.
        unsafe change(&pointer(at: index).pointee)
    }

    mutating func clear() {
        count = 0
        while chunkCount > Self.chunksRetainedMax {
            chunkCount -= 1
            capacity -= Self.chunkEntries
            // SAFETY: the last chunk, which nothing refers to any more.
            unsafe directory[chunkCount].deallocate()
        }
    }

    @inline(never)
    private mutating func makeRoom() {
        if capacity < Self.chunkEntries {
            // SAFETY: the fresh block holds what is copied; the old one is freed once.
            let fresh = Chunk.allocate(capacity: capacity * 2)
            unsafe fresh.moveInitialize(from: directory[0], count: count)
            unsafe directory[0].deallocate()
            unsafe directory[0] = fresh
            capacity *= 2
            return
        }
        if chunkCount == directoryCapacity {
            // SAFETY: as above, for the list of chunks.
            let fresh = UnsafeMutablePointer<Chunk>.allocate(capacity: chunkCount * 2)
            unsafe fresh.moveInitialize(from: directory, count: chunkCount)
            unsafe directory.deallocate()
            unsafe directory = fresh
            directoryCapacity *= 2
        }
        // SAFETY: below the capacity of the list.
        unsafe (directory + chunkCount).initialize(to: .allocate(capacity: Self.chunkEntries))
        chunkCount += 1
        capacity += Self.chunkEntries
    }
}
