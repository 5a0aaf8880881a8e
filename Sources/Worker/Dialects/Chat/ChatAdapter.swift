// SPDX-License-Identifier: Apache-2.0
import JSON

/// Changes in a request of OpenAI chat completions only what its upstream needs to be different.
enum ChatAdapter {
    static func adapt(
        _ plan: RequestPlan,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ omissions: inout Omissions,
        into splice: inout JSONSplice
    ) throws(ConversionError) {
        throw ConversionError(.unsupported, .whole, "is not available in this version")
    }
}
