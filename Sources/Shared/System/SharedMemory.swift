// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// Memory that several processes map: words that are read and written as a whole.
///
/// A process can die at any instruction, so there is no lock. Loads acquire and stores release:
/// whoever reads a word sees everything that its writer stored before.
@safe package final class SharedMemory {
    /// The anonymous file behind it, to be passed on.
    package let fd: OwnedFD
    package let count: Int
    // SAFETY: points to `count` mapped bytes for the life of the object; `check` keeps every access
    // inside.
    private let base: UnsafeMutableRawPointer
    #if DEBUG
    /// Called after every store: a process can die there, and tests look at what it would leave.
    package var stored: (() -> Void)?
    #endif

    /// `count` zero bytes in a new anonymous file.
    ///
    /// memfd_create(2), mmap(2).
    package convenience init(_ name: String, count: Int) throws(Errno) {
        let fd = OwnedFD(owning: try checked(unsafe clinux_memfd_sized(name, count)))
        try self.init(mapping: fd, count: count)
    }

    /// The first `count` bytes of a file that another process made.
    ///
    /// - Throws: `invalid` when the file is shorter: an access behind its end would be fatal.
    package init(mapping fd: consuming OwnedFD, count: Int) throws(Errno) {
        var size: Int64 = 0
        let result = unsafe clinux_file_size(fd.raw, &size)
        guard result >= 0 else { throw Errno(code: -result) }
        guard size >= count else { throw .invalid }
        guard let mapped = unsafe clinux_map_shared(fd.raw, count) else { throw .noMemory }
        unsafe base = mapped
        self.count = count
        self.fd = fd
    }

    deinit {
        unsafe clinux_unmap(base, count)
    }

    @inline(__always)
    private func check(_ offset: Int, _ bytes: Int) {
        precondition(
            offset >= 0 && offset + bytes <= count && offset % bytes == 0,
            "a word outside of the shared memory"
        )
    }

    // SAFETY: all below: `check` has seen the bounds and the alignment.

    package func load32(_ offset: Int) -> UInt32 {
        check(offset, 4)
        return unsafe clinux_load32(base, offset)
    }

    package func load64(_ offset: Int) -> UInt64 {
        check(offset, 8)
        return unsafe clinux_load64(base, offset)
    }

    package func store32(_ offset: Int, _ value: UInt32) {
        check(offset, 4)
        unsafe clinux_store32(base, offset, value)
        noteStore()
    }

    package func store64(_ offset: Int, _ value: UInt64) {
        check(offset, 8)
        unsafe clinux_store64(base, offset, value)
        noteStore()
    }

    /// Replaces `expected` by `desired`; false when something else was there.
    package func exchange32(_ offset: Int, _ expected: UInt32, _ desired: UInt32) -> Bool {
        check(offset, 4)
        let hasExchanged = unsafe clinux_exchange32(base, offset, expected, desired) != 0
        noteStore()
        return hasExchanged
    }

    @inline(__always)
    private func noteStore() {
        #if DEBUG
        stored?()
        #endif
    }

    /// Bytes of a crash note.
    package static let crashNoteBytes = 40 + 8 * Int(CLINUX_CRASH_FRAMES)

    /// From here on a crash of this process leaves a note at `offset`; see `clinux_crash_notes`.
    ///
    /// The memory must stay mapped for the life of the process. sigaction(2), backtrace(3).
    package func keepCrashNotes(at offset: Int) throws(Errno) {
        check(offset, 8)
        check(offset + Self.crashNoteBytes - 8, 8)
        _ = try checked(unsafe clinux_crash_notes(base + offset))
    }
}
