// SPDX-License-Identifier: Apache-2.0
import Bytes
import Log
import Loop
import Support
import System
import Testing

@testable import Supervisor

/// Keeps what it is given.
private final class Collector: ConnectionTaker {
    var connections: [Int32] = []
    var room = Int.max
    var batches = 0

    override var hasRoom: Bool { connections.count < room }

    override func accepted(_ fd: consuming OwnedFD, listener: Int) {
        connections.append(fd.release())
    }

    /// How much room `acceptEnded` makes.
    var roomPerBatch = 0

    override func acceptEnded() {
        batches += 1
        room += roomPerBatch
    }

    /// Whether connections are refused for which there is no descriptor.
    var refuses = true
    var refused = 0
    private var farewells: Farewells?

    override var refusesAtLimit: Bool { refuses }

    override func refuse(_ fd: consuming OwnedFD) {
        refused += 1
        farewells?.sayBriefly(ClosingAnswer.unavailable(.busy), to: fd)
    }

    func say(on loop: EventLoop) { farewells = Farewells(loop: loop) }

    deinit {
        for connection in connections { OwnedFD(owning: connection).close() }
    }
}

private final class Client {
    let fd: OwnedFD

    init(_ address: SocketAddress) throws {
        fd = try Syscalls.streamSocket(for: address)
        do {
            try Syscalls.connect(fd.raw, address)
        } catch {
            guard error == .inProgress else { throw error }
        }
    }

    /// Everything until the end of the connection.
    func readAll() -> String {
        let buffer = ByteBuffer()
        while isReadable(fd.raw) {
            guard case .bytes = Syscalls.receive(fd.raw, into: buffer, minimum: 4096) else { break }
        }
        return buffer.text
    }
}

@Suite struct ListenerSocketTests {
    private static let loopback = SocketAddress.ipv4(octets: [127, 0, 0, 1], port: 0)
    private static let loopback6 = SocketAddress.ipv6(
        octets: [UInt8](repeating: 0, count: 15) + [1],
        port: 0
    )

    @Test("Port 0 becomes the port that the kernel chose", arguments: [loopback, loopback6])
    func anyPort(address: SocketAddress) throws {
        let socket = try ListenerSocket.open(address)
        #expect((socket.address.port ?? 0) > 0)
        #expect(socket.address.host == address.host)
        let client = try Client(socket.address)
        #expect(isReadable(socket.raw))
        _ = client
    }

    @Test("A taken port is named in the error, with exit code 69")
    func taken() throws {
        let first = try ListenerSocket.open(Self.loopback)
        do {
            _ = try ListenerSocket.open(first.address)
            Issue.record("the port was given twice")
        } catch {
            #expect("\(error)" == "address \(first.address) is in use")
            #expect(error.exitCode == 69)
        }
        first.close()
        _ = try ListenerSocket.open(first.address)
    }

    @Test("An address of another machine is named in the error")
    func foreign() throws {
        do {
            _ = try ListenerSocket.open(.ipv4(octets: [192, 0, 2, 1], port: 0))
            Issue.record("a foreign address was bound")
        } catch {
            #expect("\(error)" == "address 192.0.2.1:0 is not one of this machine")
        }
    }

    @Test("IPv6 does not take the IPv4 port along")
    func separateFamilies() throws {
        let any6 = try ListenerSocket.open(
            .ipv6(octets: [UInt8](repeating: 0, count: 16), port: 0)
        )
        guard let port = any6.address.port else { return }
        _ = try ListenerSocket.open(.ipv4(octets: [0, 0, 0, 0], port: port))
    }

