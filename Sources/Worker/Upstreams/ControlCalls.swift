// SPDX-License-Identifier: Apache-2.0
import Bytes
import CCurl
import HTTP
import Loop

/// A request that is not model traffic: a model listing, a token.
struct ControlRequest {
    /// Most bytes of a response unless the caller says otherwise.
    ///
    /// Limit: 4 MiB. The longest model listings have 1 MiB; a token has 4 KiB.
    static let bytesMaxDefault = 4 << 20

    var url: String
    /// Field lines, `Name: value`.
    var headers: [String] = []
    /// Nil sends a GET, anything else a POST.
    var body: [UInt8]?
    /// Nanoseconds for all of it.
    var timeout: UInt64 = 10_000_000_000
    var bytesMax = ControlRequest.bytesMaxDefault
    /// Whose proxy, CA file and client certificate to use.
    var settings: UpstreamSettings

    init(url: String, like settings: UpstreamSettings) {
        self.url = url
        self.settings = settings
    }
}

/// What a control call brought.
enum ControlResult {
    /// An HTTP response of any status, whole.
    case answered(status: Int, body: ByteBuffer)
    case failed(UpstreamFailure.Kind, detail: String)
}

/// Receives the result of a control call.
///
/// A class to inherit from.
class ControlSink {
    /// Exactly once, never from inside `ControlCalls.begin`; not after `cancel`.
    func controlEnded(_ result: ControlResult) {}
}

/// One control call under way.
final class ControlCall: CurlTransfer {
    let request: ControlRequest
    private let owner: ControlCalls
    fileprivate var sink: ControlSink?
    private let body = ByteBuffer()
    private var isTooLarge = false
    fileprivate var isFinished = false

    fileprivate init(
        easy: CurlEasy,
        _ request: ControlRequest,
        _ sink: ControlSink,
        owner: ControlCalls
    ) {
        self.request = request
        self.sink = sink
        self.owner = owner
        super.init(easy: easy)
    }

    /// Ends the call now; the sink hears nothing.
    func cancel() {
        sink = nil
        owner.finish(self)
    }

    /// Sets the options of a handle that was reset.
    ///
    /// False when libcurl refuses one.
    fileprivate func prepare() -> Bool {
        easy.set(CURLOPT_URL, request.url)
        easy.set(CURLOPT_PROTOCOLS_STR, "http,https")
        easy.set(CURLOPT_NOSIGNAL, 1)
        // A token or key must not follow wherever a response points.
        easy.set(CURLOPT_FOLLOWLOCATION, 0)
        ConnectAttempt.setSecurity(easy, request.settings)
        let milliseconds = Int(clamping: request.timeout / 1_000_000)
        easy.set(CURLOPT_TIMEOUT_MS, min(max(milliseconds, 1), Int(Int32.max)))
        if let body = request.body { easy.setBody(body) }
        // An empty Expect field: waiting for 100 Continue costs a round trip.
        easy.setHeaders(request.headers + ["Expect:"])
        // SAFETY: the multi keeps this object until the transfer is over.
        unsafe easy.setWrite(
            { bytes, one, count, context in
                unsafe ControlCall.receive(bytes, one * count, context)
            },
            self
        )
        return easy.refusedOption == nil
    }

    /// Takes response bytes; fewer than `count` end the transfer.
    @unsafe
    private static func receive(
        _ bytes: UnsafeMutablePointer<CChar>?,
        _ count: Int,
        _ context: UnsafeMutableRawPointer?
    ) -> Int {
        guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
        // SAFETY: the context is the call, which its multi keeps until the transfer is over.
        let call = unsafe Unmanaged<ControlCall>.fromOpaque(context).takeUnretainedValue()
        guard count <= call.request.bytesMax - call.body.count else {
            call.isTooLarge = true
            return 0
        }
        // SAFETY: libcurl's bytes are readable during the callback.
        unsafe call.body.append(copying: UnsafeRawBufferPointer(start: bytes, count: count))
        return count
    }

    override func transferDone(_ code: Int32) {
        let result = result(code)
        let sink = sink
        self.sink = nil
        owner.finish(self)
        sink?.controlEnded(result)
    }

