// SPDX-License-Identifier: Apache-2.0
import System

/// The configuration file of the command line, or the defaults without one.
final class ConfigurationFile: ConfigurationSource {
    /// Thousands of keys with their limits fit into a megabyte.
    private static let bytesMax = 16 * 1024 * 1024

    private let path: String?

    init(path: String?) {
        self.path = path
    }

    override func read() -> ConfigurationReading {
        var bytes = Array("{}".utf8)
        if let path {
            do throws(Errno) {
                bytes = try Syscalls.contents(of: path, limit: Self.bytesMax)
            } catch {
                return .invalid(["\(path): \(error)"])
            }
        }
        guard let listen = SocketAddress("127.0.0.1:3001") else { return .invalid([]) }
        return .valid(FleetSettings(listen: [listen], status: nil, workers: nil, bundle: bytes))
    }
}
