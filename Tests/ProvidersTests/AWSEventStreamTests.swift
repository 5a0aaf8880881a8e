// SPDX-License-Identifier: Apache-2.0
import Bytes
import Providers
import Support
import Testing

@Suite("AWS event streams")
struct AWSEventStreamTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let bytes: [UInt8]
        /// One line per message.
        let messages: [String]
        var failure: AWSEventStreamError?
        var testDescription: String { name }
    }

    /// What a decoder says of a stream that arrives in pieces.
    struct Transcript: Equatable {
        var messages: [String] = []
        var failure: AWSEventStreamError?
        var unread = 0
        var examined = 0

        init(_ pieces: [ArraySlice<UInt8>]) {
            let buffer = ByteBuffer()
            var decoder = AWSEventStreamDecoder()
            for piece in pieces {
                buffer.append(Array(piece))
                do {
                    while let length = try buffer.withBytes({
                        bytes throws(AWSEventStreamError) -> Int? in
                        guard let message = try decoder.next(bytes) else { return nil }
                        messages.append(try Self.describe(message, bytes))
                        return message.length
                    }) {
                        buffer.consume(length)
                    }
                } catch {
                    failure = error
                    break
                }
            }
            // Where the error came up, and so what is left, depends on the pieces.
            unread = failure == nil ? buffer.count : 0
            examined = failure == nil ? decoder.bytesExamined : 0
        }

        static func describe(
            _ message: AWSEventStreamMessage,
            _ bytes: Span<UInt8>
        ) throws(AWSEventStreamError) -> String {
            func text(_ range: Range<Int>) -> String { String(copying: bytes.extracting(range)) }
            var line = "\(message.kind) '\(text(message.name))' payload '\(text(message.payload))'"
            if let type = message.contentType { line += " type '\(text(type))'" }
            if let error = message.errorMessage { line += " error '\(text(error))'" }
            for header in try message.headers(of: bytes) {
                let value =
                    switch header.value {
                    case .bool(let value): "\(value)"
                    case .byte(let value): "byte \(value)"
                    case .int16(let value): "int16 \(value)"
                    case .int32(let value): "int32 \(value)"
                    case .int64(let value): "int64 \(value)"
                    case .timestamp(let value): "time \(value)"
                    case .bytes(let range): "bytes \(text(range))"
                    case .string(let range): text(range)
                    case .uuid(let range): "uuid of \(range.count), \(bytes[range.lowerBound])..."
                    }
                line += " [\(text(header.name)): \(value)]"
            }
            return line
        }
    }

    static let chunk = AWSEventStreamWriter.event("chunk", #"{"bytes":"e30="}"#).bytes
    static let chunkLine = """
        event 'chunk' payload '{"bytes":"e30="}' type 'application/json' [:event-type: chunk] \
        [:content-type: application/json] [:message-type: event]
        """

    /// The vectors that Amazon's client libraries share, then messages of the Bedrock runtime,
    /// checked against botocore 1.44.5.
    static let published: [Case] = [
        Case(
            name: "empty message",
            bytes: hexadecimal("00000010 00000000 05c248eb 7d98c8ff"),
            messages: ["event '' payload ''"]
        ),
        Case(
            name: "payload without headers",
            bytes: hexadecimal("0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936"),
            messages: ["event '' payload '{'foo':'bar'}'"]
        ),
        Case(
            name: "header of type int32",
            bytes: hexadecimal(
                """
                0000002d0000001041c424b80a6576656e742d74797065040000a00c7b27666f6f273a27626172277d\
                36f480a0
                """
            ),
            messages: ["event '' payload '{'foo':'bar'}' [event-type: int32 40972]"]
        ),
        Case(
            name: "header of type string",
            bytes: hexadecimal(
                """
                0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a73\
                6f6e7b27666f6f273a27626172277d8d9c08b1
                """
            ),
            messages: ["event '' payload '{'foo':'bar'}' [content-type: application/json]"]
        ),
        Case(
            name: "headers of all types",
            bytes: hexadecimal(
                """
                000000cc000000af0fae64ca0a6576656e742d74797065040000a00c0c636f6e74656e742d7479706507\
                00106170706c69636174696f6e2f6a736f6e0a626f6f6c2066616c73650109626f6f6c20747275650004\
                6279746502cf08627974652062756606001449276d2061206c6974746c6520746561706f74210974696d\
                657374616d70080000000000845fed05696e74313603002a05696e7436340500000000028757b2047575\
                6964090102030405060708090a0b0c0d0e0f107b27666f6f273a27626172277daba5f10c
                """
            ),
            messages: [
                """
                event '' payload '{'foo':'bar'}' [event-type: int32 40972] \
                [content-type: application/json] [bool false: false] [bool true: true] \
                [byte: byte -49] [byte buf: bytes I'm a little teapot!] [timestamp: time 8675309] \
                [int16: int16 42] [int64: int64 42424242] [uuid: uuid of 16, 1...]
                """
            ]
        ),
        Case(
            name: "Bedrock exception",
            bytes: hexadecimal(
                """
                000000b0000000614f5086b30f3a657863657074696f6e2d747970650700137468726f74746c696e6745\
                7863657074696f6e0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d\
                3a6d6573736167652d74797065070009657863657074696f6e7b226d657373616765223a22546f6f206d\
                616e7920746f6b656e732c20706c656173652077616974206265666f726520747279696e672061676169\
                6e2e227df70ae57f
                """
            ),
            messages: [
                """
                exception 'throttlingException' payload '{"message":"Too many tokens, please wait \
                before trying again."}' type 'application/json' \
                [:exception-type: throttlingException] [:content-type: application/json] \
                [:message-type: exception]
                """
            ]
        ),
        Case(
            name: "error",
            bytes: hexadecimal(
                """
                0000007600000066b7610e6b0d3a6d6573736167652d747970650700056572726f720b3a6572726f722d\
                636f646507000d496e7465726e616c4572726f720e3a6572726f722d6d657373616765070022416e2069\
                6e7465726e616c20736572766572206572726f72206f636375727265642e8ba171ef
                """
            ),
            messages: [
                """
                error 'InternalError' payload '' error 'An internal server error occurred.' \
                [:message-type: error] [:error-code: InternalError] \
                [:error-message: An internal server error occurred.]
                """
            ]
        ),
        Case(name: "two messages", bytes: chunk + chunk, messages: [chunkLine, chunkLine]),
        Case(name: "nothing", bytes: [], messages: []),
    ]

    @Test("are read at every split", arguments: published)
    func read(_ row: Case) {
        let whole = Transcript([row.bytes[...]])
        #expect(whole.messages == row.messages)
        #expect(whole.failure == nil)
        #expect(whole.unread == 0)
        #expect(agreesAtEverySplit(row.bytes) { Transcript($0) })
        // Summed up once, however it arrives.
        #expect(whole.examined == row.bytes.count - 4 * row.messages.count)
    }

    @Test("that are cut leave the rest unread", arguments: published)
    func cut(_ row: Case) {
        for count in 0..<row.bytes.count {
            let transcript = Transcript([row.bytes[..<count]])
            #expect(transcript.failure == nil)
            #expect(transcript.messages.count < row.messages.count)
        }
    }

    static func headers(_ raw: [UInt8]) -> [UInt8] {
        AWSEventStreamWriter(rawHeaders: raw).bytes
    }

    static let refused: [Case] = [
        Case(
            name: "damaged prelude",
            bytes: hexadecimal("00000010 00000000 05c248ec 7d98c8ff"),
            messages: [],
            failure: .preludeChecksum
        ),
        Case(
            name: "damaged payload",
            bytes: hexadecimal("0000001d00000000fd528c5a8b27666f6f273a27626172277dc3653936"),
            messages: [],
            failure: .messageChecksum
        ),
        Case(
            name: "damaged checksum behind a whole message",
            bytes: chunk + chunk.dropLast() + [chunk[chunk.count - 1] ^ 1],
            messages: [chunkLine],
            failure: .messageChecksum
        ),
        Case(
            name: "length below the least",
            bytes: AWSEventStreamWriter.message(length: 15, headerBytes: 0, body: []),
            messages: [],
            failure: .lengths
        ),
        Case(
            name: "length of nothing",
            bytes: AWSEventStreamWriter.message(length: 0, headerBytes: 0, body: []),
            messages: [],
            failure: .lengths
        ),
        Case(
            name: "headers longer than the message",
            bytes: AWSEventStreamWriter.message(length: 20, headerBytes: 5, body: [0, 0, 0, 0]),
            messages: [],
            failure: .lengths
        ),
        Case(
            name: "length above the limit",
            bytes: AWSEventStreamWriter.message(
                length: AWSEventStreamDecoder.messageBytesMax + 1,
                headerBytes: 0,
                body: []
            ),
            messages: [],
            failure: .messageTooLarge
        ),
        Case(
            name: "headers above the limit",
            bytes: AWSEventStreamWriter.message(
                length: 1 << 20,
                headerBytes: AWSEventStreamDecoder.headerBytesMax + 1,
                body: []
            ),
            messages: [],
            failure: .headersTooLarge
        ),
        Case(
            name: "largest lengths",
            bytes: AWSEventStreamWriter.message(
                length: 0xFFFF_FFFF,
                headerBytes: 0xFFFF_FFFF,
                body: []
            ),
            messages: [],
            failure: .messageTooLarge
        ),
        Case(
            name: "name without bytes",
            bytes: headers([0, 0]),
            messages: [],
            failure: .emptyHeaderName
        ),
        Case(
            name: "type that does not exist",
            bytes: headers([1, 0x61, 10]),
            messages: [],
            failure: .headerType(10)
        ),
        Case(
            name: "name beyond the end",
            bytes: headers([2, 0x61]),
            messages: [],
            failure: .headerBeyondEnd
        ),
        Case(
            name: "no type",
            bytes: headers([1, 0x61]),
            messages: [],
            failure: .headerBeyondEnd
        ),
        Case(
            name: "half a length",
            bytes: headers([1, 0x61, 7, 0]),
            messages: [],
            failure: .headerBeyondEnd
        ),
        Case(
            name: "string beyond the end",
            bytes: headers([1, 0x61, 7, 0, 2, 0x62]),
            messages: [],
            failure: .headerBeyondEnd
        ),
        Case(
            name: "uuid beyond the end",
            bytes: headers([1, 0x61, 9] + Array(repeating: 0, count: 15)),
            messages: [],
            failure: .headerBeyondEnd
        ),
        Case(
            name: "kind of message that does not exist",
            bytes: AWSEventStreamWriter(headers: [(":message-type", "events")]).bytes,
            messages: [],
            failure: .messageType
        ),
    ]

    @Test("that are broken are refused at every split", arguments: refused)
    func refuse(_ row: Case) {
        let whole = Transcript([row.bytes[...]])
        #expect(whole.messages == row.messages)
        #expect(whole.failure == row.failure)
        #expect(agreesAtEverySplit(row.bytes) { Transcript($0) })
    }

    @Test("notice every changed bit")
    func changedBits() {
        for bit in 0..<(Self.chunk.count * 8) {
            var bytes = Self.chunk
            bytes[bit / 8] ^= 1 << (bit % 8)
            let transcript = Transcript([bytes[...]])
            #expect(transcript.messages.isEmpty && transcript.failure != nil, "bit \(bit)")
        }
    }

    @Test("of random messages in random pieces are read", arguments: [1, 2, 3] as [UInt64])
    func randomWalk(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var bytes: [UInt8] = []
        var payloads: [String] = []
        for _ in 0..<200 {
            let payload = String(repeating: "x", count: random.below(400))
            payloads.append("event 'e' payload '\(payload)'")
            bytes += AWSEventStreamWriter.event("e", payload).bytes
        }
        var pieces: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = min(rest.count, 1 + random.below(random.oneIn(3) ? 2000 : 20))
            pieces.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        let transcript = Transcript(pieces)
        #expect(transcript.failure == nil)
        #expect(transcript.messages.count == payloads.count)
        let agree = zip(transcript.messages, payloads).allSatisfy { $0.hasPrefix($1) }
        #expect(agree, "seed \(seed)")
        #expect(transcript.examined == bytes.count - 4 * payloads.count)
    }

    @Test("have the checksum of the standard")
    func checksum() {
        let digits = Array("123456789".utf8)
        #expect(CRC32.checksum(of: digits.span) == 0xCBF4_3926)
        #expect(CRC32.checksum(of: [UInt8]().span) == 0)
        var random = SplitMix(seed: 5)
        for _ in 0..<200 {
            let count = random.below(100)
            let bytes = random.bytes(count)
            #expect(CRC32.checksum(of: bytes.span) == AWSEventStreamWriter.checksum(bytes))
        }
    }
}
