// SPDX-License-Identifier: Apache-2.0
import Scoreboard

/// What one more connection would cost the client if a worker got it: the *least work* rule.
///
/// Pure. Units: one request under way counts 1000, and all else is weighed against that. Counting
/// connections alone is wrong for a gateway: a hundred idle ones are no work, one that uploads
/// 30 MB keeps all others of its worker waiting.
struct WorkCost: Equatable {
    static let request = 1000
    /// On top of its request: a stream has work to do for seconds.
    static let stream = 500
    /// Kept-alive connections tell how many clients may come back.
    static let idleConnection = 100
    /// Bytes that clients have not taken count like a request per so many.
    static let bytesQueuedPerRequest = 256 << 10
    /// A turn of the loop that takes longer holds up everybody else of the worker.
    static let turnPatience: UInt64 = 2_000_000
    /// Turns that are shorter on average are all the same to a client.
    static let lagPatience: UInt64 = 1_000_000
    /// How long the lag of a loop that rests is remembered.
    static let lagMemory: UInt64 = 50_000_000
    /// A millisecond of lag counts like a request.
    private static let nanosecondsPerUnit: UInt64 = 1_000
    /// A turn this old is a worker that does not get on: nobody is sent there.
    static let stuckAfter: UInt64 = 1_000_000_000
    /// Bound on each part, so that sums cannot overflow.
    private static let partMax = 1 << 40

    /// A fresh worker has cold caches and no upstream connections: for so long it is taken to have
    /// a falling share of what the others have on average.
    var ramp: UInt64 = 2_000_000_000

    /// A worker that could take connections.
    struct Candidate: Equatable {
        let worker: Int
        /// Connections that it may get at once.
        let room: Int
        let connections: Int
        let unstarted: Int
        /// Nanoseconds since it became ready.
        let age: UInt64
        let load: WorkerLoad
        let now: UInt64
    }

    struct Choice: Equatable {
        let worker: Int
        let count: Int
    }

    /// The work that a worker has, in thousandths of a request.
    func cost(_ candidate: Candidate) -> Int {
        let load = candidate.load
        // What was handed over and not begun does not show in the page yet. What has begun shows
        // there before the report of it arrives; no connection has more than one request.
        let connections = max(0, candidate.connections)
        let requests = min(
            min(max(load.requests, 0), connections) + candidate.unstarted,
            connections
        )
        let idle = connections - requests
        var cost = Self.bounded(requests) * Self.request
        cost += Self.bounded(load.streams) * Self.stream
        cost += Self.bounded(idle) * Self.idleConnection
        cost += Self.bounded(load.bytesQueued) * Self.request / Self.bytesQueuedPerRequest
        if lagsNow(candidate) { cost += Self.units(load.lag) }
        let turnAge = turnAge(candidate)
        if turnAge > Self.turnPatience { cost += Self.units(turnAge) }
        return cost
    }

    /// Whether turns take so long that a request would feel it; a loop that rests has no lag, whatever
    /// its last turns took.
    private func lagsNow(_ candidate: Candidate) -> Bool {
        let load = candidate.load
        return load.lag > Self.lagPatience
            && candidate.now - min(load.turnEndedAt, candidate.now) < Self.lagMemory
    }

    private func turnAge(_ candidate: Candidate) -> UInt64 {
        let started = candidate.load.turnStartedAt
        return started > 0 && candidate.now > started ? candidate.now - started : 0
    }

    private static func bounded(_ value: Int) -> Int { min(max(value, 0), partMax / 1000) }

    private static func units(_ nanoseconds: UInt64) -> Int {
        min(Int(clamping: nanoseconds / nanosecondsPerUnit), partMax)
    }

    /// Who gets the next connections, and how many of `pending`; the first candidate among equals.
    ///
    /// Nil when nobody can take any.
    func choose(_ candidates: [Candidate], pending: Int) -> Choice? {
        var able = candidates.filter { $0.room > 0 }
        // When all are stuck, one of them is still better than a refusal.
        let moving = able.filter { turnAge($0) < Self.stuckAfter }
        if !moving.isEmpty { able = moving }
        var costs = ramped(able)
        guard let first = cheapest(costs) else { return nil }
        // Deals one by one, as if each connection were a request, until the first one is full.
        var rooms = able.map(\.room)
        var given = 0
        var left = pending
        while left > 0, let next = cheapest(costs) {
            left -= 1
            costs[next] += Self.request
            rooms[next] -= 1
            if next == first { given += 1 }
            if rooms[next] == 0 {
                if next == first { break }
                costs[next] = .max
            }
        }
        return Choice(worker: able[first].worker, count: given)
    }

    private func cheapest(_ costs: [Int]) -> Int? {
        var best: Int?
        for index in costs.indices where costs[index] < (best.map { costs[$0] } ?? .max) {
            best = index
        }
        return best
    }

    private func ramped(_ candidates: [Candidate]) -> [Int] {
        let costs = candidates.map(cost)
        let grown = candidates.indices.filter { candidates[$0].age >= ramp }
        guard !grown.isEmpty, grown.count < candidates.count else { return costs }
        let average = grown.reduce(0) { $0 + costs[$1] / grown.count }
        return candidates.indices.map { index in
            let age = candidates[index].age
            guard age < ramp else { return costs[index] }
            let share = Double(ramp - age) / Double(ramp)
            return max(costs[index], Int(Double(average) * share))
        }
    }
}
