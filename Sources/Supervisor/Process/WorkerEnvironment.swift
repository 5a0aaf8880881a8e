// SPDX-License-Identifier: Apache-2.0

/// The environment variables that a worker gets.
///
/// A list of what is passed on, not of what is held back: the secret of a provider can have any
/// name. Configuration reaches a worker resolved, through its configuration memory.
enum WorkerEnvironment {
    private static let names: Set<String> = [
        "HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER",
        // libcurl, its TLS library and the resolver.
        "ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "all_proxy", "http_proxy",
        "https_proxy", "no_proxy", "CURL_CA_BUNDLE", "SSLKEYLOGFILE", "SSL_CERT_DIR",
        "SSL_CERT_FILE", "OPENSSL_CONF", "GNUTLS_SYSTEM_PRIORITY_FILE", "HOSTALIASES",
        "LOCALDOMAIN", "RES_OPTIONS",
        // Loader, allocator, sanitizers, crash reports.
        "LD_LIBRARY_PATH", "LD_PRELOAD", "GLIBC_TUNABLES", "ASAN_OPTIONS", "LSAN_OPTIONS",
        "TSAN_OPTIONS", "UBSAN_OPTIONS", "SWIFT_BACKTRACE", "LLVM_PROFILE_FILE",
    ]
    private static let prefixes = ["LC_", "MALLOC_", "APUS_WORKER_"]

    /// `environment` as far as a worker needs it.
    static func make(from environment: [String]) -> [String] {
        var result = environment.filter { entry in
            let name = String(entry.prefix { $0 != "=" })
            return names.contains(name) || prefixes.contains { name.hasPrefix($0) }
        }
        // The runtime's crash reporter starts a helper that can outlive the worker.
        if value(of: "SWIFT_BACKTRACE", in: result) == nil {
            result.append("SWIFT_BACKTRACE=enable=no")
        }
        return result
    }

    /// The value of a variable, nil when it is not set.
    static func value(of name: String, in environment: [String]) -> String? {
        let prefix = name + "="
        return environment.first { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }
}
