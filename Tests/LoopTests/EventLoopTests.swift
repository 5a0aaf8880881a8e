// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import Support
import System
import Testing

/// Notes what it is told, and does what a test asks for meanwhile.
private final class Recorder: EventHandler {
    var notes: [String] = []
    var onReady: (Readiness, EventToken) -> Void = { _, _ in }
    var onTimer: (UInt32) -> Void = { _ in }
    var onTurn: () -> Void = {}

    override func ready(_ readiness: Readiness, token: EventToken) {
        notes.append("ready")
        onReady(readiness, token)
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        notes.append("timer \(kind)")
        onTimer(kind)
    }

    override func turnEnded() {
        notes.append("turn")
        onTurn()
    }
}

@Suite struct EventLoopTests {
    private static let byte: [UInt8] = [1]

    @Test("A descriptor that has data is reported until it is read")
    func levelTriggered() throws {
        let loop = try EventLoop()
        let pair = try Syscalls.pairs(seqpacket: false)
        let recorder = Recorder()
        let token = try loop.register(pair.first.raw, .read, recorder)
        try loop.turn(waitMax: 0)
        #expect(recorder.notes == [])
        _ = Syscalls.send(pair.second.raw, Self.byte.span)
        try loop.turn(waitMax: 1000)
        try loop.turn(waitMax: 1000)
        #expect(recorder.notes == ["ready", "ready"])
        loop.deregister(token)
        try loop.turn(waitMax: 0)
        #expect(recorder.notes.count == 2)
        #expect(loop.registrations == 0)
    }

    @Test("What is deregistered during a turn gets no event of that turn")
    func staleInTurn() throws {
        let loop = try EventLoop()
        let one = try Syscalls.pairs(seqpacket: false)
        let two = try Syscalls.pairs(seqpacket: false)
        let recorder = Recorder()
        var tokens = [
            try loop.register(one.first.raw, .read, recorder),
            try loop.register(two.first.raw, .read, recorder),
        ]
        // Whichever comes first takes the other one away.
        recorder.onReady = { _, token in
            for other in tokens where other != token { loop.deregister(other) }
            tokens = []
        }
        _ = Syscalls.send(one.second.raw, Self.byte.span)
        _ = Syscalls.send(two.second.raw, Self.byte.span)
        try loop.turn(waitMax: 1000)
        #expect(recorder.notes == ["ready"])
    }

    @Test("An old token does nothing to the registration that has its place now")
    func staleToken() throws {
        let loop = try EventLoop()
        let one = try Syscalls.pairs(seqpacket: false)
        let two = try Syscalls.pairs(seqpacket: false)
        let recorder = Recorder()
        let old = try loop.register(one.first.raw, .read, recorder)
        loop.deregister(old)
        let fresh = try loop.register(two.first.raw, .read, recorder)
        #expect(old != fresh)
        loop.deregister(old)
        loop.modify(old, .write)
        loop.setHandler(old, Recorder())
        _ = Syscalls.send(two.second.raw, Self.byte.span)
        try loop.turn(waitMax: 1000)
        #expect(recorder.notes == ["ready"])
        loop.deregister(.none)
        #expect(loop.registrations == 1)
    }

    @Test("A peer that leaves is readable, so that the handler learns of it")
    func peerEnd() throws {
        let loop = try EventLoop()
        let pair = try Syscalls.pairs(seqpacket: false)
        let recorder = Recorder()
        var seen: Readiness = []
        recorder.onReady = { readiness, _ in seen = readiness }
        _ = try loop.register(pair.first.raw, .read, recorder)
        Syscalls.shutdown(pair.second.raw, .both)
        try loop.turn(waitMax: 1000)
        #expect(seen.canRead)
        #expect(seen.isPeerGone)
    }

