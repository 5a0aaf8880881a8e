// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Worker

struct RefusedMemberTests {
    @Test(
        "is read from what providers say",
        arguments: [
            ("metadata: Extra inputs are not permitted", "metadata"),
            ("output_config.format: Extra inputs are not permitted", "output_config"),
            ("Malformed input request: extraneous key [top_k] is not permitted", "top_k"),
            ("Unknown parameter: 'beta'.", "beta"),
            ("Unknown parameter: 'input[0].status'.", "input"),
            ("Unrecognized request argument supplied: foo", "foo"),
            ("messages: at least one message is required", nil),
            ("Unknown parameter: 'a b'", nil),
            ("", nil),
        ] as [(String, String?)]
    )
    func reads(_ message: String, _ member: String?) {
        #expect(AttemptFailure.refusedMember(in: message) == member)
    }
}
