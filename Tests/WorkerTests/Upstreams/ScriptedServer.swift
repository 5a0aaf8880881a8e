// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import System

/// What a scripted connection does next.
enum ServerStep {
    /// Waits for a whole request: head and as much body as its Content-Length says.
    case request
    /// Waits for the end of a request head.
    case head
    /// Stops reading until `request` or `head` comes again.
    case stopReading
    /// Reads on and throws away.
    case drain
    /// Sends everything at once, or as much as fits and the rest later.
    case send([UInt8])
    /// Sends one piece per turn.
    case pieces([[UInt8]])
    /// Sends what the server's `respond` makes of the request before, one piece per turn.
    case respond
    /// Ends the connection in order.
    case close
    /// Breaks the connection.
    case reset
    /// Does nothing any more.
    case stall
    /// Starts over.
    case again

    static func send(_ text: String) -> ServerStep { .send(Array(text.utf8)) }
}

/// A server on the test's own loop that plays a script on each connection.
final class ScriptedServer: EventHandler {
    let loop: EventLoop
    private let listener: OwnedFD
    private var token = EventToken.none
    let address: SocketAddress
    /// The script of the connection with the given number, from 0.
    var script: (Int) -> [ServerStep]
    /// What `respond` steps send; nil breaks the connection.
    var respond: (String) -> [[UInt8]]? = { _ in nil }
    private(set) var peers: [ScriptedPeer] = []

    init(on loop: EventLoop, script: @escaping (Int) -> [ServerStep]) throws {
        self.loop = loop
        self.script = script
        let any = SocketAddress.ipv4(octets: [127, 0, 0, 1], port: 0)
        listener = try Syscalls.streamSocket(for: any)
        try Syscalls.bind(listener.raw, any)
        try Syscalls.listen(listener.raw, backlog: 512)
        address = try Syscalls.localAddress(listener.raw)
        super.init()
        token = try loop.register(listener.raw, .read, self)
    }

    var port: UInt16 { address.port ?? 0 }
    var openPeers: Int { peers.count { $0.isOpen } }
    var requests: [String] { peers.flatMap(\.requests) }

    override func ready(_ readiness: Readiness, token: EventToken) {
        do {
            let peer = ScriptedPeer(
                try Syscalls.accept(listener.raw),
                loop,
                script(peers.count)
            )
            peer.respond = respond
            peers.append(peer)
            try peer.begin()
        } catch let error as Errno where error == .tryAgain {
            return
        } catch {
            preconditionFailure("the scripted server failed: \(error)")
        }
    }

    func stop() {
        for peer in peers { peer.end() }
        loop.deregister(token)
    }
}

/// One connection of a scripted server.
final class ScriptedPeer: EventHandler {
    private let loop: EventLoop
    private var socket: OwnedFD?
    private let fd: Int32
    private var token = EventToken.none
    private let script: [ServerStep]
    private var place = 0
    private let inbox = ByteBuffer()
    private let outbox = ByteBuffer()
    private var pieces: [[UInt8]] = []
    private var isReading = true
    private var isDraining = false
    private var isWriting = false
    fileprivate var respond: (String) -> [[UInt8]]? = { _ in nil }
    /// Whole requests seen, as text.
    private(set) var requests: [String] = []
    /// Bytes received.
    private(set) var bytesReceived = 0
    /// Whether the client ended or broke the connection.
    private(set) var sawEnd = false
    /// The turn in which that was noticed.
    private(set) var endTurn: UInt64 = 0

    init(_ socket: consuming OwnedFD, _ loop: EventLoop, _ script: [ServerStep]) {
        fd = socket.raw
        self.socket = consume socket
        self.loop = loop
        self.script = script
    }

    var isOpen: Bool { token != .none }
    var bytesUnsent: Int { outbox.count }
    /// Whether the script has nothing more to do.
    var isDone: Bool { place >= script.count && outbox.isEmpty && pieces.isEmpty }

    func begin() throws {
        Syscalls.setNoDelay(fd)
        token = try loop.register(fd, .read, self)
        advance()
    }

    func end(resetting: Bool = false) {
        guard isOpen else { return }
        if resetting { Syscalls.setResetOnClose(fd) }
        loop.deregister(token)
        token = .none
        socket = nil
    }

    /// Sends bytes outside of the script.
    func say(_ text: String) {
        outbox.append(text)
        flush()
    }

    override func ready(_ readiness: Readiness, token: EventToken) {
        if readiness.canRead, isReading { receive() }
        if isOpen, readiness.canWrite { flush() }
        advance()
    }

    override func turnEnded() {
        guard isOpen, !pieces.isEmpty else { return }
        outbox.append(pieces.removeFirst())
        flush()
        if pieces.isEmpty { advance() } else { loop.atEndOfTurn(self) }
    }

    private func receive() {
        switch Syscalls.receive(fd, into: inbox, minimum: 64 << 10) {
        case .bytes(let count):
            bytesReceived += count
            if isDraining { inbox.clear() }
        case .wouldBlock: break
        case .endOfStream, .failed:
            sawEnd = true
            endTurn = loop.turns
            end()
        }
    }

    private func flush() {
        guard isOpen else { return }
        while !outbox.isEmpty {
            guard case .bytes = Syscalls.send(fd, from: outbox) else { break }
        }
        setInterest(writing: !outbox.isEmpty)
    }

    private func setInterest(writing: Bool) {
        guard isOpen else { return }
        isWriting = writing
        var interest: Interest = isReading ? .read : []
        if writing { interest.insert(.write) }
        loop.modify(token, interest)
    }

    private func setReading(_ reading: Bool) {
        isReading = reading
        setInterest(writing: isWriting)
    }

    private func advance() {
        while isOpen, place < script.count, outbox.isEmpty, pieces.isEmpty {
            switch script[place] {
            case .request:
                if !isReading { setReading(true) }
                guard let count = requestBytes(withBody: true) else { return }
                requests.append(inbox.withBytes(in: 0..<count) { String(copying: $0) })
                inbox.consume(count)
            case .head:
                if !isReading { setReading(true) }
                guard let count = requestBytes(withBody: false) else { return }
                requests.append(inbox.withBytes(in: 0..<count) { String(copying: $0) })
                inbox.consume(count)
            case .stopReading:
                setReading(false)
            case .drain:
                isDraining = true
                setReading(true)
            case .send(let bytes):
                outbox.append(bytes)
                flush()
            case .pieces(let list):
                pieces = list
                loop.atEndOfTurn(self)
            case .respond:
                if let answer = respond(requests.last ?? "") {
                    pieces = answer
                    loop.atEndOfTurn(self)
                } else {
                    end(resetting: true)
                }
            case .close:
                end()
            case .reset:
                end(resetting: true)
            case .stall:
                return
            case .again:
                place = -1
            }
            place += 1
        }
    }

    /// Length of the request at the front of the inbox, nil if it is not there whole.
    private func requestBytes(withBody: Bool) -> Int? {
        let bytes = inbox.array
        let blank = Array("\r\n\r\n".utf8)
        guard let end = bytes.firstRange(of: blank) else { return nil }
        if !withBody { return end.upperBound }
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).lowercased()
        var length = 0
        for line in head.split(separator: "\r\n") where line.hasPrefix("content-length:") {
            length = Int(line.dropFirst(15).drop { $0 == " " }) ?? 0
        }
        return bytes.count >= end.upperBound + length ? end.upperBound + length : nil
    }
}
