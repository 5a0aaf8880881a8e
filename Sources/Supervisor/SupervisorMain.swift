// SPDX-License-Identifier: Apache-2.0
import Log
import System

@main
struct SupervisorMain {
    static func main() {
        do throws(Errno) {
            try Syscalls.openStandardDescriptors()
        } catch {
            Syscalls.exitNow(ExitCode.failure)
        }
        let sink = LogSink(descriptor: 2, level: .info)
        Syscalls.ignoreBrokenPipes()
        do throws(ServeCommand.UsageError) {
            let arguments = Array(CommandLine.arguments.dropFirst())
            let command = try ServeCommand(
                arguments: arguments.first == "serve" ? Array(arguments.dropFirst()) : arguments
            )
            Syscalls.exitNow(command.run(log: sink))
        } catch {
            sink.log(.error, text: error.description)
            sink.flush()
            Syscalls.exitNow(ExitCode.usage)
        }
    }
}
