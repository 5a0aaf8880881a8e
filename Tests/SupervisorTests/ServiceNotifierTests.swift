// SPDX-License-Identifier: Apache-2.0
import Bytes
import Glibc
import Loop
import Support
import System
import Testing

@testable import Supervisor

/// The service manager's end: a datagram socket with a name.
private final class Manager {
    let name: String
    private let fd: OwnedFD

    init(_ name: String) throws {
        self.name = name
        let raw = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        fd = OwnedFD(owning: raw)
        try Syscalls.bind(raw, .unix(path: name))
    }

    var raw: Int32 { fd.raw }

    func next() -> String? {
        guard isReadable(fd.raw) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 4096)
        // SAFETY: the call writes at most the array.
        let count = unsafe recv(fd.raw, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }

    /// The next message with the descriptors that came along, which the caller owns.
    func nextWithDescriptors() -> (text: String, descriptors: [Int32])? {
        guard isReadable(fd.raw) else { return nil }
        let buffer = ByteBuffer()
        let outcome = Syscalls.receiveMessage(
            fd.raw,
            into: buffer,
            bytesMax: 4096,
            descriptorsMax: 8
        )
        guard case .message(_, let descriptors) = outcome else { return nil }
        return (buffer.text, descriptors)
    }

    deinit {
        guard !name.hasPrefix("@") else { return }
        // SAFETY: a plain call of libc with a string that lives through it.
        unsafe unlink(name)
    }
}

@Suite struct ServiceNotifierTests {
    @Test(
        "The service manager hears each step",
        arguments: ["/tmp/apus-notify-\(getpid())", "@apus-notify-\(getpid())"]
    )
    func messages(name: String) throws {
        let manager = try Manager(name)
        let notifier = ServiceNotifier(environment: ["PATH=/bin", "NOTIFY_SOCKET=\(name)"])
        notifier.ready(status: "5 workers")
        notifier.reloading(now: 1_234_567_890)
        notifier.status("degraded")
        notifier.stopping(status: "draining")
        notifier.stopping(status: "draining", extendMicroseconds: 90_000_000)
        notifier.isAlive()
        notifier.removeStored(name: "apus-listen-7")
        #expect(manager.next() == "READY=1\nSTATUS=5 workers")
        #expect(manager.next() == "RELOADING=1\nMONOTONIC_USEC=1234567")
        #expect(manager.next() == "STATUS=degraded")
        #expect(manager.next() == "STOPPING=1\nSTATUS=draining")
        #expect(manager.next() == "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=90000000")
        #expect(manager.next() == "WATCHDOG=1")
        #expect(manager.next() == "FDSTOREREMOVE=1\nFDNAME=apus-listen-7")
    }

    @Test("A listener that is left with the manager is the same socket")
    func store() throws {
        let manager = try Manager("@apus-store-\(getpid())")
        let notifier = ServiceNotifier(environment: ["NOTIFY_SOCKET=\(manager.name)"])
        let listener = try ListenerSocket.open(.ipv4(octets: [127, 0, 0, 1], port: 0))
        notifier.store(listener.raw, name: "apus-listen-0")
        let message = try #require(manager.nextWithDescriptors())
        #expect(message.text == "FDSTORE=1\nFDNAME=apus-listen-0\nFDPOLL=0")
        #expect(message.descriptors.count == 1)
        let stored = OwnedFD(owning: try #require(message.descriptors.first))
        #expect(Syscalls.isListening(stored.raw))
        #expect(try Syscalls.localAddress(stored.raw) == listener.address)
        listener.close()
        let client = try Syscalls.streamSocket(for: listener.address)
        do {
            try Syscalls.connect(client.raw, listener.address)
        } catch {
            #expect(error == .inProgress)
        }
        #expect(isReadable(stored.raw))
    }

    @Test("The barrier ends when the manager has closed what came with it, or in time")
    func barrier() throws {
        let manager = try Manager("@apus-barrier-\(getpid())")
        let notifier = ServiceNotifier(environment: ["NOTIFY_SOCKET=\(manager.name)"])
        let before = Syscalls.monotonicNanoseconds()
        notifier.barrier(millisecondsMax: 30)
        #expect(Syscalls.monotonicNanoseconds() - before >= 25_000_000)
        let message = try #require(manager.nextWithDescriptors())
        #expect(message.text == "BARRIER=1")
        #expect(message.descriptors.count == 1)
        for descriptor in message.descriptors { OwnedFD(owning: descriptor).close() }
        // A receiver that takes no descriptor: the kernel closes the copy with the message.
        let raw = manager.raw
        let thread = try TestThread {
            if isReadable(raw) { _ = Syscalls.receive(raw, into: ByteBuffer(), minimum: 64) }
        }
        notifier.barrier(millisecondsMax: 5_000)
        thread.join()
        #expect(Syscalls.monotonicNanoseconds() - before < 4_000_000_000)
    }

    private static let watchdogs: [(environment: [String], interval: UInt64?)] = [
        (["WATCHDOG_USEC=30000000"], 15_000_000_000),
        (["WATCHDOG_USEC=30000000", "WATCHDOG_PID=42"], 15_000_000_000),
        (["WATCHDOG_USEC=30000000", "WATCHDOG_PID=43"], nil),
        (["WATCHDOG_PID=42"], nil),
        (["WATCHDOG_USEC="], nil),
        (["WATCHDOG_USEC=0"], nil),
        (["WATCHDOG_USEC=-5"], nil),
        (["WATCHDOG_USEC=18446744073709551615"], nil),
        ([], nil),
    ]

    @Test("Signs of life come at half of what the manager waits", arguments: watchdogs)
    func watchdogInterval(environment: [String], interval: UInt64?) {
        #expect(
            ServiceNotifier.watchdogInterval(environment: environment, pid: 42) == interval
        )
    }

    @Test("Signs of life come from the loop, and end with it")
    func watchdog() throws {
        let manager = try Manager("@apus-watchdog-\(getpid())")
        let environment = ["NOTIFY_SOCKET=\(manager.name)", "WATCHDOG_USEC=20000"]
        let loop = try EventLoop()
        let notifier = ServiceNotifier(environment: environment)
        let ping = WatchdogPing(notifier, environment: environment, loop: loop)
        // Ahead of the start, and the time that the timer counts from.
        let before = loop.now
        try #require(ping).start()
        var count = 0
        while count < 5 {
            try loop.turn(waitMax: 50)
            #expect(manager.next() == "WATCHDOG=1")
            count += 1
        }
        let taken = (Syscalls.monotonicNanoseconds() - before) / 1_000_000
        #expect(taken >= 40, "\(taken) ms for four intervals of 10 ms")
        #expect(WatchdogPing(notifier, environment: [], loop: loop) == nil)
    }

    @Test(
        "Without a manager, or with one that is gone, nothing happens",
        arguments: [
            [], ["NOTIFY_SOCKET="], ["NOTIFY_SOCKET=/nonexistent/x"], ["NOTIFY_SOCKET=@no"],
        ]
    )
    func silent(environment: [String]) {
        ServiceNotifier(environment: environment).ready(status: "x")
    }
}
