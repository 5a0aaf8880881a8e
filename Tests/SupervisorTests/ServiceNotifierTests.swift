// SPDX-License-Identifier: Apache-2.0
import Glibc
import Support
import System
import Testing

@testable import Supervisor

/// The service manager's end: a datagram socket with a name.
private final class Manager {
    let name: String
    private let fd: OwnedFD

    init(_ name: String) throws {
        self.name = name
        let raw = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        fd = OwnedFD(owning: raw)
        try Syscalls.bind(raw, .unix(path: name))
    }

    func next() -> String? {
        guard isReadable(fd.raw) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 4096)
        // SAFETY: the call writes at most the array.
        let count = unsafe recv(fd.raw, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }

    deinit {
        guard !name.hasPrefix("@") else { return }
        // SAFETY: a plain call of libc with a string that lives through it.
        unsafe unlink(name)
    }
}

@Suite struct ServiceNotifierTests {
    @Test(
        "The service manager hears each step",
        arguments: ["/tmp/apus-notify-\(getpid())", "@apus-notify-\(getpid())"]
    )
    func messages(name: String) throws {
        let manager = try Manager(name)
        let notifier = ServiceNotifier(environment: ["PATH=/bin", "NOTIFY_SOCKET=\(name)"])
        notifier.ready(status: "5 workers")
        notifier.reloading(now: 1_234_567_890)
        notifier.status("degraded")
        notifier.stopping(status: "draining")
        #expect(manager.next() == "READY=1\nSTATUS=5 workers")
        #expect(manager.next() == "RELOADING=1\nMONOTONIC_USEC=1234567")
        #expect(manager.next() == "STATUS=degraded")
        #expect(manager.next() == "STOPPING=1\nSTATUS=draining")
    }

    @Test(
        "Without a manager, or with one that is gone, nothing happens",
        arguments: [
            [], ["NOTIFY_SOCKET="], ["NOTIFY_SOCKET=/nonexistent/x"], ["NOTIFY_SOCKET=@no"],
        ]
    )
    func silent(environment: [String]) {
        ServiceNotifier(environment: environment).ready(status: "x")
    }
}
