// SPDX-License-Identifier: Apache-2.0
import Config
import Providers
import Support
import Testing

@Suite("The token of a credential")
struct TokenMachineTests {
    static let second: UInt64 = 1_000_000_000
    static let one = Secret("one")
    static let two = Secret("two")
    static let three = Secret("three")

    /// A machine that serves `one` from second 0 for an hour.
    static func ready(lifetime: Int = 3600) -> TokenMachine {
        var machine = TokenMachine()
        #expect(machine.want(now: 0) == .fetch)
        machine.fetched(one, lifetimeSeconds: lifetime, now: 0)
        return machine
    }

    @Test("is fetched once for all who ask")
    func singleFlight() {
        var machine = TokenMachine()
        #expect(!machine.isFetching)
        #expect(machine.want(now: 5) == .fetch)
        for _ in 0..<100 { #expect(machine.want(now: 6) == .wait) }
        #expect(machine.isFetching)
        machine.fetched(Self.one, lifetimeSeconds: 3600, now: 7)
        for _ in 0..<100 { #expect(machine.want(now: 8) == .use(Self.one)) }
        #expect(!machine.isFetching)
    }

    struct Lifetime: CustomTestStringConvertible, Sendable {
        let seconds: Int
        let refreshMilliseconds: UInt64
        var testDescription: String { "\(seconds) s" }
    }

    @Test(
        "is fetched again early",
        arguments: [
            Lifetime(seconds: 43_199, refreshMilliseconds: 34_559_200),
            Lifetime(seconds: 3600, refreshMilliseconds: 2_880_000),
            Lifetime(seconds: 1500, refreshMilliseconds: 1_200_000),
            Lifetime(seconds: 1200, refreshMilliseconds: 900_000),
            Lifetime(seconds: 700, refreshMilliseconds: 400_000),
            Lifetime(seconds: 600, refreshMilliseconds: 300_000),
            Lifetime(seconds: 300, refreshMilliseconds: 150_000),
            Lifetime(seconds: 10, refreshMilliseconds: 5_000),
            Lifetime(seconds: 1, refreshMilliseconds: 500),
        ]
    )
    func refresh(_ row: Lifetime) {
        var machine = Self.ready(lifetime: row.seconds)
        let due = row.refreshMilliseconds * 1_000_000
        #expect(machine.want(now: due - 1) == .use(Self.one))
        #expect(machine.want(now: due) == .useAndFetch(Self.one))
        // The old one is served meanwhile.
        #expect(machine.want(now: due + 1) == .use(Self.one))
        machine.fetched(Self.two, lifetimeSeconds: row.seconds, now: due + 2)
        #expect(machine.want(now: due + 3) == .use(Self.two))
    }

    @Test("is not served when it is over")
    func expiry() {
        var machine = Self.ready()
        let end = 3600 * Self.second
        var refreshing = machine
        #expect(refreshing.want(now: end - 1) == .useAndFetch(Self.one))
        #expect(refreshing.want(now: end) == .wait)
        refreshing.fetched(Self.two, lifetimeSeconds: 3600, now: end + 5)
        // The lifetime counts from the start of the fetch.
        #expect(refreshing.want(now: 2 * end - 2) == .useAndFetch(Self.two))
        #expect(refreshing.want(now: 2 * end - 1) == .wait)

        #expect(machine.want(now: end) == .fetch)
        #expect(machine.want(now: end) == .wait)
    }

    @Test("that is over when it comes is fetched again")
    func overAtOnce() {
        var machine = TokenMachine()
        #expect(machine.want(now: 0) == .fetch)
        machine.fetched(Self.one, lifetimeSeconds: 10, now: 11 * Self.second)
        #expect(machine.want(now: 11 * Self.second) == .fetch)
    }

    @Test("that cannot be fetched is asked for once per second")
    func failureMemory() {
        var machine = TokenMachine()
        #expect(machine.want(now: 0) == .fetch)
        machine.failed(.timeout, now: 5)
        let retry = 5 + Self.second
        #expect(machine.want(now: 6) == .failed(.timeout, retryAt: retry))
        #expect(machine.want(now: retry - 1) == .failed(.timeout, retryAt: retry))
        #expect(machine.want(now: retry) == .fetch)
        #expect(machine.want(now: retry) == .wait)
        machine.failed(.noToken, now: retry)
        #expect(machine.want(now: retry) == .failed(.noToken, retryAt: retry + Self.second))
        #expect(machine.want(now: retry + Self.second) == .fetch)
        machine.fetched(Self.one, lifetimeSeconds: 3600, now: retry + Self.second)
        #expect(machine.want(now: retry + Self.second) == .use(Self.one))
    }

    @Test("that cannot be fetched again is served to its end")
    func failedRefresh() {
        var machine = Self.ready()
        let due = 2880 * Self.second
        #expect(machine.want(now: due) == .useAndFetch(Self.one))
        machine.failed(.noConnection, now: due)
        #expect(machine.want(now: due + Self.second - 1) == .use(Self.one))
        #expect(machine.want(now: due + Self.second) == .useAndFetch(Self.one))
        machine.failed(.noConnection, now: due + Self.second)
        let end = 3600 * Self.second
        #expect(machine.want(now: end - 1) == .useAndFetch(Self.one))
        machine.failed(.timeout, now: end)
        #expect(machine.want(now: end) == .failed(.timeout, retryAt: end + Self.second))
    }

    @Test("that is refused is dropped and fetched once")
    func refusal() {
        var machine = Self.ready()
        let now = 100 * Self.second
        #expect(machine.refused(Self.one, now: now) == .again)
        #expect(machine.refused(Self.one, now: now) == .again)
        #expect(machine.want(now: now) == .fetch)
        // Those that come late change nothing.
        #expect(machine.refused(Self.one, now: now) == .again)
        #expect(machine.want(now: now) == .wait)
        machine.fetched(Self.two, lifetimeSeconds: 3600, now: now)
        #expect(machine.refused(Self.one, now: now) == .again)
        #expect(machine.want(now: now) == .use(Self.two))
    }

    @Test("that replaces a refused one is trusted for a minute")
    func trust() {
        var machine = Self.ready()
        #expect(machine.refused(Self.one, now: 0) == .again)
        #expect(machine.want(now: 0) == .fetch)
        machine.fetched(Self.two, lifetimeSeconds: 3600, now: 0)
        let minute = 60 * Self.second
        #expect(machine.refused(Self.two, now: 1) == .pointless)
        #expect(machine.refused(Self.two, now: minute - 1) == .pointless)
        #expect(machine.want(now: minute - 1) == .use(Self.two))
        #expect(machine.refused(Self.two, now: minute) == .again)
        #expect(machine.want(now: minute) == .fetch)
        // A failure in between changes nothing about that.
        machine.failed(.timeout, now: minute)
        #expect(machine.want(now: minute + Self.second) == .fetch)
        machine.fetched(Self.three, lifetimeSeconds: 3600, now: minute + Self.second)
        #expect(machine.refused(Self.three, now: minute + 2 * Self.second) == .pointless)
    }

    @Test("that is refused while the next one is fetched is served no more")
    func refusalDuringRefresh() {
        var machine = Self.ready()
        let due = 2880 * Self.second
        #expect(machine.want(now: due) == .useAndFetch(Self.one))
        #expect(machine.refused(Self.two, now: due) == .again)
        #expect(machine.want(now: due) == .use(Self.one))
        #expect(machine.refused(Self.one, now: due) == .again)
        #expect(machine.want(now: due) == .wait)
        machine.fetched(Self.two, lifetimeSeconds: 3600, now: due)
        #expect(machine.want(now: due) == .use(Self.two))
        #expect(machine.refused(Self.two, now: due + 1) == .pointless)
    }

    @Test("an end of a fetch that nobody started traps")
    func unexpectedEnd() async {
        await #expect(processExitsWith: .failure) {
            var machine = TokenMachine()
            machine.fetched(Secret("one"), lifetimeSeconds: 1, now: 0)
        }
        await #expect(processExitsWith: .failure) {
            var machine = TokenMachine()
            machine.failed(.timeout, now: 0)
        }
    }

