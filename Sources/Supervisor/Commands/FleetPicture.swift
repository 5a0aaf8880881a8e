// SPDX-License-Identifier: Apache-2.0

/// The fleet as a row of cells: one letter per process, and in a terminal a colour.
///
/// The letter says everything, so that nobody has to tell colours apart.
struct FleetPicture {
    /// Cells in a row; a fleet of up to this many has room between its cells.
    static let cellsPerRow = 32

    /// A state by its name in the status document.
    struct Appearance {
        let state: String
        let letter: Character
        /// Select graphic rendition: white or black on the colour.
        let colour: String
    }

    static let appearances = [
        Appearance(state: "ready", letter: "R", colour: "30;42"),
        Appearance(state: "booting", letter: "B", colour: "97;44"),
        Appearance(state: "probing", letter: "P", colour: "97;44"),
        Appearance(state: "draining", letter: "D", colour: "30;43"),
        Appearance(state: "backoff", letter: "W", colour: "97;45"),
        Appearance(state: "failed", letter: "F", colour: "97;41"),
    ]

    /// A state that this program does not know.
    private static let unknown = Appearance(state: "", letter: "?", colour: "7")

    private let cells: [Appearance]
    private let isColoured: Bool

    init(states: [String], isColoured: Bool) {
        cells = states.map { state in
            Self.appearances.first { $0.state == state } ?? Self.unknown
        }
        self.isColoured = isColoured
    }

    private var isRoomy: Bool { cells.count <= Self.cellsPerRow }

    /// The rows; none without processes.
    var rows: [String] {
        stride(from: 0, to: cells.count, by: Self.cellsPerRow).map { start in
            cells[start..<min(start + Self.cellsPerRow, cells.count)].map(text)
                .joined(separator: isRoomy ? " " : "")
        }
    }

    private func text(_ cell: Appearance) -> String {
        guard isColoured else { return String(cell.letter) }
        return "\u{1B}[\(cell.colour)m" + (isRoomy ? " \(cell.letter) " : "\(cell.letter)")
            + "\u{1B}[0m"
    }

    /// What the letters that occur mean.
    var legend: String {
        Self.appearances.filter { appearance in cells.contains { $0.state == appearance.state } }
            .map { "\($0.letter) \($0.state)" }
            .joined(separator: ", ")
    }
}
