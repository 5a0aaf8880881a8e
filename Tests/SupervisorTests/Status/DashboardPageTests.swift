// SPDX-License-Identifier: Apache-2.0
import Bytes
import Config
import Testing

@testable import Supervisor

@Suite struct DashboardPageTests {
    private let page = DashboardPage()

    /// What stands between the tags of all elements of one name without attributes.
    private func contents(_ name: String) -> [String] {
        let text = Substring(page.text.text)
        return text.split(separator: "<\(name)>").dropFirst().compactMap { part in
            part.split(separator: "</\(name)>", omittingEmptySubsequences: false).first
                .map(String.init)
        }
    }

    @Test("The page has its styles and scripts in itself and refers to nothing else")
    func isSelfContained() {
        let text = page.text.text
        #expect(text.hasPrefix("<!doctype html>"))
        #expect(contents("style").count == 1)
        #expect(contents("script").count == 2)
        for reference in ["http://", "https://", "src=", "@import", "url(", "<link rel=\"style"] {
            let found = text.split(separator: "\n").filter {
                // The name of a vocabulary, not an address that is asked.
                $0.contains(reference) && !$0.contains("http://www.w3.org/2000/svg")
            }
            #expect(found.isEmpty, "\(reference)")
        }
        #expect(page.text.count < 64 << 10)
    }

    @Test("Only the page's own scripts and styles may run, known by their digests")
    func securityPolicy() {
        let directives = page.securityPolicy.split(separator: "; ").map(String.init)
        for (name, element) in [("script-src", "script"), ("style-src", "style")] {
            let digests = contents(element).map { text -> String in
                let digest = SHA256.digest(of: Array(text.utf8).span).bytes
                return "'sha256-\(Base64.text(digest.span))'"
            }
            let directive = ([name] + digests).joined(separator: " ")
            #expect(directives.contains(directive))
        }
        for directive in [
            "default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'",
            "frame-ancestors 'none'", "require-trusted-types-for 'script'",
        ] {
            #expect(directives.contains(directive))
        }
        #expect(!page.securityPolicy.contains("unsafe"))
        #expect(!page.securityPolicy.contains("*"))
    }

    @Test("Nothing in the page needs what the policy forbids, or makes markup of text")
    func obeysPolicy() {
        let text = page.text.text
        for word in [
            "innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function(",
            "style=\"", "onclick", "onload", "javascript:",
        ] {
            #expect(!text.contains(word), "\(word)")
        }
    }

    @Test("Every state of a worker has a letter on the page and in the terminal")
    func letters() {
        let text = page.text.text
        for appearance in FleetPicture.appearances {
            #expect(text.contains("\(appearance.state): \"\(appearance.letter)\""))
        }
    }
}
