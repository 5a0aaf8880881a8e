// SPDX-License-Identifier: Apache-2.0
import Support

/// Says the matrix as a page of the documentation.
enum CompatibilityText {
    static let file = "docs/COMPATIBILITY.md"

    static func text() -> String {
        var notes: [String] = []
        var tables = ""
        for client in ClientDialect.allCases {
            tables += "## Clients of \(client.rawValue)\n\n"
            tables += row(["Upstream"] + Scenario.all.map(\.name))
            tables += row([String](repeating: "---", count: Scenario.all.count + 1))
            for upstream in UpstreamRow.all {
                let cells = Scenario.all.map { cell(client, upstream, $0, &notes) }
                tables += row([upstream.title] + cells)
            }
            tables += "\n"
        }
        var page = head + tables
        page += "## Notes\n\n"
        for (index, note) in notes.enumerated() { page += "\(index + 1). \(note)\n" }
        return page + tail
    }

    private static func row(_ cells: [String]) -> String {
        "| " + cells.joined(separator: " | ") + " |\n"
    }

    private static func cell(
        _ client: ClientDialect,
        _ upstream: UpstreamRow,
        _ scenario: Scenario,
        _ notes: inout [String]
    ) -> String {
        let both = [false, true].map { isStream in
            MatrixNote.of(
                MatrixCell(
                    client: client,
                    row: upstream,
                    scenario: scenario,
                    isStream: isStream
                )
            )
        }
        func number(_ note: MatrixNote) -> String {
            if let index = notes.firstIndex(of: note.reason) { return "\(index + 1)" }
            notes.append(note.reason)
            return "\(notes.count)"
        }
        switch (both[0], both[1]) {
        case (nil, nil): return "yes"
        case (let whole?, nil):
            return whole.refusal == nil ? "yes [\(number(whole))]" : "stream only"
        case (nil, let stream?):
            return stream.refusal == nil ? "yes [\(number(stream))]" : "whole only"
        case (let whole?, _?):
            return (whole.refusal == nil ? "part" : "no") + " [\(number(whole))]"
        }
    }

    private static let head = """
        # Compatibility

        What each dialect of a client gets from each upstream. This page is made by the test that proves it
        (`Tests/WorkerTests/Matrix`): every cell is a request in the client's dialect through a real worker to a
        mock of the provider, streamed and not. It asserts what the provider was asked and what the client was told.
        `make compatibility` writes the page anew.

        | Column | A cell says that |
        | --- | --- |
        | text | system prompt, turns and temperature go up, the text, its usage and its end come back |
        | image | an inline image goes up between two texts, byte for byte |
        | tool call | tools go up, a text and a call with its id, name and arguments come back |
        | tool result | a call and its result of an earlier turn go up |
        | parallel tools | three calls with three results go up, two of them of one tool; three calls come back |
        | thinking | thinking is asked for; thoughts, text and the number of tokens for both come back |
        | long unicode | long texts of all planes survive both ways, escaped or not |
        | stop | stop texts go up, an answer that ended at one comes back |
        | max tokens | the limit goes up, an answer that was cut by it comes back as such |
        | refusal | an answer that the model or a filter refused comes back as such |

        "yes": whole and streamed. "stream only", "whole only": one of them. A number: see the notes.


        """

    private static let tail = """

        Everywhere: what an upstream's interface cannot express is left out and named in the field `apus-dropped`;
        a model with `"strict": true` refuses such a request instead. Thoughts of earlier turns are signed by the
        vendor whose model had them, so they go back to that vendor alone. Anthropic and Bedrock do not count the
        tokens of thoughts apart, Anthropic's clients cannot be told them. Gemini has no ids for calls: results find
        their call by name and place, and clients that need ids get some. The end of an answer at a stop text is
        only told by Anthropic, and only to its own clients.

        """
}
