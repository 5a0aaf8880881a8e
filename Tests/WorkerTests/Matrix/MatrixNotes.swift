// SPDX-License-Identifier: Apache-2.0
import Dialects
import Support

/// What does not work as everywhere, and why.
struct MatrixNote {
    enum Change {
        /// The upstream is not told where to stop.
        case losesStops
        /// The client does not see the model's thoughts.
        case losesThoughts
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
            guard cell.row.upstream != "openai", cell.row.upstream != "azure" else {
                return MatrixNote(
                    reason: "Responses has no stop texts. A `stop` is passed on to OpenAI and "
                        + "Azure, like everything that they may know."
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
        let name: String
        switch cell.client {
        case .chat, .responses: name = "stop"
        case .messages: name = "stop_sequences"
        case .gemini: name = "generationConfig.stopSequences"
        }
        return MatrixNote(
            reason: "Responses has no stop texts: they are left out and named in `apus-dropped`.",
            dropped: [name],
            changes: [.losesStops]
        )
    }

    private static func thinking(_ cell: MatrixCell) -> MatrixNote? {
        if cell.format == .chat, cell.row.upstream != "plain" {
            return MatrixNote(
                reason: "OpenAI's models keep their thoughts to themselves in chat completions: "
                    + "the effort goes up, the number of tokens comes back.",
                changes: [.losesThoughts]
            )
        }
        if cell.client == .chat, cell.format == .responses {
            return MatrixNote(
                reason: "A chat client cannot ask for a summary of thoughts, and OpenAI tells "
                    + "none unasked; the number of tokens comes back.",
                changes: [.losesThoughts]
            )
        }
        return nil
    }
}
