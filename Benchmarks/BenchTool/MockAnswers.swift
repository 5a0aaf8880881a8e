// SPDX-License-Identifier: Apache-2.0
import Bytes

/// What the mock says: OpenAI bodies of an exact size, framed once at start-up.
///
/// Pure.
enum MockAnswers {
    /// Stands near the end of every body; the generator looks for it.
    static let marker = "\"system_fingerprint\":\"fp_bench\""

    /// A whole answer with a chat completion of exactly `bodyBytes` bytes, or the smallest that
    /// is one.
    static func completion(bodyBytes: Int) -> [UInt8] {
        let start =
            #"{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"#
            + #""model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":""#
        let end =
            #"","refusal":null},"logprobs":null,"finish_reason":"stop"}],"#
            + #""usage":{"prompt_tokens":400,"completion_tokens":200,"total_tokens":600},"#
            + marker + "}"
        let body = start + filler(bodyBytes - start.utf8.count - end.utf8.count) + end
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n"
        return Array((head + body).utf8)
    }

    /// Head of a streamed answer.
    static let streamHead = Array(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            .utf8
    )

    /// The events of one stream, each one HTTP chunk of `chunkBytes` bytes of event, then the
    /// last: finish reason, usage, `[DONE]` and the end of the body.
    static func events(count: Int, chunkBytes: Int) -> (each: [UInt8], last: [UInt8]) {
        let start =
            #"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","#
            + #""created":1700000000,"model":"bench",\#(marker),"#
            + #""choices":[{"index":0,"delta":{"#
        let end = #"},"logprobs":null,"finish_reason":null}]}"# + "\n\n"
        let content = #""content":""#
        let room = chunkBytes - start.utf8.count - end.utf8.count - content.utf8.count - 1
        let each = start + content + filler(room) + "\"" + end
        let finish = start + #"},"logprobs":null,"finish_reason":"stop"}]}"# + "\n\n"
        let usage =
            #"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","#
            + #""created":1700000000,"model":"bench","choices":[],"usage":{"prompt_tokens":400,"#
            + #""completion_tokens":\#(count),"total_tokens":\#(400 + count)}}"# + "\n\n"
        let last = framed(finish) + framed(usage) + framed("data: [DONE]\n\n") + "0\r\n\r\n"
        return (Array(framed(each).utf8), Array(last.utf8))
    }

    // MARK: Claude behind SAP AI Core

    /// A whole answer of Anthropic Messages of exactly `bodyBytes` bytes, or the smallest that is
    /// one.
    static func message(bodyBytes: Int) -> [UInt8] {
        let start =
            #"{"id":"msg_bench","type":"message","role":"assistant","model":"claude-bench","#
            + #""content":[{"type":"text","text":""#
        let end =
            #""}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":400,"#
            + #""cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":200}}"#
        let body = start + filler(bodyBytes - start.utf8.count - end.utf8.count) + end
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n"
        return Array((head + body).utf8)
    }

    /// What comes before the content of a stream of Messages.
    static let firstMessageEvents: [UInt8] = Array(
        (framed(
            #"data: {"type":"message_start","message":{"id":"msg_bench","type":"message","#
                + #""role":"assistant","content":[],"model":"claude-bench","stop_reason":null,"#
                + #""stop_sequence":null,"usage":{"input_tokens":400,"output_tokens":1}}}"#
                + "\n\n"
        )
            + framed(
                #"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","#
                    + #""text":""}}"# + "\n\n"
            )).utf8
    )

    /// The events of a stream of Messages as SAP AI Core sends them, without `event:` lines.
    static func messageEvents(count: Int, chunkBytes: Int) -> (each: [UInt8], last: [UInt8]) {
        let start =
            #"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""#
        let end = "\"}}\n\n"
        let each = start + filler(chunkBytes - start.utf8.count - end.utf8.count) + end
        let stop = #"data: {"type":"content_block_stop","index":0}"# + "\n\n"
        let delta =
            #"data: {"type":"message_delta","delta":{"stop_reason":"end_turn","#
            + #""stop_sequence":null},"usage":{"output_tokens":\#(count)}}"# + "\n\n"
        let last =
            framed(stop) + framed(delta) + framed(#"data: {"type":"message_stop"}"# + "\n\n")
            + "0\r\n\r\n"
        return (Array(framed(each).utf8), Array(last.utf8))
    }

    private static func framed(_ event: String) -> String {
        String(event.utf8.count, radix: 16) + "\r\n" + event + "\r\n"
    }

    private static func filler(_ count: Int) -> String {
        let words = "the quick brown fox jumps over a lazy dog "
        guard count > 0 else { return "" }
        return String(String(repeating: words, count: count / words.count + 1).prefix(count))
    }
}
