// SPDX-License-Identifier: Apache-2.0

/// The JSON of one vendor's interface: what a client speaks, or an upstream.
package enum WireFormat: UInt8, CaseIterable, Sendable {
    /// OpenAI chat completions.
    case chat
    /// OpenAI's older text completions; clients only.
    case completions
    /// OpenAI Responses.
    case responses
    /// Anthropic Messages, on Bedrock too.
    case messages
    /// Gemini's generateContent, on Vertex too.
    case gemini
    /// Bedrock Converse; upstreams only.
    case converse
}
