// SPDX-License-Identifier: Apache-2.0
import JSON

extension ConfigParser {
    func holdsReference(_ node: JSONNode) -> Bool {
        reader.tape.string(of: node, in: reader.bytes.span)?.contains("${") ?? false
    }

    /// A string with every `${...}` exchanged for what it stands for; `$${` writes `${`.
    mutating func resolved(_ node: JSONNode) -> String? {
        guard let text = reader.string(node) else { return nil }
        var result = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "${") {
            if rest[..<start.lowerBound].hasSuffix("$") {
                result += rest[..<start.lowerBound].dropLast() + "${"
                rest = rest[start.upperBound...]
                continue
            }
            result += rest[..<start.lowerBound]
            guard let end = rest[start.upperBound...].firstIndex(of: "}"),
                let reference = SecretReference(rest[start.upperBound..<end])
            else {
                reader.fail(
                    node,
                    "a reference is ${env:NAME}, ${file:PATH} or ${credential:NAME}; write $${ for a plain ${"
                )
                return nil
            }
            switch surroundings.resolve(reference) {
            case .success(let value): result += value
            case .failure(let failure):
                reader.fail(node, failure.message)
                return nil
            }
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }
}
