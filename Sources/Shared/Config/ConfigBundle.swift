// SPDX-License-Identifier: Apache-2.0
package import Bytes
import JSON

/// A configuration as the supervisor checked it, for its workers.
///
/// A worker must run with exactly what was validated, also when a file or a variable has changed
/// since, so it gets the text and every secret and reads nothing itself. The encoded form holds
/// secrets: it goes through sealed anonymous memory, never to a disk or a log.
package struct ConfigBundle: Equatable, Sendable {
    /// Raised when the encoded form changes; a worker refuses any other.
    package static let version = 1

    package let file: String
    private let directory: String
    private let text: [UInt8]
    private let overrides: ConfigOverrides
    private let secrets: [SecretReference: String]

    init(
        file: String,
        directory: String,
        text: [UInt8],
        overrides: ConfigOverrides,
        secrets: [SecretReference: String]
    ) {
        self.file = file
        self.directory = directory
        self.text = text
        self.overrides = overrides
        self.secrets = secrets
    }

    /// The configuration, from what the bundle holds alone.
    package func config() throws(ConfigErrors) -> Config {
        let surroundings = ConfigSurroundings(
            directory: directory,
            resolve: { reference in
                guard let value = secrets[reference] else {
                    return .failure(SecretFailure("the reference was not sent along"))
                }
                return .success(value)
            },
            fileProblem: { _ in nil }
        )
        return try ConfigParser.parse(
            text,
            file: file,
            overrides: overrides,
            surroundings: surroundings
        )
    }

    // MARK: Bytes

    package func encode(to buffer: ByteBuffer) {
        var json = JSONWriter(buffer)
        json.beginObject()
        json.member("version", Self.version)
        json.member("file", file)
        json.member("directory", directory)
        json.name("text")
        json.value(text.span)
        json.name("listen")
        json.beginArray()
        for address in overrides.listen {
            json.value(address)
        }
        json.endArray()
        if let status = overrides.statusListen { json.member("status", status) }
        if let workers = overrides.workers { json.member("workers", workers) }
        json.name("secrets")
        json.beginArray()
        // In one order, so that the same configuration is the same bytes in every process.
        for (reference, value) in secrets.sorted(by: { $0.key < $1.key }) {
            json.beginArray()
            json.value(reference.source.rawValue)
            json.value(reference.name)
            json.value(value)
            json.endArray()
        }
        json.endArray()
        json.endObject()
    }

    /// Reads what `encode` wrote; nil for anything else.
    package init?(decoding bytes: Span<UInt8>) {
        var scanner = JSONScanner()
        do throws(JSONError) {
            _ = try scanner.scan(bytes, isFinal: true)
        } catch {
            return nil
        }
        let tape = scanner.tape
        func string(_ name: StaticString, _ bytes: Span<UInt8>) -> String? {
            tape.member(name, of: tape.root, in: bytes).flatMap { tape.string(of: $0, in: bytes) }
        }
        let version = tape.member("version", of: tape.root, in: bytes)
        guard version.flatMap({ tape.integer(of: $0, in: bytes) }) == Self.version,
            let file = string("file", bytes),
            let directory = string("directory", bytes),
            let text = string("text", bytes),
            let listen = tape.member("listen", of: tape.root, in: bytes),
            let pairs = tape.member("secrets", of: tape.root, in: bytes)
        else { return nil }
        var secrets: [SecretReference: String] = [:]
        for pair in tape.elements(of: pairs) {
            let parts = tape.elements(of: pair).compactMap { tape.string(of: $0, in: bytes) }
            guard parts.count == 3, let source = SecretReference.Source(rawValue: parts[0]) else {
                return nil
            }
            secrets[SecretReference(source: source, name: parts[1])] = parts[2]
        }
        self.init(
            file: file,
            directory: directory,
            text: Array(text.utf8),
            overrides: ConfigOverrides(
                listen: tape.elements(of: listen).compactMap { tape.string(of: $0, in: bytes) },
                statusListen: string("status", bytes),
                workers: string("workers", bytes)
            ),
            secrets: secrets
        )
    }
}

extension ConfigBundle: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "ConfigBundle(\(file))" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["file": file]) }
}
