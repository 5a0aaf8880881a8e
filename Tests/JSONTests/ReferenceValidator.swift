// SPDX-License-Identifier: Apache-2.0

/// A second opinion on what a document is: recursive, one function per rule of RFC 8259, slow.
///
/// Shares no idea with the scanner: it works on code points that the standard library decoded.
struct ReferenceValidator {
    private struct Refused: Error {}

    private let scalars: [Unicode.Scalar]
    private var at = 0
    private var depth = 0

    static func accepts(_ bytes: [UInt8], depthMax: Int = 512) -> Bool {
        guard let text = String(validating: bytes, as: UTF8.self) else { return false }
        var validator = ReferenceValidator(scalars: Array(text.unicodeScalars))
        do {
            try validator.value(depthMax)
            validator.space()
            return validator.at == validator.scalars.count
        } catch {
            return false
        }
    }

    private init(scalars: [Unicode.Scalar]) {
        self.scalars = scalars
    }

    private var next: Unicode.Scalar? { at < scalars.count ? scalars[at] : nil }

    private mutating func take(_ wanted: Unicode.Scalar) -> Bool {
        guard next == wanted else { return false }
        at += 1
        return true
    }

    private mutating func demand(_ text: String) throws {
        for scalar in text.unicodeScalars where !take(scalar) {
            throw Refused()
        }
    }

    private mutating func space() {
        while take(" ") || take("\t") || take("\n") || take("\r") {}
    }

    private mutating func value(_ depthLeft: Int) throws {
        space()
        switch next {
        case "{":
            try list("{", "}", depthLeft) { validator in
                validator.space()
                try validator.string()
                validator.space()
                try validator.demand(":")
                try validator.value(depthLeft - 1)
            }
        case "[":
            try list("[", "]", depthLeft) { try $0.value(depthLeft - 1) }
        case "\"": try string()
        case "t": try demand("true")
        case "f": try demand("false")
        case "n": try demand("null")
        default: try number()
        }
    }

    private mutating func list(
        _ open: Unicode.Scalar,
        _ close: Unicode.Scalar,
        _ depthLeft: Int,
        _ item: (inout ReferenceValidator) throws -> Void
    ) throws {
        guard depthLeft > 0, take(open) else { throw Refused() }
        space()
        if take(close) { return }
        repeat {
            try item(&self)
            space()
        } while take(",")
        guard take(close) else { throw Refused() }
    }

    private mutating func string() throws {
        try demand("\"")
        while !take("\"") {
            guard let scalar = next, scalar.value >= 0x20 else { throw Refused() }
            at += 1
            guard scalar == "\\" else { continue }
            guard let escape = next, "\"\\/bfnrtu".unicodeScalars.contains(escape) else {
                throw Refused()
            }
            at += 1
            guard escape == "u" else { continue }
            for _ in 0..<4 {
                guard let digit = next, digit.isASCII, digit.properties.isASCIIHexDigit else {
                    throw Refused()
                }
                at += 1
            }
        }
    }

    private mutating func number() throws {
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") { try digits() }
        guard take("e") || take("E") else { return }
        if !take("+") { _ = take("-") }
        try digits()
    }

    private mutating func digits() throws {
        let start = at
        while let digit = next, ("0"..."9").contains(digit) {
            at += 1
        }
        if at == start { throw Refused() }
    }
}
