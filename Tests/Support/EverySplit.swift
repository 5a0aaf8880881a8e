// SPDX-License-Identifier: Apache-2.0

/// Whether `parse` gives one answer however `input` is cut.
///
/// Tried: whole, byte by byte, every two-way split. A parser that keeps state between reads must
/// not let the place of a cut change what it says.
package func agreesAtEverySplit<Output: Equatable>(
    _ input: [UInt8],
    parse: (_ pieces: [ArraySlice<UInt8>]) throws -> Output
) rethrows -> Bool {
    let whole = try parse([input[...]])
    let bytewise = try parse(input.indices.map { input[$0...$0] })
    let splits = try (0...input.count).map { try parse([input[..<$0], input[$0...]]) }
    return bytewise == whole && splits.allSatisfy { $0 == whole }
}
