// SPDX-License-Identifier: Apache-2.0
import JSON

/// Turns the configuration of an SAP AI Core proxy into one of apus.
package enum ProxyImport {
    package struct Result: Equatable, Sendable {
        /// A configuration, with comments.
        package let text: String
        /// What has no place in it or means something else there.
        package let warnings: [ConfigError]
    }

    /// Converts `bytes`, which errors and warnings call `file`.
    ///
    /// The clients' secrets appear as hashes only, in the result as well as in errors.
    ///
    /// - Throws: All errors, in the order of the text, capped at `ConfigErrors.countMax`.
    package static func convert(_ bytes: [UInt8], file: String) throws(ConfigErrors) -> Result {
        let tape = try ConfigParser.scan(bytes, file: file, options: .strict)
        var parser = ProxyConfigParser(tape: tape, bytes: bytes, file: file)
        let config = try parser.parse()
        let writer = ImportWriter(config: config)
        var warnings = parser.warnings
        let crowded = writer.crowdedModels
        if !crowded.isEmpty {
            let names = crowded.joined(separator: ", ")
            let message =
                "only the first \(ConfigLimits.targetsMax) subaccounts answer for \(names)"
            warnings.append(ConfigError(file: file, message))
        }
        return Result(text: writer.text(from: file), warnings: warnings)
    }
}
