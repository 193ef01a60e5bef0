"""The configuration: files, command lines, CONFIG SET and REWRITE."""

from __future__ import annotations

import io
import tomllib
from pathlib import Path

import pytest

from gapless.server.config import Config, ConfigError, OptionError, SetError
from gapless.server.config_file import split_words
from gapless.server.config_kinds import parse_memory, quoted, show_memory
from gapless.server.config_options import BY_NAME, OPTIONS
from gapless.version import VERSION


def loaded(*argv: str) -> Config:
    config = Config()
    config.load(list(argv))
    return config


def set_ok(config: Config, *pairs: tuple[str, str]) -> set[str]:
    changed: list[set[str]] = []
    config.set(list(pairs), changed.append)
    return changed[-1]


def set_error(config: Config, *pairs: tuple[str, str]) -> str:
    with pytest.raises(SetError) as caught:
        config.set(list(pairs), lambda changed: None)
    return str(caught.value)


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return tmp_path / "redis.conf"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("port 1", ["port", "1"]),
        ("  a\tb  ", ["a", "b"]),
        ("a \"b c\" 'd e'", ["a", "b c", "d e"]),
        (r'a "\x41\n\"\\"', ["a", 'A\n"\\']),
        (r"a 'it\'s' '\n'", ["a", "it's", r"\n"]),
        ('a ""', ["a", ""]),
        ('a "b', None),
        ('a "b"c', None),
        ("a 'b'c", None),
        (r'a "\xff"', ["a", "\udcff"]),
        ("ä ö", ["ä", "ö"]),
    ],
)
def test_words_of_a_line(line: str, words: list[str] | None) -> None:
    assert split_words(line) == words


@pytest.mark.parametrize("text", ["", "plain", 'q"uo\\te', "\n\r\t\a\b\x00", "ä", "\udcff"])
def test_quoted_text_is_read_back(text: str) -> None:
    assert split_words("name " + quoted(text)) == ["name", text]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0), ("", 0), ("100", 100), ("1b", 1), ("1k", 1000), ("1KB", 1024), ("2m", 2000000),
        ("2mb", 2 << 20), ("1g", 10**9), ("1Gb", 1 << 30), ("abc", None), ("1.5gb", None), ("-1", None),
        ("1pb", None), ("5%", None), ("18446744073709551616", None), ("1kbb", None),
    ],
)  # fmt: skip
def test_memory_values(text: str, value: int | None) -> None:
    assert parse_memory(text) == value


@pytest.mark.parametrize("value", [0, 1, 1000, 1024, 1 << 20, 3 << 30, (1 << 20) + 1])
def test_memory_values_are_written_to_be_read_back(value: int) -> None:
    assert parse_memory(show_memory(value)) == value


def test_a_real_file(conf: Path, tmp_path: Path) -> None:
    (tmp_path / "more.conf").write_text("timeout 7\nmaxmemory-policy ALLKEYS-LFU\n")
    conf.write_text(
        f"# a comment\n\nbind 127.0.0.1 -::1\nport 7000\nmaxmemory 2gb\ninclude {tmp_path}/mo*.conf\n"
        'save 900 1\nsave 300 10\nclient-output-buffer-limit replica 1mb 2mb 3\nrequirepass "two words"\n'
        "slave-read-only no\nactivedefrag no\n"
    )
    config = loaded(str(conf), "--port", "7001", "--loglevel", "verbose")
    assert config.text("bind") == "127.0.0.1 -::1"
    assert config.number("port") == 7001
    assert config.number("maxmemory") == 2 << 30
    assert config.number("timeout") == 7
    assert config.text("maxmemory-policy") == "allkeys-lfu"
    assert config.text("save") == "900 1 300 10"
    assert config.text("requirepass") == "two words"
    assert config.output_limits()["replica"] == (1 << 20, 2 << 20, 3)
    assert config.output_limits()["pubsub"] == (32 << 20, 8 << 20, 60)
    assert config.get("replica-read-only") == "no"
    assert not config.flag("activedefrag")
    assert config.path == str(conf)


CONFIGURATIONS = Path(__file__).parent / "conf"
# What those configurations show in comments, switched on.
SHOWN = """
bind-source-addr 10.0.0.1
save 3600 1 300 100 60 10000
io-threads 4
io-threads-do-reads yes
supervised auto
min-replicas-to-write 3
maxclients 5000
maxmemory 1gb
maxmemory-policy allkeys-lfu
maxmemory-samples 10
client-query-buffer-limit 64mb
maxmemory-clients 5%
shutdown-on-sigterm nosave now
lua-time-limit 5000
latency-tracking-info-percentiles 50 99 99.9
activedefrag yes
server-cpulist 0-7:2
ignore-warnings ARM64-COW-BUG
"""