    @Test("A socket file that nobody listens behind is replaced, and removed at the end")
    func stale() throws {
        let address = SocketAddress.unix(path: temporaryPath("listener"))
        let first = try ListenerSocket.open(address)
        first.close()
        let second = try ListenerSocket.open(address)
        let client = try Client(address)
        #expect(isReadable(second.raw))
        _ = client
        second.removeFile()
        #expect(throws: Errno.noEntry) {
            let none = try Client(address)
            _ = none
        }
        // Somebody else removed it: nothing happens.
        second.removeFile()
    }

    @Test("A socket file with a listener is in use")
    func inUse() throws {
        let address = SocketAddress.unix(path: temporaryPath("listener"))
        let first = try ListenerSocket.open(address)
        defer { first.removeFile() }
        #expect(throws: StartError.listen(ListenError(address: address, cause: .inUse))) {
            _ = try ListenerSocket.open(address)
        }
        #expect(Syscalls.isSocket(address.host) == false)
        let client = try Client(address)
        #expect(isReadable(first.raw))
        _ = client
    }

    @Test("A file that is no socket stays untouched")
    func notSocket() throws {
        let file = try TemporaryFile("kept")
        let address = SocketAddress.unix(path: file.path)
        #expect(throws: StartError.listen(ListenError(address: address, cause: .notSocket))) {
            _ = try ListenerSocket.open(address)
        }
        #expect(try Syscalls.contents(of: file.path, limit: 100) == Array("kept".utf8))
    }

    @Test("A name in the abstract namespace works and can be taken")
    func abstract() throws {
        let address = SocketAddress.unix(path: "@apus-listener-\(Syscalls.processID)")
        let first = try ListenerSocket.open(address)
        #expect(throws: StartError.listen(ListenError(address: address, cause: .inUse))) {
            _ = try ListenerSocket.open(address)
        }
        first.removeFile()
    }
}

@Suite struct ListenerTests {
    private let loop: EventLoop
    private let taker = Collector()
    private let listener: Listener

    init() throws {
        loop = try EventLoop()
        let sink = LogSink(descriptor: 2, level: .error, format: .json)
        listener = Listener(
            try ListenerSocket.open(.ipv4(octets: [127, 0, 0, 1], port: 0)),
            index: 0,
            loop: loop,
            log: FleetLog(sink, loop: loop),
            taker: taker
        )
        listener.start()
    }

    private func connect(_ count: Int) throws -> [Client] {
        try (0..<count).map { _ in try Client(listener.address) }
    }

    /// Turns until `condition` holds, at most for five seconds.
    private func turn(until condition: () -> Bool) throws {
        let end = Syscalls.monotonicNanoseconds() + 5_000_000_000
        while !condition(), Syscalls.monotonicNanoseconds() < end { try loop.turn(waitMax: 100) }
        #expect(condition())
    }

    @Test("Connections are accepted, at most 64 in a turn")
    func accept() throws {
        taker.room = 0
        let clients = try connect(100)
        try turn { listener.acceptQueue?.waiting == 100 }
        taker.room = .max
        listener.resumeIfFull()
        try loop.turn(waitMax: 1000)
        #expect(taker.connections.count == 64)
        try turn { taker.connections.count == 100 }
        #expect(listener.acceptedCount == 100)
        #expect(taker.batches >= 2)
        #expect(clients.count == 100)
    }

    @Test(
        "Without memory a listener rests instead of spinning, and goes on later",
        arguments: [Errno.noBufferSpace, .noMemory]
    )
    func noMemory(errno: Errno) throws {
        let clients = try connect(1)
        Syscalls.forceErrno(.accept, errno, count: 1)
        try turn { listener.pause == .descriptors }
        let rested = loop.now
        let turns = loop.turns
        try turn { taker.connections.count == 1 }
        #expect(loop.now - rested >= Listener.rest - 1_000_000)
        #expect(loop.turns - turns <= 4, "turned \(loop.turns - turns) times while it rested")
        #expect(listener.pause == nil && taker.refused == 0)
        #expect(clients.count == 1)
    }

    @Test(
        "Without descriptors clients are told so at once, and the listener rests for a while",
        arguments: [Errno.tooManyOpenFiles, .fileTableFull]
    )
    func noDescriptors(errno: Errno) throws {
        taker.say(on: loop)
        taker.room = 0
        let clients = try connect(3)
        let request = Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        for client in clients { _ = Syscalls.send(client.fd.raw, request.span) }
        try turn { listener.acceptQueue?.waiting == 3 }
        taker.room = .max
        Syscalls.forceErrno(.accept, errno, count: 1)
        listener.resumeIfFull()
        try turn { listener.pause == .descriptors }
        let rested = loop.now
        let turns = loop.turns
        #expect(taker.refused == 3 && listener.refusedCount == 3)
        #expect(taker.connections.isEmpty && listener.acceptedCount == 0)
        for client in clients {
            let answer = client.readAll()
            #expect(answer.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
            #expect(answer.hasSuffix("}}"))
        }
        let late = try connect(1)
        try turn { taker.connections.count == 1 }
        #expect(loop.now - rested >= Listener.rest - 1_000_000)
        #expect(loop.turns - turns <= 4, "turned \(loop.turns - turns) times while it rested")
        #expect(listener.pause == nil && listener.acceptedCount == 1)
        // The reserve is there again.
        Syscalls.forceErrno(.accept, errno, count: 1)
        let again = try connect(1)
        try turn { listener.pause == .descriptors }
        #expect(again[0].readAll().hasPrefix("HTTP/1.1 503 "))
        #expect(late.count == 1)
    }

