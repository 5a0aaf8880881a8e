// SPDX-License-Identifier: Apache-2.0
import System

/// A socket that listens.
final class ListenerSocket {
    /// Connections that wait in the kernel; it cuts the number to net.core.somaxconn, 4096 on
    /// current systems.
    static let backlog: Int32 = 4096

    /// More than any number of operators; a full queue shows as EAGAIN to the next one.
    private static let privateBacklog: Int32 = 128

    /// The address with the port that the kernel chose.
    let address: SocketAddress
    /// Name that the service manager gave it.
    let name: String
    private var fd: OwnedFD?
    /// Whether the socket file is ours to remove.
    private let isOwner: Bool

    /// A socket of the service manager.
    init(inherited fd: consuming OwnedFD, address: SocketAddress, name: String) {
        self.fd = consume fd
        self.address = address
        self.name = name
        isOwner = false
    }

    /// A socket that another program of this process has opened or was given; nil when its address
    /// makes no sense.
    init?(adopting state: UpgradeState.Socket) {
        guard state.descriptor >= 0, let address = SocketAddress(state.address) else { return nil }
        fd = OwnedFD(owning: state.descriptor)
        self.address = address
        name = state.name
        isOwner = state.isOwner
    }

    /// What another program needs to go on with the socket.
    func upgradeState(_ counts: Listener.Counts) -> UpgradeState.Socket {
        UpgradeState.Socket(
            descriptor: raw,
            address: "\(address)",
            name: name,
            isOwner: isOwner,
            counts: counts
        )
    }

    private init(opened fd: consuming OwnedFD, address: SocketAddress) {
        self.fd = consume fd
        self.address = address
        name = ""
        isOwner = true
    }

    /// The descriptor.
    ///
    /// Only before `close`.
    var raw: Int32 {
        switch fd {
        case .some(let fd): fd.raw
        case .none: preconditionFailure("a closed listener was used")
        }
    }

    func close() { fd = nil }

    /// Removes the socket file of a Unix listener that this process made.
    func removeFile() {
        guard isOwner, case .unix(let path) = address, !path.hasPrefix("@") else { return }
        do throws(Errno) {
            try Syscalls.unlink(path)
        } catch {
            // Somebody removed it before: it is gone either way.
            return
        }
    }

    /// A Unix socket that only this user and root can connect to, in place of one that an earlier
    /// process left.
    ///
    /// For a directory that this process has locked: whoever listened there is gone.
    static func openPrivate(_ path: String) throws(SystemError) -> ListenerSocket {
        let address = SocketAddress.unix(path: path)
        do throws(Errno) {
            if Syscalls.isSocket(path) { try Syscalls.unlink(path) }
            let fd = try Syscalls.streamSocket(for: address)
            try Syscalls.setMode(fd.raw, 0o600)
            try Syscalls.bind(fd.raw, address)
            try Syscalls.listen(fd.raw, backlog: privateBacklog)
            return ListenerSocket(opened: fd, address: address)
        } catch {
            throw SystemError(.bind, error)
        }
    }

    /// A socket that listens on `address`; port 0 lets the kernel choose.
    static func open(_ address: SocketAddress) throws(StartError) -> ListenerSocket {
        do throws(ListenError) {
            let fd = try listen(address)
            let resolved = resolved(address, fd)
            return ListenerSocket(opened: fd, address: resolved)
        } catch {
            throw .listen(error)
        }
    }

    private static func resolved(
        _ address: SocketAddress,
        _ fd: borrowing OwnedFD
    ) -> SocketAddress {
        guard address.port == 0 else { return address }
        do throws(Errno) {
            return try Syscalls.localAddress(fd.raw)
        } catch {
            preconditionFailure("getsockname of a bound socket: \(error)")
        }
    }

    private static func listen(_ address: SocketAddress) throws(ListenError) -> OwnedFD {
        let fd: OwnedFD
        do throws(Errno) {
            fd = try Syscalls.streamSocket(for: address)
        } catch {
            throw ListenError(address: address, cause: .system(SystemError(.socket, error)))
        }
        // Connections of an earlier process that linger in TIME_WAIT do not keep the port.
        Syscalls.setReuseAddress(fd.raw)
        if case .ipv6 = address { Syscalls.setIPv6Only(fd.raw) }
        try bind(fd.raw, address)
        do throws(Errno) {
            try Syscalls.listen(fd.raw, backlog: backlog)
        } catch {
            throw ListenError(
                address: address,
                cause: error == .addressInUse ? .inUse : .system(SystemError(.listen, error))
            )
        }
        return fd
    }

    private static func bind(_ fd: Int32, _ address: SocketAddress) throws(ListenError) {
        do throws(Errno) {
            try Syscalls.bind(fd, address)
            return
        } catch {
            guard error == .addressInUse else {
                throw ListenError(address: address, cause: .system(SystemError(.bind, error)))
            }
        }
        guard case .unix(let path) = address, !path.hasPrefix("@") else {
            throw ListenError(address: address, cause: .inUse)
        }
        guard Syscalls.isSocket(path) else {
            throw ListenError(address: address, cause: .notSocket)
        }
        guard isAbandoned(address) else { throw ListenError(address: address, cause: .inUse) }
        do throws(Errno) {
            try Syscalls.unlink(path)
            try Syscalls.bind(fd, address)
        } catch {
            throw ListenError(address: address, cause: .system(SystemError(.bind, error)))
        }
    }

    /// Whether nobody listens behind the socket file: an earlier process left it.
    private static func isAbandoned(_ address: SocketAddress) -> Bool {
        do throws(Errno) {
            let probe = try Syscalls.streamSocket(for: address)
            try Syscalls.connect(probe.raw, address)
            return false
        } catch {
            // EAGAIN says that somebody listens and is busy. unix(7).
            return error == .connectionRefused
        }
    }
}
