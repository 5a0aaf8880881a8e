// SPDX-License-Identifier: Apache-2.0
import Support
import Testing

@Suite("The page about compatibility")
struct CompatibilityTests {
    @Test("says what the matrix proves")
    func isUpToDate() throws {
        let text = CompatibilityText.text()
        if try RepositoryFile.isUpdating() {
            try RepositoryFile.replace(CompatibilityText.file, with: text)
        }
        let isSame = try RepositoryFile.read(CompatibilityText.file) == text
        #expect(isSame, "make compatibility writes \(CompatibilityText.file) anew")
    }

    @Test("every reason is one sentence or two, and has its end")
    func reasons() {
        for client in ClientDialect.allCases {
            for row in UpstreamRow.all {
                for scenario in Scenario.all {
                    let cell = MatrixCell(
                        client: client,
                        row: row,
                        scenario: scenario,
                        isStream: true
                    )
                    guard let reason = cell.note?.reason else { continue }
                    #expect(reason.hasSuffix(".") && reason.utf8.count < 200)
                }
            }
        }
    }
}
