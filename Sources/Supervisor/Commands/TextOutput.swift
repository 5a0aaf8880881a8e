// SPDX-License-Identifier: Apache-2.0
import Loop
import System

/// Writes a command's text to one of its standard descriptors, however slowly it is read.
struct TextOutput {
    static let standard = TextOutput(descriptor: 1)
    static let error = TextOutput(descriptor: 2)

    let descriptor: Int32

    var isTerminal: Bool { Syscalls.isTerminal(descriptor) }

    /// Writes all of `text`.
    ///
    /// Returns the exit code: a reader that has left, as `head` does, wants no more and no
    /// complaint.
    @discardableResult
    func write(_ text: String) -> Int32 {
        let bytes = Array(text.utf8)
        return write(bytes)
    }

    @discardableResult
    func write(_ bytes: [UInt8]) -> Int32 {
        var rest = bytes.span
        while !rest.isEmpty {
            switch Syscalls.write(descriptor, rest) {
            case .bytes(let count): rest = rest.extracting(droppingFirst: count)
            case .wouldBlock: if !waitForRoom() { return ExitCode.failure }
            case .failed(.brokenPipe): return ExitCode.success
            case .failed: return ExitCode.failure
            }
        }
        return ExitCode.success
    }

    /// Waits until a descriptor that somebody made non-blocking takes more.
    private func waitForRoom() -> Bool {
        do throws(SystemError) {
            let loop = try EventLoop()
            let token = try loop.register(descriptor, .write, EventHandler())
            try loop.turn()
            loop.deregister(token)
            return true
        } catch {
            return false
        }
    }
}
