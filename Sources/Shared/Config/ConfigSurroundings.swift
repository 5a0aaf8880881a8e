// SPDX-License-Identifier: Apache-2.0

/// What a configuration may ask of the machine it stands on.
///
/// The parser has no other way out, so a worker can answer from what the supervisor sent along.
package struct ConfigSurroundings {
    /// The value behind a reference.
    package var resolve: (SecretReference) -> Result<String, SecretFailure>
    /// Why a file of certificates cannot be read; nil when it can.
    package var fileProblem: (_ path: String) -> String?
    /// Directory that relative paths start from, without a slash at its end; empty for the
    /// working directory.
    package var directory: String

    package init(
        directory: String,
        resolve: @escaping (SecretReference) -> Result<String, SecretFailure>,
        fileProblem: @escaping (_ path: String) -> String?
    ) {
        self.directory = directory
        self.resolve = resolve
        self.fileProblem = fileProblem
    }

    /// `path`, from the directory of the configuration when it is relative.
    package func absolute(_ path: String) -> String {
        path.hasPrefix("/") || directory.isEmpty ? path : directory + "/" + path
    }
}

/// What the command line says in place of the file.
package struct ConfigOverrides: Equatable, Sendable {
    /// `--listen`, in place of all of `listen`.
    package var listen: [String]
    /// `--status`.
    package var statusListen: String?
    /// `--workers`.
    package var workers: String?

    package init(listen: [String] = [], statusListen: String? = nil, workers: String? = nil) {
        self.listen = listen
        self.statusListen = statusListen
        self.workers = workers
    }
}
