// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Config

@Suite("Filters of model names")
struct NameFilterTests {
    @Test(
        "an expression becomes patterns",
        arguments: [
            ("gpt", ["*gpt*"]), ("^gpt-", ["gpt-*"]), ("-test$", ["*-test"]),
            ("^gpt-5$", ["gpt-5"]),
            ("^gpt.*mini$", ["gpt*mini"]), (".*", ["*"]), ("^.*$", ["*"]), ("a.*.*b", ["*a*b*"]),
            ("", ["*"]), ("^", ["*"]), ("$", ["*"]), ("gpt|claude", ["*gpt*", "*claude*"]),
            ("^a$|^b", ["a", "b*"]), (#"gpt-4\.1"#, ["*gpt-4.1*"]), (#"a\|b\^\$"#, ["*a|b^$*"]),
            ("^anthropic--.*", ["anthropic--*"]), ("größe", ["*größe*"]),
        ]
    )
    func patterns(text: String, expected: [String]) throws {
        let filter = try NameFilter(text)
        #expect(filter.patterns.map(\.text) == expected)
        #expect(!filter.hasPlainDots)
    }

    @Test(
        "what patterns cannot say is named",
        arguments: [
            ("gpt-[45]", "the set \"[\""), ("(a|b)", "the group \"(\""),
            ("a+", "the repetition \"+\""),
            ("a?", "the repetition \"?\""), ("ab*", "the repetition \"*\""),
            (".*?", "the repetition \".*?\""), (".*+", "the repetition \".*+\""),
            ("a{2}", "the count \"{\""), (#"\d"#, #"the escape "\d""#),
            (#"\*"#, #"the escape "\*""#),
            (#"a\"#, #"the escape "\""#), ("a^b", "\"^\" behind the start"),
            ("a$b", "\"$\" before the end"), ("(?i)x", "the group \"(\""),
            ("*", "the repetition \"*\""),
        ]
    )
    func refused(text: String, construct: String) {
        #expect(throws: NameFilter.Failure.construct(construct)) { try NameFilter(text) }
    }

    @Test("an expression for the empty name has no use")
    func nothing() {
        #expect(throws: NameFilter.Failure.nothing) { try NameFilter("^$") }
    }

    @Test(
        "a name passes where the expression is found in it",
        arguments: [
            ("^gpt-4.1", "gpt-4.1-mini", true), ("^gpt-4.1", "my-gpt-4.1", false),
            ("sonnet", "anthropic--claude-4.6-sonnet", true), ("-test$", "x-test", true),
            ("-test$", "x-test2", false), ("a|b$", "b", true), ("a|b$", "bc", false),
            ("^o.*mini$", "o4-mini", true), ("Sonnet", "sonnet", false),
        ]
    )
    func passes(text: String, name: String, expected: Bool) throws {
        #expect(try NameFilter(text).passes(name) == expected)
    }

    @Test("a dot alone is noted", arguments: [("gpt-4.1", true), ("a.", true), (".*", false)])
    func dots(text: String, expected: Bool) throws {
        #expect(try NameFilter(text).hasPlainDots == expected)
    }
}