@pytest.mark.parametrize("version", ["7.0", "8.2"])
def test_the_configuration_a_version_comes_with(version: str) -> None:
    config = loaded(str(CONFIGURATIONS / f"redis-{version}.conf"))
    assert config.warnings == []
    assert config.text("bind") == "127.0.0.1 -::1"
    assert config.flag("daemonize") == (version == "7.0")
    assert config.get("hash-max-ziplist-entries") == "512"


@pytest.mark.parametrize("version", ["7.0", "8.2"])
def test_a_configuration_with_more_switched_on(version: str, conf: Path) -> None:
    conf.write_text((CONFIGURATIONS / f"redis-{version}.conf").read_text() + SHOWN)
    config = loaded(str(conf))
    assert [text.split("'")[1].split()[0] for text in config.warnings] == [
        "save", "io-threads", "io-threads-do-reads", "supervised", "min-replicas-to-write", "server-cpulist",
    ]  # fmt: skip
    assert config.number("maxmemory") == 1 << 30
    assert config.get("busy-reply-threshold") == "5000"


def test_what_means_nothing_here_is_a_warning(conf: Path) -> None:
    conf.write_text("port 1\nsave 900 1\nio-threads 4\nappendonly no\ndynamic-hz no\n")
    warnings = loaded(str(conf)).warnings
    assert [text.split("'")[1] for text in warnings] == ["save 900 1", "io-threads 4"]
    assert "line 3" in warnings[1]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("foo bar", "Bad directive or wrong number of arguments"),
        ("maxmemory abc", "argument must be a memory value"),
        ("port", "wrong number of arguments"),
        ("port 1 2", "wrong number of arguments"),
        ("port abc", "argument couldn't be parsed into an integer"),
        ("port 65536", "argument must be between 0 and 65535 inclusive"),
        ('save "1 2', "Unbalanced quotes in configuration line"),
        ("cluster-enabled yes", "gapless does not have this"),
        ("rename-command FLUSHALL x", "gapless does not have this"),
        ("replicaof 127.0.0.1 6380", "gapless does not have this"),
        ("tls-port 6380", "gapless does not have this"),
        ("include /nonexistent/redis.conf", "can't open config file '/nonexistent/redis.conf'"),
        (
            "loglevel foo",
            "argument(s) must be one of the following: debug, verbose, notice, warning, nothing",
        ),
    ],
)
def test_a_wrong_line_is_named(conf: Path, line: str, reason: str) -> None:
    conf.write_text(f"# first\nport 1\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        loaded(str(conf))
    assert reason in str(caught.value)
    if not line.startswith("include"):
        assert f"{conf}, at line 3\n>>> '{line}'" in str(caught.value)


def test_files_that_include_each_other(conf: Path) -> None:
    conf.write_text(f"include {conf}\n")
    with pytest.raises(ConfigError, match="include each other"):
        loaded(str(conf))


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["--foo", "bar"], "Bad directive"),
        (["-x"], "can't open config file"),
        (
            ["/nonexistent/redis.conf"],
            "can't open config file '/nonexistent/redis.conf': No such file or directory",
        ),
        (["--port"], ">>> '--port'\nwrong number of arguments"),
        (["--port", "1", "2"], '>>> \'--port "1" "2"\'\nwrong number of arguments'),
        (["--databases", "17"], "argument must be between 1 and 16 inclusive"),
    ],
)
def test_a_wrong_command_line(argv: list[str], reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(*argv)
    assert reason in str(caught.value)


def test_command_line_without_values() -> None:
    config = loaded("--save", "--bind", "127.0.0.1", "::1", "--save", "", "--replicaof", "no", "one")
    assert config.text("save") == ""
    assert config.text("bind") == "127.0.0.1 ::1"


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("maxmemory 128mb\nport 1\n"))
    config = loaded("--port", "2", "-")
    assert (config.number("maxmemory"), config.number("port")) == (128 << 20, 2)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("maxmemory", "-5", "argument must be a memory value"),
        ("maxclients", "0", "argument must be between 1 and 4294967295 inclusive"),
        ("timeout", "1x", "argument couldn't be parsed into an integer"),
        ("timeout", "", "argument couldn't be parsed into an integer"),
        ("rdbcompression", "maybe", "argument must be 'yes' or 'no'"),
        ("databases", "5", "can't set immutable config"),
        ("dir", "/", "can't set protected config"),
        (
            "client-output-buffer-limit",
            "normal 1 2",
            "Wrong number of arguments in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit",
            "foo 1 2 3",
            "Invalid client class specified in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit",
            "normal 1 2 x",
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
        ),
        ("save", "100 x", "Invalid save parameters"),
        ("notify-keyspace-events", "Q", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        ("maxmemory-clients", "500%", "percentage argument must be less or equal to 100"),
        ("maxmemory-clients", "-5", "argument must be a memory or percent value"),
        ("oom-score-adj-values", "1 2", "wrong number of arguments"),
        (
            "latency-tracking-info-percentiles",
            "5 101",
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        ),
    ],
)
def test_set_says_what_is_wrong(name: str, text: str, reason: str) -> None:
    expected = f"ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"
    assert set_error(Config(), (name, text)) == expected


