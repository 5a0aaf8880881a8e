// SPDX-License-Identifier: Apache-2.0
import System

@main
struct SupervisorMain {
    static func main() {
        do throws(Errno) {
            try Syscalls.openStandardDescriptors()
        } catch {
            Syscalls.exitNow(ExitCode.failure)
        }
        Syscalls.ignoreBrokenPipes()
        do throws(UsageError) {
            let command = try Command(arguments: Array(CommandLine.arguments.dropFirst()))
            Syscalls.exitNow(command.run())
        } catch {
            TextOutput.error.write("apus: \(error.description)\n")
            Syscalls.exitNow(ExitCode.usage)
        }
    }
}
