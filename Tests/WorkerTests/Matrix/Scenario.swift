// SPDX-License-Identifier: Apache-2.0
import Support
import Testing

/// One kind of conversation, as a question and its answer.
struct Scenario: CustomTestStringConvertible {
    /// Also the heading of its column.
    let name: String
    var asked: Asked
    var told: Told
    /// Whether an OpenAI client asks for the usage of a stream.
    var wantsUsage = true
    /// How vendors write text on the wire.
    var style = Wire.Style.plain

    var testDescription: String { name }

    static let all: [Scenario] = [
        text, image, toolCall, toolResult, parallelTools, thinking, longUnicode, stop, maxTokens,
        refusal,
    ]

    private static let usage = Told.Usage(input: 25, cached: 5, output: 9)
    static let clock = Asked.Tool(
        name: "get_time",
        description: "Tells the time \"there\".",
        schema: .object([
            "type": .string("object"),
            "properties": .object([
                "tz": .object(["type": .string("string"), "description": .string("IANA name")]),
                "digits": .object(["type": .string("integer")]),
            ]),
            "required": .array([.string("tz")]),
        ])
    )
    private static let mail = Asked.Tool(
        name: "send-mail_2",
        description: "Sends a mail.",
        schema: .object([
            "type": .string("object"),
            "properties": .object(["to": .object(["type": .string("string")])]),
        ])
    )

    private static func user(_ text: String) -> Asked.Turn {
        Asked.Turn(isUser: true, parts: [.text(text)])
    }

    private static func arguments(_ zone: String) -> JSONValue {
        .object(["tz": .string(zone), "digits": .number(2)])
    }

    static let text = Scenario(
        name: "text",
        asked: Asked(
            system: "Be brief.",
            turns: [
                user("Hello \"you\"\\\n\tthere"),
                Asked.Turn(isUser: false, parts: [.text("Hi!")]),
                user("How are you?"),
            ],
            temperature: 0.5
        ),
        told: Told(text: "I am fine,\n\"thanks\" \\o/.", usage: usage)
    )

    /// A PNG of one pixel.
    private static let pixel =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
        + "rkJggg=="

    static let image = Scenario(
        name: "image",
        asked: Asked(turns: [
            Asked.Turn(
                isUser: true,
                parts: [
                    .text("What is this?"), .image(type: "image/png", base64: pixel),
                    .text("Be quick."),
                ]
            )
        ]),
        told: Told(text: "A red dot.", usage: usage)
    )

    static let toolCall = Scenario(
        name: "tool call",
        asked: Asked(turns: [user("Time in CET?")], tools: [clock, mail]),
        told: Told(
            text: "Checking.",
            calls: [Call(id: "call_up_1", name: "get_time", arguments: arguments("CET"))],
            finish: .calls,
            usage: usage
        )
    )

    static let toolResult = Scenario(
        name: "tool result",
        asked: Asked(
            turns: [
                user("Time in CET?"),
                Asked.Turn(
                    isUser: false,
                    parts: [
                        .text("Checking."),
                        .call(Call(id: "call_c1", name: "get_time", arguments: arguments("CET"))),
                    ]
                ),
                Asked.Turn(isUser: true, parts: [.result(id: "call_c1", text: "12:00 \"noon\"")]),
            ],
            tools: [clock]
        ),
        told: Told(text: "It is noon.", usage: usage)
    )

    static let parallelTools = Scenario(
        name: "parallel tools",
        asked: Asked(
            turns: [
                user("Time in CET and JST?"),
                Asked.Turn(
                    isUser: false,
                    parts: [
                        .call(Call(id: "call_c1", name: "get_time", arguments: arguments("CET"))),
                        .call(Call(id: "call_c2", name: "get_time", arguments: arguments("JST"))),
                        .call(Call(id: "call_c3", name: "send-mail_2", arguments: .object([:]))),
                    ]
                ),
                Asked.Turn(
                    isUser: true,
                    parts: [
                        .result(id: "call_c1", text: "12:00"),
                        .result(id: "call_c2", text: "20:00"),
                        .result(id: "call_c3", text: "sent"), .text("And now?"),
                    ]
                ),
            ],
            tools: [clock, mail]
        ),
        told: Told(
            calls: [
                Call(id: "call_up_1", name: "get_time", arguments: arguments("CET")),
                Call(id: "call_up_2", name: "get_time", arguments: arguments("Asia/Tōkyō")),
                Call(id: "call_up_3", name: "send-mail_2", arguments: .object([:])),
            ],
            finish: .calls,
            usage: usage
        )
    )

    static let thinking = Scenario(
        name: "thinking",
        asked: Asked(
            turns: [
                user("2 + 2?"),
                Asked.Turn(
                    isUser: false,
                    parts: [
                        .thought("That is easy.", signature: "RXJsZWRpZ3Q+/w=="), .text("4"),
                    ]
                ),
                user("23 * 17?"),
            ],
            thinks: true
        ),
        told: Told(
            thoughts: "20 times 17 is 340, 3 times 17 is 51.",
            text: "391",
            usage: Told.Usage(input: 25, cached: 5, output: 40, thoughts: 30)
        )
    )

    /// All planes, both directions, joined signs, what JSON and JavaScript escape.
    private static let alphabet =
        "Grüße, 世界 🦅 👩🏽‍🚀 עברית العربية नमस्ते \u{2028}\u{2029}\u{FEFF}\u{FFFD} é e\u{301} </script>"
        + " \\u0041 \\\\ \"' \u{7F}\u{1}\u{1F} 𝄞 ﷽ \u{10FFFF} "

    static let longUnicode = Scenario(
        name: "long unicode",
        asked: Asked(
            system: "Sprich Deutsch – „bitte“.",
            turns: [user(String(repeating: alphabet, count: 200) + "?")]
        ),
        told: Told(text: String(repeating: alphabet, count: 100) + "!", usage: usage),
        style: .ascii
    )

    static let stop = Scenario(
        name: "stop",
        asked: Asked(turns: [user("Count.")], stops: ["END", "\nHuman: "]),
        told: Told(text: "one two ", finish: .stopText("END"), usage: usage),
        wantsUsage: false
    )

    static let maxTokens = Scenario(
        name: "max tokens",
        asked: Asked(turns: [user("Count to 1000.")], maxTokens: 64),
        told: Told(text: "1, 2, 3", finish: .length, usage: usage),
        wantsUsage: false
    )

    static let refusal = Scenario(
        name: "refusal",
        asked: Asked(turns: [user("Something bad.")]),
        told: Told(text: "I cannot help with that.", finish: .refusal, usage: usage)
    )
}