    @Test("An event loop without descriptor gives a named error")
    func registerFails() throws {
        let loop = try EventLoop()
        let pair = try Syscalls.pairs(seqpacket: false)
        Syscalls.forceErrno(.epollControl, .noSpace, count: 1)
        #expect(throws: SystemError(.epollControl, .noSpace)) {
            _ = try loop.register(pair.first.raw, .read, Recorder())
        }
        #expect(loop.registrations == 0)
        _ = try loop.register(pair.first.raw, .read, Recorder())
        #expect(loop.registrations == 1)
    }

    @Test("Timers come in order, after events and before the end of the turn")
    func order() throws {
        let loop = try EventLoop()
        let pair = try Syscalls.pairs(seqpacket: false)
        let recorder = Recorder()
        _ = try loop.register(pair.first.raw, .read, recorder)
        recorder.onReady = { _, _ in loop.atEndOfTurn(recorder) }
        _ = loop.schedule(at: loop.now + 2, recorder, kind: 2)
        _ = loop.schedule(at: loop.now + 1, recorder, kind: 1)
        let cancelled = loop.schedule(at: loop.now, recorder, kind: 3)
        loop.cancel(cancelled)
        _ = Syscalls.send(pair.second.raw, Self.byte.span)
        try loop.turn(waitMax: 1000)
        #expect(recorder.notes == ["ready", "timer 1", "timer 2", "turn"])
    }

    @Test("Work asked for while a turn ends is done at the end of the next, which does not wait")
    func endOfTurn() throws {
        let loop = try EventLoop()
        let recorder = Recorder()
        var left = 3
        recorder.onTurn = {
            left -= 1
            if left > 0 { loop.atEndOfTurn(recorder) }
        }
        loop.atEndOfTurn(recorder)
        try loop.turn()
        #expect(recorder.notes == ["turn"])
        try loop.turn()
        try loop.turn()
        #expect(recorder.notes == ["turn", "turn", "turn"])
        #expect(loop.turns == 3)
    }

    @Test("A turn waits for the earliest timer, and not less")
    func waits() throws {
        let loop = try EventLoop()
        let recorder = Recorder()
        let start = Syscalls.monotonicNanoseconds()
        _ = loop.schedule(at: start + 20_000_000, recorder, kind: 1)
        try loop.turn()
        #expect(recorder.notes == ["timer 1"])
        #expect(loop.now >= start + 20_000_000)
    }

    @Test("stop ends run after the turn")
    func stop() throws {
        let loop = try EventLoop()
        let recorder = Recorder()
        recorder.onTimer = { _ in loop.stop() }
        _ = loop.schedule(at: loop.now, recorder, kind: 1)
        try loop.run()
        #expect(recorder.notes == ["timer 1"])
    }

    @Test("A turn hands out many events once each")
    func many() throws {
        let loop = try EventLoop()
        let recorder = Recorder()
        var pairs: [Peer] = []
        for _ in 0..<300 {
            let peer = try Peer()
            _ = try loop.register(peer.near.raw, .read, recorder)
            _ = Syscalls.send(peer.far.raw, Self.byte.span)
            pairs.append(peer)
        }
        var tokens = Set<EventToken>()
        recorder.onReady = { _, token in tokens.insert(token) }
        // One wait reports at most 256.
        try loop.turn(waitMax: 1000)
        #expect(tokens.count == 256)
        for _ in 0..<4 { try loop.turn(waitMax: 1000) }
        #expect(tokens.count == 300)
        #expect(pairs.count == 300)
    }

    @Test(
        "A timer waits until all that was ready has had its turn, and a flood holds it up no longer",
        arguments: [false, true]
    )
    func timersAfterEvents(isFlood: Bool) throws {
        let loop = try EventLoop()
        let recorder = Recorder()
        var peers: [EventToken: Peer] = [:]
        for _ in 0..<600 {
            let peer = try Peer()
            peers[try loop.register(peer.near.raw, .read, recorder)] = peer
            _ = Syscalls.send(peer.far.raw, Self.byte.span)
        }
        var tokens = Set<EventToken>()
        let buffer = ByteBuffer()
        recorder.onReady = { _, token in
            tokens.insert(token)
            // In a flood nothing is read, so that every descriptor is ready in every turn.
            guard !isFlood, let peer = peers[token] else { return }
            _ = Syscalls.receive(peer.near.raw, into: buffer, minimum: 16)
        }
        var seen: [Int] = []
        recorder.onTimer = { _ in seen.append(tokens.count) }
        _ = loop.schedule(at: loop.now, recorder, kind: 1)
        // 256 events a turn: the third one has the last.
        for _ in 0..<3 { try loop.turn(waitMax: 1000) }
        #expect(seen == [600])
        // The next round holds the next timer up again.
        guard isFlood else { return }
        tokens.removeAll()
        _ = loop.schedule(at: loop.now, recorder, kind: 1)
        for _ in 0..<3 { try loop.turn(waitMax: 1000) }
        #expect(seen == [600, 600])
    }
}

