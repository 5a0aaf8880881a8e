// SPDX-License-Identifier: Apache-2.0
import Config

/// What is wrong with a command line.
enum UsageError: Error, Equatable {
    case unknownCommand(String)
    case unknownOption(String, CommandName)
    case unexpectedArgument(String, CommandName)
    case missingValue(CommandOption, CommandName)
    /// A word besides the options is missing.
    case missingArgument(CommandName)
    case unknownSource(String)
    /// A switch was given a value.
    case unexpectedValue(CommandOption, CommandName)
    case repeated(CommandOption, CommandName)
    case badAddress(CommandOption, String, CommandName)
    case badWorkers(String)
    /// No number of workers that `apus scale` takes.
    case badCount(String)
    /// The configuration lets the kernel choose the port, so only the log knows it.
    case statusPortUnknown

    /// What is wrong, and below it what is right.
    var description: String {
        switch self {
        case .unknownCommand(let word):
            unknownCommand(word)
        case .unknownOption(let word, let command):
            unknownOption(word, command)
        case .unexpectedArgument(let word, let command):
            unexpectedArgument(word, command)
        case .missingValue(let option, let command):
            text("\(option.rawValue) needs a value: \(option.form)", command)
        case .missingArgument(let command):
            text("apus \(command.rawValue) needs \(command.operands ?? "nothing")", command)
        case .unknownSource(let word):
            text(
                "\(quoted(word)) is nothing that can be imported"
                    + Suggestion.text(for: word, among: [ImportCommand.source]),
                .importing
            )
        case .unexpectedValue(let option, let command):
            text("\(option.rawValue) takes no value", command)
        case .repeated(let option, let command):
            text("\(option.rawValue) is given more than once", command)
        case .badAddress(let option, let value, let command):
            text("\(option.rawValue) \(quoted(value)) is no address: \(Self.addressForm)", command)
        case .badWorkers(let value):
            text(
                "--workers \(quoted(value)) is neither auto nor a number from "
                    + "\(ConfigLimits.workers.lowerBound) to \(ConfigLimits.workers.upperBound)",
                .serve
            )
        case .badCount(let value):
            text(
                "\(quoted(value)) is no number from \(ConfigLimits.workers.lowerBound) to "
                    + "\(ConfigLimits.workers.upperBound)",
                .scale
            )
        case .statusPortUnknown:
            "the configuration leaves the port of the status address to the kernel; "
                + "the log line \"status listening\" tells it: name it with --status ADDR"
        }
    }

    private static let addressForm = "write HOST:PORT with a numeric host, [V6]:PORT or unix:PATH"

    private func text(_ problem: String, _ command: CommandName) -> String {
        "\(problem)\nusage: \(command.usage)"
    }

    private func unknownCommand(_ word: String) -> String {
        let names = CommandName.allCases.map(\.rawValue)
        var hint = Suggestion.text(for: word, among: names)
        if hint.isEmpty, looksLikeFile(word) {
            hint = ", did you mean \"apus serve --config \(printable(word))\"?"
        }
        return "unknown command \(quoted(word))\(hint)\n"
            + "commands: \(names.joined(separator: ", ")); \"apus help\" explains them"
    }

    private func unknownOption(_ word: String, _ command: CommandName) -> String {
        let own = command.options.map(\.rawValue)
        let hint = Suggestion.text(for: word, among: own + ["--help"])
        let others = CommandName.allCases.filter { $0.options.contains { $0.rawValue == word } }
        guard hint.isEmpty, !others.isEmpty else {
            return text("unknown option \(quoted(word))\(hint)", command)
        }
        let names = others.map { "apus \($0.rawValue)" }.joined(separator: " and ")
        return text("\(word) is an option of \(names), not of apus \(command.rawValue)", command)
    }

    private func unexpectedArgument(_ word: String, _ command: CommandName) -> String {
        let isFile = command.options.contains(.config) && looksLikeFile(word)
        let hint = isFile ? ", did you mean \"--config \(printable(word))\"?" : ""
        return text("unexpected argument \(quoted(word))\(hint)", command)
    }

    private func looksLikeFile(_ word: String) -> Bool {
        word.contains("/") || word.hasSuffix(".json") || word.hasSuffix(".jsonc")
    }

    private func quoted(_ word: String) -> String { "\"\(printable(word))\"" }

    /// Control characters of an argument must not reach the terminal.
    private func printable(_ word: String) -> String { PlainText.printable(word) }
}

/// Makes text from outside fit for a terminal.
enum PlainText {
    /// `text` with a question mark for each character that could steer a terminal.
    static func printable(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            result.append(isControl ? "?" : scalar)
        }
        return String(result)
    }
}
