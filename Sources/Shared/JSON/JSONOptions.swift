// SPDX-License-Identifier: Apache-2.0

/// Which departures from RFC 8259 a scan accepts.
package struct JSONOptions: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// `//` to the end of the line and `/* */` (not nested) count as white space.
    package static let comments = JSONOptions(rawValue: 1)
    /// One comma may stand before `]` or `}` when a value precedes it.
    package static let trailingCommas = JSONOptions(rawValue: 2)

    /// RFC 8259 as written: what a peer may send.
    package static let strict: JSONOptions = []
    /// What a person writes into a configuration file.
    package static let configuration: JSONOptions = [.comments, .trailingCommas]
}

/// The caps of a scan, each with its reason.
package struct JSONLimits: Equatable, Sendable {
    /// Containers open at once.
    ///
    /// 512: real requests stay below 20, Python's `json` fails near 1000,
    /// and a reader behind us that recurses must survive what we let pass.
    package static let depthMaxDefault = 512
    /// Bytes of a document.
    ///
    /// 256 MiB: far above every body limit, far below the 32-bit offsets.
    package static let bytesMaxDefault = 256 << 20
    /// Values and member names of a document.
    ///
    /// 4 Mi entries are 64 MiB of tape: what a 32 MiB body
    /// of `[0,0,0...` may cost at most.
    package static let nodesMaxDefault = 4 << 20

    package var depthMax = depthMaxDefault
    package var bytesMax = bytesMaxDefault
    package var nodesMax = nodesMaxDefault

    package init(
        depthMax: Int = depthMaxDefault,
        bytesMax: Int = bytesMaxDefault,
        nodesMax: Int = nodesMaxDefault
    ) {
        precondition(depthMax > 0 && nodesMax > 0 && bytesMax > 0, "a limit of nothing")
        // Offsets and indices on the tape have 32 bits.
        precondition(bytesMax < Int(UInt32.max) && nodesMax < Int(UInt32.max), "beyond the tape")
        self.depthMax = depthMax
        self.bytesMax = bytesMax
        self.nodesMax = nodesMax
    }
}
