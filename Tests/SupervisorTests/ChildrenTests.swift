// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

@testable import Supervisor

/// Children of the calling thread that nobody has reaped.
///
/// Other tests start theirs from other threads.
func childrenOfThread() throws -> Set<Int32> {
    let text = try Syscalls.contents(of: "/proc/thread-self/children", limit: 1 << 16)
    return Set(String(decoding: text, as: UTF8.self).split(separator: " ").compactMap { Int32($0) })
}

/// Waits until the children of the thread are those of `before` again, looking like the fleet does.
func waitForChildren(_ before: Set<Int32>, _ look: () -> Void) throws {
    _ = try eventually("end of the children that nobody wants") { () -> Bool? in
        look()
        return try childrenOfThread() == before ? true : nil
    }
}

/// A child that does nothing for a minute.
func spawnSleeper() throws -> Int32 {
    let null = try Syscalls.openForReading("/dev/null")
    return try Syscalls.spawn(
        "/bin/sleep",
        arguments: ["sleep", "60"],
        environment: [],
        descriptors: [InheritedFD(source: null.raw, target: 0)]
    )
}

@Suite struct ChildrenTests {
    @Test("A child that is abandoned is ended and reaped, and then forgotten")
    func abandoned() throws {
        let before = try childrenOfThread()
        let children = Children()
        let pid = try spawnSleeper()
        children.watch(pid)
        children.abandon(pid)
        try waitForChildren(before) { children.reapAbandoned() }
        #expect(children.abandoned.isEmpty && !children.contains(pid))
        // Its number is free: nothing may be done to it any more.
        #expect(throws: Errno.noChild) { try Syscalls.reap(process: pid) }
    }

    @Test("A child that ended before it was abandoned is reaped as well")
    func ended() throws {
        let before = try childrenOfThread()
        let children = Children()
        let pid = try spawnSleeper()
        let pidfd = try Syscalls.pidfd(pid)
        try Syscalls.signal(pidfd: pidfd.raw, .kill)
        #expect(isReadable(pidfd.raw))
        children.abandon(pid)
        #expect(children.abandoned.isEmpty)
        #expect(try childrenOfThread() == before)
    }

    @Test("A child is left to who waits for it, and a stranger's is not kept")
    func awaited() {
        let children = Children()
        #expect(!children.contains(7))
        children.watch(7)
        #expect(children.contains(7))
        children.reaped(7)
        #expect(!children.contains(7))
        // No child of this process: it can only have been reaped by somebody else.
        children.adopt(abandoned: [Syscalls.processID])
        #expect(children.contains(Syscalls.processID))
        children.reapAbandoned()
        #expect(!children.contains(Syscalls.processID))
    }

    @Test("A worker that gets no pidfd is ended and reaped")
    func spawnerWithoutPidfd() throws {
        let before = try childrenOfThread()
        let spawner = try Spawner(path: "/bin/cat", environment: [])
        let memory = try Syscalls.sealedMemory("test", Array("{}".utf8).span)
        Syscalls.forceErrno(.pidfdOpen, .tooManyOpenFiles, count: 1)
        #expect(throws: SystemError(.pidfdOpen, .tooManyOpenFiles)) {
            _ = try spawner.spawn(slot: 0, generation: 1, memory).pid
        }
        try waitForChildren(before) { spawner.children.reapAbandoned() }
    }
}
