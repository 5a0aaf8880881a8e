// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A thread of a test helper, to be joined before the helper goes away.
///
/// The tests block in poll(2), which the cooperative pool of Swift Testing (one thread per core)
/// could not afford for servers that must answer meanwhile.
package struct TestThread: Sendable {
    private let handle: pthread_t

    private final class Body {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) {
            self.run = run
        }
    }

    package init(_ run: @escaping @Sendable () -> Void) throws {
        // SAFETY: the retained box is taken over by the thread, or released here when none starts.
        let box = unsafe Unmanaged.passRetained(Body(run))
        var thread = pthread_t()
        let result = unsafe pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                // SAFETY: the box that `init` retained for this thread, taken exactly once.
                unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            },
            box.toOpaque()
        )
        guard result == 0 else {
            unsafe box.release()
            throw TestFailure("pthread_create said \(result)")
        }
        handle = thread
    }

    /// Waits until the thread has ended.
    package func join() {
        _ = pthread_join(handle, nil)
    }
}
