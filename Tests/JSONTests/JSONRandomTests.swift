// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Support
import Testing

@Suite("JSON at random")
struct JSONRandomTests {
    private static let seeds: [UInt64] = [1, 2, 3, 0xA9B5]

    private func bytes(of value: JSONValue) -> [UInt8] {
        let buffer = ByteBuffer()
        var writer = JSONWriter(buffer)
        value.write(&writer)
        return buffer.array
    }

    @Test("what is written reads back equal", arguments: seeds)
    func roundTrip(seed: UInt64) {
        var random = RandomJSON(seed: seed)
        for round in 0..<300 {
            let value = random.value()
            let bytes = bytes(of: value)
            #expect(JSONOutcome(bytes) == .accepted(value), "seed \(seed) round \(round)")
            #expect(ReferenceValidator.accepts(bytes), "seed \(seed) round \(round)")
        }
    }

    @Test("damaged documents are judged as the reference judges them", arguments: seeds)
    func damage(seed: UInt64) {
        var random = RandomJSON(seed: seed)
        var refused = 0
        for round in 0..<1500 {
            var bytes = bytes(of: random.value())
            random.damage(&bytes)
            let outcome = JSONOutcome(bytes)
            let expected = ReferenceValidator.accepts(bytes)
            #expect(outcome.isAccepted == expected, "seed \(seed) round \(round): \(bytes)")
            if !expected { refused += 1 }
            // One cut at random for each; the tables try every cut.
            let cut = random.below(bytes.count + 1)
            let split = JSONOutcome(of: [bytes[..<cut], bytes[cut...]])
            #expect(split == outcome, "seed \(seed) round \(round) cut \(cut)")
        }
        #expect(refused > 500)
    }

    @Test("edited documents stay documents and differ in one member only", arguments: seeds)
    func splice(seed: UInt64) throws {
        var random = RandomJSON(seed: seed)
        for round in 0..<200 {
            let value = JSONValue.object([
                JSONValue.Member(name: "a", value: random.value()),
                JSONValue.Member(name: "b", value: random.value()),
            ])
            let original = bytes(of: value)
            var scanner = JSONScanner()
            _ = try scanner.scan(original.span, isFinal: true)
            let replacement = random.value()
            let isNew = random.below(2) == 0
            var splice = JSONSplice()
            splice.setMember(
                isNew ? "c" : "a",
                of: scanner.tape.root,
                to: bytes(of: replacement).span,
                tape: scanner.tape,
                bytes: original.span
            )
            let buffer = ByteBuffer()
            splice.append(original: original.span, to: buffer)
            guard case .object(var members) = value else { continue }
            if isNew {
                members.append(JSONValue.Member(name: "c", value: replacement))
            } else {
                members[0].value = replacement
            }
            #expect(
                JSONOutcome(buffer.array) == .accepted(.object(members)),
                "seed \(seed) round \(round)"
            )
        }
    }
}
