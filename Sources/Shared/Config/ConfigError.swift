// SPDX-License-Identifier: Apache-2.0

/// One thing that is wrong with a configuration.
package struct ConfigError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file as the user named it, or the option of the command line.
    package let file: String
    /// Line and column, counted from 1; 0 when the error has no place in the text.
    package let line: Int
    package let column: Int
    /// The way to the value, like `upstreams.openai.base_url`; may be empty.
    package let path: String
    package let message: String

    package init(file: String, line: Int = 0, column: Int = 0, path: String = "", _ message: String)
    {
        self.file = file
        self.line = line
        self.column = column
        self.path = path
        self.message = message
    }

    /// `file:line:column: path: message`.
    package var description: String {
        let place = line > 0 ? "\(file):\(line):\(column)" : file
        return path.isEmpty ? "\(place): \(message)" : "\(place): \(path): \(message)"
    }
}

/// Everything that is wrong with a configuration, in the order of the text.
package struct ConfigErrors: Error, Equatable, Sendable, CustomStringConvertible {
    /// Errors shown of one file; more would scroll away what matters.
    package static let countMax = 50

    package let errors: [ConfigError]

    package init(_ errors: [ConfigError]) {
        precondition(!errors.isEmpty, "a failure without a reason")
        self.errors = errors
    }

    /// One line per error.
    package var description: String {
        errors.map(\.description).joined(separator: "\n")
    }
}
