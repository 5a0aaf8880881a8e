// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Support
import Testing

/// Conversions of requests for embeddings, as tests want them.
enum Embedding {
    /// The bodies of all calls, and what was left out.
    static func bodies(
        _ text: String,
        _ client: EmbeddingRequest.Client,
        _ format: EmbeddingFormat,
        _ model: String = "m",
        host: ProviderHost = .compatible,
        refused: [String] = []
    ) throws -> (bodies: [String], dropped: [String], wish: EmbeddingWish) {
        let document = try Converting.Document(text)
        let bytes = document.bytes.span
        let request = try EmbeddingRequest.read(client, document.tape, bytes)
        var plan = RequestPlan(format: .chat, host: host, model: model, isStream: false)
        plan.refused = refused
        var omissions = Omissions()
        let writer = try EmbeddingWriter(request, format, plan, &omissions)
        var bodies: [String] = []
        for call in 0..<writer.calls {
            let out = ByteBuffer()
            writer.write(call: call, from: bytes, to: out)
            bodies.append(out.text)
        }
        return (bodies, omissions.names, writer.wish)
    }

    /// The place and the words of a refusal.
    static func refusal(
        _ text: String,
        _ client: EmbeddingRequest.Client,
        _ format: EmbeddingFormat = .titan
    ) throws -> (kind: ConversionError.Kind, path: String, message: String)? {
        do {
            _ = try bodies(text, client, format)
            return nil
        } catch let error as ConversionError {
            let document = try Converting.Document(text)
            let path = error.path(document.tape, document.bytes.span)
            return (error.kind, path, error.message)
        }
    }
}

