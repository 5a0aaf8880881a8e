// SPDX-License-Identifier: Apache-2.0
import Bytes
import CCurl
import System

/// The process-wide state of libcurl.
enum CurlLibrary {
    /// Starts libcurl and OpenSSL on first use (a few ms); 0 or a CURLcode.
    static let startFailure = ccurl_global_init()
}

/// TLS sessions that connect handles share: without it, a new handle never resumes one.
@safe
final class CurlShare {
    private let raw: UnsafeMutableRawPointer

    init?() {
        guard let share = unsafe ccurl_share_new_tls_sessions() else { return nil }
        unsafe raw = share
    }

    deinit {
        // SAFETY: every handle that uses the share keeps this object alive.
        _ = unsafe ccurl_share_free(raw)
    }

    func attach(to easy: CurlEasy) {
        // SAFETY: as above; `easy` holds the share from here on.
        unsafe easy.set(CURLOPT_SHARE, pointer: raw)
        easy.share = self
    }
}

/// One easy handle with its options, which stay for its life.
@safe
final class CurlEasy {
    /// libcurl's own size of an error text.
    private static let errorTextBytes = Int(CURL_ERROR_SIZE)

    let raw: UnsafeMutableRawPointer
    private let errorText: UnsafeMutablePointer<CChar>
    fileprivate var share: CurlShare?
    private var headerList: UnsafeMutablePointer<curl_slist>?
    /// The first option that libcurl refused; such a handle must not be used.
    private(set) var refusedOption: UInt32?

    init?() {
        guard CurlLibrary.startFailure == 0, let handle = unsafe ccurl_easy_new() else {
            return nil
        }
        unsafe raw = handle
        unsafe errorText = .allocate(capacity: Self.errorTextBytes)
        // SAFETY: freshly allocated for that many; it outlives the handle (see deinit).
        unsafe errorText.initialize(repeating: 0, count: Self.errorTextBytes)
        unsafe set(CURLOPT_ERRORBUFFER, pointer: errorText)
    }

    /// Forgets every option of an earlier use.
    func reset() {
        // SAFETY: the error text lives as long as the handle; the header list goes after it is
        // no longer referred to.
        unsafe ccurl_easy_reset(raw)
        unsafe ccurl_list_free(headerList)
        unsafe headerList = nil
        share = nil
        refusedOption = nil
        unsafe set(CURLOPT_ERRORBUFFER, pointer: errorText)
        clearFailureText()
    }

    deinit {
        // SAFETY: the only owner; the handle goes before what it points to.
        unsafe ccurl_easy_free(raw)
        unsafe errorText.deallocate()
        unsafe ccurl_list_free(headerList)
    }

    // MARK: Options

    private func note(_ code: Int32, _ option: CURLoption) {
        if code != 0, refusedOption == nil { refusedOption = option.rawValue }
    }

    func set(_ option: CURLoption, _ value: Int) {
        note(unsafe ccurl_easy_set_long(raw, option, value), option)
    }

    func set(_ option: CURLoption, offset value: Int) {
        note(unsafe ccurl_easy_set_offset(raw, option, Int64(value)), option)
    }

    func set(_ option: CURLoption, _ text: String?) {
        note(unsafe ccurl_easy_set_text(raw, option, text), option)
    }

    /// Sets an option whose target libcurl uses later: it must outlive the handle or the transfer.
    @unsafe
    func set(_ option: CURLoption, pointer: UnsafeRawPointer?) {
        note(unsafe ccurl_easy_set_pointer(raw, option, pointer), option)
    }

    /// Sets a file's content, which libcurl copies.
    func set(_ option: CURLoption, blob bytes: [UInt8]) {
        // SAFETY: copied during the call.
        unsafe bytes.withUnsafeBytes { content in
            guard let base = content.baseAddress else { return }
            note(unsafe ccurl_easy_set_blob(raw, option, base, content.count), option)
        }
    }

    /// Sets the body of a POST, which libcurl copies.
    func setBody(_ body: [UInt8]) {
        set(CURLOPT_POST, 1)
        set(CURLOPT_POSTFIELDSIZE_LARGE, offset: body.count)
        // SAFETY: copied during the call; the size was set before.
        unsafe body.withUnsafeBytes { bytes in
            unsafe set(CURLOPT_COPYPOSTFIELDS, pointer: bytes.baseAddress)
        }
    }

