//! `config check` and `config print`: layers, refusals, defaults; and the page of all settings.

use std::fmt::Write as _;

use crate::support::{Answer, Folder, command};
use poh_holdmetrics_rust::config::{
    ADDRESSES, Config, SETTINGS, flags, variables as variables_of_settings,
};

/// The text above the table of `docs/settings.md`.
const SETTINGS_PAGE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/golden/settings_head.md"
));

/// The binary with these variables and no other of ours.
fn with_variables(arguments: &[&str], variables: &[(&str, &str)]) -> Answer {
    let mut command = command(arguments);
    for name in variables_of_settings() {
        command.env_remove(name);
    }
    // A terminal's width would wrap help texts differently.
    command
        .env_remove("HOLDMETRICS_CONFIG")
        .env_remove("COLUMNS");
    command.envs(variables.iter().copied());
    command.output().expect("the binary runs").into()
}

/// `config ARGUMENTS` with these variables and no other of ours.
fn config(arguments: &[&str], variables: &[(&str, &str)]) -> Answer {
    let arguments: Vec<&str> = ["config"].iter().chain(arguments).copied().collect();
    with_variables(&arguments, variables)
}

#[test]
fn the_default_is_the_published_one() {
    crate::golden::compare("config.txt", &config(&["print"], &[]).text());
}

#[test]
fn the_help_texts_are_those_that_were_reviewed() {
    for (name, arguments) in [
        ("help_config.txt", &["config", "print", "--help"][..]),
        ("help_serve.txt", &["serve", "--help"]),
        ("help_send.txt", &["send", "--help"]),
        ("help_feed.txt", &["feed", "--help"]),
        ("help_load.txt", &["load", "--help"]),
        ("help_keys.txt", &["keys", "new", "--help"]),
        ("help_run.txt", &["run", "--help"]),
        ("help_py.txt", &["py", "--help"]),
        ("help_py_install.txt", &["py", "install", "--help"]),
        ("help_py_pdb.txt", &["py", "pdb", "--help"]),
        ("help_score.txt", &["score", "--help"]),
        ("help_inspect.txt", &["inspect", "--help"]),
        ("help_convert.txt", &["convert", "--help"]),
        (
            "help_airdrop_allocate.txt",
            &["airdrop", "allocate", "--help"],
        ),
        ("help_airdrop.txt", &["airdrop", "--help"]),
        (
            "help_airdrop_reproduce.txt",
            &["airdrop", "reproduce", "--help"],
        ),
        (
            "help_airdrop_explain.txt",
            &["airdrop", "explain", "--help"],
        ),
        ("help_airdrop_check.txt", &["airdrop", "check", "--help"]),
        (
            "help_airdrop_restate.txt",
            &["airdrop", "restate", "--help"],
        ),
        ("help_airdrop_tree.txt", &["airdrop", "tree", "--help"]),
        ("help_airdrop_proof.txt", &["airdrop", "proof", "--help"]),
        ("help_airdrop_proofs.txt", &["airdrop", "proofs", "--help"]),
        ("help_airdrop_verify.txt", &["airdrop", "verify", "--help"]),
        (
            "help_airdrop_convert.txt",
            &["airdrop", "convert", "--help"],
        ),
        ("help_airdrop_list.txt", &["airdrop", "list", "--help"]),
        ("help_generate.txt", &["generate", "--help"]),
    ] {
        crate::golden::compare(name, &with_variables(arguments, &[]).text());
    }
}

/// The line of one setting: value and origin.
fn setting(answer: &Answer, key: &str) -> (String, String) {
    let text = answer.text();
    let line = text
        .lines()
        .find(|line| line.split_whitespace().next() == Some(key))
        .unwrap_or_else(|| panic!("{key} in\n{text}"));
    let mut words = line.split_whitespace().skip(1);
    let value = words.next().expect("a value").to_owned();
    (value, words.collect::<Vec<_>>().join(" "))
}

