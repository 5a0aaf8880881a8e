// SPDX-License-Identifier: Apache-2.0

@main
struct SupervisorMain {
    static func main() {}
}
