// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Support
import Testing

/// Documents with values exchanged at random: each is refused or means something, nothing traps.
struct GeminiDamageTests {
    private static let request =
        ##"{"contents":[{"role":"user","parts":[{"text":"Hi"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}},{"fileData":{"mimeType":"image/png","fileUri":"gs://b/o"}}]},{"role":"model","parts":[{"text":"Hm","thought":true,"thoughtSignature":"QUJD"},{"functionCall":{"id":"1","name":"f","args":{"a":[1,null]}}},{"executableCode":{"language":"PYTHON","code":"1"}}]},{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"result":"x"},"parts":[{"text":"y"}]}}]}],"systemInstruction":{"parts":[{"text":"S"}]},"tools":[{"functionDeclarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT","properties":{"a":{"type":["STRING","NULL"],"enum":["x",null],"nullable":true},"b":{"anyOf":[{"type":"ARRAY","items":{"$ref":"#/properties/a"},"minItems":"1"},{"type":"null"}]}},"required":["a"],"propertyOrdering":["a"]}}]},{"googleSearch":{}}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},"generationConfig":{"temperature":1,"topK":2,"stopSequences":["a"],"candidateCount":1,"responseMimeType":"application/json","responseSchema":{"allOf":[{"type":"string","format":"date-time"}]},"thinkingConfig":{"thinkingBudget":5,"includeThoughts":true}}}"##
    private static let answer =
        #"{"candidates":[{"index":0,"finishReason":"STOP","content":{"role":"model","parts":[{"text":"Hm","thought":true},{"text":"A","thoughtSignature":"QUJD"},{"functionCall":{"id":"1","name":"f","args":{"a":1}}},{"inlineData":{"mimeType":"image/png","data":"AAAA"}},{"codeExecutionResult":{"output":"1"}}]}}],"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":"2","thoughtsTokenCount":3},"responseId":"r"}"#
    private static let error =
        #"[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","type":"t","param":"p","innererror":{"code":"ResponsibleAIPolicyViolation"},"details":[{"retryDelay":"1s"}]}}]"#

    private static let values = [
        "null", "true", "0", "-1", "1e400", "12345678901234567890", #""""#, #""x""#, #""\ud800""#,
        "[]", "{}", "[[]]", #"{"a":{}}"#, #"["x",1]"#, #"{"text":"t"}"#, ##"{"$ref":"#"}"##,
    ]

    /// `text` with up to three of its values exchanged.
    private static func damaged(_ text: String, _ random: inout SplitMix) throws -> String {
        var text = text
        for _ in 0...random.below(3) {
            let document = try Converting.Document(text)
            var ranges: [Range<Int>] = []
            collect(document.tape.root, document.tape, into: &ranges)
            let range = ranges[random.below(ranges.count)]
            let value = Array(values[random.below(values.count)].utf8)
            var bytes = document.bytes
            bytes.replaceSubrange(range, with: value)
            text = String(decoding: bytes, as: UTF8.self)
        }
        return text
    }

    private static func collect(
        _ node: JSONNode,
        _ tape: JSONTape,
        into ranges: inout [Range<Int>]
    ) {
        ranges.append(tape.valueRange(of: node))
        for member in tape.members(of: node) { collect(member.value, tape, into: &ranges) }
        for element in tape.elements(of: node) { collect(element, tape, into: &ranges) }
    }

    @Test(arguments: 0..<20)
    func requests(_ seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        var written = 0
        for _ in 0..<40 {
            let body = try Self.damaged(Self.request, &random)
            for host in [ProviderHost.gemini, .sapVertex] {
                let plan = RequestPlan(
                    format: .gemini,
                    host: host,
                    model: "gemini-3-pro",
                    isStream: false
                )
                do {
                    let result = try Converting.request(body, from: .gemini, plan)
                    _ = try JSONValue(result.body.replacing("\\ud800", with: "x"))
                    written += 1
                } catch is ConversionError {
                    // Refused.
                }
                do {
                    _ = try Converting.Document(Converting.adapted(body, plan).body)
                } catch is ConversionError {
                    // No object.
                }
            }
        }
        #expect(written > 0, "seed \(seed)")
    }

    @Test(arguments: 0..<20)
    func answers(_ seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        for _ in 0..<40 {
            let body = try Self.damaged(Self.answer, &random)
            do {
                let text = try Converting.answer(body, from: .gemini, to: .gemini)
                _ = try Converting.Document(text)
            } catch is ConversionError {
                // No answer.
            }
            let stream = try Converting.stream([body, body], from: .gemini, to: .gemini)
            for event in stream.text.split(separator: "\n\n") {
                _ = try Converting.Document(String(event.dropFirst(6)))
            }
            let ends = stream.steps.count { step in
                if case .end = step { true } else { false }
            }
            #expect(ends <= 1, "seed \(seed)")
        }
    }

    @Test(arguments: 0..<20)
    func complaints(_ seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        var scanner = JSONScanner()
        for _ in 0..<40 {
            let body = Array(try Self.damaged(Self.error, &random).utf8)
            let complaint = ComplaintReader.read(body: body.span, status: 500, scanner: &scanner)
            let error = ComplaintMapping.error(complaint, upstream: "u")
            #expect((400..<600).contains(error.status), "seed \(seed)")
            #expect(!error.message.isEmpty && error.message.utf8.count < 3_000)
        }
    }
}
