// SPDX-License-Identifier: Apache-2.0
import Scoreboard

/// What the supervisor itself says to a client before it closes the connection.
///
/// Pure, and without any byte of the client: only what a worker's page tells.
enum ClosingAnswer {
    /// Why there is no better answer.
    enum Reason: CaseIterable {
        /// No worker took the connection in time.
        case busy
        /// The worker that had the request is gone.
        case workerLost

        var message: String {
            switch self {
            case .busy: "No worker is free. Try again."
            case .workerLost: "The worker that served this request has failed. Try again."
            }
        }

        var code: String {
            switch self {
            case .busy: "service_unavailable"
            case .workerLost: "worker_lost"
            }
        }
    }

    /// Seconds after which a client may try again: a worker is replaced in less.
    private static let retryAfterSeconds = 1

    /// A whole answer with status 503.
    static func unavailable(
        _ reason: Reason,
        _ form: AnswerForm = AnswerForm(),
        requestID: String? = nil
    ) -> [UInt8] {
        let body = error(reason, form.errors)
        var head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
        head += "Content-Length: \(body.utf8.count)\r\nRetry-After: \(retryAfterSeconds)\r\n"
        if let requestID, isFieldValue(requestID) { head += "x-request-id: \(requestID)\r\n" }
        head += "Connection: close\r\n\r\n"
        return Array((form.isHead ? head : head + body).utf8)
    }

    /// The end of a stream that stands between two events.
    static func streamEnd(_ reason: Reason, _ form: AnswerForm) -> [UInt8] {
        let event = event(reason, form)
        guard form.isChunked else { return Array(event.utf8) }
        let chunk = "\(String(event.utf8.count, radix: 16))\r\n\(event)\r\n"
        return Array((chunk + "0\r\n\r\n").utf8)
    }

    private static func event(_ reason: Reason, _ form: AnswerForm) -> String {
        switch form.stream {
        case .chat, .completions:
            return "data: \(error(reason, .openAI))\n\n"
        case .responses:
            let error =
                #"{"type":"error","code":"\#(reason.code)","message":"\#(reason.message)","#
                + #""param":null,"sequence_number":0}"#
            return "event: error\ndata: \(error)\n\n"
        case .messages:
            return "event: error\ndata: \(error(reason, .anthropic))\n\n"
        case .gemini:
            return "data: \(error(reason, .gemini))\n\n"
        case .geminiArray:
            return (form.hasBody ? "," : "[") + error(reason, .gemini) + "]"
        }
    }

    /// The JSON of the error in the client's dialect.
    private static func error(_ reason: Reason, _ dialect: ErrorDialect) -> String {
        switch dialect {
        case .openAI:
            #"{"error":{"message":"\#(reason.message)","type":"server_error","param":null,"#
                + #""code":"\#(reason.code)"}}"#
        case .anthropic:
            #"{"type":"error","error":{"type":"overloaded_error","#
                + #""message":"\#(reason.message)"}}"#
        case .gemini:
            #"{"error":{"code":503,"message":"\#(reason.message)","status":"UNAVAILABLE"}}"#
        }
    }

    private static func isFieldValue(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }
}
