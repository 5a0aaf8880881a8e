// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import Dialects
import JSON
import Log
import Loop
import Metrics
import Providers

struct ResponseRelayState {
    mutating func append(_ data: Span<UInt8>, pin: UInt32?, to out: ByteBuffer) {}
    mutating func appendFailure(_ error: APIError, to out: ByteBuffer) {}
}
enum ResponseID {
    static func untag(_ id: String) -> (original: String, pin: UInt32)? { nil }
    static func previousPin(_ tape: JSONTape, _ bytes: Span<UInt8>) -> UInt32? { nil }
    static func untagPrevious(_ tape: JSONTape, _ bytes: Span<UInt8>, into splice: inout JSONSplice) {}
    static func appendTagged(_ tape: JSONTape, _ bytes: Span<UInt8>, pin: UInt32, to out: ByteBuffer) {}
}
enum Orchestration {
    static func result(_ tape: JSONTape, _ bytes: Span<UInt8>) -> JSONNode? { nil }
    static func writeRequest(_ c: Conversation, _ plan: RequestPlan, from bytes: Span<UInt8>, _ scratch: ConversionScratch, _ omissions: inout Omissions, to out: ByteBuffer) throws(ConversionError) {}
}
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
enum PlainChatReader {
    static func read(_ tape: JSONTape, _ bytes: Span<UInt8>) throws(ConversionError) -> Conversation { Conversation(.chat) }
}
enum GeminiCountTokens {
    static func read(_ tape: JSONTape, _ bytes: Span<UInt8>) throws(ConversionError) -> Conversation { Conversation(.chat) }
}
enum TokenEstimate {
    static func tokens(of c: Conversation, in bytes: Span<UInt8>) -> Int { 1 }
}
extension ModelRules { static func isResponsesOnly(_ model: String) -> Bool { false } }
extension StreamWriter { init(_ f: WireFormat, _ i: AnswerIdentity, wantsUsage: Bool, writesArray: Bool) { self.init(f, i, wantsUsage: wantsUsage) } }
