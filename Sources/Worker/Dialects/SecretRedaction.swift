// SPDX-License-Identifier: Apache-2.0

/// Keeps what looks like a credential, or names an account, out of texts that upstreams write.
package enum SecretRedaction {
    private static let mask = "[redacted]"
    /// Shorter words are no credentials: "bearer token is missing".
    private static let secretBytesMin = 12
    /// A word without digits behind `Bearer` is prose up to here: "basic authentication".
    private static let proseBytesMax = 20
    /// A word of letters and digits this long is a key, not a name.
    private static let keyBytesMin = 40

    /// `text` with every suspicious word masked.
    package static func redacted(_ text: String) -> String {
        var result = ""
        var word = ""
        var previous = ""
        var found = false
        for scalar in text.unicodeScalars {
            if isWordScalar(scalar) {
                word.unicodeScalars.append(scalar)
                continue
            }
            flush(&word, &previous, &found, into: &result)
            result.unicodeScalars.append(scalar)
        }
        flush(&word, &previous, &found, into: &result)
        return found ? result : text
    }

    private static func flush(
        _ word: inout String,
        _ previous: inout String,
        _ found: inout Bool,
        into result: inout String
    ) {
        guard !word.isEmpty else { return }
        let isSecret = isSecret(word, after: previous)
        result += isSecret ? mask : word
        found = found || isSecret
        previous = word
        word = ""
    }

    /// What credentials, client ids and host names are made of.
    private static func isWordScalar(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "~", "+", "-", "!", "|", "*": true
        default: false
        }
    }

    private static let keyPrefixes = [
        "sk-", "pk-", "AIza", "AKIA", "ASIA", "ya29.", "xoxb-", "ghp_", "gsk_", "eyJ", "sb-",
    ]

    private static func isSecret(_ word: String, after previous: String) -> Bool {
        let length = word.utf8.count
        guard length >= secretBytesMin else { return false }
        switch previous.lowercased() {
        case "bearer", "basic":
            if length > proseBytesMax || word.contains(where: \.isNumber) { return true }
        default: break
        }
        if keyPrefixes.contains(where: { word.hasPrefix($0) }) { return true }
        // Client ids of SAP (`...!b12|aicore!b34`) and hosts that tell the tenant.
        if word.contains("!b") && word.contains("|") { return true }
        if word.hasSuffix(".hana.ondemand.com") { return true }
        return length >= keyBytesMin && isMixed(word)
    }

    /// Letters of both cases and digits, and nothing that names are put together with.
    private static func isMixed(_ word: String) -> Bool {
        var hasLower = false
        var hasUpper = false
        var hasDigit = false
        for byte in word.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"): hasLower = true
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): hasUpper = true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): hasDigit = true
            case UInt8(ascii: "+"): break
            default: return false
            }
        }
        return hasLower && hasUpper && hasDigit
    }
}
