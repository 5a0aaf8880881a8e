// SPDX-License-Identifier: Apache-2.0
import CCurl
import System

/// What libcurl knows about a connection that could not be made, in our words.
///
/// Pure.
struct ConnectFailure {
    /// CURLcode.
    let code: Int32
    /// errno of the last connect(2), 0 when there was none.
    let osError: Int32
    /// OpenSSL's X509_V_ERR code, 0 when the chain was fine or never looked at.
    let verifyResult: Int
    /// Status with which the proxy answered CONNECT, 0 when it did not.
    let proxyStatus: Int
    /// libcurl's own text.
    let text: String

    init(code: Int32, osError: Int32, verifyResult: Int, proxyStatus: Int, text: String) {
        self.code = code
        self.osError = osError
        self.verifyResult = verifyResult
        self.proxyStatus = proxyStatus
        self.text = text
    }

    /// Reads the facts off a transfer that ended with `code`.
    init(code: Int32, of easy: CurlEasy) {
        self.init(
            code: code,
            osError: Int32(truncatingIfNeeded: easy.number(CURLINFO_OS_ERRNO)),
            verifyResult: easy.number(CURLINFO_SSL_VERIFYRESULT),
            proxyStatus: easy.number(CURLINFO_HTTP_CONNECTCODE),
            text: easy.failureText(code)
        )
    }

    func kind(usesProxy: Bool) -> UpstreamFailure.Kind {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST.code:
            .resolveFailed
        case CURLE_COULDNT_RESOLVE_PROXY.code, CURLE_PROXY.code:
            .proxyFailed
        case CURLE_OPERATION_TIMEDOUT.code:
            .connectTimeout
        case CURLE_COULDNT_CONNECT.code where usesProxy:
            .proxyFailed
        case CURLE_COULDNT_CONNECT.code:
            osError == Errno.connectionRefused.code ? .connectRefused : .connectFailed
        case CURLE_SSL_CONNECT_ERROR.code, CURLE_PEER_FAILED_VERIFICATION.code,
            CURLE_SSL_CACERT_BADFILE.code, CURLE_SSL_CERTPROBLEM.code, CURLE_SSL_CIPHER.code,
            CURLE_SSL_ISSUER_ERROR.code, CURLE_SSL_CLIENTCERT.code, CURLE_SSL_ENGINE_NOTFOUND.code:
            .tlsFailed
        case _ where usesProxy && proxyStatus >= 300:
            .proxyFailed
        default:
            .connectFailed
        }
    }

    /// One sentence without a full stop: who, what, and what to look at.
    func detail(_ settings: UpstreamSettings) -> String {
        let kind = kind(usesProxy: settings.proxy != nil)
        let through = settings.proxyAddress.map { " through proxy \($0)" } ?? ""
        return "\(settings.address)\(through): \(words(kind, settings))"
    }

    private func words(_ kind: UpstreamFailure.Kind, _ settings: UpstreamSettings) -> String {
        switch kind {
        case .resolveFailed:
            "the host name could not be resolved"
        case .connectRefused:
            "connection refused"
        case .connectTimeout:
            "no connection within the connect timeout"
        case .proxyFailed where proxyStatus >= 300:
            "the proxy refused to connect (status \(proxyStatus))"
        case .tlsFailed:
            certificateWords(settings) ?? "TLS failed: \(text)"
        case .connectFailed where osError > 0:
            "connection failed: \(Errno(code: osError).text)"
        case .proxyFailed, .connectFailed, .headersTimeout, .idleTimeout, .totalTimeout, .reset,
            .truncated, .closedBeforeResponse, .protocolError, .tooManyConnections:
            text
        }
    }

    /// What is wrong with the certificate; the numbers are OpenSSL's, see openssl-verify(1).
    private func certificateWords(_ settings: UpstreamSettings) -> String? {
        switch code {
        case CURLE_SSL_CACERT_BADFILE.code:
            return "the CA file \(settings.caFile) cannot be read or holds no certificate"
        case CURLE_SSL_CERTPROBLEM.code:
            let files = [settings.clientCertificate, settings.clientKey].compactMap { $0 }
            return "the client certificate cannot be used (\(files.joined(separator: ", ")))"
        case CURLE_PEER_FAILED_VERIFICATION.code:
            break
        default:
            return nil
        }
        switch verifyResult {
        case 9: return "the certificate is not valid yet"
        case 10: return "the certificate has expired"
        case 18: return "the certificate is self-signed and not in the CA file \(settings.caFile)"
        case 19:
            return "the certificate chain ends in a self-signed certificate that is not in the "
                + "CA file \(settings.caFile)"
        case 2, 20, 21:
            return "the certificate's issuer is not in the CA file \(settings.caFile)"
        // libcurl compares names itself, before it notes what OpenSSL said of the chain.
        case _ where text.contains("subject name"), 62, 64:
            return "the certificate is for another host name (\(text))"
        default: return "the certificate was refused: \(text) (CA file \(settings.caFile))"
        }
    }
}
