// SPDX-License-Identifier: Apache-2.0
import Config
import Testing

@testable import Worker

@Suite("The credential memo")
struct CredentialMemoTests {
    private static func key(_ name: String, _ secret: String) -> ClientKey {
        ClientKey(
            name: name,
            digest: SHA256.digest(of: secret.utf8.span),
            user: nil,
            org: nil,
            models: nil
        )
    }

    private static let longSecret = String(repeating: "x", count: 300)
    private static let keys = KeyTable([
        key("a", "sk-a"), key("b", "sk-b"), key("long", longSecret),
    ])

    @Test("finds what the table finds, in any order of keys on one connection")
    func agrees() {
        var memo = CredentialMemo()
        let order = [
            "sk-a", "sk-a", "sk-b", "sk-x", "sk-b", "", "sk-a", "sk-aa", "sk-", Self.longSecret,
            "sk-a", Self.longSecret, "wrong", "sk-b",
        ]
        for secret in order {
            let found = memo.find(secret.utf8.span, in: Self.keys)
            let expected = Self.keys.find(secret: secret.utf8.span)
            #expect(found == expected, "\(secret.prefix(8))")
        }
    }
}
