// SPDX-License-Identifier: Apache-2.0

/// The options of one command line, read by what its command allows.
struct ParsedOptions: Equatable {
    let command: CommandName
    /// `-h` or `--help` stands somewhere: nothing else counts.
    private(set) var asksForHelp = false
    private var values: [CommandOption: [String]] = [:]
    private(set) var arguments: [String] = []

    /// The value of an option that is given at most once.
    subscript(option: CommandOption) -> String? { values[option]?.first }

    /// All values of an option.
    func all(_ option: CommandOption) -> [String] { values[option] ?? [] }

    func contains(_ option: CommandOption) -> Bool { values[option] != nil }

    /// Reads `--name value`, `--name=value` and switches.
    ///
    /// Arguments without a dash are allowed up to `argumentsMax`.
    init(
        _ command: CommandName,
        _ words: ArraySlice<String>,
        argumentsMax: Int = 0
    ) throws(UsageError) {
        self.command = command
        if words.contains("--help") || words.contains("-h") {
            asksForHelp = true
            return
        }
        var rest = words
        while let word = rest.popFirst() {
            if word.hasPrefix("-"), word != "-" {
                try readOption(word, &rest)
            } else if arguments.count < argumentsMax {
                arguments.append(word)
            } else {
                throw .unexpectedArgument(word, command)
            }
        }
    }

    private mutating func readOption(
        _ word: String,
        _ rest: inout ArraySlice<String>
    ) throws(UsageError) {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let option = command.options.first(where: { $0.rawValue == name }) else {
            throw .unknownOption(name, command)
        }
        if contains(option), !option.isRepeatable { throw .repeated(option, command) }
        var value = parts.count > 1 ? String(parts[1]) : nil
        if option.placeholder == nil {
            if value != nil { throw .unexpectedValue(option, command) }
            values[option] = []
            return
        }
        // The next option is not the value of this one.
        if value == nil, let next = rest.first, !next.hasPrefix("--") {
            value = rest.removeFirst()
        }
        guard let value, !value.isEmpty else { throw .missingValue(option, command) }
        values[option, default: []].append(value)
    }
}
