// SPDX-License-Identifier: Apache-2.0
internal import CLinux

extension Syscalls {
    /// Bytes of a memory page, the unit of /proc/PID/stat.
    ///
    /// sysconf(3).
    package static var pageBytes: UInt64 { UInt64(clinux_page_size()) }

    /// Open descriptors of a process.
    ///
    /// stat(2) of /proc/PID/fd, whose entries are counted before Linux 6.2. proc_pid_fd(5).
    package static func openDescriptors(of pid: Int32) throws(Errno) -> Int {
        Int(try checked(clinux_open_fds(pid)))
    }

    /// Rows and columns of a terminal; nil for anything else and for one that does not say.
    ///
    /// ioctl(2) TIOCGWINSZ.
    package static func terminalSize(_ fd: Int32) -> (rows: Int, columns: Int)? {
        var rows: Int32 = 0
        var columns: Int32 = 0
        guard unsafe clinux_terminal_size(fd, &rows, &columns) == 0, rows > 0, columns > 0 else {
            return nil
        }
        return (Int(rows), Int(columns))
    }
}
