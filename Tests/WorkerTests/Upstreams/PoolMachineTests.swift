// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Worker

@Suite("The pool's machine")
struct PoolMachineTests {
    private final class Item {
        let number: Int
        init(_ number: Int) { self.number = number }
    }

    private typealias Machine = PoolMachine<Item, Item>

    @Test("uses idle connections first, then makes some, then queues, then refuses")
    func order() {
        var machine = Machine(connectionsMax: 2, idleMax: 2, waitingMax: 1)
        let calls = (0..<6).map(Item.init)
        let connections = (0..<2).map(Item.init)
        for call in calls.prefix(2) {
            guard case .connect = machine.callBegan(call) else {
                Issue.record("a free slot was not taken")
                return
            }
        }
        guard case .wait = machine.callBegan(calls[2]), case .refuse = machine.callBegan(calls[3])
        else {
            Issue.record("the third call does not wait, or the fourth is not refused")
            return
        }
        guard case .carry(let next) = machine.connectionReleased(connections[0]),
            next === calls[2]
        else {
            Issue.record("the released connection does not carry the waiting call")
            return
        }
        guard case .keep(nil) = machine.connectionReleased(connections[1]),
            case .keep(nil) = machine.connectionReleased(connections[0]),
            case .use(let used) = machine.callBegan(calls[4])
        else {
            Issue.record("released connections do not idle")
            return
        }
        #expect(used === connections[0], "last in, first out")
        #expect(machine.slots == 2)
    }

    @Test("evicts the least recently used connection beyond the cap")
    func eviction() {
        var machine = Machine(connectionsMax: 9, idleMax: 2, waitingMax: 0)
        let connections = (0..<3).map(Item.init)
        for call in 0..<3 { _ = machine.callBegan(Item(call)) }
        for connection in connections.prefix(2) { _ = machine.connectionReleased(connection) }
        guard case .keep(let evicted) = machine.connectionReleased(connections[2]) else {
            Issue.record("the connection is not kept")
            return
        }
        #expect(evicted === connections[0])
        #expect(machine.idle.map(\.number) == [1, 2])
        let drained = machine.drain()
        #expect(drained.map(\.number) == [1, 2])
        #expect(machine.idle.isEmpty)
        guard case .close = machine.connectionReleased(connections[0]) else {
            Issue.record("a draining pool keeps a connection")
            return
        }
    }

    /// What a random walk knows about the pool besides the machine.
    private struct Model {
        var busy: [Item] = []
        var connecting = 0
        var idle: [Item] = []
        var waiting: [Item] = []

        var slots: Int { busy.count + connecting + idle.count }
    }

    @Test("keeps its promises on random walks", arguments: [1 as UInt64, 2, 3, 77, 4_711])
    func randomWalk(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let connectionsMax = Int.random(in: 1...6, using: &random)
        let idleMax = Int.random(in: 0...4, using: &random)
        let waitingMax = Int.random(in: 0...5, using: &random)
        var machine = Machine(
            connectionsMax: connectionsMax,
            idleMax: idleMax,
            waitingMax: waitingMax
        )
        var model = Model()
        var number = 0
        for step in 0..<5_000 {
            number += 1
            switch Int.random(in: 0..<7, using: &random) {
            case 0, 1, 2:
                let call = Item(number)
                switch machine.callBegan(call) {
                case .use(let connection):
                    let last = model.idle.popLast()
                    #expect(last === connection)
                    model.busy.append(connection)
                case .connect:
                    #expect(model.idle.isEmpty && model.slots < connectionsMax)
                    model.connecting += 1
                case .wait:
                    #expect(model.idle.isEmpty && model.slots == connectionsMax)
                    model.waiting.append(call)
                case .refuse:
                    #expect(model.waiting.count == waitingMax && model.slots == connectionsMax)
                }
            case 3 where model.connecting > 0:
                model.connecting -= 1
                if Bool.random(using: &random) {
                    model.busy.append(Item(number))
                } else {
                    free(&machine, &model)
                }
            case 4 where !model.busy.isEmpty:
                let place = Int.random(in: model.busy.indices, using: &random)
                let connection = model.busy.remove(at: place)
                switch machine.connectionReleased(connection) {
                case .carry(let call):
                    let first = model.waiting.removeFirst()
                    #expect(first === call)
                    model.busy.append(connection)
                case .keep(let evicted):
                    #expect(model.waiting.isEmpty)
                    model.idle.append(connection)
                    if let evicted {
                        let oldest = model.idle.removeFirst()
                        #expect(oldest === evicted)
                        free(&machine, &model)
                    }
                case .close:
                    #expect(idleMax == 0)
                    free(&machine, &model)
                }
            case 5 where !model.idle.isEmpty:
                let connection = model.idle.remove(
                    at: Int.random(in: model.idle.indices, using: &random)
                )
                let ended = [machine.idleEnded(connection), machine.idleEnded(connection)]
                #expect(ended == [true, false])
                free(&machine, &model)
            case 6 where !model.waiting.isEmpty:
                let call = model.waiting.remove(
                    at: Int.random(in: model.waiting.indices, using: &random)
                )
                let ended = [machine.waitingEnded(call), machine.waitingEnded(call)]
                #expect(ended == [true, false])
            default:
                break
            }
            #expect(machine.slots == model.slots, "seed \(seed), step \(step)")
            #expect(machine.idle.map(\.number) == model.idle.map(\.number))
            #expect(machine.waiting.map(\.number) == model.waiting.map(\.number))
            #expect(model.slots <= connectionsMax && model.idle.count <= max(idleMax, 0))
        }
    }

    private func free(_ machine: inout Machine, _ model: inout Model) {
        if let call = machine.slotFreed() {
            let first = model.waiting.removeFirst()
            #expect(first === call)
            model.connecting += 1
        } else {
            #expect(model.waiting.isEmpty)
        }
    }

    /// Sebastiano Vigna's SplitMix64: a seed makes a walk repeatable.
    private struct SplitMix: RandomNumberGenerator {
        private var state: UInt64

        init(seed: UInt64) { state = seed }

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }
}
