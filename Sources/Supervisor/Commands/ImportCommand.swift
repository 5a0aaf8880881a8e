// SPDX-License-Identifier: Apache-2.0
import Config
import System

/// `apus import sap-proxy FILE`: turns another gateway's configuration into one of apus.
struct ImportCommand: Equatable {
    /// The one gateway whose configuration is understood.
    static let source = "sap-proxy"

    let path: String
    /// Nil for standard output.
    var output: String?

    init(path: String, output: String? = nil) {
        self.path = path
        self.output = output
    }

    init(_ options: ParsedOptions) throws(UsageError) {
        if let source = options.arguments.first, source != Self.source {
            throw .unknownSource(source)
        }
        guard options.arguments.count == 2 else { throw .missingArgument(.importing) }
        self.init(path: options.arguments[1], output: options[.output])
    }

    func run() -> Int32 {
        do throws(ConfigErrors) {
            let result = try ProxyImport.convert(try read(), file: path)
            for warning in result.warnings {
                TextOutput.error.write(warning.description + "\n")
            }
            return write(result.text)
        } catch {
            TextOutput.error.write(error.description + "\n")
            return ExitCode.badConfiguration
        }
    }

    private func read() throws(ConfigErrors) -> [UInt8] {
        do throws(Errno) {
            return try Syscalls.contents(of: path, limit: ConfigLimits.fileBytesMax)
        } catch {
            let limit = Quantity.text(size: ConfigLimits.fileBytesMax)
            let reason = error == .invalid ? "larger than \(limit)" : error.text
            throw ConfigErrors([ConfigError(file: path, "cannot be read: \(reason)")])
        }
    }

    private func write(_ text: String) -> Int32 {
        guard let output else { return TextOutput.standard.write(text) }
        do throws(Errno) {
            let file = try Syscalls.createForWriting(output)
            let code = TextOutput(descriptor: file.raw).write(text)
            if code != ExitCode.success {
                TextOutput.error.write("\(output): could not be written to its end\n")
            }
            return code
        } catch {
            let hint = error == .exists ? "; name a file that is not there yet" : ""
            TextOutput.error.write("\(output): cannot be written: \(error.text)\(hint)\n")
            return ExitCode.failure
        }
    }
}
