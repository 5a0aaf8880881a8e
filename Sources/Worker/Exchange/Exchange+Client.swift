// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import HTTP
import JSON
import Policy
import System

/// What the client gets.
extension Exchange {
    /// Answers with a body that is there whole.
    func deliver(_ status: Int, _ body: ByteBuffer, fields: ByteBuffer?) {
        let writer = connection.beginAnswer(status: status)
        writer.field("content-type", "application/json")
        if let fields { connection.append(fields) }
        appendFacts()
        body.withBytes { connection.finishAnswer(writer, body: $0) }
    }

    /// Sends the head of a stream; `fields` are the upstream's, if it has answered.
    func beginStream(_ fields: ByteBuffer?) {
        connection.ledger.isStream = true
        let writer = connection.beginAnswer(status: 200)
        if request.writesArray {
            writer.field("content-type", "application/json; charset=utf-8")
        } else {
            writer.field("content-type", "text/event-stream; charset=utf-8")
        }
        writer.field("cache-control", "no-cache")
        writer.field("x-accel-buffering", "no")
        if let fields { connection.append(fields) }
        appendFacts()
        connection.beginStream(writer, isArray: request.writesArray)
    }

    /// Appends the fields that tell what happened.
    func appendFacts() {
        ExchangeFacts.append(
            attempts,
            names: { worker.upstreams[request.choices[Int($0.index)].upstream].name },
            answeredBy: upstream.name,
            omissions: connection.ledger.omissions,
            now: Syscalls.monotonicNanoseconds(),
            to: connection.headBuffer
        )
    }
}