    @Test("A taker that has room of its own gets the connection with the last descriptor")
    func lastDescriptor() throws {
        taker.refuses = false
        let clients = try connect(1)
        Syscalls.forceErrno(.accept, .tooManyOpenFiles, count: 1)
        try turn { listener.pause == .descriptors }
        #expect(taker.connections.count == 1 && listener.acceptedCount == 1)
        #expect(listener.refusedCount == 0)
        #expect(clients.count == 1)
    }

    @Test("Without a descriptor in reserve nobody is refused, and the listener goes on later")
    func noReserve() throws {
        taker.say(on: loop)
        let clients = try connect(1)
        // The refusal finds no descriptor either.
        Syscalls.forceErrno(.accept, .tooManyOpenFiles, count: 2)
        try turn { listener.pause == .descriptors }
        #expect(taker.refused == 0)
        let turns = loop.turns
        try turn { taker.connections.count == 1 }
        #expect(loop.turns - turns <= 4)
        #expect(clients.count == 1)
    }

    @Test("A flood that must be refused leaves the loop to others, too")
    func refusalsPerTurn() throws {
        taker.say(on: loop)
        taker.room = 0
        let clients = try connect(100)
        try turn { listener.acceptQueue?.waiting == 100 }
        taker.room = .max
        Syscalls.forceErrno(.accept, .tooManyOpenFiles, count: 1)
        listener.resumeIfFull()
        try turn { listener.pause == .descriptors }
        #expect(taker.refused == 64)
        #expect(listener.acceptQueue?.waiting == 36)
        try turn { taker.connections.count == 36 }
        #expect(clients.count == 100)
    }

    @Test(
        "A connection that broke while it waited does not hold up the next",
        arguments: [Errno.connectionAborted, Errno(code: 71), Errno(code: 100), .notPermitted]
    )
    func broken(errno: Errno) throws {
        let clients = try connect(2)
        Syscalls.forceErrno(.accept, errno, count: 1)
        try turn { taker.connections.count == 2 }
        #expect(listener.pause == nil)
        #expect(clients.count == 2)
    }

    @Test("A taker without room leaves connections in the kernel")
    func full() throws {
        taker.room = 3
        let clients = try connect(5)
        try turn { taker.connections.count == 3 && listener.pause == .full }
        for _ in 0..<3 { try loop.turn(waitMax: 10) }
        #expect(taker.connections.count == 3)
        #expect(listener.acceptQueue?.waiting == 2)
        taker.room = 10
        listener.resumeIfFull()
        try turn { taker.connections.count == 5 }
        #expect(clients.count == 5)
    }

    @Test("At the end all that waits is accepted, in as many pieces as the taker has room for")
    func finishInPieces() throws {
        taker.room = 0
        let clients = try connect(7)
        try turn { listener.acceptQueue?.waiting == 7 }
        taker.roomPerBatch = 2
        listener.finish()
        #expect(taker.connections.count == 7 && clients.count == 7)
        #expect(taker.batches >= 4)
    }

    @Test("A taker that makes no room ends the accepting")
    func finishWithoutRoom() throws {
        taker.room = 0
        let clients = try connect(3)
        try turn { listener.acceptQueue?.waiting == 3 }
        listener.finish()
        #expect(taker.connections.isEmpty && clients.count == 3)
        #expect(listener.pause == .finished)
    }

    @Test("What waits in the kernel is accepted before the listener closes")
    func finish() throws {
        taker.room = 0
        let clients = try connect(4)
        try turn { listener.acceptQueue?.waiting == 4 }
        taker.room = 10
        listener.finish()
        #expect(taker.connections.count == 4)
        listener.close()
        // The fleet may call, and the status plane ask, until the last request is answered.
        listener.resumeIfFull()
        listener.start()
        #expect(listener.pause == .finished)
        #expect(listener.acceptQueue == nil)
        #expect(throws: Errno.connectionRefused) {
            let late = try Client(listener.address)
            if isReadable(late.fd.raw), let error = Syscalls.socketError(late.fd.raw) {
                throw error
            }
        }
        #expect(clients.count == 4)
    }
}

