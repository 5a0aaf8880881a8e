// SPDX-License-Identifier: Apache-2.0
import Config
import Testing

@Suite("Models")
struct ModelTableTests {
    private static func table(_ names: [String]) -> ModelTable {
        ModelTable(
            entries: names.enumerated().map { index, name in
                ModelEntry(pattern: NamePattern(name), targets: [.init(upstream: index)])
            },
            upstreamNames: ["a", "open.ai", "demo"]
        )
    }

    @Test(
        "the closest entry answers",
        arguments: [
            (["gpt-5", "gpt-*"], "gpt-5", 0), (["gpt-*", "gpt-5"], "gpt-5", 1),
            (["*", "gpt-*", "gpt-5*"], "gpt-5.4", 2), (["gpt-5*", "gpt-*", "*"], "gpt-4", 1),
            (["*", "claude-*"], "gpt", 0), (["g*", "*t"], "gpt", 0), (["*t", "g*"], "gpt", 0),
            (["*-mini", "gpt-*"], "gpt-4-mini", 0), (["gpt-*", "gpt-*-mini"], "gpt-4-mini", 1),
            (["gpt-*"], "gpt-", 0), (["gpt-*"], "gpt", nil), (["gpt-5"], "gpt-55", nil),
            (["gpt-5"], "gpt-", nil), ([], "x", nil), (["x"], "", nil), (["*"], "", 0),
            (["b", "a", "c"], "a", 1), (["b", "a", "c"], "c", 2), (["b", "ba", "c"], "ba", 1),
        ] as [([String], String, Int?)]
    )
    func precedence(names: [String], model: String, expected: Int?) {
        let target = Self.table(names).target(forModel: model)
        #expect(target?.entry == expected)
        #expect(target?.upstream == expected)
    }

    @Test("UPSTREAM/MODEL works without an entry, before patterns and behind exact names")
    func prefix() {
        let table = Self.table(["*", "a/exact"])
        #expect(
            table.target(forModel: "demo/x/y")
                == ModelTarget(upstream: 2, name: .withoutPrefix(5), entry: nil)
        )
        #expect(
            table.target(forModel: "open.ai/m")
                == ModelTarget(upstream: 1, name: .withoutPrefix(8), entry: nil)
        )
        #expect(
            table.target(forModel: "a/exact")
                == ModelTarget(upstream: 1, name: .unchanged, entry: 1)
        )
        for other in ["demo/", "other/x", "/x", "demo"] {
            #expect(table.target(forModel: other)?.entry == 0, "\(other)")
        }
        #expect(Self.table([]).target(forModel: "demo/") == nil)
    }

    @Test("a target's own model name replaces the client's")
    func replacement() {
        let entry = ModelEntry(
            pattern: NamePattern("m"),
            targets: [.init(upstream: 0, model: "real")]
        )
        let table = ModelTable(entries: [entry], upstreamNames: ["u"])
        #expect(table.target(forModel: "m")?.name == .replaced("real"))
    }

    @Test(
        "a route is an entry or an upstream",
        arguments: [
            ("gpt-5", ModelRoute.entry(0), "gpt-5"), ("gpt-x", .entry(1), "gpt-x"),
            ("demo/x/y", .direct(upstream: 2, prefix: 5), "x/y"),
            ("open.ai/m", .direct(upstream: 1, prefix: 8), "m"), ("other/x", nil, ""),
            ("gpt-5[1m]", .entry(0), "gpt-5"), ("gpt-x[1m]", .entry(1), "gpt-x"),
            ("gpt-x[2m]", .entry(1), "gpt-x[2m]"), ("gpt-x[1m", .entry(1), "gpt-x[1m"),
            ("gpt-x[1m] ", .entry(1), "gpt-x[1m] "),
            ("demo/x[1m]", .direct(upstream: 2, prefix: 5), "x"),
            ("long[1m]", .entry(2), "long[1m]"),
            ("long", nil, ""), ("claude-1[1m]", .entry(3), "claude-1[1m]"),
            ("claude-1", .entry(4), "claude-1"), ("claude-2[1m]", .entry(5), "claude-2[1m]"),
            ("[1m]", nil, ""), ("a/[1m]", nil, ""), ("gpt-5[1m][1m]", .entry(1), "gpt-5[1m]"),
        ] as [(String, ModelRoute?, String)]
    )
    func routes(model: String, expected: ModelRoute?, name: String) {
        let table = Self.table([
            "gpt-5", "gpt-*", "long[1m]", "claude-1[1m]", "claude-*", "claude-*[1m]",
        ])
        let bytes = Array(model.utf8)
        let route = table.route(forModel: bytes.span)
        #expect(route == expected)
        guard let route else { return }
        let range = table.nameRange(of: route, in: bytes.span)
        #expect(String(decoding: bytes[range], as: UTF8.self) == name)
    }

    @Test("names beyond the limit belong to nobody")
    func longNames() {
        let table = Self.table(["*"])
        #expect(table.target(forModel: String(repeating: "x", count: 512)) != nil)
        #expect(table.target(forModel: String(repeating: "x", count: 513)) == nil)
    }

    @Test(
        "a star stands for any run",
        arguments: [
            ("*", "anything", true), ("*", "", true), ("a*c", "abc", true), ("a*c", "ac", true),
            ("a*c", "abcd", false), ("a*b*c", "aXbYbc", true), ("a*b*c", "acb", false),
            ("**", "x", true), ("*a*", "xax", true), ("*a*", "xbx", false), ("", "", true),
            ("", "x", false), ("a?", "ab", false), ("*é", "caf\u{e9}", true),
            ("*aab", "aaaab", true), ("a*a*a*b", "aaaaaaaaaa", false),
        ]
    )
    func patterns(pattern: String, name: String, expected: Bool) {
        let bytes = Array(name.utf8)
        let matches = NamePattern(pattern).matches(bytes.span)
        #expect(matches == expected)
    }
}
