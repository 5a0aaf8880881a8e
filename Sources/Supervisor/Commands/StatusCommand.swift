// SPDX-License-Identifier: Apache-2.0
import Config
import Loop
import System

/// `apus status`: shows the state of a running gateway.
struct StatusCommand: Equatable {
    var configPath: String?
    var address: SocketAddress?
    /// The document instead of tables.
    var showsJSON = false
    /// Again every second.
    var watches = false

    static let target = "/status?full"

    init(_ options: ParsedOptions) throws(UsageError) {
        configPath = options[.config]
        showsJSON = options.contains(.json)
        watches = options.contains(.watch)
        guard let text = options[.status] else { return }
        guard let address = Self.address(text) else {
            throw .badAddress(.status, text, .status)
        }
        self.address = address
    }

    /// An address as the configuration has it, or as a URL that somebody copied from the log.
    private static func address(_ text: String) -> SocketAddress? {
        guard text.hasPrefix("http://") else { return SocketAddress(text) }
        let host = text.dropFirst("http://".count).prefix { $0 != "/" }
        return SocketAddress(String(host))
    }

    func run() -> Int32 {
        do throws(ConfigErrors) {
            let address = try knownAddress()
            guard address.port != 0 else {
                TextOutput.error.write("apus: \(UsageError.statusPortUnknown.description)\n")
                return ExitCode.usage
            }
            return run(address)
        } catch {
            TextOutput.error.write(error.description + "\n")
            return ExitCode.badConfiguration
        }
    }

    /// Colours are unwanted where NO_COLOR says so, and a dumb terminal has none.
    ///
    /// https://no-color.org
    static func wantsColours(_ environment: [String]) -> Bool {
        !environment.contains("TERM=dumb")
            && !environment.contains { $0.hasPrefix("NO_COLOR=") && $0 != "NO_COLOR=" }
    }

    private func knownAddress() throws(ConfigErrors) -> SocketAddress {
        if let address { return address }
        return try ConfigLoader(environment: [:]).statusAddress(path: configPath)
    }

    private func run(_ address: SocketAddress) -> Int32 {
        do throws(SystemError) {
            let loop = try EventLoop()
            let view = StatusView(
                address: address,
                showsJSON: showsJSON,
                isLive: watches && !showsJSON && TextOutput.standard.isTerminal,
                isLine: watches && !showsJSON,
                isColoured: Self.wantsColours(Syscalls.environment())
            )
            let watch = StatusWatch(address, loop: loop, view: view, repeats: watches)
            return try watch.run()
        } catch {
            TextOutput.error.write("apus: \(error)\n")
            return ExitCode.failure
        }
    }
}
