// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import HTTP

/// The page at `/` for browsers: one document without any part to be fetched.
///
/// Its parts are files in `Dashboard`, and `index.html` refers to them as a web server's page would,
/// a reference per line: so they can be opened, checked and edited as what they are.
struct DashboardPage {
    static let contentType: StaticString = "text/html; charset=utf-8"

    let text: ByteBuffer
    /// What a browser may do for the page.
    ///
    /// Only the scripts and styles of the page itself run, each known by its digest, and nothing
    /// but the status address is asked; text of a document can never become markup.
    let securityPolicy: String

    init() {
        var digests = Digests()
        let page = String(decoding: PackageResources.index_html, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
            .map { Self.part(named: $0)?.element(&digests) ?? String($0) }
            .joined(separator: "\n")
        text = ByteBuffer(page)
        securityPolicy = [
            "default-src 'none'", "script-src \(digests.scripts)", "style-src \(digests.styles)",
            "connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'",
            "frame-ancestors 'none'", "require-trusted-types-for 'script'",
        ].joined(separator: "; ")
    }

    /// A file that becomes an element of the page.
    private struct Part {
        let isScript: Bool
        let content: [UInt8]

        func element(_ digests: inout Digests) -> String {
            digests.add(content, isScript: isScript)
            let name = isScript ? "script" : "style"
            return "<\(name)>" + String(decoding: content, as: UTF8.self) + "</\(name)>"
        }
    }

    private struct Digests {
        var scripts = ""
        var styles = ""

        mutating func add(_ content: [UInt8], isScript: Bool) {
            let digest = SHA256.digest(of: content.span).bytes
            let source = "'sha256-\(Base64.text(digest.span))'"
            if isScript {
                scripts += scripts.isEmpty ? source : " " + source
            } else {
                styles += styles.isEmpty ? source : " " + source
            }
        }
    }

    /// The part that a line of the page refers to; nil for any other line.
    private static func part(named line: Substring) -> Part? {
        switch line {
        case #"<link rel="stylesheet" href="dashboard.css">"#:
            Part(isScript: false, content: PackageResources.dashboard_css)
        case #"<script src="samples.js"></script>"#:
            Part(isScript: true, content: PackageResources.samples_js)
        case #"<script src="dashboard.js"></script>"#:
            Part(isScript: true, content: PackageResources.dashboard_js)
        default: nil
        }
    }
}