@Suite struct DescriptorReserveTests {
    @Test("The reserve is one descriptor, which is there again after its use")
    func use() async {
        // In a process of its own nobody else opens /dev/null meanwhile; other files, somebody may.
        await #expect(processExitsWith: .success) {
            func reserved() -> Int {
                ProcessFacts.descriptorTargets(Syscalls.processID)
                    .count { $0.hasSuffix("-> /dev/null") }
            }
            let before = reserved()
            let reserve = DescriptorReserve()
            precondition(reserved() == before + 1)
            precondition(reserve.release())
            precondition(!reserve.release())
            precondition(reserved() == before)
            reserve.refill()
            reserve.refill()
            precondition(reserved() == before + 1)
            precondition(reserve.release())
        }
    }
}

@Suite struct InheritedListenersTests {
    struct Row: CustomTestStringConvertible, Sendable {
        let name: String
        let environment: [String]
        let entries: [InheritedListeners.Entry]
        var testDescription: String { name }
    }

    static let rows = [
        Row(
            name: "two with names",
            environment: ["LISTEN_PID=42", "LISTEN_FDS=2", "LISTEN_FDNAMES=http:status"],
            entries: [.init(fd: 3, name: "http"), .init(fd: 4, name: "status")]
        ),
        Row(
            name: "without names",
            environment: ["LISTEN_PID=42", "LISTEN_FDS=1"],
            entries: [.init(fd: 3, name: "")]
        ),
        Row(
            name: "fewer names than sockets",
            environment: ["LISTEN_PID=42", "LISTEN_FDS=2", "LISTEN_FDNAMES=a"],
            entries: [.init(fd: 3, name: "a"), .init(fd: 4, name: "")]
        ),
        Row(name: "another process", environment: ["LISTEN_PID=43", "LISTEN_FDS=1"], entries: []),
        Row(name: "no process", environment: ["LISTEN_FDS=1"], entries: []),
        Row(name: "none", environment: ["LISTEN_PID=42", "LISTEN_FDS=0"], entries: []),
        Row(name: "negative", environment: ["LISTEN_PID=42", "LISTEN_FDS=-1"], entries: []),
        Row(name: "too many", environment: ["LISTEN_PID=42", "LISTEN_FDS=65"], entries: []),
        Row(name: "no number", environment: ["LISTEN_PID=42", "LISTEN_FDS=x"], entries: []),
        Row(name: "nothing", environment: [], entries: []),
    ]

    @Test("What the service manager announces", arguments: rows)
    func announced(row: Row) {
        #expect(
            InheritedListeners.announced(environment: row.environment, pid: 42) == row.entries
        )
    }

    @Test("Announcements that are not followed have a reason", arguments: rows)
    func problem(row: Row) {
        let problem = InheritedListeners.problem(environment: row.environment, pid: 42)
        let isQuiet = !row.entries.isEmpty || row.name == "none" || row.name == "nothing"
        #expect((problem == nil) == isQuiet, "\(problem ?? "none")")
    }

    @Test("A listening socket is taken over, anything else is refused and closed")
    func adopt() throws {
        let address = SocketAddress.ipv4(octets: [127, 0, 0, 1], port: 0)
        let fd = try Syscalls.streamSocket(for: address)
        try Syscalls.bind(fd.raw, address)
        try Syscalls.listen(fd.raw, backlog: 5)
        let bound = try Syscalls.localAddress(fd.raw)
        let adopted = InheritedListeners.adopt(.init(fd: fd.release(), name: "http"))
        #expect(adopted?.address == bound)
        #expect(adopted?.name == "http")
        let client = try Client(bound)
        #expect(adopted.map { isReadable($0.raw) } == true)
        _ = client
        let pair = try Syscalls.pairs(seqpacket: false)
        let far = try pair.second.duplicate()
        let near = try pair.first.duplicate().release()
        pair.split { first, second in
            first.close()
            second.close()
        }
        #expect(InheritedListeners.adopt(.init(fd: near, name: "")) == nil)
        #expect(Syscalls.peek(far.raw) == .endOfStream)
        #expect(InheritedListeners.adopt(.init(fd: 9_999, name: "")) == nil)
    }
}
