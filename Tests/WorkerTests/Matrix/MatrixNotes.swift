// SPDX-License-Identifier: Apache-2.0
import Dialects
import Support

/// What does not work as everywhere, and why.
struct MatrixNote {
    enum Change {
        /// The upstream is not told where to stop.
        case losesStops
    }

    struct Refusal {
        let status: Int
        let text: String
    }

    /// As the documentation says it.
    let reason: String
    /// Names in `apus-dropped`.
    var dropped: Set<String> = []
    var changes: [Change] = []
    /// The answer in place of one of the model.
    var refusal: Refusal?
    /// Whether the note is about answers as a whole, and not about streams.
    var isOnlyWhole = false

    /// The note for a cell, nil where all goes as it should.
    static func of(_ cell: MatrixCell) -> MatrixNote? {
        switch cell.scenario.name {
        case "stop": stop(cell)
        case "thinking": thinking(cell)
        default: nil
        }
    }

    private static func stop(_ cell: MatrixCell) -> MatrixNote? {
        if cell.client == .responses {
            guard cell.row.upstream != "openai" else {
                return MatrixNote(
                    reason: "Responses has no stop texts. A `stop` is passed on, as everything that "
                        + "OpenAI may know."
                )
            }
            return MatrixNote(
                reason: "Responses has no stop texts. A `stop` is left out and named in "
                    + "`apus-dropped`.",
                dropped: ["stop"],
                changes: [.losesStops]
            )
        }
        guard cell.format == .responses else { return nil }
        return MatrixNote(
            reason: "Responses has no stop texts: they are left out and named in `apus-dropped`.",
            dropped: [cell.client == .chat ? "stop" : cell.client == .messages ? "stop_sequences" : "generationConfig.stopSequences"],
            changes: [.losesStops]
        )
    }

    private static func thinking(_ cell: MatrixCell) -> MatrixNote? {
        guard !cell.row.tellsThoughts(to: cell.client) else { return nil }
        return MatrixNote(
            reason: "OpenAI's models do not tell their thoughts in chat completions: the effort "
                + "goes up, the number of tokens comes back."
        )
    }
}
