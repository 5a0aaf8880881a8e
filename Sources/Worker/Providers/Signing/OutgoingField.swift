// SPDX-License-Identifier: Apache-2.0
import Config

/// A header line that a provider wants, which may hold a credential.
///
/// Printing and dumping show the name only.
package struct OutgoingField: Equatable, Sendable {
    /// In lower case.
    package let name: String
    private let secret: Secret

    package init(_ name: String, _ value: String) {
        self.name = name
        secret = Secret(value)
    }

    /// What goes onto the wire.
    package var value: String { secret.revealed }
}
