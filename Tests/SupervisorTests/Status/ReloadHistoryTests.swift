// SPDX-License-Identifier: Apache-2.0
import Metrics
import Testing

@testable import Supervisor

@Suite struct ReloadHistoryTests {
    private func ended(
        _ history: inout ReloadHistory,
        _ kind: FleetSnapshot.ReloadKind,
        at: Int,
        ok: Bool = true,
        reason: String = ""
    ) {
        history.ended(
            kind: kind,
            at: at,
            ok: ok,
            generation: UInt32(at),
            reason: reason,
            durationMilliseconds: 10 * at
        )
    }

    @Test("The last changes are kept, the newest one last")
    func bounded() {
        var history = ReloadHistory()
        for number in 1...50 { ended(&history, .scale, at: number) }
        #expect(history.entries.map(\.at) == Array(31...50))
        #expect(history.entries.last?.durationMilliseconds == 500)
        #expect(history.entries.last?.generation == 50)
    }

    @Test("The last reload is known however many other changes follow")
    func lastReload() {
        var history = ReloadHistory()
        #expect(history.lastReload == nil)
        ended(&history, .reload, at: 1, ok: false, reason: "no")
        for number in 2...40 { ended(&history, number % 2 == 0 ? .scale : .upgrade, at: number) }
        #expect(history.lastReload?.at == 1)
        #expect(history.lastReload?.isSuccessful == false)
        #expect(history.lastReload?.reason == "no")
        ended(&history, .reload, at: 41)
        #expect(history.lastReload?.at == 41)
    }

    @Test("A reason is cut between two characters")
    func reason() throws {
        var history = ReloadHistory()
        let max = ReloadHistory.reasonBytesMax
        for reason in [
            String(repeating: "a", count: max), String(repeating: "a", count: max + 1),
            String(repeating: "\u{1F426}", count: max),
            "a" + String(repeating: "\u{E9}", count: max),
        ] {
            ended(&history, .reload, at: 1, ok: false, reason: reason)
            let kept = try #require(history.entries.last?.reason)
            #expect(kept.utf8.count <= max + 3)
            #expect(kept == reason || (kept.hasSuffix("...") && reason.hasPrefix(kept.dropLast(3))))
        }
    }
}