@Suite("Requests for embeddings")
struct EmbeddingRequestTests {
    struct Row: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let client: EmbeddingRequest.Client
        let text: String
        let format: EmbeddingFormat
        var model = "m"
        var host = ProviderHost.compatible
        var refused: [String] = []
        let bodies: [String]
        var dropped: [String] = []
    }

    static let openAI =
        #"{"model":"x","input":["a\u00e9","b"],"dimensions":256,"encoding_format":"base64","#
        + #""user":"u","input_type":"query"}"#
    static let gemini =
        #"{"model":"models/x","content":{"parts":[{"text":"a"},{"text":"b"}],"role":"user"},"#
        + #""taskType":"RETRIEVAL_DOCUMENT","title":"t","outputDimensionality":8}"#
    static let batch =
        #"{"requests":[{"model":"models/x","content":{"parts":[{"text":"a"}]},"#
        + #""taskType":"RETRIEVAL_QUERY"},"#
        + #"{"content":{"parts":{"text":"b"}},"task_type":"RETRIEVAL_QUERY"}]}"#

    static let rows: [Row] = [
        Row(
            testDescription: "OpenAI to Gemini",
            client: .openAI,
            text: openAI,
            format: .gemini,
            model: "gemini-embedding-001",
            bodies: [
                #"{"requests":[{"model":"models/gemini-embedding-001","#
                    + #""content":{"parts":[{"text":"a\u00e9"}]},"#
                    + #""taskType":"RETRIEVAL_QUERY","outputDimensionality":256},"#
                    + #"{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"b"}]},"#
                    + #""taskType":"RETRIEVAL_QUERY","outputDimensionality":256}]}"#
            ],
            dropped: ["user"]
        ),
        Row(
            testDescription: "OpenAI to Vertex, one instance for a Gemini model",
            client: .openAI,
            text: openAI,
            format: .vertex,
            model: "gemini-embedding-001",
            bodies: [
                #"{"instances":[{"content":"a\u00e9","task_type":"RETRIEVAL_QUERY"}],"#
                    + #""parameters":{"outputDimensionality":256}}"#,
                #"{"instances":[{"content":"b","task_type":"RETRIEVAL_QUERY"}],"#
                    + #""parameters":{"outputDimensionality":256}}"#,
            ],
            dropped: ["user"]
        ),
        Row(
            testDescription: "OpenAI to Vertex, all instances for an older model",
            client: .openAI,
            text: #"{"input":["a","b"]}"#,
            format: .vertex,
            model: "text-embedding-005",
            bodies: [#"{"instances":[{"content":"a"},{"content":"b"}]}"#]
        ),
        Row(
            testDescription: "OpenAI to Titan: a call for each text",
            client: .openAI,
            text: openAI,
            format: .titan,
            model: "amazon.titan-embed-text-v2:0",
            bodies: [
                #"{"inputText":"a\u00e9","dimensions":256,"normalize":true}"#,
                #"{"inputText":"b","dimensions":256,"normalize":true}"#,
            ],
            dropped: ["user", "input_type"]
        ),
        Row(
            testDescription: "Titan's first model takes the text alone",
            client: .openAI,
            text: #"{"input":"a","dimensions":256}"#,
            format: .titan,
            model: "amazon.titan-embed-text-v1",
            bodies: [#"{"inputText":"a"}"#],
            dropped: ["dimensions"]
        ),
        Row(
            testDescription: "Titan's model for images has another member",
            client: .openAI,
            text: #"{"input":"a","dimensions":256}"#,
            format: .titan,
            model: "amazon.titan-embed-image-v1",
            bodies: [#"{"inputText":"a","embeddingConfig":{"outputEmbeddingLength":256}}"#]
        ),
        Row(
            testDescription: "what Titan has refused is left out",
            client: .openAI,
            text: #"{"input":"a","dimensions":256}"#,
            format: .titan,
            model: "amazon--titan-embed-text",
            refused: ["dimensions", "normalize"],
            bodies: [#"{"inputText":"a"}"#],
            dropped: ["dimensions"]
        ),
        Row(
            testDescription: "OpenAI to Cohere",
            client: .openAI,
            text: openAI,
            format: .cohere,
            model: "cohere.embed-multilingual-v3",
            bodies: [#"{"texts":["a\u00e9","b"],"input_type":"search_query"}"#],
            dropped: ["user", "dimensions"]
        ),
        Row(
            testDescription: "Cohere's fourth model has sizes, and documents are the default",
            client: .openAI,
            text: #"{"input":"a","dimensions":256,"input_type":"similarity"}"#,
            format: .cohere,
            model: "cohere.embed-v4:0",
            bodies: [
                #"{"texts":["a"],"input_type":"search_document","output_dimension":256}"#
            ],
            dropped: ["input_type"]
        ),
        Row(
            testDescription: "OpenAI to orchestration",
            client: .openAI,
            text: openAI,
            format: .orchestration,
            model: "text-embedding-3-small",
            host: .sapOrchestration,
            bodies: [
                #"{"config":{"modules":{"embeddings":{"model":{"name":"text-embedding-3-small","#
                    + #""params":{"dimensions":256}}}}},"#
                    + #""input":{"text":["a\u00e9","b"],"type":"query"}}"#
            ],
            dropped: ["user"]
        ),
        Row(
            testDescription: "Ada has one size, and text is no special type",
            client: .openAI,
            text: #"{"input":"a","dimensions":256,"input_type":"text"}"#,
            format: .orchestration,
            model: "text-embedding-ada-002",
            bodies: [
                #"{"config":{"modules":{"embeddings":{"model":"#
                    + #"{"name":"text-embedding-ada-002"}}}},"#
                    + #""input":{"text":["a"]}}"#
            ],
            dropped: ["dimensions"]
        ),
        Row(
            testDescription: "OpenAI to NVIDIA",
            client: .openAI,
            text: openAI,
            format: .nvidia,
            model: "nv-embed",
            bodies: [
                #"{"model":"nv-embed","input":["a\u00e9","b"],"dimensions":256,"#
                    + #""encoding_format":"base64","user":"u","input_type":"query"}"#
            ]
        ),
        Row(
            testDescription: "tokens stay at OpenAI",
            client: .openAI,
            text: #"{"input":[[1, 2],[3]],"seed":0,"truncate":"END","x":null}"#,
            format: .openAI,
            bodies: [#"{"model":"m","input":[[1, 2],[3]]}"#],
            dropped: ["seed", "truncate"]
        ),
        Row(
            testDescription: "one list of tokens is one input",
            client: .openAI,
            text: #"{"input":[1,2,3]}"#,
            format: .openAI,
            bodies: [#"{"model":"m","input":[[1,2,3]]}"#]
        ),
        Row(
            testDescription: "Gemini to OpenAI: parts are lines",
            client: .gemini,
            text: gemini,
            format: .openAI,
            bodies: [#"{"model":"m","input":["a\nb"],"dimensions":8}"#],
            dropped: ["taskType", "title"]
        ),
        Row(
            testDescription: "Gemini to Gemini loses nothing",
            client: .gemini,
            text:
                #"{"model":"models/x","content":{"parts":[{"inlineData":{}}]},"new":[1],"title":null}"#,
            format: .gemini,
            model: "models/y",
            bodies: [
                #"{"requests":[{"model":"models/y","content":{"parts":[{"inlineData":{}}]},"#
                    + #""new":[1]}]}"#
            ]
        ),
        Row(
            testDescription: "a batch of Gemini's to NVIDIA",
            client: .geminiBatch,
            text: batch,
            format: .nvidia,
            bodies: [#"{"model":"m","input":["a","b"],"input_type":"query"}"#]
        ),
        Row(
            testDescription: "a batch of Gemini's to Gemini",
            client: .geminiBatch,
            text: batch,
            format: .gemini,
            bodies: [
                #"{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]},"#
                    + #""taskType":"RETRIEVAL_QUERY"},{"model":"models/m","#
                    + #""content":{"parts":{"text":"b"}},"task_type":"RETRIEVAL_QUERY"}]}"#
            ]
        ),
        Row(
            testDescription: "a batch of Gemini's to Vertex, each with its own purpose",
            client: .geminiBatch,
            text:
                #"{"requests":[{"content":{"parts":[{"text":"a"}]},"taskType":"CLUSTERING"},"#
                + #"{"content":{"parts":[{"text":"b"}]},"taskType":"NEW_ONE","title":"t","z":1}]}"#,
            format: .vertex,
            model: "text-embedding-005",
            bodies: [
                #"{"instances":[{"content":"a","task_type":"CLUSTERING"},"#
                    + #"{"content":"b","title":"t"}]}"#
            ],
            dropped: ["requests[].z", "requests[].taskType"]
        ),
        Row(
            testDescription: "Azure on SAP AI Core has sizes for the third generation only",
            client: .gemini,
            text: gemini,
            format: .openAI,
            model: "text-embedding-ada-002",
            host: .sapAzure,
            bodies: [#"{"model":"text-embedding-ada-002","input":["a\nb"]}"#],
            dropped: ["outputDimensionality", "taskType", "title"]
        ),
    ]

    @Test("are said in every format", arguments: rows)
    func writes(_ row: Row) throws {
        let result = try Embedding.bodies(
            row.text,
            row.client,
            row.format,
            row.model,
            host: row.host,
            refused: row.refused
        )
        #expect(result.bodies == row.bodies)
        #expect(result.dropped == row.dropped)
        #expect(result.wish.calls == row.bodies.count)
        for body in result.bodies { _ = try JSONValue(body) }
    }

    @Test("are split where a model takes less at once")
    func splits() throws {
        func body(_ count: Int) -> String {
            #"{"input":["# + (0..<count).map { "\"t\($0)\"" }.joined(separator: ",") + "]}"
        }
        let rows: [(EmbeddingFormat, String, Int, [Int])] = [
            (.gemini, "m", 250, [100, 100, 50]), (.cohere, "m", 97, [96, 1]),
            (.cohere, "m", 96, [96]), (.vertex, "text-embedding-005", 251, [250, 1]),
            (.openAI, "m", 2048, [2048]), (.titan, "m", 3, [1, 1, 1]),
        ]
        for (format, model, count, expected) in rows {
            let result = try Embedding.bodies(body(count), .openAI, format, model)
            var seen = 0
            for (text, size) in zip(result.bodies, expected) {
                for index in seen..<(seen + size) { #expect(text.contains("\"t\(index)\"")) }
                #expect(!text.contains("\"t\(seen + size)\""))
                seen += size
            }
            #expect(result.bodies.count == expected.count)
            #expect(seen == count)
        }
        let most = try Embedding.refusal(body(2049), .openAI)
        #expect(most?.path == "input")
        #expect(most?.message == "must have at most 2048 items")
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        let client: EmbeddingRequest.Client
        let text: String
        let path: String
        var kind = ConversionError.Kind.invalid
        var format = EmbeddingFormat.titan
        var testDescription: String { "\(client) \(text)" }

        init(
            _ client: EmbeddingRequest.Client,
            _ text: String,
            _ path: String,
            _ kind: ConversionError.Kind = .invalid,
            _ format: EmbeddingFormat = .titan
        ) {
            self.client = client
            self.text = text
            self.path = path
            self.kind = kind
            self.format = format
        }
    }

    static let refusals: [Refusal] = [
        Refusal(.openAI, "[]", ""),
        Refusal(.openAI, "{}", "input"),
        Refusal(.openAI, #"{"input":null}"#, "input"),
        Refusal(.openAI, #"{"input":""}"#, "input"),
        Refusal(.openAI, #"{"input":[]}"#, "input"),
        Refusal(.openAI, #"{"input":{}}"#, "input"),
        Refusal(.openAI, #"{"input":7}"#, "input"),
        Refusal(.openAI, #"{"input":["a",""]}"#, "input[1]"),
        Refusal(.openAI, #"{"input":["a",7]}"#, "input[1]"),
        Refusal(.openAI, #"{"input":["a",[7]]}"#, "input[1]"),
        Refusal(.openAI, #"{"input":[7,"a"]}"#, "input[1]"),
        Refusal(.openAI, #"{"input":[7,-1]}"#, "input[1]"),
        Refusal(.openAI, #"{"input":[1.5]}"#, "input[0]"),
        Refusal(.openAI, #"{"input":[[]]}"#, "input[0]"),
        Refusal(.openAI, #"{"input":[[1],["a"]]}"#, "input[1][0]"),
        Refusal(.openAI, #"{"input":[null]}"#, "input[0]"),
        Refusal(.openAI, #"{"input":"a","dimensions":0}"#, "dimensions"),
        Refusal(.openAI, #"{"input":"a","dimensions":"8"}"#, "dimensions"),
        Refusal(.openAI, #"{"input":"a","encoding_format":"int8"}"#, "encoding_format"),
        Refusal(.openAI, #"{"input":"a","encoding_format":1}"#, "encoding_format"),
        Refusal(.openAI, #"{"input":"a","user":1}"#, "user"),
        Refusal(.openAI, #"{"input":"a","input_type":1}"#, "input_type"),
        Refusal(.openAI, #"{"input":"a","input_type":"image"}"#, "input_type"),
        Refusal(.openAI, #"{"input":[1,2]}"#, "input", .unsupported),
        Refusal(.openAI, #"{"input":[[1],[2]]}"#, "input[0]", .unsupported, .gemini),
        Refusal(.gemini, "{}", "content"),
        Refusal(.gemini, #"{"content":"a"}"#, "content"),
        Refusal(.gemini, #"{"content":{}}"#, "content.parts"),
        Refusal(.gemini, #"{"content":{"parts":[]}}"#, "content.parts"),
        Refusal(.gemini, #"{"content":{"parts":[{"text":""}]}}"#, "content.parts[0].text"),
        Refusal(.gemini, #"{"content":{"parts":[7]}}"#, "content.parts[0]"),
        Refusal(
            .gemini,
            #"{"content":{"parts":[{"text":"a"},{"inlineData":{}}]}}"#,
            "content.parts[1]",
            .unsupported
        ),
        Refusal(.gemini, #"{"content":{"parts":[{"text":"a"}]},"taskType":1}"#, "taskType"),
        Refusal(
            .gemini,
            #"{"content":{"parts":[{"text":"a"}]},"outputDimensionality":0}"#,
            "outputDimensionality"
        ),
        Refusal(.geminiBatch, "{}", "requests"),
        Refusal(.geminiBatch, #"{"requests":[]}"#, "requests"),
        Refusal(.geminiBatch, #"{"requests":7}"#, "requests"),
        Refusal(.geminiBatch, #"{"requests":[7]}"#, "requests[0]"),
        Refusal(.geminiBatch, #"{"requests":[{}]}"#, "requests[0].content"),
        Refusal(
            .geminiBatch,
            #"{"requests":[{"content":{"parts":[{"text":"a"}]},"outputDimensionality":1},"#
                + #"{"content":{"parts":[{"text":"b"}]},"outputDimensionality":2}]}"#,
            "requests[1].outputDimensionality",
            .unsupported
        ),
        Refusal(
            .geminiBatch,
            #"{"requests":[{"content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY"},"#
                + #"{"content":{"parts":[{"text":"b"}]},"taskType":"RETRIEVAL_DOCUMENT"}]}"#,
            "requests[1].taskType",
            .unsupported,
            .cohere
        ),
    ]

    @Test("are refused with the place of what is wrong", arguments: refusals)
    func refuses(_ row: Refusal) throws {
        let refusal = try #require(try Embedding.refusal(row.text, row.client, row.format))
        #expect(refusal.path == row.path)
        #expect(refusal.kind == row.kind)
        #expect(refusal.message.hasPrefix("must ") || refusal.message == "is missing")
    }

    // MARK: The same format

    struct Adapted: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let text: String
        var format = EmbeddingFormat.openAI
        var model = "m"
        var host = ProviderHost.compatible
        var namesModel = true
        var refused: [String] = []
        let body: String
        var dropped: [String] = []
    }

    static let adapted: [Adapted] = [
        Adapted(
            testDescription: "only the model changes",
            text: #"{ "x" : [1], "model":"up/m", "input":"a", "input_type":"query" }"#,
            body: #"{ "x" : [1], "model":"m", "input":"a", "input_type":"query" }"#
        ),
        Adapted(
            testDescription: "nothing changes",
            text: #"{"model":"m","input":[1,2],"encoding_format":"base64"}"#,
            body: #"{"model":"m","input":[1,2],"encoding_format":"base64"}"#
        ),
        Adapted(
            testDescription: "a model is added",
            text: #"{"input":"a"}"#,
            body: #"{"input":"a","model":"m"}"#
        ),
        Adapted(
            testDescription: "a model is taken away",
            text: #"{"input":"a","model":"x"}"#,
            namesModel: false,
            body: #"{"input":"a"}"#
        ),
        Adapted(
            testDescription: "OpenAI itself knows no input type, and Ada no sizes",
            text: #"{"model":"x","input":"a","dimensions":8,"input_type":"query"}"#,
            model: "text-embedding-ada-002",
            host: .openAI,
            body: #"{"model":"text-embedding-ada-002","input":"a"}"#,
            dropped: ["dimensions", "input_type"]
        ),
        Adapted(
            testDescription: "Azure on SAP AI Core refuses what it does not know",
            text: #"{"model":"m","z":1,"input":"a","dimensions":8,"user":"u","stream":false}"#,
            host: .sapAzure,
            body: #"{"model":"m","input":"a","user":"u"}"#,
            dropped: ["z", "dimensions"]
        ),
        Adapted(
            testDescription: "sizes of the third generation there",
            text: #"{"model":"text-embedding-3-small","input":"a","dimensions":8}"#,
            model: "text-embedding-3-small",
            host: .sapAzure,
            body: #"{"model":"text-embedding-3-small","input":"a","dimensions":8}"#
        ),
        Adapted(
            testDescription: "what was refused goes",
            text: #"{"input":"a","user":"u","model":"m","encoding_format":"float"}"#,
            refused: ["user", "encoding_format"],
            body: #"{"input":"a","model":"m"}"#,
            dropped: ["user", "encoding_format"]
        ),
        Adapted(
            testDescription: "NVIDIA is told a type",
            text: #"{"model":"m","input":"a","truncate":"END"}"#,
            format: .nvidia,
            body: #"{"model":"m","input":"a","truncate":"END","input_type":"passage"}"#
        ),
        Adapted(
            testDescription: "NVIDIA is told its own word",
            text: #"{"model":"m","input":"a","input_type":"search_query"}"#,
            format: .nvidia,
            body: #"{"model":"m","input":"a","input_type":"query"}"#
        ),
        Adapted(
            testDescription: "NVIDIA is told what it may know better",
            text: #"{"input_type":"other","model":"m","input":"a"}"#,
            format: .nvidia,
            body: #"{"input_type":"other","model":"m","input":"a"}"#
        ),
    ]

    @Test("change in a few members where the upstream speaks OpenAI", arguments: adapted)
    func adapts(_ row: Adapted) throws {
        let document = try Converting.Document(row.text)
        let bytes = document.bytes.span
        var plan = RequestPlan(format: .chat, host: row.host, model: row.model, isStream: false)
        plan.refused = row.refused
        plan.rules.namesModel = row.namesModel
        var splice = JSONSplice()
        var omissions = Omissions()
        try EmbeddingAdapter.adapt(
            row.format,
            plan,
            document.tape,
            bytes,
            &omissions,
            into: &splice
        )
        let out = ByteBuffer()
        splice.append(original: bytes, to: out)
        #expect(out.text == row.body)
        #expect(omissions.names == row.dropped)
    }

    @Test("of another shape are not changed", arguments: ["[]", "7", #"{"model":"x","z":1}"#])
    func adaptsNothing(_ text: String) throws {
        let document = try Converting.Document(text)
        var plan = RequestPlan(format: .chat, host: .sapAzure, model: "m", isStream: false)
        plan.rules.namesModel = false
        var splice = JSONSplice()
        var omissions = Omissions()
        #expect(throws: ConversionError.self) {
            try EmbeddingAdapter.adapt(
                .nvidia,
                plan,
                document.tape,
                document.bytes.span,
                &omissions,
                into: &splice
            )
        }
        #expect(splice.isEmpty)
    }
}
