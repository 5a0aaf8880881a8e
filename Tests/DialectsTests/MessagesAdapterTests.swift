// SPDX-License-Identifier: Apache-2.0
import Dialects
import Support
import Testing

struct MessagesAdapterTests {
    /// A request to Claude on Bedrock, and what becomes of it.
    ///
    /// Both without what every request has: `anthropic_version`, and unless they matter the limit
    /// and the messages.
    struct Row: CustomTestStringConvertible {
        let name: String
        var model = "claude-sonnet-4-5"
        var host = ProviderHost.sapBedrock
        let members: String
        let adapted: String
        var dropped: [String] = []
        var plan: @Sendable (inout RequestPlan) -> Void = { _ in }
        var testDescription: String { name }
    }

    private static let turn = #""messages":[{"role":"user","content":"x"}]"#

    private static func body(_ members: String) -> String {
        var members = members
        if !members.contains(#""messages""#) { members = [turn, members].joined(separator: ",") }
        if !members.contains(#""max_tokens""#) { members = #""max_tokens":4000,"# + members }
        return "{\(members.hasSuffix(",") ? String(members.dropLast()) : members)}"
    }

    private static func check(_ row: Row) throws {
        var plan = RequestPlan(format: .messages, host: row.host, model: row.model, isStream: false)
        row.plan(&plan)
        let request = try Converting.adapted(body(row.members), plan)
        var wanted = body(row.adapted)
        if row.host != .anthropic, !wanted.contains("anthropic_version") {
            wanted = #"{"anthropic_version":"bedrock-2023-05-31","# + wanted.dropFirst()
        }
        #expect(try JSONValue(request.body) == JSONValue(wanted), "\(request.body)")
        #expect(request.dropped == row.dropped)
    }

    // MARK: Members at the top

    static let members = [
        Row(
            name: "neither model nor stream",
            members: #""model":"claude","stream":true"#,
            adapted: ""
        ),
        Row(
            name: "the version is Bedrock's",
            members: #""anthropic_version":"2023-06-01""#,
            adapted: #""anthropic_version":"bedrock-2023-05-31""#
        ),
        Row(
            name: "betas go into the body, renamed, without those refused, once",
            members: #""anthropic_beta":["own","files-api-2025-04-14"]"#,
            adapted: #""anthropic_beta":["own","a","tool-search-tool-2025-10-19"]"#,
            dropped: [
                "anthropic-beta.files-api-2025-04-14", "anthropic-beta.fast-mode-2026-02-01",
            ],
            plan: {
                $0.betas = [
                    "a", "advanced-tool-use-2025-11-20", "a", "own", "fast-mode-2026-02-01",
                ]
            }
        ),
        Row(
            name: "no betas are left",
            members: #""anthropic_beta":["files-api-2025-04-14"]"#,
            adapted: "",
            dropped: ["anthropic-beta.files-api-2025-04-14"]
        ),
        Row(
            name: "a long context for Sonnet 4.5",
            members: #""model":"claude-sonnet-4-5[1m]""#,
            adapted: #""anthropic_beta":["context-1m-2025-08-07"]"#
        ),
        Row(
            name: "a long context that the client asked for in both ways",
            members: #""model":"claude-sonnet-4-5[1m]""#,
            adapted: #""anthropic_beta":["context-1m-2025-08-07"]"#,
            plan: { $0.betas = ["context-1m-2025-08-07"] }
        ),
        Row(
            name: "a long context without a beta",
            model: "anthropic--claude-4.6-sonnet",
            members: #""model":"claude-sonnet-4-6[1m]""#,
            adapted: ""
        ),
        Row(
            name: "unknown members go",
            members:
                #""service_tier":"auto","container":null,"mcp_servers":[],"metadata":{"user_id":"u"},"stop_sequences":["a"]"#,
            adapted: #""metadata":{"user_id":"u"},"stop_sequences":["a"]"#,
            dropped: ["service_tier", "mcp_servers"]
        ),
        Row(
            name: "a member twice",
            members: #""temperature":0.1,"temperature":0.2"#,
            adapted: #""temperature":0.2"#
        ),
        Row(
            name: "what the upstream refused goes",
            members: #""metadata":{"user_id":"u"},"system":"s","output_config":{"effort":"low"}"#,
            adapted: #""system":"s""#,
            dropped: ["metadata", "output_config"],
            plan: { $0.refused = ["metadata", "output_config", "messages", "max_tokens"] }
        ),
        Row(
            name: "context management goes",
            members: #""context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]}"#,
            adapted: "",
            dropped: ["context_management"]
        ),
        Row(
            name: "compaction stays with its beta",
            members: #""context_management":{"edits":[{"type":"compact_20260112"}]}"#,
            adapted:
                #""context_management":{"edits":[{"type":"compact_20260112"}]},"anthropic_beta":["compact-2026-01-12"]"#,
            plan: { $0.betas = ["compact-2026-01-12"] }
        ),
        Row(
            name: "compaction without its beta goes",
            members: #""context_management":{"edits":[{"type":"compact_20260112"}]}"#,
            adapted: "",
            dropped: ["context_management"]
        ),
        Row(
            name: "compaction with something else goes",
            members: #""context_management":{"edits":[{"type":"compact_20260112"},{"type":"x"}]}"#,
            adapted: #""anthropic_beta":["compact-2026-01-12"]"#,
            dropped: ["context_management"],
            plan: { $0.betas = ["compact-2026-01-12"] }
        ),
        Row(name: "a limit", members: #""max_tokens":null"#, adapted: #""max_tokens":8192"#),
        Row(
            name: "the limit of the configuration",
            members: #""max_tokens":null"#,
            adapted: #""max_tokens":77"#,
            plan: { $0.maxTokensDefault = 77 }
        ),
        Row(
            name: "the older name of a schema",
            members: #""output_format":{"type":"json_schema","schema":{}}"#,
            adapted: #""output_config":{"format":{"type":"json_schema","schema":{}}}"#
        ),
    ]

    @Test(arguments: members)
    func adaptsMembers(_ row: Row) throws {
        try Self.check(row)
    }

    // MARK: Thinking and sampling

    static let thinking = [
        Row(
            name: "a budget that fits",
            members: #""thinking":{"type":"enabled","budget_tokens":2000}"#,
            adapted: #""thinking":{"type":"enabled","budget_tokens":2000}"#
        ),
        Row(
            name: "a budget that is too small",
            members: #""thinking":{"type":"enabled","budget_tokens":100}"#,
            adapted: #""thinking":{"type":"enabled","budget_tokens":1024}"#
        ),
        Row(
            name: "a budget as large as the limit",
            members: #""thinking":{"type":"enabled","budget_tokens":4000}"#,
            adapted: #""thinking":{"type":"enabled","budget_tokens":3999}"#
        ),
        Row(
            name: "a limit that has no room for thoughts",
            members: #""max_tokens":1024,"thinking":{"type":"enabled","budget_tokens":2000}"#,
            adapted: #""max_tokens":1024"#,
            dropped: ["thinking"]
        ),
        Row(
            name: "the smallest limit with thoughts",
            members: #""max_tokens":1025,"thinking":{"type":"enabled","budget_tokens":2000}"#,
            adapted: #""max_tokens":1025,"thinking":{"type":"enabled","budget_tokens":1024}"#
        ),
        Row(
            name: "interleaved thoughts may be longer than an answer",
            members: #""thinking":{"type":"enabled","budget_tokens":9000}"#,
            adapted:
                #""thinking":{"type":"enabled","budget_tokens":9000},"anthropic_beta":["interleaved-thinking-2025-05-14"]"#,
            plan: { $0.betas = ["interleaved-thinking-2025-05-14"] }
        ),
        Row(
            name: "a member inside of thinking",
            members: #""thinking":{"context_management":{},"type":"enabled","budget_tokens":2000}"#,
            adapted: #""thinking":{"type":"enabled","budget_tokens":2000}"#,
            dropped: ["thinking.context_management"]
        ),
        Row(
            name: "Opus 4.7 thinks adaptively",
            model: "anthropic--claude-4.7-opus",
            members: #""thinking":{"type":"enabled","budget_tokens":3000}"#,
            adapted: #""thinking":{"type":"adaptive"},"output_config":{"effort":"medium"}"#
        ),
        Row(
            name: "Opus 4.8 keeps the client's effort and schema",
            model: "eu.anthropic.claude-opus-4-8-v1:0",
            members:
                #""thinking":{"type":"enabled","budget_tokens":30000,"display":"omitted"},"output_config":{"effort":"max","format":{}}"#,
            adapted:
                #""thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"max","format":{}}"#
        ),
        Row(
            name: "Opus 4.7 gets an effort beside a schema",
            model: "claude-opus-4-7",
            members: #""thinking":{"type":"enabled","budget_tokens":30000},"output_config":{}"#,
            adapted: #""thinking":{"type":"adaptive"},"output_config":{"effort":"high"}"#
        ),
        Row(
            name: "older models get a budget",
            members: #""thinking":{"type":"adaptive"},"output_config":{"effort":"medium"}"#,
            adapted: #""thinking":{"type":"enabled","budget_tokens":2048}"#,
            dropped: ["output_config.effort"]
        ),
        Row(
            name: "older models get a budget that fits",
            members: #""thinking":{"type":"adaptive"}"#,
            adapted: #""thinking":{"type":"enabled","budget_tokens":3999}"#
        ),
        Row(
            name: "older models have no effort beside a schema",
            members: #""output_config":{"effort":"medium","format":{}}"#,
            adapted: #""output_config":{"format":{}}"#,
            dropped: ["output_config.effort"]
        ),
        Row(
            name: "Sonnet 4.6 takes both kinds",
            model: "claude-sonnet-4-6",
            members: #""thinking":{"type":"adaptive"},"output_config":{"effort":"low"}"#,
            adapted: #""thinking":{"type":"adaptive"},"output_config":{"effort":"low"}"#
        ),
        Row(
            name: "Claude 3.5 does not think",
            model: "anthropic--claude-3.5-sonnet",
            members: #""thinking":{"type":"enabled","budget_tokens":2000}"#,
            adapted: "",
            dropped: ["thinking"]
        ),
        Row(
            name: "off is off",
            members: #""thinking":{"type":"disabled"},"temperature":0.3"#,
            adapted: #""thinking":{"type":"disabled"},"temperature":0.3"#
        ),
        Row(
            name: "temperature or top_p",
            members: #""temperature":0.3,"top_p":0.9,"top_k":3"#,
            adapted: #""temperature":0.3,"top_k":3"#,
            dropped: ["top_p"]
        ),
        Row(
            name: "Sonnet 4 takes both",
            model: "claude-sonnet-4-20250514",
            members: #""temperature":0.3,"top_p":0.9"#,
            adapted: #""temperature":0.3,"top_p":0.9"#
        ),
        Row(
            name: "no sampling for Opus 4.7",
            model: "claude-opus-4-7",
            members: #""temperature":1,"top_p":0.99,"top_k":3"#,
            adapted: "",
            dropped: ["temperature", "top_p", "top_k"]
        ),
        Row(
            name: "no sampling beside thoughts",
            model: "claude-sonnet-4-0",
            members:
                #""temperature":0.3,"top_p":0.9,"top_k":3,"thinking":{"type":"enabled","budget_tokens":2000}"#,
            adapted: #""thinking":{"type":"enabled","budget_tokens":2000}"#,
            dropped: ["temperature", "top_p", "top_k"]
        ),
        Row(
            name: "what goes with thoughts",
            model: "claude-sonnet-4-0",
            members:
                #""temperature":1,"top_p":0.95,"thinking":{"type":"enabled","budget_tokens":2000}"#,
            adapted:
                #""temperature":1,"top_p":0.95,"thinking":{"type":"enabled","budget_tokens":2000}"#
        ),
    ]

    @Test(arguments: thinking)
    func adaptsThinking(_ row: Row) throws {
        try Self.check(row)
    }

    // MARK: Tools

    static let tools = [
        Row(
            name: "tools keep what Bedrock knows",
            members:
                #""tools":[{"type":"custom","input_examples":[{}],"name":"a","description":"d","defer_loading":true,"strict":true,"input_schema":{"type":"object"},"cache_control":{"type":"ephemeral","scope":"global"}}]"#,
            adapted:
                #""tools":[{"name":"a","description":"d","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}}]"#,
            dropped: ["tools[].input_examples", "tools[].defer_loading", "tools[].strict"]
        ),
        Row(
            name: "hosted tools go",
            members:
                #""tools":[{"type":"web_search_20250305","name":"web_search"},{"name":"a","input_schema":{}},{"type":"bash_20250124","name":"bash"},"x",{"input_schema":{}},{"name":1}],"tool_choice":{"type":"any"}"#,
            adapted: #""tools":[{"name":"a","input_schema":{}}],"tool_choice":{"type":"any"}"#,
            dropped: ["tools[].web_search_20250305", "tools[].bash_20250124", "tools[]"]
        ),
        Row(
            name: "no tool is left to choose",
            members:
                #""tools":[{"type":"computer_20241022","name":"computer"}],"tool_choice":{"type":"any"}"#,
            adapted: "",
            dropped: ["tools[].computer_20241022", "tool_choice"]
        ),
        Row(
            name: "the tool that was chosen goes",
            members:
                #""tools":[{"name":"a","input_schema":{}},{"type":"text_editor_20241022","name":"edit"}],"tool_choice":{"type":"tool","name":"edit"}"#,
            adapted: #""tools":[{"name":"a","input_schema":{}}],"tool_choice":{"type":"auto"}"#,
            dropped: ["tools[].text_editor_20241022", "tool_choice"]
        ),
        Row(
            name: "tools without a schema get one",
            members: #""tools":[{"description":7,"name":"a"},{"name":"b","input_schema":"x"}]"#,
            adapted:
                #""tools":[{"name":"a","input_schema":{"type":"object","properties":{}}},{"name":"b","input_schema":{"type":"object","properties":{}}}]"#,
            dropped: ["tools[].description", "tools[].input_schema"]
        ),
    ]

    @Test(arguments: tools)
    func adaptsTools(_ row: Row) throws {
        try Self.check(row)
    }

    // MARK: Turns

    static let turns = [
        Row(
            name: "system turns move to the top, behind what is there",
            members:
                #""system":"a","messages":[{"role":"system","content":"b"},{"role":"user","content":"x"},{"role":"system","content":[{"type":"text","text":"c","cache_control":{"type":"ephemeral","scope":"x","ttl":"1h"}},{"type":"text","text":""}]}]"#,
            adapted:
                #""system":[{"type":"text","text":"a"},{"type":"text","text":"b"},{"type":"text","text":"c","cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":"x"}]"#
        ),
        Row(
            name: "system turns without a system",
            members: #""messages":[{"role":"user","content":"x"},{"role":"system","content":"b"}]"#,
            adapted:
                #""system":[{"type":"text","text":"b"}],"messages":[{"role":"user","content":"x"}]"#
        ),
        Row(
            name: "system turns behind blocks",
            members:
                #""system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"x"},{"role":"system","content":"b"}]"#,
            adapted:
                #""system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}],"messages":[{"role":"user","content":"x"}]"#
        ),
        Row(
            name: "empty texts go",
            members:
                #""system":[{"type":"text","text":""},{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"x"},{"type":"text","text":" \n"}]},{"role":"assistant","content":""},{"role":"assistant","content":[{"type":"text","text":""}]},{"role":"user","content":"y"}]"#,
            adapted:
                #""system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"text","text":"x"}]},{"role":"user","content":"y"}]"#
        ),
        Row(name: "an empty system goes", members: #""system":"""#, adapted: ""),
        Row(
            name: "a system of empty blocks goes",
            members: #""system":[{"type":"text","text":" "}]"#,
            adapted: ""
        ),
        Row(
            name: "scopes go everywhere, times stay",
            members:
                #""system":[{"type":"text","text":"s","cache_control":{"scope":"global","type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","scope":"global","ttl":"5m"}}]},{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"a","input":{"cache_control":{"scope":1}},"cache_control":{"type":"ephemeral","scope":"x"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":[{"type":"text","text":"r","cache_control":{"type":"ephemeral","scope":"x"}}],"cache_control":{"type":"ephemeral","scope":"x"}}]}]"#,
            adapted:
                #""system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"5m"}}]},{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"a","input":{"cache_control":{"scope":1}},"cache_control":{"type":"ephemeral"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":[{"type":"text","text":"r","cache_control":{"type":"ephemeral"}}],"cache_control":{"type":"ephemeral"}}]}]"#
        ),
        Row(
            name: "what tools said is a list of what Bedrock knows",
            members:
                #""messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"t\"x"},{"type":"tool_result","tool_use_id":"b","content":""},{"type":"tool_result","tool_use_id":"c","content":{"k":"v"}},{"type":"tool_result","tool_use_id":"d","content":[{"type":"text","text":""}],"is_error":true},{"type":"tool_result","tool_use_id":"e"},{"type":"tool_result","tool_use_id":"f","content":[{"type":"text","text":"t"},{"type":"text","text":""},{"type":"tool_reference","tool_name":"n"},{"type":"new"},"s",{"type":"image","source":{}},7]}]}]"#,
            adapted:
                #""messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"t\"x"}]},{"type":"tool_result","tool_use_id":"b"},{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"{\"k\":\"v\"}"}]},{"type":"tool_result","tool_use_id":"d","is_error":true},{"type":"tool_result","tool_use_id":"e"},{"type":"tool_result","tool_use_id":"f","content":[{"type":"text","text":"t"},{"type":"text","text":"[tool_ref] n"},{"type":"text","text":"{\"type\":\"new\"}"},{"type":"text","text":"s"},{"type":"image","source":{}},{"type":"text","text":"7"}]}]}]"#
        ),
        Row(
            name: "what hosted tools said goes",
            members:
                #""messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s","content":[]},{"type":"text","text":"a"}]},{"role":"user","content":"y"}]"#,
            adapted:
                #""messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"text","text":"a"}]},{"role":"user","content":"y"}]"#,
            dropped: [
                "messages[].content[].server_tool_use",
                "messages[].content[].web_search_tool_result",
            ]
        ),
        Row(
            name: "thoughts of other vendors go",
            members:
                #""messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":""},{"type":"text","text":"a"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"apus.o.gAAA"},{"type":"redacted_thinking","data":"eA=="},{"type":"thinking","thinking":"t","signature":"apus.s.x"}]},{"role":"user","content":"y"}]"#,
            adapted:
                #""messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"eA=="}]},{"role":"user","content":"y"}]"#,
            dropped: ["messages[].content[].thinking"]
        ),
        Row(
            name: "Claude 4.6 is asked to go on",
            model: "claude-sonnet-4-6",
            members:
                #""messages":[{"role":"user","content":"x"},{"role":"assistant","content":"a"}]"#,
            adapted:
                #""messages":[{"role":"user","content":"x"},{"role":"assistant","content":"a"},{"role":"user","content":"Continue exactly where your last message ends."}]"#,
            dropped: ["messages[-1]"]
        ),
        Row(
            name: "Claude 4.6 waits for a tool",
            model: "claude-sonnet-4-6",
            members:
                #""messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"a","input":{}}]}]"#,
            adapted:
                #""messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"a","input":{}}]}]"#
        ),
        Row(
            name: "the last turn goes, and with it the need to go on",
            model: "claude-sonnet-4-6",
            members:
                #""messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"text","text":""}]}]"#,
            adapted: #""messages":[{"role":"user","content":"x"}]"#
        ),
        Row(
            name: "Claude 4.5 goes on by itself",
            members:
                #""messages":[{"role":"user","content":"x"},{"role":"assistant","content":"a"}]"#,
            adapted:
                #""messages":[{"role":"user","content":"x"},{"role":"assistant","content":"a"}]"#
        ),
    ]

    @Test(arguments: turns)
    func adaptsTurns(_ row: Row) throws {
        try Self.check(row)
    }

    // MARK: Anthropic itself

    static let anthropic = [
        Row(
            name: "only the model",
            host: .anthropic,
            members:
                #""model":"x","service_tier":"auto","thinking":{"type":"adaptive"},"temperature":0.2,"top_p":0.1,"tools":[{"type":"web_search_20250305"}],"messages":[{"role":"system","content":""}]"#,
            adapted:
                #""model":"claude-sonnet-4-5","service_tier":"auto","thinking":{"type":"adaptive"},"temperature":0.2,"top_p":0.1,"tools":[{"type":"web_search_20250305"}],"messages":[{"role":"system","content":""}]"#
        ),
        Row(
            name: "a model that is not there",
            host: .anthropic,
            members: "",
            adapted: #""model":"claude-sonnet-4-5""#
        ),
        Row(
            name: "the stream as the gateway wants it",
            host: .anthropic,
            members: #""model":"claude-sonnet-4-5","stream":false"#,
            adapted: #""model":"claude-sonnet-4-5","stream":true"#,
            plan: { $0.isStream = true }
        ),
        Row(
            name: "betas stay in the header",
            model: "claude-sonnet-4-5[1m]",
            host: .anthropic,
            members: #""model":"x""#,
            adapted: #""model":"claude-sonnet-4-5""#,
            plan: { $0.betas = ["a"] }
        ),
        Row(
            name: "thoughts of other vendors go",
            host: .anthropic,
            members:
                #""model":"claude-sonnet-4-5","messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":""},{"type":"text","text":""}]}]"#,
            adapted:
                #""model":"claude-sonnet-4-5","messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"text","text":""}]}]"#,
            dropped: ["messages[].content[].thinking"]
        ),
    ]

    @Test(arguments: anthropic)
    func leavesAnthropicsOwnRequestsAlone(_ row: Row) throws {
        try Self.check(row)
    }

    @Test func everyOtherByteStays() throws {
        let text = """
            { "max_tokens" : 10,\t"messages" : [ {"content":"\\u0041\\/","role":"user"} ] ,
              "model":"claude" , "x" : 1.50e1 }
            """
        let anthropic = RequestPlan(
            format: .messages,
            host: .anthropic,
            model: "other",
            isStream: false
        )
        #expect(
            try Converting.adapted(text, anthropic).body
                == text.replacing("\"claude\"", with: "\"other\"")
        )
        let same = RequestPlan(
            format: .messages,
            host: .anthropic,
            model: "claude",
            isStream: false
        )
        #expect(try Converting.adapted(text, same).body == text)
    }

    @Test func namesALongContextInTheHeader() {
        var plan = RequestPlan(
            format: .messages,
            host: .anthropic,
            model: "claude-sonnet-4-5[1m]",
            isStream: false
        )
        plan.betas = ["a"]
        #expect(MessagesBetas.header(plan) == ["a", "context-1m-2025-08-07"])
        let native = RequestPlan(
            format: .messages,
            host: .anthropic,
            model: "claude-opus-4-6[1m]",
            isStream: false
        )
        #expect(MessagesBetas.header(native) == [])
    }

    @Test(arguments: [
        ("[]", "", "must be an object"), ("{}", "messages", "is required"),
        (#"{"messages":null}"#, "messages", "is required"),
        (#"{"messages":{}}"#, "messages", "must be an array"),
        (#"{"messages":[]}"#, "messages", "must have at least one turn"),
        (
            #"{"messages":[{"role":"user","content":""}]}"#, "messages",
            "must have a turn that says something"
        ),
    ])
    func refuses(_ text: String, _ path: String, _ message: String) throws {
        let plan = RequestPlan(
            format: .messages,
            host: .bedrock,
            model: "claude-sonnet-4-5",
            isStream: false
        )
        let document = try Converting.Document(text)
        let error = #expect(throws: ConversionError.self) {
            try Converting.adapted(text, plan)
        }
        let found = error?.path(document.tape, document.bytes.span)
        #expect(found == path)
        #expect(error?.message == message)
    }

    /// Whatever a client sends, what comes out is JSON, and adapting it again changes nothing.
    @Test(arguments: 0..<200)
    func isJSONAndStable(_ seed: Int) throws {
        var random = RandomMessages(seed: UInt64(seed))
        let text = random.request()
        let models = [
            "claude-3-opus-20240229", "claude-sonnet-4-0", "claude-sonnet-4-5",
            "claude-sonnet-4-6", "claude-opus-4-7", "m",
        ]
        for model in models {
            let plan = RequestPlan(
                format: .messages,
                host: .bedrock,
                model: model,
                isStream: seed % 2 == 0
            )
            let once = try Converting.adapted(text, plan).body
            #expect(try JSONValue(once)["model"] == nil, "\(text)")
            let again = try Converting.adapted(once, plan)
            #expect(try JSONValue(again.body) == JSONValue(once), "\(model) \(text)")
        }
    }
}