def test_set_is_all_or_nothing() -> None:
    config = Config()
    assert set_error(config, ("timeout", "5"), ("foo", "1")).endswith("CONFIG SET - 'foo'")
    assert set_error(config, ("timeout", "5"), ("TIMEOUT", "6")).endswith("duplicate parameter")
    assert set_error(config, ("timeout", "5"), ("hz", "x")).endswith("parsed into an integer")
    assert config.number("timeout") == 0
    assert set_ok(config, ("timeout", "5"), ("hz", "100000"), ("port", "6379")) == {"timeout", "hz"}
    assert (config.get("timeout"), config.get("hz")) == ("5", "500")


def test_set_goes_back_when_it_can_not_be_applied() -> None:
    config = Config()
    applied: list[tuple[set[str], int]] = []

    def apply(changed: set[str]) -> None:
        applied.append((changed, config.number("port")))
        if config.number("port") == 1:
            raise OptionError("port", "no")

    with pytest.raises(SetError, match="argument 'port'\\) - no"):
        config.set([("port", "1"), ("timeout", "3")], apply)
    assert applied == [({"port", "timeout"}, 1), ({"port", "timeout"}, 6379)]
    assert config.number("timeout") == 0


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("maxmemory", "1kb", "1024"),
        ("maxmemory-clients", "5%", "5%"),
        (
            "client-output-buffer-limit",
            "slave 10 0 0",
            "normal 0 0 0 slave 10 0 0 pubsub 33554432 8388608 60",
        ),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("notify-keyspace-events", "Kg$", "g$K"),
        ("notify-keyspace-events", "mcEonKdt", "tdnocKEm"),
        ("notify-keyspace-events", "nAocKEm", "AKEm"),
        ("notify-keyspace-events", "dtexzhsl$gno", "A"),
        ("shutdown-on-sigint", "now save", "save now"),
        ("latency-tracking-info-percentiles", "1.5 20 99.99", "1.5 20 99.99"),
        ("slave-priority", "5", "5"),
        ("loglevel", "VERBOSE", "verbose"),
    ],
)
def test_set_then_get(name: str, text: str, shown: str) -> None:
    config = Config()
    set_ok(config, (name, text))
    assert config.get(name) == shown


def test_rewrite_keeps_what_it_does_not_change(conf: Path) -> None:
    conf.write_text(
        "# hello\nport 17399\nmaxmemory 10mb\n\nsave 3600 1\nsave 300 100\n# end\n"
        "slave-priority 3\ntimeout 10\ntimeout 20\n"
    )
    config = loaded(str(conf))
    set_ok(config, ("maxmemory", "1gb"), ("requirepass", 'a "b"'), ("save", ""), ("timeout", "0"))
    config.rewrite()
    assert conf.read_text() == (
        '# hello\nport 17399\nmaxmemory 1gb\n\nsave ""\n# end\nreplica-priority 3\ntimeout 0\n'
        '# Generated by CONFIG REWRITE\nrequirepass "a \\"b\\""\n'
    )
    again = loaded(str(conf))
    assert again.values == config.values
    again.rewrite()
    assert conf.read_text().count("Generated") == 1
    assert list(conf.parent.iterdir()) == [conf]


def test_every_default_is_read_back_as_it_is_written() -> None:
    for option in OPTIONS:
        value: object = option.default
        for line in option.kind.lines(option.default):
            words = split_words(line)
            assert words is not None
            value = option.kind.parse(words, option.default)
        assert value == option.default, option.name


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(OPTIONS) + sum(bool(option.alias) for option in OPTIONS)


def test_the_version_is_the_packages() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["version"] == VERSION
