// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import Dialects
import JSON
import Log
import Loop
import Metrics
import Providers

enum EmbeddingFormat { case openAI, gemini, titan, cohere, vertex, nvidia, orchestration
    var takesOne: Bool { self == .titan }
}
enum EmbeddingAdapter {
    static func adapt(_ plan: RequestPlan, _ tape: JSONTape, _ bytes: Span<UInt8>, _ omissions: inout Omissions, into splice: inout JSONSplice) {
        if let model = tape.member("model", of: tape.root, in: bytes) {
            splice.replace(tape.valueRange(of: model), withQuoted: plan.model.utf8.span) }
    }
}
struct EmbeddingRequest {
    static func read(_ format: EmbeddingFormat, _ tape: JSONTape, _ bytes: Span<UInt8>) throws(ConversionError) -> EmbeddingRequest { EmbeddingRequest() }
    func write(_ format: EmbeddingFormat, model: String, from bytes: Span<UInt8>, _ omissions: inout Omissions, to out: ByteBuffer) throws(ConversionError) {}
}
