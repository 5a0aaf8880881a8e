// SPDX-License-Identifier: Apache-2.0
import Config
import System

/// The pages of `apus help`, each of which fits on one screen.
enum HelpText {
    /// The page of a command; nil for the one that lists the commands.
    static func page(_ topic: CommandName?) -> String {
        guard let topic else { return overview }
        return "usage: \(topic.usage)\n\n\(text(topic))"
    }

    private static let overview = """
        Apus \(Version.text): one OpenAI-compatible address in front of your models

        usage: apus [COMMAND] [OPTIONS]

          serve     run the gateway in the foreground; "apus" alone does the same
          check     check a configuration and show what it means
          status    show the state of a running gateway
          reload    make it read its configuration again
          scale     make it run another number of workers
          stop      end it when what runs is finished
          upgrade   make it go on with the program on disk
          import    turn the configuration of another gateway into one of apus
          version   show the version
          help      explain a command: apus help COMMAND

        examples:
          apus                                     the demo model on \(ConfigParser.listenDefault)
          apus serve --config apus.json
          apus check --config apus.json
          apus status --watch

        exit codes: 0 ok, 64 wrong usage, 69 unavailable, 78 bad configuration, 1 anything else

        """

    private static func text(_ topic: CommandName) -> String {
        switch topic {
        case .serve: serve
        case .check: check
        case .status: status
        case .reload: reload
        case .scale: scale
        case .stop: stop
        case .upgrade: upgrade
        case .importing: importing
        case .version: version
        case .help: help
        }
    }

    private static let configOption = """
          --config FILE    the configuration; without it \(ConfigLoader.pathDefault) if it exists,
                           else what the environment gives: the demo model, and providers whose
                           variables are set, such as OPENAI_API_KEY or AICORE_SERVICE_KEY
        """

    private static let serve = """
        Runs the gateway in the foreground: a supervisor and its workers. "apus" alone does the same.
        Log lines go to standard error: JSON, or a readable form on a terminal.

        \(configOption)
          --listen ADDR    address for clients, in place of the configuration's; may be repeated
          --status ADDR    address for operators, in place of the configuration's
          --workers N      number of workers, or auto: (2 x cores) + 1

        ADDR is HOST:PORT with a numeric host, [V6]:PORT or unix:PATH; port 0 lets the kernel choose.

        signals: TERM, INT   finish what runs, then stop; a second one stops at once
                 HUP         read the configuration again, replacing the workers one by one
                 USR2        go on with the program on disk, in the same process
                 TTIN, TTOU  one worker more, one less

        examples:
          apus serve
          apus serve --config apus.json --workers 4
          apus serve --listen 127.0.0.1:8080 --status 127.0.0.1:8081

        """

    private static let check = """
        Reads a configuration as "apus serve" would and shows what it means, secrets masked. Errors go
        to standard error, one per line, as file:line:column: path: message; the exit code then is 78.

        \(configOption)

        examples:
          apus check --config apus.json
          apus check --config /etc/apus/apus.json && apus reload

        """

    private static let status = """
        Shows workers, requests, latencies and tokens of a running gateway, from its status address.

          --watch          again every second, until Ctrl-C; one line each when not on a terminal
          --json           the document of /status?full instead of tables
          --config FILE    the configuration that names the status address
          --status ADDR    the status address itself: HOST:PORT, [V6]:PORT or unix:PATH

        Without options the address is the one that "apus serve" would use: status.listen of
        \(ConfigLoader.pathDefault), else \(ConfigParser.statusListenDefault).
        The exit code is 69 when nobody answers there.

        Workers: R ready, B booting, P answering its probe, D draining, W waiting after a crash,
        F failed. Colours of --watch are left out when NO_COLOR is set.

        The same address answers curl: /status, /status?full, /status.txt, /metrics, /livez, /readyz,
        and a browser, with the dashboard.

        examples:
          apus status
          apus status --watch --status 127.0.0.1:8081
          apus status --json | jq .requests

        """

    private static let place = """
        The gateway is found by its runtime directory: $RUNTIME_DIRECTORY, else $XDG_RUNTIME_DIR/apus,
        else /tmp/apus-UID, else /run/apus. The exit code is 69 when none runs there, and 1 with the
        reason on standard error when it cannot do what was asked.
        """

    private static let reload = """
        Makes a running gateway read its configuration again and replace its workers one by one, and
        waits for the end. No connection is refused and no answer cut. With an error in the file the
        old configuration stays in use; errors are shown as file:line:column: path: message.

        \(place)

        examples:
          apus reload
          RUNTIME_DIRECTORY=/run/apus-test apus reload

        """

    private static let scale = """
        Makes a running gateway run N workers, from \(ConfigLimits.workers.lowerBound) to \(ConfigLimits.workers.upperBound), and waits until they are ready.
        Those that are too many finish what they do. The next reload goes back to the number in the
        configuration.

        \(place)

        example:
          apus scale 8

        """

    private static let stop = """
        Ends a running gateway and waits until it is gone: it takes no new connection and finishes the
        answers that run, as long as timeouts.drain allows. Under systemd use "systemctl stop apus":
        systemd starts again what ends by itself.

          --now            end what runs, too

        \(place)

        examples:
          apus stop
          apus stop --now

        """

    private static let upgrade = """
        Makes a running gateway go on with the program that is on disk now, in the same process and
        with its connections, and waits for the end.

        \(place)

        example:
          apus upgrade

        """

    private static let importing = """
        Reads config.json of a SAP AI Core LLM proxy, with subAccounts or in the older flat form, and
        writes a configuration of apus that serves the same model names. Clients keep their tokens,
        of which only the hashes are written. What has no place goes to standard error.

          --output FILE    a new file to write to, in place of standard output

        The exit code is 78 when the file cannot be read or is wrong.

        examples:
          apus import sap-proxy config.json
          apus import sap-proxy config.json --output apus.json && apus check --config apus.json

        """

    private static let version = """
        Shows the version of this program and what it was built with.

        example:
          apus version

        """

    private static let help = """
        Explains a command, or lists the commands.

        example:
          apus help status

        """
}
