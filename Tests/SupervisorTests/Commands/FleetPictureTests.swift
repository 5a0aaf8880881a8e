// SPDX-License-Identifier: Apache-2.0
import Metrics
import Testing

@testable import Supervisor

@Suite struct FleetPictureTests {
    @Test("Every state has a letter of its own")
    func letters() {
        let states = FleetSnapshot.WorkerState.allCases.map { "\($0.label)" }
        #expect(Set(FleetPicture.appearances.map(\.state)) == Set(states))
        #expect(Set(FleetPicture.appearances.map(\.letter)).count == states.count)
        let picture = FleetPicture(states: states + ["new"], isColoured: false)
        #expect(picture.rows == ["B P R D W F ?"])
        #expect(
            picture.legend
                == "R ready, B booting, P probing, D draining, W backoff, F failed"
        )
    }

    @Test("A large fleet has rows without gaps; none has no row")
    func rows() {
        let states = Array(repeating: "ready", count: 70)
        let rows = FleetPicture(states: states, isColoured: false).rows
        #expect(rows.map(\.count) == [32, 32, 6])
        #expect(FleetPicture(states: [], isColoured: true).rows.isEmpty)
        let coloured = FleetPicture(states: states, isColoured: true).rows
        #expect(coloured.count == 3)
        #expect(coloured[2].split(separator: "\u{1B}[0m").count == 6)
    }

    @Test("Colours are left out where they are unwanted")
    func wanted() {
        #expect(StatusCommand.wantsColours(["TERM=xterm-256color"]))
        #expect(StatusCommand.wantsColours(["NO_COLOR="]))
        #expect(!StatusCommand.wantsColours(["TERM=xterm", "NO_COLOR=1"]))
        #expect(!StatusCommand.wantsColours(["TERM=dumb"]))
    }
}
