// SPDX-License-Identifier: Apache-2.0

/// The routes of all deployments that may answer one kind of question, taken in turns.
///
/// Each kind has turns of its own: with one count for all, requests for two models in alternation
/// would only ever see one deployment of each.
final class SAPRouteRing {
    /// An entry is nil where a deployment cannot do what is asked.
    let routes: [UpstreamRoute?]
    private var turn = 0

    init(_ routes: [UpstreamRoute?]) {
        self.routes = routes
    }

    /// The place of the next route, which is another one than before when there are several.
    func next() -> Int {
        turn = (turn + 1) % routes.count
        return turn
    }
}