    /// Hands response bytes to `callback`, with an object that must outlive the transfer.
    @unsafe
    func setWrite(_ callback: @escaping ccurl_write_callback, _ context: AnyObject) {
        // SAFETY: the caller keeps the context; see above.
        let pointer = unsafe Unmanaged.passUnretained(context).toOpaque()
        note(unsafe ccurl_easy_set_write(raw, callback, pointer), CURLOPT_WRITEFUNCTION)
    }

    /// Replaces the request's header lines; a line `Name:` removes libcurl's own.
    func setHeaders(_ lines: [String]) {
        var list: UnsafeMutablePointer<curl_slist>?
        for line in lines {
            // SAFETY: the list is ours until it is handed to the handle.
            guard let longer = unsafe ccurl_list_append(list, line) else {
                note(CURLE_OUT_OF_MEMORY.code, CURLOPT_HTTPHEADER)
                break
            }
            unsafe list = longer
        }
        // SAFETY: the old list is freed after the handle has let go of it.
        note(unsafe ccurl_easy_set_list(raw, CURLOPT_HTTPHEADER, list), CURLOPT_HTTPHEADER)
        unsafe ccurl_list_free(headerList)
        unsafe headerList = list
    }

    /// A number that `CurlMulti` finds the transfer by.
    var tag: UInt {
        get { unsafe ccurl_easy_tag(raw) }
        set { note(unsafe ccurl_easy_set_tag(raw, newValue), CURLOPT_PRIVATE) }
    }

    // MARK: Facts

    func number(_ info: CURLINFO) -> Int { unsafe ccurl_easy_long(raw, info) }

    /// A time that libcurl measured, in nanoseconds.
    func nanoseconds(_ info: CURLINFO) -> UInt64 {
        // libcurl says microseconds, and -1 when it does not know.
        UInt64(max(unsafe ccurl_easy_offset(raw, info), 0)) * 1000
    }

    /// What libcurl wrote about the last failure, or its fixed text for `code`.
    func failureText(_ code: Int32) -> String {
        // SAFETY: libcurl ends both texts with NUL; ours was zeroed before.
        let written = unsafe String(cString: errorText)
        return written.isEmpty ? unsafe String(cString: ccurl_easy_text(code)) : written
    }

    /// Forgets the text of an earlier use.
    func clearFailureText() {
        // SAFETY: inside the allocation.
        unsafe errorText[0] = 0
    }

    // MARK: Connected handles (CONNECT_ONLY)

    var socket: Int32 { unsafe ccurl_easy_socket(raw) }

    /// Receives into the free space of `buffer`.
    func receive(into buffer: ByteBuffer, minimum: Int) -> ReadOutcome {
        var code: Int32 = 0
        var received = 0
        // SAFETY: libcurl writes at most the space given and says how much.
        _ = unsafe buffer.withUnsafeSpace(minimum: minimum) { space in
            guard let base = space.baseAddress else { return 0 }
            code = unsafe ccurl_easy_recv(raw, base, space.count, &received)
            return code == 0 ? received : 0
        }
        if code == CURLE_AGAIN.code { return .wouldBlock }
        if code != 0 { return .failed(.connectionReset) }
        // Zero bytes stand for every kind of end: close_notify, FIN, or both.
        return received > 0 ? .bytes(received) : .endOfStream
    }

    /// Sends readable bytes of `buffer` and consumes what was taken.
    ///
    /// After `wouldBlock` the same bytes must be offered again at the same place: OpenSSL refuses a
    /// write that has moved.
    func send(from buffer: ByteBuffer) -> WriteOutcome {
        var sent = 0
        // SAFETY: libcurl reads at most the readable bytes.
        let code = unsafe buffer.withUnsafeReadable { bytes -> Int32 in
            guard let base = bytes.baseAddress, bytes.count > 0 else { return 0 }
            return unsafe ccurl_easy_send(raw, base, bytes.count, &sent)
        }
        if code == CURLE_AGAIN.code { return .wouldBlock }
        if code != 0 { return .failed(.connectionReset) }
        buffer.consume(sent)
        return .bytes(sent)
    }
}

extension CURLcode {
    /// The code as the shim's functions return it.
    var code: Int32 { Int32(truncatingIfNeeded: rawValue) }
}
