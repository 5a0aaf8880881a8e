// SPDX-License-Identifier: Apache-2.0
import System

/// What a command line asks for.
enum Command: Equatable {
    case serve(ServeCommand)
    case check(CheckCommand)
    case status(StatusCommand)
    /// `reload`, `scale`, `stop` and `upgrade`.
    case operating(OperatorCommand)
    case importing(ImportCommand)
    case version
    /// A page of help; nil for the one that lists the commands.
    case help(CommandName?)

    /// Reads the arguments behind the program's name.
    init(arguments: [String]) throws(UsageError) {
        guard let first = arguments.first else {
            self = .serve(ServeCommand())
            return
        }
        switch first {
        case "-h", "--help": self = .help(nil)
        case "-V", "--version": self = .version
        case _ where first.hasPrefix("-"):
            // `apus` alone means `apus serve`, options included.
            self = try Self.command(.serve, arguments[...])
        default:
            guard let name = CommandName(rawValue: first) else { throw .unknownCommand(first) }
            self = try Self.command(name, arguments.dropFirst())
        }
    }

    private static func command(
        _ name: CommandName,
        _ words: ArraySlice<String>
    ) throws(UsageError) -> Command {
        let options = try ParsedOptions(name, words, argumentsMax: name.operandsMax)
        if options.asksForHelp { return .help(name) }
        switch name {
        case .serve: return .serve(try ServeCommand(options))
        case .check: return .check(CheckCommand(configPath: options[.config]))
        case .status: return .status(try StatusCommand(options))
        case .reload: return .operating(OperatorCommand(.reload))
        case .scale: return .operating(try OperatorCommand(scale: options))
        case .stop: return .operating(OperatorCommand(.stop(now: options.contains(.now))))
        case .upgrade: return .operating(OperatorCommand(.upgrade))
        case .importing: return .importing(try ImportCommand(options))
        case .version: return .version
        case .help:
            guard let topic = options.arguments.first else { return .help(nil) }
            guard let name = CommandName(rawValue: topic) else { throw .unknownCommand(topic) }
            return .help(name)
        }
    }

    /// Runs the command to its end.
    ///
    /// Returns the exit code.
    func run() -> Int32 {
        switch self {
        case .serve(let command): command.run()
        case .check(let command): command.run()
        case .status(let command): command.run()
        case .operating(let command): command.run()
        case .importing(let command): command.run()
        case .version: TextOutput.standard.write(Self.versionText + "\n")
        case .help(let topic): TextOutput.standard.write(HelpText.page(topic))
        }
    }

    /// The release and what it was built with.
    static var versionText: String { "apus \(Version.text) (\(compiler), \(architecture))" }

    private static var compiler: String {
        #if compiler(>=6.4)
        "Swift 6.4 or later"
        #elseif compiler(>=6.3)
        "Swift 6.3"
        #else
        "Swift 6.2"
        #endif
    }

    private static var architecture: String {
        #if arch(x86_64)
        "x86_64"
        #elseif arch(arm64)
        "arm64"
        #else
        "other architecture"
        #endif
    }
}
