// SPDX-License-Identifier: Apache-2.0
import Config
import Testing

@Suite("Client keys")
struct KeyTableTests {
    private static func digest(_ text: String) -> SHA256.Digest {
        let bytes = Array(text.utf8)
        return SHA256.digest(of: bytes.span)
    }

    @Test(
        "hashes the messages of FIPS 180-4",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                    + "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
                "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
            ),
            (
                String(repeating: "a", count: 1_000_000),
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
            ),
        ]
    )
    func vectors(message: String, expected: String) {
        #expect(Self.digest(message).hexadecimal == expected)
    }

    @Test(
        "hashes the same however the message is cut",
        arguments: [1, 55, 56, 63, 64, 65, 119, 128]
    )
    func pieces(count: Int) {
        let message = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        let whole = SHA256.digest(of: message.span)
        for cut in 0...count {
            var hash = SHA256()
            hash.update(message.span.extracting(first: cut))
            hash.update(message.span.extracting(droppingFirst: cut))
            #expect(hash.finish() == whole)
        }
    }

    @Test("digests read back from their digits, of either case")
    func hexadecimal() {
        let digest = Self.digest("abc")
        #expect(SHA256.Digest(hexadecimal: digest.hexadecimal) == digest)
        #expect(SHA256.Digest(hexadecimal: digest.hexadecimal.uppercased()) == digest)
        #expect(SHA256.Digest(hexadecimal: String(digest.hexadecimal.dropLast())) == nil)
        #expect(SHA256.Digest(hexadecimal: "g" + digest.hexadecimal.dropLast()) == nil)
    }

    @Test("finds every key by its secret and nothing by another", arguments: [0, 1, 2, 33])
    func find(count: Int) {
        let table = KeyTable(
            (0..<count).map { index in
                ClientKey(
                    name: "k\(index)",
                    digest: Self.digest("secret-\(index)"),
                    user: nil,
                    org: nil,
                    models: nil
                )
            }
        )
        for index in 0..<count {
            let secret = Array("secret-\(index)".utf8)
            let found = table.find(secret: secret.span)
            #expect(found == index)
        }
        for wrong in ["", "secret-\(count)", "secret", "SECRET-0"] {
            let secret = Array(wrong.utf8)
            let found = table.find(secret: secret.span)
            #expect(found == nil)
        }
    }

    @Test(
        "a key allows the models it names",
        arguments: [
            (["gpt-*", "o3"], "gpt-5", true), (["gpt-*", "o3"], "o3", true),
            (["gpt-*", "o3"], "o3-mini", false), (["*"], "x", true), (nil, "x", true),
            (["o3"], "o3[1m]", true), (["o3[1m]"], "o3[1m]", true), (["o3[1m]"], "o3", false),
            (["o3"], "o3[2m]", false),
        ] as [([String]?, String, Bool)]
    )
    func models(patterns: [String]?, model: String, expected: Bool) {
        let key = ClientKey(
            name: "k",
            digest: Self.digest(""),
            user: nil,
            org: nil,
            models: patterns?.map { NamePattern($0) }
        )
        let bytes = Array(model.utf8)
        let allows = key.allows(model: bytes.span)
        #expect(allows == expected)
    }
}
