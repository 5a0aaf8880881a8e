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
        Syscalls.keepEndedChildren()
        #if DEBUG
        guard SupervisorFaults.force(environment: Syscalls.environment()) else {
            TextOutput.error.write("apus: APUS_FAULT names what does not exist\n")
            Syscalls.exitNow(ExitCode.usage)
        }
        #endif
        do throws(UsageError) {
            let command = try Command(arguments: Array(CommandLine.arguments.dropFirst()))
            Syscalls.exitNow(command.run())
        } catch {
            TextOutput.error.write("apus: \(error.description)\n")
            Syscalls.exitNow(ExitCode.usage)
        }
    }
}
