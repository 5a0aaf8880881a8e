// SPDX-License-Identifier: Apache-2.0
import System

/// A command line that cannot be meant.
struct UsageError: Error {
    let text: String

    init(_ text: String) { self.text = text }
}

/// `COMMAND --name value ...`; every option takes a value and may be repeated.
struct Options {
    let command: String
    private var values: [String: [String]] = [:]

    init(_ arguments: some Sequence<String>) throws(UsageError) {
        var rest = Array(arguments)[...]
        guard let command = rest.popFirst() else { throw UsageError("no command given") }
        self.command = command
        while let name = rest.popFirst() {
            guard name.hasPrefix("--") else { throw UsageError("'\(name)' is not an option") }
            guard let value = rest.popFirst() else { throw UsageError("\(name) needs a value") }
            values[String(name.dropFirst(2)), default: []].append(value)
        }
    }

    /// Every value of `name`, in order.
    ///
    /// Taking them marks the option as known.
    mutating func all(_ name: String) -> [String] {
        values.removeValue(forKey: name) ?? []
    }

    mutating func text(_ name: String) -> String? {
        all(name).last
    }

    mutating func flag(_ name: String) throws(UsageError) -> Bool {
        switch text(name) {
        case nil, "no": return false
        case "yes": return true
        case let other?: throw UsageError("--\(name) is yes or no, not '\(other)'")
        }
    }

    mutating func number(_ name: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
        guard let text = text(name) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw UsageError(
                "--\(name) is a number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return value
    }

    /// An option that was not taken is one that the command does not know.
    func finish() throws(UsageError) {
        if let name = values.keys.min() {
            throw UsageError("\(command) does not know --\(name)")
        }
    }
}

/// The parts of `http://IP:PORT/PATH`.
struct TargetURL {
    let address: SocketAddress
    let authority: String
    let path: String

    init(_ text: String?) throws(UsageError) {
        guard let text else { throw UsageError("--url is needed") }
        let scheme = "http://"
        let rest = text.dropFirst(scheme.count)
        guard text.hasPrefix(scheme), let slash = rest.firstIndex(of: "/"),
            let address = SocketAddress(String(rest[..<slash]))
        else { throw UsageError("--url is http://IP:PORT/PATH, not '\(text)'") }
        self.address = address
        authority = String(rest[..<slash])
        path = String(rest[slash...])
    }
}