    private func result(_ code: Int32) -> ControlResult {
        if code == 0 {
            return .answered(status: easy.number(CURLINFO_RESPONSE_CODE), body: body)
        }
        let place = ControlCalls.place(request)
        let kind: UpstreamFailure.Kind
        let words: String
        switch code {
        case CURLE_WRITE_ERROR.code where isTooLarge:
            kind = .protocolError
            words = "the response has more than \(request.bytesMax) bytes"
        case CURLE_OPERATION_TIMEDOUT.code where easy.number(CURLINFO_RESPONSE_CODE) > 0:
            kind = .idleTimeout
            words = "the response did not end within the timeout"
        case CURLE_OPERATION_TIMEDOUT.code where easy.nanoseconds(CURLINFO_PRETRANSFER_TIME_T) > 0:
            kind = .headersTimeout
            words = "no response within the timeout"
        case CURLE_GOT_NOTHING.code:
            kind = .closedBeforeResponse
            words = "the server closed the connection without an answer"
        case CURLE_PARTIAL_FILE.code:
            kind = .truncated
            words = "the server closed the connection inside the response"
        case CURLE_WEIRD_SERVER_REPLY.code, CURLE_UNSUPPORTED_PROTOCOL.code,
            CURLE_BAD_CONTENT_ENCODING.code, CURLE_HTTP2.code, CURLE_HTTP2_STREAM.code:
            kind = .protocolError
            words = easy.failureText(code)
        default:
            let failure = ConnectFailure(code: code, of: easy)
            kind = failure.kind(usesProxy: request.settings.proxy != nil)
            return .failed(kind, detail: failure.detail(place))
        }
        return .failed(kind, detail: "\(place.address): \(words)")
    }
}

/// Requests beside the model traffic, as full libcurl transfers on a multi of their own.
///
/// Few and small, so that libcurl's whole HTTP client is worth its price: HTTP/2, and every odd
/// server it has met.
final class ControlCalls {
    /// Handles kept for the next call: a listing asks every upstream at once.
    private static let easiesMax = 8
    /// Connections that libcurl keeps.
    private static let connectionsKept = 8

    private let loop: EventLoop
    private var multi: CurlMulti?
    private var easies: [CurlEasy] = []

    /// Opens nothing and does not start libcurl.
    init(loop: EventLoop) {
        self.loop = loop
    }

    /// Sends a GET.
    func get(
        url: String,
        headers: [String],
        like settings: UpstreamSettings,
        timeout: UInt64,
        bytesMax: Int = ControlRequest.bytesMaxDefault,
        _ sink: ControlSink
    ) -> ControlCall? {
        var request = ControlRequest(url: url, like: settings)
        request.headers = headers
        request.timeout = timeout
        request.bytesMax = bytesMax
        return begin(request, sink)
    }

    /// Sends a request.
    ///
    /// - Parameters:
    ///   - request: what to send; field lines with control bytes are refused.
    ///   - sink: hears of the result, never from inside this call.
    /// - Returns: the call, or nil when it could not begin; the sink then hears why.
    @discardableResult
    func begin(_ request: ControlRequest, _ sink: ControlSink) -> ControlCall? {
        guard request.headers.allSatisfy({ $0.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } }) else {
            return refuse(request, sink, "a header field holds a control byte")
        }
        guard let multi = makeMulti(), let easy = easies.popLast() ?? CurlEasy() else {
            return refuse(request, sink, "libcurl could not be started")
        }
        easy.reset()
        let call = ControlCall(easy: easy, request, sink, owner: self)
        guard call.prepare(), multi.add(call) else {
            return refuse(request, sink, "libcurl refuses the request")
        }
        return call
    }

    /// Cancels what is under way and closes all connections.
    func close() {
        multi?.close()
        multi = nil
        easies.removeAll()
    }

    /// The settings with the host and port that the request goes to, for texts.
    static func place(_ request: ControlRequest) -> UpstreamSettings {
        var place = request.settings
        // 255 is the longest host name (RFC 1035), and the NUL.
        var host: InlineArray<256, CChar> = .init(repeating: 0)
        var port: UInt16 = 0
        var span = host.mutableSpan
        // SAFETY: the callee writes at most the space given, ended with NUL.
        let name = unsafe span.withUnsafeMutableBufferPointer { buffer -> String? in
            guard let base = buffer.baseAddress,
                unsafe ccurl_url_host(request.url, base, buffer.count, &port) == 0
            else { return nil }
            return unsafe String(cString: base)
        }
        guard let name else { return place }
        place.host = name.hasPrefix("[") ? String(name.dropFirst().dropLast()) : name
        place.port = port
        return place
    }

    fileprivate func finish(_ call: ControlCall) {
        if call.isFinished { return }
        call.isFinished = true
        multi?.remove(call)
        if easies.count < Self.easiesMax { easies.append(call.easy) }
    }

    private func makeMulti() -> CurlMulti? {
        if let multi { return multi }
        multi = CurlMulti(loop: loop)
        multi?.set(CURLMOPT_MAXCONNECTS, Self.connectionsKept)
        return multi
    }

    private func refuse(
        _ request: ControlRequest,
        _ sink: ControlSink,
        _ words: String
    ) -> ControlCall? {
        let detail = "\(Self.place(request).address): \(words)"
        loop.atEndOfTurn(Refusal(sink, detail))
        return nil
    }

    /// Tells a sink of a call that could not begin.
    private final class Refusal: EventHandler {
        private let sink: ControlSink
        private let detail: String

        init(_ sink: ControlSink, _ detail: String) {
            self.sink = sink
            self.detail = detail
        }

        override func turnEnded() {
            sink.controlEnded(.failed(.connectFailed, detail: detail))
        }
    }
}
