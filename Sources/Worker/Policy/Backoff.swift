// SPDX-License-Identifier: Apache-2.0

/// How long to wait before a try is repeated, in nanoseconds.
package struct Backoff: Equatable, Sendable {
    package var first: UInt64
    package var longest: UInt64

    package init(first: UInt64, longest: UInt64) {
        self.first = first
        self.longest = longest
    }
}
