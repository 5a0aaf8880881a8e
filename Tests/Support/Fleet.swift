// SPDX-License-Identifier: Apache-2.0
import Bytes
import Glibc
package import System

/// A running `apus serve` with its workers, in a directory of its own.
package final class Fleet {
    package let process: ServerProcess
    package let directory: PrivateDirectory
    package private(set) var settings: FleetSettings
    /// Where clients connect, one per listen address.
    package private(set) var addresses: [SocketAddress] = []
    package private(set) var statusAddress: SocketAddress

    package var address: SocketAddress { addresses[0] }
    package var pid: Int32 { process.pid }

    /// Starts a fleet and waits until every worker is ready.
    package init(
        _ settings: FleetSettings = FleetSettings(),
        arguments: [String] = [],
        program: String = ApusProgram.supervisor
    ) throws {
        self.settings = settings
        directory = try PrivateDirectory()
        let config = try directory.write("apus.json", settings.text)
        let command = try Launch(settings, directory, program: program)
        process = try ServerProcess(
            command.program,
            arguments: command.arguments + ["serve", "--config", config] + arguments,
            environment: ApusProgram.environment(directory) + command.environment,
            descriptors: settings.descriptors.map {
                InheritedFD(source: $0.value, target: $0.key)
            }
        )
        statusAddress = .unix(path: "")
        do {
            try waitForListeners()
            try waitForWorkers(settings.readyWorkers ?? settings.workers)
        } catch {
            let text = process.tail()
            process.kill()
            throw TestFailure("the fleet did not start: \(error)\n\(settings.text)\n\(text)")
        }
    }

    private func waitForListeners() throws {
        for _ in settings.listen.indices {
            let known = addresses
            let address = try process.waitForLine("listening") { line -> SocketAddress? in
                guard let address = try Self.address(in: line, message: "listening"),
                    !known.contains(address)
                else { return nil }
                return address
            }
            addresses.append(address)
        }
        statusAddress = try process.waitForLine("status listening") { line in
            try Self.address(in: line, message: "status listening")
        }
    }

    private static func address(in line: String, message: String) throws -> SocketAddress? {
        guard line.hasPrefix("{"), case let record = try JSONValue(line),
            record["msg"]?.string == message, let text = record["address"]?.string
        else { return nil }
        guard let address = SocketAddress(text) else {
            throw TestFailure("not an address: \(line)")
        }
        return address
    }

    // MARK: Requests

    package func connect(
        receiveBuffer: Int32? = nil,
        by deadline: Deadline = .soon
    ) throws -> HTTPConnection {
        try HTTPConnection(to: address, receiveBuffer: receiveBuffer, by: deadline)
    }

    /// One request on a connection of its own.
    package func exchange(
        _ request: [UInt8],
        toHead: Bool = false,
        by deadline: Deadline = .soon
    ) throws -> HTTPReply {
        let connection = try connect(by: deadline)
        try connection.send(request, by: deadline)
        return try connection.readReply(toHead: toHead, by: deadline)
    }

    package func get(_ target: String, fields: [WireField] = []) throws -> HTTPReply {
        try exchange(HTTPRequestText.bytes("GET", target, fields: fields))
    }

    package func post(
        _ target: String,
        _ json: String,
        fields: [WireField] = []
    ) throws -> HTTPReply {
        try exchange(HTTPRequestText.post(target, json, fields: fields))
    }

    /// A chat request with one user message, and the given members besides.
    package static func chat(_ model: String, _ members: String = "") -> String {
        let more = members.isEmpty ? "" : ", \(members)"
        return #"{"model":"\#(model)","messages":[{"role":"user","content":"Say hello"}]\#(more)}"#
    }

    package func chat(
        _ model: String,
        _ members: String = "",
        fields: [WireField] = []
    ) throws -> HTTPReply {
        try post("/v1/chat/completions", Self.chat(model, members), fields: fields)
    }

    // MARK: Status plane

    package func statusGet(_ target: String, by deadline: Deadline = .soon) throws -> HTTPReply {
        let connection = try HTTPConnection(to: statusAddress, by: deadline)
        try connection.send(HTTPRequestText.bytes("GET", target), by: deadline)
        return try connection.readReply(by: deadline)
    }

    package func status() throws -> JSONValue {
        try statusGet("/status?full").json()
    }

    package func metrics() throws -> PrometheusText {
        try PrometheusText(try statusGet("/metrics").text)
    }

    /// Waits for the metrics to say something: workers report them a moment after the fact.
    package func waitForMetrics(
        _ what: String,
        by deadline: Deadline = .soon,
        _ condition: (PrometheusText) -> Bool
    ) throws -> PrometheusText {
        var last = ""
        do {
            return try eventually("metrics with \(what)", by: deadline) {
                let metrics = try self.metrics()
                last = metrics.text
                return condition(metrics) ? metrics : nil
            }
        } catch {
            throw TestFailure("\(error):\n\(last)")
        }
    }

    /// Process ids of the workers that are ready, in the order of their slots.
    package func readyWorkers() throws -> [Int32] {
        guard let workers = try status()["processes"]?.array else {
            throw TestFailure("no processes in the status")
        }
        return workers.compactMap { worker in
            guard worker["state"]?.string == "ready", let pid = worker["pid"]?.int else {
                return nil
            }
            return Int32(pid)
        }
    }

    /// Waits until that many workers are ready and returns their process ids.
    @discardableResult
    package func waitForWorkers(_ count: Int, by deadline: Deadline = .soon) throws -> [Int32] {
        try eventually("set of \(count) ready workers", by: deadline) {
            if let exit = try self.process.exitIfEnded() {
                throw TestFailure("the supervisor ended: \(exit)")
            }
            let ready = try self.readyWorkers()
            return ready.count == count ? ready : nil
        }
    }

    // MARK: Changes

    /// Writes a new configuration, with the addresses that are in use, and asks for a reload.
    package func reload(_ settings: FleetSettings) throws {
        self.settings = settings
        try reload(text: settings.text)
    }

    package func reload(text: String) throws {
        try directory.write("apus.json", text)
        try process.signal(.hangup)
    }

    // MARK: Log

    /// The log records so far; lines that are not JSON are faults.
    package func log() throws -> [JSONValue] {
        try process.lines().map { line in
            do {
                return try JSONValue(line)
            } catch {
                throw TestFailure("a log line that is not JSON: \(line)")
            }
        }
    }

    /// Waits for a log record for which `match` holds.
    package func waitForLog(
        _ what: String,
        by deadline: Deadline = .soon,
        _ match: (JSONValue) -> Bool
    ) throws -> JSONValue {
        try process.waitForLine(what, by: deadline) { line in
            let record = try JSONValue(line)
            return match(record) ? record : nil
        }
    }

    /// What no test may leave behind, whatever it was about; empty when all is well.
    ///
    /// Nothing is said about a fleet that has ended, or that does not answer any more.
    package func faultsAtEnd() -> [String] {
        var faults: [String] = []
        do {
            guard try process.exitIfEnded() == nil else { return [] }
            let metrics = try PrometheusText(statusGet("/metrics", by: .after(.seconds(2))).text)
            let lost = metrics.sum("apus_connections_handoff_total", ["result": "lost"])
            if lost != 0 { faults.append("\(lost) connections were lost") }
            _ = try eventually("end of zombies", by: .after(.seconds(3))) {
                ProcessFacts.children(pid).allSatisfy { ProcessFacts.isRunning($0) } ? true : nil
            }
        } catch is Errno {
            // It does not listen any more: it stops.
            return faults
        } catch is ConnectionLost {
            return faults
        } catch {
            faults.append("\(error)")
        }
        return faults
    }

    /// Ends the fleet.
    ///
    /// Keeps the directory, with the log in it, when the test failed.
    package func stop(failed: Bool) {
        process.kill(grace: .seconds(3))
        guard failed else {
            directory.remove()
            return
        }
        do {
            try directory.write("stderr.log", process.lines().joined(separator: "\n") + "\n")
        } catch {
            print("could not keep the log: \(error)")
        }
        print("kept: \(directory.path) (apus.json, stderr.log)")
    }
}