#[test]
fn a_flag_prevails_over_a_variable_over_a_file_over_the_default() {
    let folder = Folder::new();
    let file = folder.file(
        "a.toml",
        "[grpc]\naddress = \"127.0.0.1:1\"\n[http]\nhost = \"127.0.0.2\"\nport = 2\n[log]\nformat = \"json\"\n\
         [intake]\nearliest = 2015-01-01T00:00:00Z\n",
    );
    let file = file.to_str().expect("a path that is text");
    let answer = config(
        &["print", "--config", file, "--grpc-addr", "127.0.0.1:9"],
        &[("GRPC_ADDRESS", "127.0.0.1:3"), ("HTTP_PORT", "3")],
    );
    let line = |number| format!("{file}: line {number}");
    for (key, value, origin) in [
        ("grpc.host", "127.0.0.1", "--grpc-addr"),
        ("grpc.port", "9", "--grpc-addr"),
        ("http.port", "3", "HTTP_PORT"),
        ("http.host", "127.0.0.2", &line(4)),
        ("log.format", "json", &line(7)),
        ("intake.earliest", "2015-01-01T00:00:00Z", &line(9)),
        ("intake.max_future", "5m", "default"),
    ] {
        assert_eq!(
            setting(&answer, key),
            (value.to_owned(), origin.to_owned()),
            "{key}"
        );
    }
}

#[test]
fn an_address_sets_host_and_port_in_every_layer_and_only_once() {
    let folder = Folder::new();
    let file = folder.file("a.toml", "[http]\naddress = \"127.0.0.2:2\"\n");
    let file = file.to_str().expect("a path that is text");
    let answer = config(&["print", "--config", file], &[("HTTP_PORT", "3")]);
    for (key, value, origin) in [
        ("http.host", "127.0.0.2", &*format!("{file}: line 2")),
        ("http.port", "3", "HTTP_PORT"),
    ] {
        let expected = (value.to_owned(), origin.to_owned());
        assert_eq!(setting(&answer, key), expected, "{key}");
    }
    let variables = [
        ("HOLDMETRICS_GRPC_PORT", "1"),
        ("GRPC_ADDRESS", "127.0.0.1:1"),
    ];
    assert_eq!(
        config(&["check"], &variables).error(2),
        "HOLDMETRICS_GRPC_PORT: grpc.port is already set by GRPC_ADDRESS; remove one of the two"
    );
}

#[test]
fn yaml_says_the_same_as_toml() {
    let folder = Folder::new();
    let toml = folder.file("a.toml", "[limits]\nmessage_bytes_max = \"1MiB\"\n");
    let yaml = folder.file("a.yaml", "limits:\n  message_bytes_max: 1MiB\n");
    for (file, line) in [(&toml, 2), (&yaml, 2)] {
        let file = file.to_str().expect("a path that is text");
        let answer = config(&["print", "--config", file], &[]);
        let expected = ("1MiB".to_owned(), format!("{file}: line {line}"));
        assert_eq!(setting(&answer, "limits.message_bytes_max"), expected);
    }
}

#[test]
fn json_tells_value_origin_variable_and_bounds() {
    let json = config(&["print", "--json"], &[("LOG_LEVEL", "debug")]).json();
    assert_eq!(json["log.level"]["value"], "debug");
    assert_eq!(json["log.level"]["from"]["layer"], "environment");
    assert_eq!(json["log.level"]["from"]["variable"], "LOG_LEVEL");
    assert_eq!(json["http.port"]["value"], "8000");
    assert_eq!(json["http.port"]["from"]["layer"], "default");
    assert_eq!(
        json["limits.message_bytes_max"]["form"],
        "a size from 1KiB to 256MiB"
    );
}

