// SPDX-License-Identifier: Apache-2.0

/// How much a line matters.
package enum LogLevel: UInt8, CaseIterable, Comparable {
    case debug
    case info
    case warning
    case error

    package static func < (left: LogLevel, right: LogLevel) -> Bool {
        left.rawValue < right.rawValue
    }

    /// The level in a JSON line.
    package var label: StaticString {
        switch self {
        case .debug: "debug"
        case .info: "info"
        case .warning: "warning"
        case .error: "error"
        }
    }

    /// The level on a terminal, five columns wide.
    var column: StaticString {
        switch self {
        case .debug: "DEBUG"
        case .info: "INFO "
        case .warning: "WARN "
        case .error: "ERROR"
        }
    }

    /// The terminal's code for the colour of the level.
    var colour: StaticString {
        switch self {
        case .debug: "\u{1B}[2m"
        case .info: "\u{1B}[32m"
        case .warning: "\u{1B}[33m"
        case .error: "\u{1B}[31m"
        }
    }
}

/// What lines look like.
package enum LogFormat: Equatable {
    /// One JSON object per line, for collectors.
    case json
    /// Time, level, message and `key=value`, for people.
    case readable(colours: Bool)
}
