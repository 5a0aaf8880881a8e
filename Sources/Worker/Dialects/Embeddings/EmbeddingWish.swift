// SPDX-License-Identifier: Apache-2.0
package import JSON

/// What the answer to a request for embeddings has to be, for when it comes.
package struct EmbeddingWish: Equatable, Sendable {
    package var client: EmbeddingRequest.Client
    /// Whether vectors are to be Base64 of 32-bit numbers.
    package var wantsBase64: Bool
    /// Vectors expected; nil for a request that was passed on as it was.
    package var inputs: Int?
    /// Inputs of each call but the last one.
    package var inputsPerCall: Int
    /// Bytes of the inputs, for upstreams that count no tokens.
    package var inputBytes: Int

    package init(
        client: EmbeddingRequest.Client,
        wantsBase64: Bool,
        inputs: Int?,
        inputsPerCall: Int,
        inputBytes: Int
    ) {
        self.client = client
        self.wantsBase64 = wantsBase64
        self.inputs = inputs
        self.inputsPerCall = inputsPerCall
        self.inputBytes = inputBytes
    }

    /// The wish of an OpenAI client whose request is passed on without being read.
    package init(passedOn tape: JSONTape, _ bytes: Span<UInt8>) {
        var wantsBase64 = false
        var inputBytes = 0
        for member in tape.members(of: tape.root) {
            if tape.equals(member.name, "encoding_format", in: bytes) {
                wantsBase64 = tape.equals(member.value, "base64", in: bytes)
            } else if tape.equals(member.name, "input", in: bytes) {
                inputBytes = tape.valueRange(of: member.value).count
            }
        }
        self.init(
            client: .openAI,
            wantsBase64: wantsBase64,
            inputs: nil,
            inputsPerCall: EmbeddingRequest.inputsMax,
            inputBytes: inputBytes
        )
    }

    /// Upstream calls that make the answer.
    package var calls: Int {
        ((inputs ?? 1) + inputsPerCall - 1) / inputsPerCall
    }

    /// Tokens where the upstream tells none: one for four bytes, at least one.
    package var estimatedTokens: Int { max(1, (inputBytes + 3) / 4) }
}
