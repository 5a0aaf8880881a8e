// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import Support
import Testing

/// JSON Schemas as Gemini takes them.
struct GeminiSchemaTests {
    private static let plan = RequestPlan(
        format: .gemini,
        host: .sapVertex,
        model: "gemini-2.5-flash",
        isStream: false
    )

    /// What becomes of the schema of a tool's input.
    private static func clean(_ schema: String) throws -> JSONValue? {
        var conversation = Conversation(.chat)
        conversation.messages = [Message(.user, [.text(TextBlock(.text("Hi")))])]
        conversation.tools = [
            Tool(name: .text("f"), description: nil, schema: .json(schema))
        ]
        let out = ByteBuffer()
        var omissions = Omissions()
        try Conversion.writeRequest(
            conversation,
            plan,
            from: Span(),
            ConversionScratch(),
            &omissions,
            to: out
        )
        let body = try JSONValue(out.text)
        return body["tools"]?[0]?["functionDeclarations"]?[0]?["parameters"]
    }

    struct Row: CustomTestStringConvertible {
        let testDescription: String
        let schema: String
        let expected: String

        init(_ name: String, _ schema: String, _ expected: String) {
            testDescription = name
            self.schema = schema
            self.expected = expected
        }
    }

    /// Schemas of one property.
    static let properties = [
        Row(
            "text",
            #"{"type":"string","description":"d"}"#,
            #"{"type":"string","description":"d"}"#
        ),
        Row("capitals", #"{"type":"STRING"}"#, #"{"type":"string"}"#),
        Row(
            "what Gemini does not know",
            #"{"type":"object","$id":"x","$comment":"c","title":"T","properties":{"a":{"type":"boolean","default":true,"examples":[true],"deprecated":true}},"additionalProperties":{"type":"string"},"patternProperties":{},"unevaluatedProperties":false,"not":{},"if":{},"then":{}}"#,
            #"{"type":"object","title":"T","properties":{"a":{"type":"boolean"}}}"#
        ),
        Row("const", #"{"const":"x"}"#, #"{"type":"string","enum":["x"]}"#),
        Row(
            "a number as const",
            #"{"type":"integer","const":3}"#,
            #"{"type":"integer","minimum":3,"maximum":3}"#
        ),
        Row("a bool as const", #"{"const":true}"#, #"{"type":"boolean"}"#),
        Row("enum", #"{"enum":["a","b"]}"#, #"{"type":"string","enum":["a","b"]}"#),
        Row(
            "enum with null and nothing",
            #"{"type":["string","null"],"enum":["a",null,""]}"#,
            #"{"type":"string","enum":["a"],"nullable":true}"#
        ),
        Row("enum of numbers", #"{"type":"integer","enum":[1,2]}"#, #"{"type":"integer"}"#),
        Row(
            "enum of one null",
            #"{"enum":[null,"a"]}"#,
            #"{"type":"string","enum":["a"],"nullable":true}"#
        ),
        Row("null type", #"{"type":["integer","null"]}"#, #"{"type":"integer","nullable":true}"#),
        Row("nothing but null", #"{"type":"null"}"#, #"{"type":"string","nullable":true}"#),
        Row(
            "several types",
            #"{"type":["string","integer","null"],"description":"d","minLength":2}"#,
            #"{"anyOf":[{"type":"string","description":"d","nullable":true,"minLength":2},{"type":"integer","nullable":true}]}"#
        ),
        Row(
            "exclusive limits",
            #"{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":10,"multipleOf":2}"#,
            #"{"type":"number","minimum":0,"maximum":10}"#
        ),
        Row(
            "limits of an old draft",
            #"{"type":"integer","minimum":1,"exclusiveMinimum":true}"#,
            #"{"type":"integer","minimum":1}"#
        ),
        Row(
            "limits of counts",
            #"{"type":"string","minLength":1,"maxLength":9,"pattern":"^a$","minItems":1}"#,
            #"{"type":"string","minLength":1,"maxLength":9,"pattern":"^a$"}"#
        ),
        Row("format", #"{"type":"string","format":"uri"}"#, #"{"type":"string"}"#),
        Row(
            "date-time",
            #"{"type":"string","format":"date-time"}"#,
            #"{"type":"string","format":"date-time"}"#
        ),
        Row(
            "int32",
            #"{"type":"integer","format":"int32"}"#,
            #"{"type":"integer","format":"int32"}"#
        ),
        Row("uint64", #"{"type":"integer","format":"uint64"}"#, #"{"type":"integer"}"#),
        Row(
            "an optional value of pydantic",
            #"{"anyOf":[{"type":"string","maxLength":5},{"type":"null"}],"default":null,"title":"A"}"#,
            #"{"type":"string","title":"A","nullable":true,"maxLength":5}"#
        ),
        Row(
            "alternatives get what stands beside them",
            #"{"description":"d","anyOf":[{"type":"string"},{"type":"integer","description":"i"},{"type":"null"}]}"#,
            #"{"anyOf":[{"type":"string","description":"d","nullable":true},{"type":"integer","description":"i","nullable":true}]}"#
        ),
        Row(
            "oneOf",
            #"{"type":"object","oneOf":[{"properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"b":{"type":"string"}}}]}"#,
            #"{"anyOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"type":"object","properties":{"b":{"type":"string"}}}]}"#
        ),
        Row(
            "alternatives of an object that says what it has",
            #"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"anyOf":[{"required":["a"]},{"required":["b"]}]}"#,
            #"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}}"#
        ),
        Row(
            "allOf adds up",
            #"{"allOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"required":["b"]}]}"#,
            #"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"required":["a","b"]}"#
        ),
        Row(
            "list without items",
            #"{"type":"array"}"#,
            #"{"type":"array","items":{"type":"string"}}"#
        ),
        Row(
            "tuples",
            #"{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"minItems":2}"#,
            #"{"type":"array","items":{"type":"integer"},"minItems":2}"#
        ),
        Row(
            "tuples of an old draft",
            #"{"items":[{"type":"number"}]}"#,
            #"{"type":"array","items":{"type":"number"}}"#
        ),
        Row("anything", "{}", #"{"type":"string"}"#),
        Row("true", "true", #"{"type":"string"}"#),
        Row(
            "an object without members",
            #"{"type":"object","properties":{},"required":[]}"#,
            #"{"type":"object"}"#
        ),
        Row(
            "required names that are not there",
            #"{"type":"object","properties":{"a":{"type":"string"}},"required":["b"],"propertyOrdering":["a","b"]}"#,
            #"{"type":"object","properties":{"a":{"type":"string"}},"propertyOrdering":["a"]}"#
        ),
        Row(
            "properties with names of keywords",
            #"{"type":"object","properties":{"type":{"type":"string"},"$ref":{"type":"string"},"enum":{"type":"integer"}},"required":["type","$ref"]}"#,
            #"{"type":"object","properties":{"type":{"type":"string"},"$ref":{"type":"string"},"enum":{"type":"integer"}},"required":["type","$ref"]}"#
        ),
        Row(
            "a reference that leads nowhere",
            ##"{"$ref":"#/$defs/None","description":"d"}"##,
            #"{"type":"string","description":"d"}"#
        ),
        Row(
            "a reference elsewhere",
            #"{"$ref":"https://example.com/s.json"}"#,
            #"{"type":"string"}"#
        ),
    ]

    @Test(arguments: properties)
    func property(_ row: Row) throws {
        let schema = #"{"type":"object","properties":{"p":\#(row.schema)}}"#
        let cleaned = try Self.clean(schema)
        #expect(cleaned?["type"]?.string == "object")
        #expect(cleaned?["properties"]?["p"] == (try JSONValue(row.expected)))
        // What is clean stays as it is.
        let again = try Self.clean(#"{"type":"object","properties":{"p":\#(row.expected)}}"#)
        #expect(again == cleaned)
    }

    @Test(arguments: [
        Row(
            "definitions",
            ##"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","$defs":{"Point":{"type":"object","properties":{"x":{"type":"number"},"y":{"$ref":"#/$defs/Num"}},"required":["x"]},"Num":{"type":"number"}},"properties":{"a":{"$ref":"#/$defs/Point","description":"from"},"b":{"type":"array","items":{"$ref":"#/$defs/Point"}}},"required":["a"]}"##,
            #"{"type":"object","properties":{"a":{"type":"object","description":"from","properties":{"x":{"type":"number"},"y":{"type":"number"}},"required":["x"]},"b":{"type":"array","items":{"type":"object","properties":{"x":{"type":"number"},"y":{"type":"number"}},"required":["x"]}}},"required":["a"]}"#
        ),
        Row(
            "old definitions, escaped names, and a part of the schema itself",
            ##"{"type":"object","definitions":{"a/b":{"type":"integer"},"c~d":{"type":"boolean"}},"properties":{"x":{"$ref":"#/definitions/a~1b"},"y":{"$ref":"#/definitions/c~0d"},"z":{"$ref":"#/properties/x"}}}"##,
            #"{"type":"object","properties":{"x":{"type":"integer"},"y":{"type":"boolean"},"z":{"type":"integer"}}}"#
        ),
        Row(
            "the whole behind a reference",
            ##"{"$ref":"#/$defs/Args","$defs":{"Args":{"type":"object","properties":{"q":{"type":"string"}}}}}"##,
            #"{"type":"object","properties":{"q":{"type":"string"}}}"#
        ),
        Row(
            "a tree ends where it begins again",
            ##"{"type":"object","properties":{"tree":{"$ref":"#/$defs/Node"}},"$defs":{"Node":{"type":"object","description":"n","properties":{"name":{"type":"string"},"children":{"type":"array","items":{"$ref":"#/$defs/Node"}}}}}}"##,
            #"{"type":"object","properties":{"tree":{"type":"object","description":"n","properties":{"name":{"type":"string"},"children":{"type":"array","items":{"type":"object","description":"n"}}}}}}"#
        ),
        Row(
            "a list of itself",
            ##"{"type":"object","properties":{"l":{"$ref":"#/$defs/L"}},"$defs":{"L":{"type":"array","items":{"$ref":"#/$defs/L"}}}}"##,
            #"{"type":"object","properties":{"l":{"type":"array","items":{"type":"array","items":{"type":"string"}}}}}"#
        ),
        Row(
            "itself as a member",
            ##"{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]},"v":{"type":"integer"}}}"##,
            #"{"type":"object","properties":{"next":{"type":"object","nullable":true},"v":{"type":"integer"}}}"#
        ),
        Row(
            "references in a circle",
            ##"{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"$ref":"#/$defs/B"},"B":{"$ref":"#/$defs/A"}}}"##,
            #"{"type":"object","properties":{"a":{"type":"string"}}}"#
        ),
    ])
    func references(_ row: Row) throws {
        #expect(try Self.clean(row.schema) == JSONValue(row.expected))
    }

    @Test(arguments: [
        #"{"type":"object"}"#, #"{"type":"object","properties":{}}"#, "{}",
        #"{"type":"object","properties":{},"additionalProperties":false,"$schema":"x"}"#,
        ##"{"$ref":"#/$defs/E","$defs":{"E":{"type":"object"}}}"##,
    ])
    func emptyInputsAreLeftOut(_ schema: String) throws {
        #expect(try Self.clean(schema) == nil)
    }

    /// 2 to the 20 copies of one schema.
    @Test func exponentialReferencesAreRefused() throws {
        var definitions = (0..<20).map {
            ##""d\##($0)":{"type":"object","properties":{"a":{"$ref":"#/$defs/d\##($0 + 1)"},"b":{"$ref":"#/$defs/d\##($0 + 1)"}}}"##
        }
        definitions.append(#""d20":{"type":"string"}"#)
        let schema =
            ##"{"type":"object","properties":{"x":{"$ref":"#/$defs/d0"}},"$defs":{"##
            + definitions.joined(separator: ",") + "}}"
        var message = ""
        do {
            _ = try Self.clean(schema)
        } catch let error as ConversionError {
            message = error.message
            #expect(error.kind == .unsupported)
        }
        #expect(message.contains("KiB when its references are written out"))
    }

    @Test func deepSchemasAreRefused() throws {
        let depth = 100
        let schema =
            String(repeating: #"{"type":"array","items":"#, count: depth) + #"{"type":"string"}"#
            + String(repeating: "}", count: depth)
        #expect(throws: ConversionError.self) { _ = try Self.clean(schema) }
    }

    @Test func wideSchemasTakeLinearTime() throws {
        let count = 20_000
        let properties = (0..<count).map { #""p\#($0)":{"type":"string"}"# }
        let required = (0..<count).map { #""p\#(count - 1 - $0)""# }
        let schema =
            #"{"type":"object","properties":{\#(properties.joined(separator: ","))},"#
            + #""required":[\#(required.joined(separator: ","))]}"#
        let clock = ContinuousClock()
        var names = 0
        let elapsed = try clock.measure {
            names = try Self.clean(schema)?["required"]?.array?.count ?? 0
        }
        #expect(names == count)
        #expect(elapsed < .seconds(30))
    }

    // MARK: The other way

    @Test(arguments: [
        Row(
            "capitals, null, counts as text",
            #"{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true,"format":"enum","enum":["x"]},"b":{"type":"ARRAY","items":{"type":"NUMBER"},"min_items":"1","maxItems":3}},"required":["a"],"propertyOrdering":["a","b"]}"#,
            #"{"type":"object","properties":{"a":{"type":["string","null"],"enum":["x",null]},"b":{"type":"array","items":{"type":"number"},"minItems":1,"maxItems":3}},"required":["a"]}"#
        ),
        Row(
            "alternatives",
            #"{"any_of":[{"type":"INTEGER"},{"type":"BOOLEAN"}],"nullable":true,"example":1}"#,
            #"{"anyOf":[{"type":"integer"},{"type":"boolean"},{"type":"null"}]}"#
        ),
        Row(
            "JSON Schema stays",
            #"{"type":"object","properties":{"type":{"type":"string","format":"uri"}},"additionalProperties":false}"#,
            #"{"type":"object","properties":{"type":{"type":"string","format":"uri"}},"additionalProperties":false}"#
        ),
    ])
    func toJSONSchema(_ row: Row) throws {
        let body =
            #"{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"f","parameters":\#(row.schema)}]}]}"#
        let conversation = try Converting.conversation(.gemini, body)
        let schema = try #require(conversation.tools.first?.schema)
        let out = ByteBuffer()
        schema.append(from: Array(body.utf8).span, to: out)
        #expect(try JSONValue(out.text) == JSONValue(row.expected))
    }
}