    /// A token server and clients that do whatever the rules allow.
    ///
    /// Invariants: one fetch at a time; no token behind its end; no token that was refused, except
    /// where the machine said that refusing is pointless; no failure older than a second; nobody
    /// waits without a fetch.
    @Test("keeps its promises in random walks", arguments: 1...30 as ClosedRange<UInt64>)
    func randomWalk(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var machine = TokenMachine()
        var now: UInt64 = random.next() % Self.second
        var fetchStart: UInt64?
        var ends: [String: UInt64] = [:]
        var dropped: Set<String> = []
        var seen: [Secret] = []
        var failedAt: UInt64?
        var (issued, fetches, served) = (0, 0, 0)
        let context = "seed \(seed)"

        func startFetch() {
            #expect(fetchStart == nil, "\(context): two fetches at a time")
            fetchStart = now
            fetches += 1
        }
        func check(_ token: Secret) {
            served += 1
            #expect(now < ends[token.revealed, default: 0], "\(context): served behind its end")
            #expect(!dropped.contains(token.revealed), "\(context): served after its refusal")
            seen.append(token)
        }

        for _ in 0..<3000 {
            // Mostly short steps, sometimes long ones.
            now +=
                random.oneIn(20) ? random.next() % (400 * Self.second) : random.next() % 300_000_000
            switch random.below(10) {
            case 0..<6:
                switch machine.want(now: now) {
                case .use(let token): check(token)
                case .useAndFetch(let token):
                    check(token)
                    startFetch()
                case .fetch: startFetch()
                case .wait: #expect(fetchStart != nil, "\(context): waits for nothing")
                case .failed(_, let retryAt):
                    #expect(now < retryAt, "\(context): a failure that is over")
                    #expect(
                        failedAt.map { now - $0 < TokenMachine.failureMemory } == true,
                        "\(context): an old failure"
                    )
                }
            case 6, 7:
                guard let started = fetchStart else { continue }
                fetchStart = nil
                if random.oneIn(3) {
                    machine.failed(.noConnection, now: now)
                    failedAt = now
                } else {
                    issued += 1
                    let lifetime = 1 + random.below(2000)
                    ends["t\(issued)"] = started + UInt64(lifetime) * Self.second
                    machine.fetched(Secret("t\(issued)"), lifetimeSeconds: lifetime, now: now)
                }
            default:
                guard let token = seen.suffix(5).randomElement(using: &random), random.oneIn(3)
                else { continue }
                if machine.refused(token, now: now) == .again { dropped.insert(token.revealed) }
            }
            #expect(machine.isFetching == (fetchStart != nil), "\(context)")
        }
        #expect(served > 50 && fetches > 10, "\(context): the walk does something")
    }
}
