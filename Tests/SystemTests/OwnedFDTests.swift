// SPDX-License-Identifier: Apache-2.0
import Bytes
import Support
import System
import Testing

@Suite struct OwnedFDTests {
    private func isOpen(_ fd: Int32) -> Bool { Syscalls.kind(of: fd) != nil }

    /// A pair whose first end tells whether the second is open: numbers are reused by tests that
    /// run side by side, so a number says nothing.
    private func isPeerClosed(_ fd: Int32) -> Bool {
        Syscalls.peek(fd) == .endOfStream
    }

    @Test("A descriptor is closed when its owner goes away")
    func closes() throws {
        let pair = try Syscalls.pairs(seqpacket: false)
        let near = try pair.first.duplicate()
        #expect(!isPeerClosed(near.raw))
        pair.split { first, second in
            first.close()
            second.close()
        }
        #expect(isPeerClosed(near.raw))
    }

    @Test("A released descriptor stays open")
    func release() throws {
        let pair = try Syscalls.pairs(seqpacket: false)
        let near = try pair.first.duplicate()
        let raw = pair.takeSecond().release()
        #expect(!isPeerClosed(near.raw))
        OwnedFD(owning: raw).close()
        #expect(isPeerClosed(near.raw))
    }

    @Test("A duplicate keeps the file open")
    func duplicate() throws {
        let pair = try Syscalls.pairs(seqpacket: false)
        let near = try pair.first.duplicate()
        let copy = try pair.second.duplicate()
        pair.split { first, second in
            first.close()
            second.close()
        }
        #expect(!isPeerClosed(near.raw))
        copy.close()
        #expect(isPeerClosed(near.raw))
    }

    @Test("A negative number is a programming error")
    func negative() async {
        await #expect(processExitsWith: .failure) {
            OwnedFD(owning: -1).close()
        }
    }
}

@Suite struct FileTests {
    @Test("Sealed memory reads as it was written and cannot be changed by anybody")
    func sealedMemory() throws {
        let bytes = Array("{\"listen\":[]}".utf8)
        let memory = try Syscalls.sealedMemory("test", bytes.span)
        #expect(try Syscalls.contents(of: memory.raw, limit: 100) == bytes)
        let other: [UInt8] = [1, 2, 3]
        #expect(Syscalls.write(memory.raw, other.span) == .failed(.notPermitted))
        let reopened = try Syscalls.reopenNonBlocking(memory.raw)
        #expect(Syscalls.write(reopened.raw, other.span) == .failed(.notPermitted))
        #expect(try Syscalls.contents(of: memory.raw, limit: 100) == bytes)
    }

    @Test("A file larger than its limit is refused")
    func limit() throws {
        let bytes = [UInt8](repeating: 65, count: 10_000)
        let memory = try Syscalls.sealedMemory("test", bytes.span)
        #expect(throws: Errno.invalid) {
            _ = try Syscalls.contents(of: memory.raw, limit: 9_999)
        }
        #expect(try Syscalls.contents(of: memory.raw, limit: 10_000).count == 10_000)
    }

    @Test("A missing file and a link have their answers")
    func paths() throws {
        #expect(throws: Errno.noEntry) {
            _ = try Syscalls.contents(of: "/nonexistent/file", limit: 10)
        }
        #expect(throws: Errno.noEntry) { _ = try Syscalls.linkTarget("/nonexistent/link") }
        #expect(try Syscalls.linkTarget("/proc/self/exe").hasPrefix("/"))
        #expect(!Syscalls.isSocket("/dev/null"))
        #expect(!Syscalls.isSocket("/nonexistent"))
    }

    @Test("Descriptors know what they refer to")
    func kinds() throws {
        let null = try Syscalls.openForReading("/dev/null")
        let pipe = try Syscalls.pipe()
        let pair = try Syscalls.pairs(seqpacket: true)
        let directory = try Syscalls.openForReading("/")
        #expect(Syscalls.kind(of: null.raw) == .characterDevice)
        #expect(Syscalls.kind(of: pipe.first.raw) == .pipe)
        #expect(Syscalls.kind(of: pair.first.raw) == .socket)
        #expect(Syscalls.kind(of: directory.raw) == .directory)
        #expect(!Syscalls.isTerminal(null.raw))
        #expect(!Syscalls.isListening(pair.first.raw))
    }

    @Test("Closed standard descriptors are opened, so that no other file takes their number")
    func standardDescriptors() async {
        await #expect(processExitsWith: .exitCode(7)) {
            for number: Int32 in 0...2 { OwnedFD(owning: number).close() }
            try Syscalls.openStandardDescriptors()
            let next = try Syscalls.openForReading("/")
            let areOpen = (0...2).allSatisfy { Syscalls.kind(of: $0) == .characterDevice }
            Syscalls.exitNow(areOpen && next.raw > 2 ? 7 : 1)
        }
    }

    @Test("Random bytes differ")
    func random() throws {
        let one = try Syscalls.random(32)
        let other = try Syscalls.random(32)
        #expect(one.count == 32)
        #expect(one != other)
    }

    @Test("Error numbers have the system's words")
    func errorText() {
        #expect(Errno.addressInUse.text == "Address already in use")
        #expect(Errno(code: 100_000).text == "unknown error")
        #expect(
            "\(SystemError(.epollCreate, .tooManyOpenFiles))"
                == "epoll_create1: Too many open files (errno 24)"
        )
    }
}
