// SPDX-License-Identifier: Apache-2.0

/// The commands that exist.
enum CommandName: String, CaseIterable {
    case serve, check, status
    case reload, scale, stop, upgrade
    case importing = "import"
    case version, help

    /// In the order in which texts list them.
    var options: [CommandOption] {
        switch self {
        case .serve: [.config, .listen, .status, .workers]
        case .check: [.config]
        case .status: [.json, .watch, .config, .status]
        case .stop: [.now]
        case .importing: [.output]
        case .reload, .scale, .upgrade, .version, .help: []
        }
    }

    /// The words that it takes besides options; nil for none.
    var operands: String? {
        switch self {
        case .scale: "N"
        case .importing: "sap-proxy FILE"
        case .help: "[COMMAND]"
        case .serve, .check, .status, .reload, .stop, .upgrade, .version: nil
        }
    }

    /// How many such words there may be.
    var operandsMax: Int {
        switch self {
        case .importing: 2
        case .scale, .help: 1
        case .serve, .check, .status, .reload, .stop, .upgrade, .version: 0
        }
    }

    /// One line that shows all there is to write.
    var usage: String {
        let options = options.map { "[\($0.form)]" + ($0.isRepeatable ? "..." : "") }
        let words = ["apus", rawValue] + (operands.map { [$0] } ?? []) + options
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
    case output = "--output"
    case now = "--now"

    /// What its value is called; nil for a switch.
    var placeholder: String? {
        switch self {
        case .config, .output: "FILE"
        case .listen, .status: "ADDR"
        case .workers: "N"
        case .json, .watch, .now: nil
        }
    }

    var isRepeatable: Bool { self == .listen }

    /// The option as it is written.
    var form: String { placeholder.map { "\(rawValue) \($0)" } ?? rawValue }
}