private final class Peer {
    let near: OwnedFD
    let far: OwnedFD

    init() throws {
        let pair = try Syscalls.pairs(seqpacket: false)
        near = try pair.first.duplicate()
        far = try pair.second.duplicate()
    }
}

@Suite struct MovingDeadlineTests {
    private final class Owner: EventHandler {
        let loop: EventLoop
        var deadline = MovingDeadline()
        var wakeUps = 0
        var passed = 0

        init(_ loop: EventLoop) { self.loop = loop }

        override func timerFired(kind: UInt32, id: TimerID) {
            wakeUps += 1
            if deadline.hasPassed(on: loop, self, kind: 1) { passed += 1 }
        }
    }

    private static let millisecond: UInt64 = 1_000_000

    @Test("A deadline that moves later fires once, when it is due")
    func later() throws {
        let loop = try EventLoop()
        let owner = Owner(loop)
        let start = loop.now
        owner.deadline.set(start + 5 * Self.millisecond, on: loop, owner, kind: 1)
        owner.deadline.set(start + 15 * Self.millisecond, on: loop, owner, kind: 1)
        while owner.passed == 0 { try loop.turn(waitMax: 1000) }
        #expect(loop.now >= start + 15 * Self.millisecond)
        #expect(owner.wakeUps == 2)
        #expect(!owner.deadline.isSet)
    }

    @Test("A deadline that moves earlier fires then")
    func earlier() throws {
        let loop = try EventLoop()
        let owner = Owner(loop)
        let start = loop.now
        owner.deadline.set(start + 10_000 * Self.millisecond, on: loop, owner, kind: 1)
        owner.deadline.set(start + Self.millisecond, on: loop, owner, kind: 1)
        try loop.turn(waitMax: 5000)
        #expect(owner.passed == 1)
        #expect(loop.now < start + 5000 * Self.millisecond)
    }

    @Test("A deadline that is taken away does not pass, though its timer fires")
    func cleared() throws {
        let loop = try EventLoop()
        let owner = Owner(loop)
        owner.deadline.set(loop.now, on: loop, owner, kind: 1)
        owner.deadline.clear()
        try loop.turn(waitMax: 1000)
        #expect(owner.wakeUps == 1)
        #expect(owner.passed == 0)
    }

    @Test("A deadline is set again after it was taken away or has passed")
    func again() throws {
        let loop = try EventLoop()
        let owner = Owner(loop)
        owner.deadline.set(loop.now, on: loop, owner, kind: 1)
        owner.deadline.clear()
        owner.deadline.set(loop.now, on: loop, owner, kind: 1)
        try loop.turn(waitMax: 1000)
        #expect(owner.passed == 1)
        owner.deadline.set(loop.now, on: loop, owner, kind: 1)
        try loop.turn(waitMax: 1000)
        #expect(owner.passed == 2)
        owner.deadline.set(loop.now, on: loop, owner, kind: 1)
        owner.deadline.cancel(on: loop)
        try loop.turn(waitMax: 0)
        #expect(owner.wakeUps == 2)
    }
}
