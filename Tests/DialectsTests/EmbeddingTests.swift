// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Support
import Testing

@Suite("Embeddings")
struct EmbeddingTests {
    private static func request(_ text: String) throws -> EmbeddingRequest {
        let document = try Converting.Document(text)
        return try EmbeddingRequest(document.tape, document.bytes.span)
    }

    private static func written(
        _ text: String,
        _ format: EmbeddingFormat,
        model: String = "m",
        items: Range<Int>? = nil
    ) throws -> Converting.Request {
        let document = try Converting.Document(text)
        let bytes = document.bytes.span
        let request = try EmbeddingRequest(document.tape, bytes)
        let out = ByteBuffer()
        var omissions = Omissions()
        try EmbeddingRequestWriter.write(
            request,
            items ?? 0..<request.count,
            format,
            model: model,
            from: bytes,
            &omissions,
            to: out
        )
        return Converting.Request(body: out.text, dropped: omissions.names)
    }

    // MARK: Requests

    @Test func readsTexts() throws {
        let request = try Self.request(
            #"{"model":"m","input":["a","b"],"dimensions":3,"encoding_format":"base64","#
                + #""user":"u","input_type":"query","x":1,"y":null}"#
        )
        #expect(request.count == 2)
        #expect(request.dimensions == 3)
        #expect(request.encoding == .base64)
        #expect(request.purpose == .query)
        #expect(request.user != nil)
        #expect(request.omissions.names == ["x"])
        let plain = try Self.request(#"{"input":"a","encoding_format":null}"#)
        #expect(plain.count == 1 && plain.encoding == nil)
    }

    @Test func readsTokens() throws {
        #expect(try Self.request(#"{"input":[1,2,3]}"#).input == .tokens(count: 1))
        #expect(try Self.request(#"{"input":[[1,2],[3]]}"#).input == .tokens(count: 2))
    }

    struct Bad: CustomTestStringConvertible {
        let input: String
        let path: String

        var testDescription: String { input }
    }

    private static func many(_ item: String) -> String {
        #"{"input":[\#(Array(repeating: item, count: 2_049).joined(separator: ","))]}"#
    }

    @Test(
        "Bad requests name the place",
        arguments: [
            Bad(input: "[]", path: ""),
            Bad(input: #"{"model":"m"}"#, path: "input"),
            Bad(input: #"{"input":null}"#, path: "input"),
            Bad(input: #"{"input":""}"#, path: "input"),
            Bad(input: #"{"input":5}"#, path: "input"),
            Bad(input: #"{"input":[]}"#, path: "input"),
            Bad(input: #"{"input":["a",""]}"#, path: "input[1]"),
            Bad(input: #"{"input":["a",1]}"#, path: "input[1]"),
            Bad(input: #"{"input":[1,"a"]}"#, path: "input[1]"),
            Bad(input: #"{"input":[[1],[]]}"#, path: "input[1]"),
            Bad(input: #"{"input":[[1],2]}"#, path: "input[1]"),
            Bad(input: #"{"input":[null]}"#, path: "input[0]"),
            Bad(input: many(#""a""#), path: "input[2048]"),
            Bad(input: many("[1]"), path: "input[2048]"),
            Bad(input: #"{"input":"a","dimensions":0}"#, path: "dimensions"),
            Bad(input: #"{"input":"a","dimensions":"5"}"#, path: "dimensions"),
            Bad(input: #"{"input":"a","encoding_format":"hex"}"#, path: "encoding_format"),
            Bad(input: #"{"input":"a","input_type":"x"}"#, path: "input_type"),
            Bad(input: #"{"input":"a","user":[]}"#, path: "user"),
        ]
    )
    func refuses(_ row: Bad) throws {
        let document = try Converting.Document(row.input)
        let bytes = document.bytes.span
        do throws(ConversionError) {
            _ = try EmbeddingRequest(document.tape, bytes)
            Issue.record("it was read")
        } catch {
            let path = error.path(document.tape, bytes)
            #expect(path == row.path)
            #expect(error.kind == .invalid)
        }
    }

    struct Written: CustomTestStringConvertible {
        let format: EmbeddingFormat
        var model = "m"
        let input: String
        var items: Range<Int>?
        let output: String
        var dropped: [String] = []

        var testDescription: String { "\(format) \(model) \(input)" }
    }

    private static let two = #"{"input":["caf\u00e9","b"],"dimensions":64}"#

    static let written: [Written] = [
        Written(
            format: .openAI,
            input: #"{"input":"a","dimensions":2,"encoding_format":"base64","user":"u"}"#,
            output: #"{"model":"m","input":["a"],"dimensions":2,"encoding_format":"base64","#
                + #""user":"u"}"#
        ),
        Written(
            format: .gemini,
            input: two,
            output: #"{"requests":[{"model":"models/m","content":{"parts":[{"text":"caf\u00e9"}]},"#
                + #""outputDimensionality":64},{"model":"models/m","content":{"parts":"#
                + #"[{"text":"b"}]},"outputDimensionality":64}]}"#
        ),
        Written(
            format: .gemini,
            input:
                #"{"input":["a","b"],"input_type":"query","user":"u","encoding_format":"float"}"#,
            items: 1..<2,
            output: #"{"requests":[{"model":"models/m","content":{"parts":[{"text":"b"}]},"#
                + #""taskType":"RETRIEVAL_QUERY"}]}"#,
            dropped: ["user"]
        ),
        Written(
            format: .vertex,
            input: two,
            output: #"{"instances":[{"content":"caf\u00e9"},{"content":"b"}],"#
                + #""parameters":{"outputDimensionality":64}}"#
        ),
        Written(
            format: .vertex,
            input: #"{"input":"a"}"#,
            output: #"{"instances":[{"content":"a"}]}"#
        ),
        Written(
            format: .titan,
            model: "amazon.titan-embed-text-v2:0",
            input: two,
            items: 0..<1,
            output: #"{"inputText":"caf\u00e9","dimensions":64,"normalize":true}"#
        ),
        Written(
            format: .titan,
            model: "amazon.titan-embed-text-v1",
            input: #"{"input":"a"}"#,
            output: #"{"inputText":"a"}"#
        ),
        Written(
            format: .cohere,
            input: #"{"input":["a","b"]}"#,
            output: #"{"texts":["a","b"],"input_type":"search_document"}"#
        ),
        Written(
            format: .cohere,
            model: "cohere.embed-v4:0",
            input: #"{"input":["a"],"input_type":"search_query","dimensions":256}"#,
            output: #"{"texts":["a"],"input_type":"search_query","output_dimension":256}"#
        ),
        Written(
            format: .sapOrchestration,
            input: #"{"input":"a","input_type":"passage","dimensions":5,"z":1}"#,
            output: #"{"config":{"modules":{"embeddings":{"model":{"name":"m","#
                + #""params":{"dimensions":5}}}}},"input":{"text":["a"],"type":"document"}}"#,
            dropped: ["z"]
        ),
    ]

    @Test("Requests for every upstream", arguments: written)
    func writes(_ row: Written) throws {
        let result = try Self.written(row.input, row.format, model: row.model, items: row.items)
        #expect(result.body == row.output)
        #expect(result.dropped == row.dropped)
    }

    @Test("Tokens are for OpenAI's models only", arguments: EmbeddingFormat.allCases)
    func tokensAreRefused(_ format: EmbeddingFormat) throws {
        let document = try Converting.Document(#"{"input":[[1,2]]}"#)
        let bytes = document.bytes.span
        let request = try EmbeddingRequest(document.tape, bytes)
        var omissions = Omissions()
        do throws(ConversionError) {
            try EmbeddingRequestWriter.write(
                request,
                0..<1,
                format,
                model: "m",
                from: bytes,
                &omissions,
                to: ByteBuffer()
            )
            Issue.record("it was written")
        } catch {
            let path = error.path(document.tape, bytes)
            #expect(error.kind == .unsupported)
            #expect(path == "input")
        }
    }

    @Test("A size that cannot be chosen refuses the request")
    func fixedSizes() throws {
        let text = #"{"input":"a","dimensions":5}"#
        #expect(throws: ConversionError.self) {
            try Self.written(text, .titan, model: "amazon.titan-embed-text-v1")
        }
        #expect(throws: ConversionError.self) {
            try Self.written(text, .cohere, model: "cohere.embed-english-v3")
        }
    }

    @Test("Lists are cut into calls that the upstream takes")
    func batches() {
        #expect(EmbeddingFormat.openAI.batches(of: 2_048, model: "m") == [0..<2_048])
        #expect(EmbeddingFormat.titan.batches(of: 3, model: "m") == [0..<1, 1..<2, 2..<3])
        #expect(EmbeddingFormat.cohere.batches(of: 97, model: "m") == [0..<96, 96..<97])
        #expect(EmbeddingFormat.gemini.batches(of: 200, model: "m") == [0..<100, 100..<200])
        #expect(
            EmbeddingFormat.vertex.batches(of: 2, model: "gemini-embedding-001") == [0..<1, 1..<2]
        )
        #expect(EmbeddingFormat.vertex.batches(of: 2, model: "text-embedding-005") == [0..<2])
    }

    // MARK: Requests of the same format

    struct Adapted: CustomTestStringConvertible {
        let name: String
        let input: String
        let output: String
        var host = ProviderHost.openAI
        var addsInputType = false
        var namesModel = true
        var refused: [String] = []
        var dropped: [String] = []

        var testDescription: String { name }
    }

    @Test(
        "Edits",
        arguments: [
            Adapted(
                name: "nothing changes where nothing must",
                input: #"{ "input":[1,2], "model":"m", "x":1 }"#,
                output: #"{ "input":[1,2], "model":"m", "x":1 }"#
            ),
            Adapted(
                name: "another model",
                input: #"{"input":"a","model":"alias"}"#,
                output: #"{"input":"a","model":"m"}"#
            ),
            Adapted(
                name: "the path names the model",
                input: #"{"model":"alias","input":"a"}"#,
                output: #"{"input":"a"}"#,
                namesModel: false
            ),
            Adapted(
                name: "NVIDIA wants to know what for",
                input: #"{"input":"a","model":"m"}"#,
                output: #"{"input":"a","model":"m","input_type":"passage"}"#,
                addsInputType: true
            ),
            Adapted(
                name: "and is told by who knows",
                input: #"{"input":"a","input_type":"query"}"#,
                output: #"{"input":"a","input_type":"query","model":"m"}"#,
                addsInputType: true
            ),
            Adapted(
                name: "SAP's Azure takes only what it knows",
                input: #"{"x":1,"input":"a","dimensions":4,"input_type":"query","y":null,"#
                    + #""encoding_format":"base64","model":"m","user":"u"}"#,
                output: #"{"input":"a","dimensions":4,"encoding_format":"base64","model":"m","#
                    + #""user":"u"}"#,
                host: .sapAzure,
                dropped: ["x", "input_type"]
            ),
            Adapted(
                name: "what was refused",
                input: #"{"model":"m","input":"a","user":"u"}"#,
                output: #"{"model":"m","input":"a"}"#,
                refused: ["user"],
                dropped: ["user"]
            ),
        ]
    )
    func adapts(_ row: Adapted) throws {
        let document = try Converting.Document(row.input)
        let bytes = document.bytes.span
        var plan = RequestPlan(format: .chat, host: row.host, model: "m", isStream: false)
        plan.rules.namesModel = row.namesModel
        plan.refused = row.refused
        var splice = JSONSplice()
        var omissions = Omissions()
        try EmbeddingAdapter.adapt(
            plan,
            addsInputType: row.addsInputType,
            document.tape,
            bytes,
            &omissions,
            into: &splice
        )
        let out = ByteBuffer()
        splice.append(original: bytes, to: out)
        #expect(out.text == row.output)
        #expect(omissions.names == row.dropped)
    }

    // MARK: Answers

    private static func list(
        _ bodies: [(text: String, count: Int)],
        _ format: EmbeddingFormat,
        _ encoding: EmbeddingRequest.Encoding? = nil
    ) throws -> String {
        let out = ByteBuffer()
        var writer = EmbeddingListWriter(model: "alias", encoding, to: out)
        for body in bodies {
            let document = try Converting.Document(body.text)
            let bytes = document.bytes.span
            let answer = try EmbeddingAnswer(format, count: body.count, document.tape, bytes)
            try writer.append(answer, document.tape, bytes)
        }
        writer.finish()
        return out.text
    }

    private static func listText(_ vectors: [String], tokens: Int) -> String {
        let items = vectors.enumerated().map {
            #"{"object":"embedding","index":\#($0.offset),"embedding":\#($0.element)}"#
        }
        return #"{"object":"list","data":[\#(items.joined(separator: ","))],"model":"alias","#
            + #""usage":{"prompt_tokens":\#(tokens),"total_tokens":\#(tokens)}}"#
    }

    struct Answer: CustomTestStringConvertible {
        let format: EmbeddingFormat
        let input: String
        var count = 2
        var tokens = 0
        var vectors = ["[0.01,-0.02]", "[1]"]

        var testDescription: String { "\(format) \(input)" }
    }

    static let answers: [Answer] = [
        Answer(
            format: .openAI,
            input: #"{"object":"list","data":[{"index":1,"embedding":[1]},"#
                + #"{"index":0,"embedding":[0.01,-0.02]}],"#
                + #""usage":{"prompt_tokens":4,"total_tokens":4}}"#,
            tokens: 4
        ),
        Answer(
            format: .openAI,
            input: #"{"data":[{"embedding":[0.01,-0.02]},{"embedding":[1]}]}"#
        ),
        Answer(
            format: .gemini,
            input: #"{"embeddings":[{"values":[0.01,-0.02]},{"values":[1]}]}"#
        ),
        Answer(
            format: .gemini,
            input: #"{"embedding":{"values":[5]},"usageMetadata":{"promptTokenCount":3}}"#,
            count: 1,
            tokens: 3,
            vectors: ["[5]"]
        ),
        Answer(
            format: .vertex,
            input: #"{"predictions":[{"embeddings":{"values":[0.01,-0.02],"#
                + #""statistics":{"token_count":2.0,"truncated":false}}},"#
                + #"{"embeddings":{"values":[1],"statistics":{"token_count":3}}}]}"#,
            tokens: 5
        ),
        Answer(
            format: .titan,
            input: #"{"embedding":[0.1,2e-3],"inputTextTokenCount":2}"#,
            count: 1,
            tokens: 2,
            vectors: ["[0.1,2e-3]"]
        ),
        Answer(
            format: .titan,
            input: #"{"embeddingsByType":{"float":[1]}}"#,
            count: 1,
            vectors: ["[1]"]
        ),
        Answer(
            format: .cohere,
            input: #"{"id":"x","embeddings":[[0.01,-0.02],[1]],"texts":["a","b"]}"#
        ),
        Answer(
            format: .cohere,
            input: #"{"embeddings":{"float":[[0.01,-0.02],[1]]},"#
                + #""meta":{"billed_units":{"input_tokens":9}}}"#,
            tokens: 9
        ),
        Answer(
            format: .sapOrchestration,
            input: #"{"request_id":"r","final_result":{"object":"list","data":["#
                + #"{"index":0,"embedding":[0.01,-0.02]},{"index":1,"embedding":[1]}],"#
                + #""usage":{"total_tokens":7}}}"#,
            tokens: 7
        ),
    ]

    @Test("Answers of every upstream as one list", arguments: answers)
    func reads(_ row: Answer) throws {
        #expect(
            try Self.list([(row.input, row.count)], row.format)
                == Self.listText(row.vectors, tokens: row.tokens)
        )
    }

    @Test("Several calls make one list in order")
    func fanOut() throws {
        let bodies = (1...3).map {
            (text: #"{"embedding":[\#($0)],"inputTextTokenCount":\#($0)}"#, count: 1)
        }
        #expect(try Self.list(bodies, .titan) == Self.listText(["[1]", "[2]", "[3]"], tokens: 6))
    }

    @Test("Vectors change their form as the client wants")
    func forms() throws {
        let numbers = #"{"data":[{"embedding":[0.01,-0.02]}]}"#
        let text = #"{"data":[{"embedding":"CtcjPArXo7w="}]}"#
        let escaped = #"{"data":[{"embedding":"CtcjPArXo7w\u003d"}]}"#
        let asText = Self.listText([#""CtcjPArXo7w=""#], tokens: 0)
        let asNumbers = Self.listText(["[0.01,-0.02]"], tokens: 0)
        #expect(try Self.list([(numbers, 1)], .openAI, .base64) == asText)
        #expect(try Self.list([(text, 1)], .openAI, .base64) == asText)
        #expect(try Self.list([(numbers, 1)], .openAI, .float) == asNumbers)
        #expect(try Self.list([(text, 1)], .openAI) == asNumbers)
        #expect(try Self.list([(escaped, 1)], .openAI) == asNumbers)
    }

    struct NoAnswer: CustomTestStringConvertible {
        let format: EmbeddingFormat
        let input: String

        var testDescription: String { "\(format) \(input)" }
    }

    @Test(
        "What is no answer to one text",
        arguments: [
            NoAnswer(format: .openAI, input: "[]"),
            NoAnswer(format: .openAI, input: "{}"),
            NoAnswer(format: .openAI, input: #"{"data":[]}"#),
            NoAnswer(format: .openAI, input: #"{"data":[{}]}"#),
            NoAnswer(format: .openAI, input: #"{"data":[{"embedding":1}]}"#),
            NoAnswer(format: .openAI, input: #"{"data":[{"embedding":["1"]}]}"#),
            NoAnswer(format: .openAI, input: #"{"data":[{"index":1,"embedding":[1]}]}"#),
            NoAnswer(
                format: .openAI,
                input: #"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#
            ),
            NoAnswer(format: .gemini, input: #"{"embeddings":[{"values":[1]},{"values":[2]}]}"#),
            NoAnswer(format: .gemini, input: #"{"embeddings":[{"values":"x"}]}"#),
            NoAnswer(format: .vertex, input: #"{"predictions":[{}]}"#),
            NoAnswer(format: .titan, input: #"{"embedding":null}"#),
            NoAnswer(format: .cohere, input: #"{"embeddings":{"int8":[[1]]}}"#),
            NoAnswer(format: .sapOrchestration, input: #"{"data":[{"embedding":[1]}]}"#),
        ]
    )
    func refusesAnswers(_ row: NoAnswer) throws {
        #expect(throws: ConversionError.self) {
            try Self.list([(row.input, 1)], row.format, .base64)
        }
    }
}
