// SPDX-License-Identifier: Apache-2.0

/// What a scripted upstream does next on a connection.
package enum UpstreamStep: Sendable {
    /// Writes bytes as they are.
    case send([UInt8])
    /// Lets time pass; ends early when the peer leaves.
    case pause(Duration)
    /// Waits until the test opens the gate.
    case wait(Gate)
    /// Does nothing more until the peer leaves or the test ends.
    case hold
    /// Writes `piece` over and over, `total` bytes in all, as fast as the peer takes them.
    case flood(piece: [UInt8], total: Int)
    /// Closes in the orderly way.
    case end
    /// Closes with a reset.
    case reset

    package static func text(_ text: String) -> UpstreamStep { .send(Array(text.utf8)) }
}

/// Answers from which scripts are put together.
package enum UpstreamAnswer {
    /// A whole answer with `content-length`, after which the connection stays usable.
    package static func json(
        _ body: String,
        status: Int = 200,
        fields: [WireField] = []
    ) -> [UpstreamStep] {
        [.send(whole(Array(body.utf8), status: status, type: "application/json", fields: fields))]
    }

    /// The bytes of a whole answer.
    package static func whole(
        _ body: [UInt8],
        status: Int = 200,
        type: String,
        fields: [WireField] = []
    ) -> [UInt8] {
        var head = "HTTP/1.1 \(status) \(status < 400 ? "OK" : "Not so")\r\n"
        head += "content-type: \(type)\r\n"
        for field in fields { head += "\(field)\r\n" }
        head += "content-length: \(body.count)\r\n\r\n"
        return Array(head.utf8) + body
    }

    /// The head of a chunked event stream.
    package static func streamHead(_ fields: [WireField] = []) -> UpstreamStep {
        var head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
        for field in fields { head += "\(field)\r\n" }
        return .text(head + "transfer-encoding: chunked\r\n\r\n")
    }

    /// Bytes as one chunk.
    package static func chunk(_ text: String) -> UpstreamStep { chunk(Array(text.utf8)) }

    package static func chunk(_ bytes: [UInt8]) -> UpstreamStep { .send(framed(bytes)) }

    private static func framed(_ bytes: [UInt8]) -> [UInt8] {
        Array("\(String(bytes.count, radix: 16))\r\n".utf8) + bytes + [0x0D, 0x0A]
    }

    /// The end of a chunked body.
    package static let lastChunk = UpstreamStep.text("0\r\n\r\n")

    /// A chunked stream of `events`, each in a chunk of its own, that ends in an orderly way.
    ///
    /// The end of the body comes in one piece with the last event: whoever has seen that one may
    /// use the connection again.
    package static func stream(
        _ events: [String],
        pause: Duration? = nil,
        fields: [WireField] = []
    ) -> [UpstreamStep] {
        var steps = [streamHead(fields)]
        for (index, event) in events.enumerated() {
            if let pause { steps.append(.pause(pause)) }
            let end = index == events.count - 1 ? Array("0\r\n\r\n".utf8) : []
            steps.append(.send(framed(Array(event.utf8)) + end))
        }
        return events.isEmpty ? steps + [lastChunk] : steps
    }
}

/// The events of OpenAI-shaped streams.
package enum ChatEvents {
    /// One chunk of a chat stream that carries `content`.
    package static func content(_ content: String, id: String = "chatcmpl-1") -> String {
        """
        data: {"id":"\(id)","object":"chat.completion.chunk","created":1700000000,\
        "model":"m","choices":[{"index":0,"delta":{"content":"\(content)"},\
        "finish_reason":null}]}\n\n
        """
    }

    /// The last chunk with a choice.
    package static func finish(id: String = "chatcmpl-1") -> String {
        """
        data: {"id":"\(id)","object":"chat.completion.chunk","created":1700000000,\
        "model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n
        """
    }

    /// The extra chunk that `stream_options.include_usage` brings.
    package static func usage(
        prompt: Int,
        completion: Int,
        id: String = "chatcmpl-1"
    ) -> String {
        """
        data: {"id":"\(id)","object":"chat.completion.chunk","created":1700000000,\
        "model":"m","choices":[],"usage":{"prompt_tokens":\(prompt),\
        "completion_tokens":\(completion),"total_tokens":\(prompt + completion)}}\n\n
        """
    }

    package static let done = "data: [DONE]\n\n"

    /// A whole stream: `count` contents, the finish, `[DONE]`; usage before it when asked.
    package static func whole(
        _ count: Int,
        id: String = "chatcmpl-1",
        usage: Bool = false
    ) -> [String] {
        var events = (0..<count).map { content("token \($0) ", id: id) } + [finish(id: id)]
        if usage { events.append(self.usage(prompt: 5, completion: count, id: id)) }
        return events + [done]
    }

    /// A whole answer that is not streamed.
    package static func completion(
        _ content: String = "hello",
        prompt: Int = 5,
        completion: Int = 7
    ) -> String {
        """
        {"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m",\
        "choices":[{"index":0,"message":{"role":"assistant","content":"\(content)"},\
        "finish_reason":"stop"}],"usage":{"prompt_tokens":\(prompt),\
        "completion_tokens":\(completion),"total_tokens":\(prompt + completion)}}
        """
    }
}
