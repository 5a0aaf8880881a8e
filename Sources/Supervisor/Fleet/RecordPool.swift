// SPDX-License-Identifier: Apache-2.0
import Bytes
import Scoreboard

/// The records of one worker's scoreboard that no connection has.
///
/// Given back ones first: the pages of records that were never used take no memory.
struct RecordPool: Equatable {
    private var free: [UInt16] = []
    private var unused: UInt16 = 0

    /// The record of a probe, which no client's connection gets.
    static let probe = UInt16(Scoreboard.recordsMax - 1)
    private static let end = probe

    /// Records that can be taken.
    var room: Int { free.count + Int(Self.end - unused) }

    mutating func take() -> UInt16? {
        if let reused = free.popLast() { return reused }
        guard unused < Self.end else { return nil }
        unused += 1
        return unused - 1
    }

    mutating func code(_ coder: inout StateCoder) {
        coder.code(list: &free)
        coder.code(&unused)
    }

    mutating func give(_ record: UInt16) {
        free.append(record)
    }
}
