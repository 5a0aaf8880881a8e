// SPDX-License-Identifier: Apache-2.0

/// A value that must not show anywhere but where it is used.
///
/// Printing, interpolating, dumping and mirroring all give `***`.
package struct Secret: Equatable, Sendable {
    /// The value itself: for the wire, never for text that people or logs see.
    package let revealed: String

    package init(_ value: String) {
        revealed = value
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "***" }
    package var debugDescription: String { "***" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Where a part of a value comes from: `${env:NAME}`, `${file:PATH}` or `${credential:NAME}`.
package struct SecretReference: Hashable, Comparable, Sendable {
    package enum Source: String, CaseIterable, Sendable {
        /// A variable of the environment.
        case environment = "env"
        /// A file, relative to the configuration file.
        case file
        /// A file of `$CREDENTIALS_DIRECTORY` (systemd `LoadCredential`).
        case credential
    }

    package let source: Source
    package let name: String

    package init(source: Source, name: String) {
        self.source = source
        self.name = name
    }

    package static func < (one: SecretReference, other: SecretReference) -> Bool {
        (one.source.rawValue, one.name) < (other.source.rawValue, other.name)
    }

    /// Reads what stands between `${` and `}`; nil when it is no reference.
    init?(_ text: Substring) {
        guard let colon = text.firstIndex(of: ":"),
            let source = Source(rawValue: String(text[..<colon]))
        else { return nil }
        let name = String(text[text.index(after: colon)...])
        let isUsable =
            switch source {
            case .environment: Self.isVariableName(name)
            case .file: !name.isEmpty && !name.utf8.contains(0)
            case .credential:
                !name.isEmpty && !name.utf8.contains(0) && !name.contains("/")
                    && name != "." && name != ".."
            }
        guard isUsable else { return nil }
        self.init(source: source, name: name)
    }

    /// Anything else may be a secret that stands in the wrong place, so it is not looked up, and
    /// not told in an error either.
    private static func isVariableName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(48...57).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}

/// Why a reference could not be resolved; the text names the place and never the value.
package struct SecretFailure: Error, Equatable, Sendable {
    package let message: String

    package init(_ message: String) {
        self.message = message
    }
}
