// SPDX-License-Identifier: Apache-2.0

/// The commands that exist.
enum CommandName: String, CaseIterable {
    case serve, check, status, version, help

    /// In the order in which texts list them.
    var options: [CommandOption] {
        switch self {
        case .serve: [.config, .listen, .status, .workers]
        case .check: [.config]
        case .status: [.json, .watch, .config, .status]
        case .version, .help: []
        }
    }

    /// One line that shows all there is to write.
    var usage: String {
        let options = options.map { "[\($0.form)]" + ($0.isRepeatable ? "..." : "") }
        let words = ["apus", rawValue] + options + (self == .help ? ["[COMMAND]"] : [])
        return words.joined(separator: " ")
    }
}

/// The options that exist; each means the same in every command that has it.
enum CommandOption: String, CaseIterable {
    case config = "--config"
    case listen = "--listen"
    case status = "--status"
    case workers = "--workers"
    case json = "--json"
    case watch = "--watch"

    /// What its value is called; nil for a switch.
    var placeholder: String? {
        switch self {
        case .config: "FILE"
        case .listen, .status: "ADDR"
        case .workers: "N"
        case .json, .watch: nil
        }
    }

    var isRepeatable: Bool { self == .listen }

    /// The option as it is written.
    var form: String { placeholder.map { "\(rawValue) \($0)" } ?? rawValue }
}
