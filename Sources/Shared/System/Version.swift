// SPDX-License-Identifier: Apache-2.0

/// The version of this build, in one place for all that shows it.
package enum Version {
    /// Semantic version of the release.
    package static let text = "0.1.0"
}