#[test]
fn an_unknown_setting_is_refused_with_its_line_and_the_nearest_one() {
    let folder = Folder::new();
    let cases = [
        (
            "a.toml",
            "[http]\nport = 1\nprot = 2\n",
            "line 3: unknown setting http.prot; did you mean http.port?",
        ),
        (
            "b.yaml",
            "http:\n  port: 1\ncolour: red\n",
            "line 3: unknown setting colour; `main_holdmetrics config print` lists all settings",
        ),
        (
            "c.toml",
            "[limits]\nmessage_bytes_max = 4\n",
            "line 2: limits.message_bytes_max: \"4\" is not a size from 1KiB to 256MiB",
        ),
        (
            "g.yaml",
            "log:\n  level: loud\n",
            "line 2: log.level: \"loud\" is not error, warn, ",
        ),
        ("d.toml", "[http\n", "line 1: "),
        ("e.yaml", "http: [1\n", "line "),
        (
            "f.ini",
            "",
            "unknown format; the name of a configuration file ends in .toml, .yaml or .yml",
        ),
    ];
    for (name, text, reason) in cases {
        let path = folder.file(name, text);
        let path = path.to_str().expect("a path that is text");
        for verb in ["check", "print"] {
            let answer = config(&[verb, "--config", path], &[]);
            let sentence = answer.error(2);
            assert!(
                sentence.starts_with(&format!("{path}: {reason}")),
                "{sentence}"
            );
        }
    }
    let absent = config(&["check", "--config", "absent.toml"], &[]);
    assert!(absent.error(2).starts_with("absent.toml: cannot be read: "));
}

#[test]
fn bad_variables_and_flags_are_refused_by_name() {
    for (arguments, variables, sentence) in [
        (
            &["check"][..],
            &[("HTTP_PORT", "80000")][..],
            "HTTP_PORT: http.port: \"80000\" is not a port from 0 to 65535",
        ),
        (
            &["check"],
            &[("HOLDMETRICS_LIMITS_CONECTIONS_MAX", "1")],
            "HOLDMETRICS_LIMITS_CONECTIONS_MAX: unknown variable; did you mean \
             HOLDMETRICS_LIMITS_CONNECTIONS_MAX?",
        ),
        (
            &["check"],
            &[("HOLDMETRICS_HTTP_PROT", "1")],
            "HOLDMETRICS_HTTP_PROT: unknown variable; did you mean HTTP_PORT?",
        ),
        (
            &["check"],
            &[("HOLDMETRICS_STROE_DATA_DIR", "/data")],
            "HOLDMETRICS_STROE_DATA_DIR: unknown variable; did you mean HOLDMETRICS_STORE_DATA_DIR?",
        ),
        (
            &["check", "--grpc-addr", "127.0.0.1:8000"],
            &[],
            "grpc.address and http.address are the same: give one of them another port",
        ),
        (
            &["check", "--max-future", "5"],
            &[],
            "--max-future: intake.max_future: \"5\" is not a time from 0s to 87600h",
        ),
        (
            &["check", "--earliest", "soon"],
            &[],
            "--earliest: intake.earliest: \"soon\" is not a time as in 2015-01-01T00:00:00Z, a date, or milliseconds since 1970",
        ),
        (
            &["check", "--http-addr", "here"],
            &[],
            "--http-addr: http.address: \"here\" is not an address as in 127.0.0.1:8000 or [::1]:8000",
        ),
        (
            &["check"],
            &[("HOLDMETRICS_KEYS_ANONYMOUS", "read,admin")],
            "HOLDMETRICS_KEYS_ANONYMOUS: keys.anonymous: \"read,admin\" is not a list of read, write, \
             metrics and rounds",
        ),
        (
            &["check"],
            &[("HOLDMETRICS_KEYS_ANONYMOUS", "read")],
            "keys.anonymous is set without keys.file: without API keys every caller may do \
             everything; remove it, or name a file of keys",
        ),
        (
            &["check", "--tls-cert", "a.pem"],
            &[],
            "tls.cert is set without tls.key: name the private key of the certificate",
        ),
    ] {
        assert_eq!(config(arguments, variables).error(2), sentence);
    }
}

#[test]
fn check_reads_the_files_that_the_settings_name() {
    let folder = Folder::new();
    let no_keys = folder.file("keys.toml", "");
    let no_keys = no_keys.to_str().expect("a path that is text");
    for (arguments, sentence) in [
        (
            &["check", "--api-keys", "/nowhere/keys.toml"][..],
            "/nowhere/keys.toml: the API keys cannot be read: ".to_owned(),
        ),
        (
            &["check", "--api-keys", no_keys],
            format!("{no_keys}: contains no [[key]]"),
        ),
        (
            &[
                "check",
                "--tls-cert",
                "/nowhere/c.pem",
                "--tls-key",
                "/nowhere/k.pem",
            ],
            "/nowhere/c.pem: cannot be read as PEM: ".to_owned(),
        ),
        (
            &["check", "--http-addr", "10.0.0.1:8000"],
            "10.0.0.1:8000 can be reached from other machines and has no TLS".to_owned(),
        ),
    ] {
        let answer = config(arguments, &[]);
        let found = answer.error(2);
        assert!(found.starts_with(&sentence), "{found}");
    }
}

