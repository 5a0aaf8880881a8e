// SPDX-License-Identifier: Apache-2.0
package import System

/// Finds the configuration of a machine and checks it.
package struct ConfigLoader {
    /// Read when no file is named and it exists.
    package static let pathDefault = "/etc/apus/apus.json"
    /// How errors call the configuration that is made from the environment.
    package static let embeddedName = "embedded default"

    let environment: [String: String]
    private let pathDefault: String

    package init(environment: [String: String], pathDefault: String = pathDefault) {
        self.environment = environment
        self.pathDefault = pathDefault
    }

    /// The variables of this process by name.
    package static func processEnvironment() -> [String: String] {
        var variables: [String: String] = [:]
        for variable in Syscalls.environment() {
            guard let equals = variable.firstIndex(of: "=") else { continue }
            variables[String(variable[..<equals])] =
                String(variable[variable.index(after: equals)...])
        }
        return variables
    }

    /// Reads and checks the configuration: the named file, else the default file if it exists,
    /// else what the environment gives.
    ///
    /// - Returns: The configuration, and what a worker needs to come to the same one.
    package func load(
        path: String? = nil,
        overrides: ConfigOverrides = ConfigOverrides()
    ) throws(ConfigErrors) -> (config: Config, bundle: ConfigBundle) {
        let (file, text) = try read(path)
        let directory = path == nil && file == Self.embeddedName ? "" : Self.directory(of: file)
        let notes = SecretNotes()
        let surroundings = ConfigSurroundings(
            directory: directory,
            resolve: { reference in
                let result = resolve(reference, directory)
                if case .success(let value) = result { notes.values[reference] = value }
                return result
            },
            fileProblem: Self.fileProblem
        )
        let config = try ConfigParser.parse(
            text,
            file: file,
            overrides: overrides,
            surroundings: surroundings
        )
        let bundle = ConfigBundle(
            file: file,
            directory: directory,
            text: text,
            overrides: overrides,
            secrets: notes.values
        )
        return (config, bundle)
    }

    /// The operators' address of the configuration that `load` would read, with nothing else of it
    /// looked at: its secrets may be out of this user's reach.
    package func statusAddress(path: String? = nil) throws(ConfigErrors) -> SocketAddress {
        let (file, text) = try read(path)
        return try ConfigParser.statusListen(text, file: file)
    }

    /// What was resolved during a parse; a class, because the closure that fills it escapes.
    private final class SecretNotes {
        var values: [SecretReference: String] = [:]
    }

    // MARK: Files

    private func read(_ path: String?) throws(ConfigErrors) -> (file: String, text: [UInt8]) {
        let candidate = path ?? pathDefault
        do throws(Errno) {
            let text = try Syscalls.contents(of: candidate, limit: ConfigLimits.fileBytesMax)
            return (candidate, text)
        } catch {
            if path == nil, error == .noEntry {
                return (Self.embeddedName, Array(embeddedText.utf8))
            }
            let limit = Quantity.text(size: ConfigLimits.fileBytesMax)
            let reason = error == .invalid ? "larger than \(limit)" : error.text
            throw ConfigErrors([ConfigError(file: candidate, "cannot be read: \(reason)")])
        }
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "" }
        // The root keeps an empty name, and "/" is put back where a path is joined.
        return slash == path.startIndex ? "/." : String(path[..<slash])
    }

    private static func fileProblem(_ path: String) -> String? {
        do throws(Errno) {
            let file = try Syscalls.openForReading(path)
            return Syscalls.kind(of: file.raw) == .directory ? "it is a directory" : nil
        } catch {
            return error.text
        }
    }

    // MARK: References

    private func resolve(
        _ reference: SecretReference,
        _ directory: String
    ) -> Result<String, SecretFailure> {
        let name = reference.name
        switch reference.source {
        case .environment:
            guard let value = environment[name] else {
                return .failure(SecretFailure("the environment variable \(name) is not set"))
            }
            return .success(value)
        case .file:
            let path = name.hasPrefix("/") || directory.isEmpty ? name : directory + "/" + name
            return contents(of: path, "the file \(name)")
        case .credential:
            guard let directory = environment["CREDENTIALS_DIRECTORY"], !directory.isEmpty else {
                let message = "CREDENTIALS_DIRECTORY is not set, so there is no credential \(name)"
                return .failure(SecretFailure(message))
            }
            return contents(of: directory + "/" + name, "the credential \(name)")
        }
    }

    /// The text of a file without the line end that editors put behind it.
    private func contents(of path: String, _ what: String) -> Result<String, SecretFailure> {
        do throws(Errno) {
            let bytes = try Syscalls.contents(of: path, limit: ConfigLimits.secretBytesMax)
            guard var text = String(validating: bytes, as: UTF8.self) else {
                return .failure(SecretFailure("\(what) is not UTF-8"))
            }
            if let last = text.last, last == "\n" || last == "\r\n" { text.removeLast() }
            return .success(text)
        } catch {
            let limit = Quantity.text(size: ConfigLimits.secretBytesMax)
            let reason = error == .invalid ? "larger than \(limit)" : error.text
            return .failure(SecretFailure("\(what) cannot be read: \(reason)"))
        }
    }
}