#[test]
fn variables_that_are_not_ours_are_left_alone() {
    let variables = [
        ("HOLDMETRICS_PORT", "tcp://10.0.0.1:8000"),
        ("HOLDMETRICS_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
        ("HOLDMETRICS_PORT_8000_TCP_PROTO", "tcp"),
        ("HOLDMETRICS_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("HOLDMETRICS_SERVICE_HOST", "10.0.0.1"),
        ("HOLDMETRICS_SERVICE_PORT", "8000"),
        ("HOLDMETRICS_SERVICE_PORT_HTTP", "8000"),
        ("HOLDMETRICS_GATE_SERVICE_HOST", "10.0.0.1"),
        ("HOLDMETRICS_RPC_PORT", "tcp://10.0.0.1:8000"),
        ("HOLDMETRICS_CACHE", "/somewhere"),
        ("HOLDMETRICS_CONFIG", ""),
        ("HTTP_PORT", ""),
    ];
    let text = config(&["check"], &variables).text();
    assert!(text.starts_with("valid: 0 of "), "{text}");
}

#[test]
fn a_section_without_settings_sets_nothing() {
    let folder = Folder::new();
    for (name, text) in [
        ("a.toml", "[http]\n# port = 1\n[log]\nlevel = \"debug\"\n"),
        ("b.yaml", "http:\n  # port: 1\nlog:\n  level: debug\n"),
    ] {
        let path = folder.file(name, text);
        let path = path.to_str().expect("a path that is text");
        let said = config(&["check", "--config", path], &[]).text();
        assert!(said.starts_with("valid: 1 of "), "{said}");
    }
}

#[test]
fn the_file_may_be_named_by_a_variable_that_a_flag_overrules() {
    let folder = Folder::new();
    let file = folder.file("a.toml", "[http]\nport = 2\n");
    let other = folder.file("b.toml", "[http]\nport = 3\n");
    let path = |file: &std::path::Path| file.to_str().expect("a path that is text").to_owned();
    let variables = [("HOLDMETRICS_CONFIG", &*path(&file))];
    let named = config(&["print"], &variables);
    assert_eq!(setting(&named, "http.port").0, "2");
    let overruled = config(&["print", "--config", &path(&other)], &variables);
    assert_eq!(setting(&overruled, "http.port").0, "3");
}

#[test]
fn the_page_of_the_settings_lists_all_of_them() {
    let mut page = String::from(SETTINGS_PAGE);
    let rows = SETTINGS.iter().map(|setting| {
        let default = setting.text(&Config::default());
        let default = if default.is_empty() {
            String::new()
        } else {
            format!("`{default}`")
        };
        let flag = flags().find(|flag| flag.setting == setting.name);
        (
            setting.name,
            default,
            setting.expected(),
            setting.variable(),
            flag,
            setting.help(),
        )
    });
    let addresses = ADDRESSES.iter().map(|address| {
        let flag = flags().find(|flag| flag.setting == address.name);
        (
            address.name,
            String::new(),
            address.expected(),
            address.variable(),
            flag,
            address.help,
        )
    });
    for (name, default, expected, variable, flag, help) in addresses.chain(rows) {
        let flag = flag.map_or_else(String::new, |flag| format!("`--{}`", flag.name));
        let help = help.trim_end_matches('.');
        let expected = expected.replace('|', "\\|");
        writeln!(
            page,
            "| `{name}` | {default} | {expected} | `{variable}` | {flag} | {help} |"
        )
        .expect("a string takes any text");
    }
    crate::golden::compare("../../docs/settings.md", &page);
}
